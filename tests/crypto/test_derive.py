import hashlib
import hmac

import pytest
from hypothesis import given, strategies as st

from backupkit.crypto.derive import derive


def hkdf_by_hand(secret: bytes, salt: bytes, info: bytes, size: int) -> bytes:
    key = hmac.digest(salt or bytes(32), secret, "sha256")
    out, block, count = b"", b"", 1
    while len(out) < size:
        block = hmac.digest(key, block + info + bytes([count]), "sha256")
        out, count = out + block, count + 1
    return out[:size]


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=40), st.binary(max_size=40), st.integers(1, 96))
def test_keys_are_hkdf_sha_256_with_the_label_in_the_info(
    secret: bytes, salt: bytes, context: bytes, size: int
) -> None:
    made = derive(secret, "pack-record", salt=salt, context=context, size=size)

    assert made == hkdf_by_hand(secret, salt, b"backupkit/1/pack-record\x00" + context, size)


def test_the_hand_made_oracle_gives_the_first_vector_of_rfc_5869() -> None:
    made = hkdf_by_hand(b"\x0b" * 22, bytes(range(13)), bytes(range(0xF0, 0xFA)), 42)

    assert made.hex() == ("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")


def test_each_purpose_and_context_has_its_own_key() -> None:
    secret = hashlib.sha256(b"secret").digest()

    made = {
        derive(secret, "a"),
        derive(secret, "b"),
        derive(secret, "a", context=b"b"),
        derive(secret, "a", salt=b"b"),
        derive(secret, "ab"),
    }

    assert len(made) == 5


def test_a_label_is_ascii() -> None:
    with pytest.raises(UnicodeEncodeError):
        derive(bytes(32), "钥匙")
