import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, strategies as st

from backupkit.crypto.failures import OpenFailed
from backupkit.crypto.sealing import BLOB_OVERHEAD, TAG_SIZE, RecordCipher, open_blob, seal_blob

KEY = bytes(range(32))


@given(st.integers(0, 2**32 - 1), st.binary(max_size=80), st.binary(max_size=20))
def test_a_record_is_aes_256_gcm_with_its_ordinal_as_nonce(ordinal: int, plaintext: bytes, associated: bytes) -> None:
    sealed = RecordCipher(KEY).seal(ordinal, plaintext, associated)

    assert sealed == AESGCM(KEY).encrypt(ordinal.to_bytes(12, "big"), plaintext, associated)
    assert len(sealed) == len(plaintext) + TAG_SIZE
    assert RecordCipher(KEY).open(ordinal, sealed, associated) == plaintext


@pytest.mark.parametrize(
    ("key", "ordinal", "associated"), [(bytes(32), 1, b"head"), (KEY, 2, b"head"), (KEY, 1, b"other")]
)
def test_a_record_in_another_place_does_not_open(key: bytes, ordinal: int, associated: bytes) -> None:
    sealed = RecordCipher(KEY).seal(1, b"words", b"head")

    with pytest.raises(OpenFailed):
        RecordCipher(key).open(ordinal, sealed, associated)


@pytest.mark.parametrize("size", [0, 15])
def test_a_record_shorter_than_its_tag_is_a_typed_error(size: int) -> None:
    with pytest.raises(OpenFailed):
        RecordCipher(KEY).open(0, bytes(size), b"")


@given(st.binary(max_size=80), st.binary(max_size=20))
def test_a_blob_is_opened_for_its_purpose_only(plaintext: bytes, associated: bytes) -> None:
    sealed = seal_blob(KEY, plaintext, purpose="index", associated=associated)

    assert open_blob(KEY, memoryview(sealed), purpose="index", associated=associated) == plaintext
    assert len(sealed) == len(plaintext) + BLOB_OVERHEAD
    with pytest.raises(OpenFailed):
        open_blob(KEY, sealed, purpose="keyring", associated=associated)
    with pytest.raises(OpenFailed):
        open_blob(KEY, sealed, purpose="index", associated=associated + b"x")
    with pytest.raises(OpenFailed):
        open_blob(bytes(32), sealed, purpose="index", associated=associated)


def test_the_same_blob_is_never_sealed_the_same_way_twice() -> None:
    assert seal_blob(KEY, b"words", purpose="index") != seal_blob(KEY, b"words", purpose="index")


def test_a_blob_with_any_byte_changed_or_cut_does_not_open() -> None:
    sealed = seal_blob(KEY, b"words", purpose="index", associated=b"head")

    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1 << place % 8
        with pytest.raises(OpenFailed):
            open_blob(KEY, bytes(changed), purpose="index", associated=b"head")
        with pytest.raises(OpenFailed):
            open_blob(KEY, sealed[:place], purpose="index", associated=b"head")
