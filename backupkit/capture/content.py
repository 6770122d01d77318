"""What a file's first bytes say about how to store it: how to cut it, and whether to try to compress it."""

import threading
from enum import StrEnum
from typing import Final

import zstandard

PROBE_SIZE: Final = 4096
"""Bytes of a file's front that are enough for every answer here."""

_WORTH_COMPRESSING: Final = 0.92
"""A sample that keeps more than this share of its size under the fastest level will not repay the time."""


class Cut(StrEnum):
    """How a file is cut: by its content, or into equal blocks."""

    TEXT = "text"
    MEDIA = "media"


# By the offset at which they stand: pictures, sound and film that are compressed already.
_MEDIA_MARKS: Final = (
    (
        0,
        (
            b"\xff\xd8\xff",  # JPEG
            b"\x89PNG\r\n\x1a\n",
            b"GIF8",
            b"OggS",
            b"ID3",
            b"fLaC",
            b"#!AMR",
            b"#!SILK",
            b"\x1aE\xdf\xa3",  # Matroska, WebM
            b"FLV\x01",
            b"\x00\x00\x01\xba",  # MPEG program stream
            b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF, WMA, WMV
            b"wxgf",  # WeChat's own picture format
        ),
    ),
    (1, (b"#!SILK",)),  # WeChat puts one byte in front
    (4, (b"ftyp", b"moov")),  # MP4, MOV, 3GP, HEIC, AVIF, M4A
    (8, (b"WEBP", b"AVI ")),
)
_MPEG_AUDIO: Final = frozenset({0xFB, 0xF3, 0xF2, 0xFA, 0xF1, 0xF9})

# Containers: compressed, but what they hold may come again in the next export, so they are cut by content.
_ARCHIVE_MARKS: Final = (
    b"PK\x03\x04",
    b"\x1f\x8b",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07",
    b"\x28\xb5\x2f\xfd",
    b"\xfd7zXZ\x00",
    b"BZh",
)

_MEDIA_ENDINGS: Final = frozenset(
    b"3gp aac amr avi avif dat flac gif heic heif jpeg jpg m4a m4v mkv mov mp3 mp4 mpg oga ogg opus png silk slk webm webp wmv".split()
)

_compressors = threading.local()


def choose_cut(name: bytes, probe: bytes, size: int) -> Cut:
    """Choose how to cut a file from its name, its first `PROBE_SIZE` bytes and its size in bytes.

    The content decides; the name only tips the balance for noise that has no mark, such as WeChat's masked pictures.
    """
    if _is_media(probe):
        return Cut.MEDIA
    if probe.startswith(_ARCHIVE_MARKS):
        return Cut.TEXT
    if _ending(name) in _MEDIA_ENDINGS and not is_compressible(probe):
        return Cut.MEDIA
    # Noise in large files, such as encrypted exports, can share no chunk with another day: equal blocks cost least.
    if size > len(probe) >= PROBE_SIZE and not is_compressible(probe):
        return Cut.MEDIA
    return Cut.TEXT


def has_known_mark(probe: bytes) -> bool:
    """Say whether a file begins as pictures, sound, film or an archive do."""
    return _is_media(probe) or probe.startswith(_ARCHIVE_MARKS)


def is_compressible(probe: bytes) -> bool:
    """Say whether compressing is worth its time, from the first `PROBE_SIZE` bytes of a file or chunk."""
    if has_known_mark(probe):
        return False
    sample = probe[:PROBE_SIZE]
    return len(_compressor().compress(sample)) < len(sample) * _WORTH_COMPRESSING


def _compressor() -> zstandard.ZstdCompressor:
    # A compressor serves one thread at a time, and making one costs more than a sample.
    found: zstandard.ZstdCompressor | None = getattr(_compressors, "fastest", None)
    if found is None:
        found = zstandard.ZstdCompressor(level=1, write_checksum=False, write_content_size=False)
        _compressors.fastest = found
    return found


def _is_media(probe: bytes) -> bool:
    for offset, marks in _MEDIA_MARKS:
        if probe.startswith(marks, offset):
            return True
    return len(probe) > 2 and probe[0] == 0xFF and probe[1] in _MPEG_AUDIO


def _ending(name: bytes) -> bytes:
    return name.rpartition(b".")[2].lower()
