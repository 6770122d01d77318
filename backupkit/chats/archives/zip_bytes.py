"""The bytes of one member of a zip archive, all those that a damage leaves.

The library gives nothing of a block in which anything is wrong, and a small member is one block: a single bit would cost a whole chat.
Here what came before the damage is given, and the check of the whole comes last.
"""

import struct
import zipfile
import zlib
from typing import IO

_HEAD_BYTES = 30
_BLOCK_BYTES = 4096
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError)


class ZipBytes:
    """Reads a member. What is wrong with it is raised when everything before it was given."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        self._archive = archive
        self._info = info
        self._inner: IO[bytes] = archive.open(info)
        # Its own check would throw the last block away; it is made here instead.
        self._inner._expected_crc = None  # type: ignore[attr-defined]  # noqa: SLF001  the library has no other way
        self._crc = self._given = 0
        self._left: bytes | None = None
        self._failure: Exception | None = None

    def read(self, size_bytes: int) -> bytes:
        """Return the next bytes, none at the end.

        Raises:
            zipfile.BadZipFile: the member is damaged.
            zlib.error: the same.
            EOFError: the archive ends in it.
        """
        if self._left is None:
            try:
                block = self._inner.read(size_bytes)
            except _BROKEN as error:
                self._failure, self._left = error, self._salvaged()
        if self._left is not None:
            block, self._left = self._left[:size_bytes], self._left[size_bytes:]
        self._crc = zlib.crc32(block, self._crc)
        self._given += len(block)
        if not block and size_bytes:
            if self._failure is not None:
                raise self._failure
            if self._crc != self._info.CRC:
                raise zipfile.BadZipFile("the check of the whole fails")
        return block

    def close(self) -> None:
        """Close the member."""
        self._inner.close()

    def _salvaged(self) -> bytes:
        """Return what can be inflated beyond what was given: block by block up to the broken one, and of that byte by byte."""
        stream = self._archive.fp
        if self._info.compress_type != zipfile.ZIP_DEFLATED or stream is None:
            return b""
        stream.seek(self._info.header_offset)
        head = stream.read(_HEAD_BYTES)
        stream.seek(sum(struct.unpack("<2H", head[26:30])), 1)
        inflating = zlib.decompressobj(-zlib.MAX_WBITS)
        passed = 0
        found = b""
        while block := stream.read(_BLOCK_BYTES):
            before = inflating.copy()
            try:
                plain, is_broken = inflating.decompress(block), False
            except zlib.error:
                plain, is_broken = _byte_by_byte(before, block), True
            wanted = max(self._given - passed, 0)
            passed += len(plain)
            found += plain[wanted:]
            if is_broken or inflating.eof:
                break
        return found


def _byte_by_byte(inflating: "zlib._Decompress", block: bytes) -> bytes:
    parts: list[bytes] = []
    try:
        for place in range(len(block)):
            parts.append(inflating.decompress(block[place : place + 1]))  # noqa: PERF401  what came before the damage stays
    except zlib.error:
        pass
    return b"".join(parts)
