import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.failures import SignatureInvalid
from backupkit.crypto.signing import SigningKey
from backupkit.proof.dsse import (
    MAX_ENVELOPE_BYTES,
    MAX_SIGNATURES,
    open_envelope,
    pre_authentication_encoding,
    read_envelope,
    sign_envelope,
)
from backupkit.proof.pem import public_pem, read_public_pem

KEY, OTHER = SigningKey(b"\x04" * 32), SigningKey(b"\x05" * 32)
KIND = "application/vnd.in-toto+json"
PAYLOAD = b'{"some":"thing \xe5\xa5\xbd???>>>"}'
ENVELOPE = sign_envelope(PAYLOAD, KIND, [KEY])


def opens(data: bytes) -> bytes:
    return open_envelope(data, KEY.verify_key, KIND)


def changed(**fields: object) -> bytes:
    return json.dumps({**json.loads(ENVELOPE), **fields}).encode()


def signature_rows(*keys: SigningKey) -> list[dict[str, str]]:
    signed = pre_authentication_encoding(KIND, PAYLOAD)
    return [{"sig": base64.b64encode(key.sign(signed)).decode()} for key in keys]


def test_the_encoding_that_is_signed_is_the_one_of_the_protocol() -> None:
    # The example of DSSE `protocol.md`.
    assert (
        pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
        == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_a_payload_comes_back() -> None:
    assert opens(ENVELOPE) == PAYLOAD


def test_url_safe_base64_is_accepted() -> None:
    url_safe = base64.urlsafe_b64encode(PAYLOAD).decode()
    rows = [{"sig": row["sig"].replace("+", "-").replace("/", "_")} for row in signature_rows(KEY)]

    assert "_" in url_safe or "-" in url_safe
    assert opens(changed(payload=url_safe, signatures=rows)) == PAYLOAD


def test_key_hints_and_unknown_fields_decide_nothing() -> None:
    rows = [{**row, "keyid": "somebody else", "cert": [1, 2]} for row in signature_rows(KEY)]

    assert opens(changed(signatures=rows, note="from a newer version")) == PAYLOAD
    assert opens(changed(signatures=[{**row, "keyid": None} for row in rows])) == PAYLOAD


def test_signatures_of_others_are_passed_over_up_to_a_bound() -> None:
    crowd = signature_rows(*[OTHER] * (MAX_SIGNATURES - 1), KEY)

    assert opens(changed(signatures=crowd)) == PAYLOAD
    with pytest.raises(MalformedObject):
        opens(changed(signatures=crowd + signature_rows(OTHER)))


def test_no_signature_by_the_key_is_refused() -> None:
    with pytest.raises(SignatureInvalid):
        opens(sign_envelope(PAYLOAD, KIND, [OTHER]))


def test_a_threshold_counts_keys_and_not_signatures() -> None:
    both = [KEY.verify_key, OTHER.verify_key]

    assert open_envelope(sign_envelope(PAYLOAD, KIND, [KEY, OTHER]), both, KIND, threshold=2) == PAYLOAD
    assert open_envelope(ENVELOPE, both, KIND) == PAYLOAD
    with pytest.raises(SignatureInvalid):
        open_envelope(sign_envelope(PAYLOAD, KIND, [KEY, KEY]), both, KIND, threshold=2)
    with pytest.raises(SignatureInvalid):
        open_envelope(ENVELOPE, [KEY.verify_key, KEY.verify_key], KIND, threshold=2)
    with pytest.raises(SignatureInvalid):
        open_envelope(ENVELOPE, [], KIND, threshold=0)


def test_another_payload_type_is_refused_even_when_it_is_signed() -> None:
    with pytest.raises(MalformedObject):
        opens(sign_envelope(PAYLOAD, "text/plain", [KEY]))


def test_a_payload_type_that_was_not_signed_is_refused() -> None:
    with pytest.raises(SignatureInvalid):
        opens(changed(payloadType="text/plain"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"7",
        ENVELOPE + b" {}",
        ENVELOPE[:-1],
        ENVELOPE.replace(b'{"payload"', b'{"payload":"","payload"'),
        changed(payload=7),
        changed(payload="AB=="),
        changed(payload="-_+/"),
        changed(payloadType=None),
        changed(signatures=[]),
        changed(signatures={}),
        changed(signatures=[7]),
        changed(signatures=[{}]),
        changed(signatures=[{"sig": "?"}]),
        b" " * (MAX_ENVELOPE_BYTES + 1),
        b"[" * 100_000,
    ],
)
def test_what_is_no_envelope_is_refused_as_malformed(data: bytes) -> None:
    with pytest.raises(MalformedObject):
        opens(data)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(ENVELOPE) - 1), st.integers(1, 255))
def test_no_changed_byte_yields_another_payload(place: int, mask: int) -> None:
    data = bytearray(ENVELOPE)
    data[place] ^= mask

    try:
        payload = opens(bytes(data))
    except (MalformedObject, SignatureInvalid):
        return
    # Only the name of a field that nobody reads may change without a word.
    assert payload == PAYLOAD
    assert b'"keyid":""' not in data


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_are_refused_and_never_crash(data: bytes) -> None:
    with pytest.raises(MalformedObject):
        read_envelope(data)


def test_openssl_accepts_the_signature_of_an_envelope(system_tool: Callable[[str], str], tmp_path: Path) -> None:
    openssl = system_tool("openssl")
    kind, payload, (signature,) = read_envelope(ENVELOPE)
    (tmp_path / "signed").write_bytes(pre_authentication_encoding(kind, payload))
    (tmp_path / "sig").write_bytes(signature)
    (tmp_path / "key.pem").write_text(public_pem(KEY.verify_key))
    command = [
        openssl,
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        "key.pem",
        "-rawin",
        "-in",
        "signed",
        "-sigfile",
        "sig",
    ]

    accepted = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    (tmp_path / "signed").write_bytes(pre_authentication_encoding(kind, payload + b" "))
    refused = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)

    assert accepted.returncode == 0, accepted.stderr
    assert refused.returncode != 0


@pytest.mark.corpus
def test_a_signature_made_with_openssl_is_accepted(corpus: Path) -> None:
    made = corpus / "trust/local-made"
    key = read_public_pem((made / "pub.pem").read_text())
    kind, payload = KIND, (made / "st.json").read_bytes()

    assert pre_authentication_encoding(kind, payload) == (made / "pae.bin").read_bytes()
    key.verify((made / "dsse.sig").read_bytes(), pre_authentication_encoding(kind, payload), what="fixture")
