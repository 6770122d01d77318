from contextlib import suppress

import pytest
import zstandard
from hypothesis import given, strategies as st

from backupkit.codec.malformed import MalformedObject
from backupkit.store.packs.compression import Codec, compress, decompress


@given(st.binary(max_size=2000) | st.binary(max_size=20).map(lambda piece: piece * 100))
def test_every_chunk_comes_back_as_it_was(plaintext: bytes) -> None:
    codec, stored = compress(plaintext)

    assert decompress(codec, stored, len(plaintext)) == plaintext
    assert len(stored) <= len(plaintext)


def test_what_does_not_shrink_is_stored_as_it_is() -> None:
    noise = bytes(range(256))

    assert compress(noise) == (Codec.RAW, noise)
    assert compress(b"a" * 256)[0] is Codec.ZSTD


@pytest.mark.parametrize("claimed", [0, 999, 1001, 1 << 20])
def test_a_frame_of_another_size_is_refused(claimed: int) -> None:
    with pytest.raises(MalformedObject):
        decompress(Codec.ZSTD, zstandard.compress(bytes(1000)), claimed)
    with pytest.raises(MalformedObject):
        decompress(Codec.RAW, bytes(1000), claimed)


def test_a_frame_that_claims_a_terabyte_costs_no_memory() -> None:
    # Frame header: magic, descriptor (8-byte content size, window), window, content size 2^40.
    bomb = b"\x28\xb5\x2f\xfd\xc0\xff" + (1 << 40).to_bytes(8, "little") + b"\x03\x00\x00" * 100

    with pytest.raises(MalformedObject):
        decompress(Codec.ZSTD, bomb, 1000)
    with pytest.raises(MalformedObject):
        decompress(Codec.ZSTD, bomb, 1 << 40)


def test_a_frame_that_does_not_say_its_size_or_has_company_is_refused() -> None:
    silent = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(1000))
    whole = zstandard.compress(bytes(1000))

    for stored in (silent, whole + whole, whole + b"x", whole[:-1]):
        with pytest.raises(MalformedObject):
            decompress(Codec.ZSTD, stored, 1000)


@given(st.binary(max_size=200), st.integers(0, 300), st.integers(0, 255))
def test_any_bytes_give_a_chunk_or_a_typed_error(stored: bytes, size: int, codec: int) -> None:
    with suppress(MalformedObject):
        assert len(decompress(codec, stored, size)) == size
