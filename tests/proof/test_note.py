import base64

import pytest
from hypothesis import given, settings, strategies as st

from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.failures import SignatureInvalid
from backupkit.crypto.signing import SigningKey, VerifyKey
from backupkit.proof.base64_text import from_base64, from_either_base64, to_base64
from backupkit.proof.note import MAX_SIGNATURES, SignatureLine, key_id, open_note, read_note, sign_note

KEY = SigningKey(b"\x07" * 32)
TEXT = "one\n\ntwo\n"
NOTE = sign_note(TEXT, "example.com/log", KEY)

# The example of the signed-note specification: verifier key and note.
SPEC_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SPEC_NOTE = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)


def opens(data: bytes) -> str:
    return open_note(data, "example.com/log", KEY.verify_key)


def test_the_example_of_the_specification_opens() -> None:
    name, hint, encoded = SPEC_KEY.split("+", 2)
    key = VerifyKey(base64.b64decode(encoded)[1:])

    assert key_id(name, key.public).hex() == hint
    assert open_note(SPEC_NOTE.encode(), name, key) == "This is an example message.\n"


def test_the_text_ends_at_the_last_empty_line() -> None:
    assert opens(NOTE) == TEXT


def test_signatures_of_unknown_keys_are_ignored() -> None:
    stranger = str(SignatureLine("example.com/log", b"abcd", b"\x00" * 64)) + str(
        SignatureLine("witness.example/w1", key_id("example.com/log", KEY.verify_key.public), b"\x00" * 2420)
    )

    assert opens(NOTE + stranger.encode() * 7) == TEXT


def test_a_bad_signature_of_the_known_key_spoils_the_note() -> None:
    forged = SignatureLine("example.com/log", key_id("example.com/log", KEY.verify_key.public), b"\x00" * 64)

    with pytest.raises(SignatureInvalid):
        opens(NOTE + str(forged).encode())


def test_a_note_without_a_signature_by_the_known_key_is_refused() -> None:
    with pytest.raises(SignatureInvalid):
        opens(sign_note(TEXT, "example.com/other", KEY))
    with pytest.raises(SignatureInvalid):
        opens(sign_note(TEXT, "example.com/log", SigningKey(b"\x08" * 32)))


def test_more_signatures_than_anybody_needs_are_refused_before_any_is_checked() -> None:
    stranger = str(SignatureLine("w", b"abcd", b"\x00" * 64)).encode()

    assert opens(NOTE + stranger * (MAX_SIGNATURES - 1)) == TEXT
    with pytest.raises(MalformedObject):
        opens(NOTE + stranger * MAX_SIGNATURES)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text without signature\n",
        NOTE[:-1],
        NOTE[:-1] + b"x",
        NOTE[NOTE.index("—".encode()) :],
        NOTE + b"name AAAAAAAA\n",
        NOTE + b"\n",
        NOTE + b"no signature line\n",
        NOTE + "— name\n".encode(),
        NOTE + "— name AAAA\n".encode(),
        NOTE + "— two names AAAAAAAA\n".encode(),
        NOTE + "— name AAAAAAA\n".encode(),
        NOTE + "— name+plus AAAAAAAA\n".encode(),
        NOTE.replace(b"one", b"o\tn"),
        NOTE.replace(b"one", b"o\xffe"),
        b"x" * (1 << 19),
    ],
)
def test_what_is_no_note_is_refused_as_malformed(data: bytes) -> None:
    with pytest.raises(MalformedObject):
        opens(data)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(NOTE) - 1), st.integers(1, 255))
def test_no_changed_byte_leaves_a_note_valid(place: int, mask: int) -> None:
    changed = bytearray(NOTE)
    changed[place] ^= mask

    with pytest.raises((MalformedObject, SignatureInvalid)):
        opens(bytes(changed))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_are_refused_and_never_crash(data: bytes) -> None:
    with pytest.raises(MalformedObject):
        read_note(data + b"\n\n")


@pytest.mark.parametrize(("name", "text"), [("", TEXT), ("a b", TEXT), ("a+b", TEXT), ("a", "no end"), ("a", "\t\n")])
def test_what_cannot_be_in_a_note_is_not_signed(name: str, text: str) -> None:
    with pytest.raises(ValueError):
        sign_note(text, name, KEY)


@given(st.binary(max_size=100))
def test_base64_has_one_spelling(data: bytes) -> None:
    text = to_base64(data)

    assert from_base64(text) == data == from_either_base64(base64.urlsafe_b64encode(data).decode())
    for other in (text + "=", text + "\n", " " + text, text.rstrip("=") + "====", text + "é"):
        with pytest.raises(ValueError):
            from_base64(other)


def test_base64_with_stray_bits_or_two_alphabets_is_refused() -> None:
    for text in ("AB==", "AAB=", "A", "AAA"):
        with pytest.raises(ValueError):
            from_base64(text)
    with pytest.raises(ValueError):
        from_either_base64("-_+/")
