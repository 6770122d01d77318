"""How a chunk's bytes are made smaller, and how hostile ones are kept from growing large.

Compressors are kept per thread: making one costs more than compressing a small chunk, and they cannot be shared.
"""

import threading
from enum import IntEnum

import zstandard

from backupkit.codec.malformed import MalformedObject

LEVEL = 3
"""Levels 6 to 12 save at most 3 % for 3 to 10 times the time on chunks of 64 KiB."""

FIRST_LEVEL = 1
"""For the first snapshot of a domain (ADR 0015): two and a half times as fast on databases, which become an eighth larger."""

_WORTH_IT = 0.97
_BY_THREAD = threading.local()


class Codec(IntEnum):
    """How an entry's stored bytes give its plain bytes."""

    RAW = 0
    ZSTD = 1


def compress(plaintext: bytes, level: int = LEVEL) -> tuple[Codec, bytes]:
    """Return the bytes to store: compressed if that saves at least 3 %, else as they are."""
    stored = _compressor(level).compress(plaintext)
    if len(stored) > len(plaintext) * _WORTH_IT:
        return Codec.RAW, plaintext
    return Codec.ZSTD, stored


def decompress(codec: int, stored: bytes | memoryview, plain_size: int) -> bytes:
    """Return the plain bytes, exactly `plain_size` of them. Nothing larger is ever allocated.

    Raises:
        MalformedObject: an unknown codec, a broken frame, or another size.
    """
    if codec == Codec.RAW:
        if len(stored) != plain_size:
            raise MalformedObject(what="chunk", reason="wrong-size")
        return bytes(stored)
    if codec != Codec.ZSTD:
        raise MalformedObject(what="chunk", reason="unknown-codec")
    try:
        # The library allocates what the frame says it holds, whatever limit it is given: look at it first.
        if zstandard.frame_content_size(stored) != plain_size:
            raise MalformedObject(what="chunk", reason="wrong-size")
        plaintext = _decompressor().decompress(stored, max_output_size=plain_size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise MalformedObject(what="chunk", reason="broken-zstd-frame") from error
    if len(plaintext) != plain_size:
        raise MalformedObject(what="chunk", reason="wrong-size")
    return plaintext


def _compressor(level: int) -> zstandard.ZstdCompressor:
    kept: dict[int, zstandard.ZstdCompressor] | None = getattr(_BY_THREAD, "compressors", None)
    if kept is None:
        kept = _BY_THREAD.compressors = {}
    if level not in kept:
        kept[level] = zstandard.ZstdCompressor(level=level, write_content_size=True, write_checksum=False)
    return kept[level]


def _decompressor() -> zstandard.ZstdDecompressor:
    kept: zstandard.ZstdDecompressor | None = getattr(_BY_THREAD, "decompressor", None)
    if kept is None:
        kept = _BY_THREAD.decompressor = zstandard.ZstdDecompressor()
    return kept
