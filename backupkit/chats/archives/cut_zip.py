"""Zip archives whose end is missing, as a broken-off copy leaves them.

The directory lies at the end and is lost, but every member begins with a head of its own. They are walked from the front; the
last one is given as far as it goes, and then the cut is told.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from backupkit.chats.archives.archive import FREE_BYTES, MAX_SWELLING
from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.model import Locator

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_HEAD = struct.Struct("<4s5H3L2H")
_SIZES_LATER = 0x8
_ENCRYPTED = 0x1
_STORED, _DEFLATED = 0, 8
_BLOCK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class CutMember:
    """A member that was found by its own head. `packed_bytes` is None where the head leaves it to what follows."""

    path: Path
    name: str
    offset: int
    method: int
    packed_bytes: int | None
    size_bytes: int

    def open(self) -> BinaryIO:
        """Open it for reading from the start."""
        return cast("BinaryIO", io.BufferedReader(_MemberStream(self), _BLOCK_BYTES))


def members_of_cut_zip(path: Path, max_members: int) -> Iterator[CutMember]:
    """Walk the heads of an archive from the front until one is not whole."""
    length = path.stat().st_size
    with path.open("rb") as stream:
        at = 0
        for _number in range(max_members):
            stream.seek(at)
            head = stream.read(_HEAD.size)
            if len(head) < _HEAD.size or head[:4] != b"PK\x03\x04":
                return
            _mark, _version, flags, method, _time, _date, _crc, packed, size, name_bytes, extra_bytes = _HEAD.unpack(
                head
            )
            name = stream.read(name_bytes).decode("utf-8" if flags & 0x800 else "cp437", "replace")
            offset = at + _HEAD.size + name_bytes + extra_bytes
            is_known = not flags & _SIZES_LATER and packed != 0xFFFFFFFF
            if method not in {_STORED, _DEFLATED} or (method == _STORED and not is_known):
                return
            member = CutMember(path, name, offset, method, packed if is_known else None, size if is_known else 0)
            if not flags & _ENCRYPTED and not name.endswith("/"):
                yield member
            end = offset + packed if is_known else _end_of_deflated(member)
            if end is None or end > length:
                return
            at = end if is_known else _after_descriptor(stream, end)


def _end_of_deflated(member: CutMember) -> int | None:
    """Return where a deflated stream ends: only inflating it tells."""
    try:
        with _MemberStream(member) as stream:
            while stream.read(_BLOCK_BYTES):
                pass
            return member.offset + stream.consumed
    except MalformedExport:
        return None


def _after_descriptor(stream: BinaryIO, at: int) -> int:
    stream.seek(at)
    return at + (16 if stream.read(4) == b"PK\x07\x08" else 12)


class _MemberStream(io.RawIOBase):
    """Gives what a member holds, and one error where it breaks off."""

    def __init__(self, member: CutMember) -> None:
        super().__init__()
        self.consumed = 0
        self._member = member
        self._stream = member.path.open("rb")
        self._stream.seek(member.offset)
        self._left = member.packed_bytes
        self._inflate = zlib.decompressobj(-15) if member.method == _DEFLATED else None
        self._given = 0
        self._is_done = False

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Read the next bytes.

        Raises:
            TruncatedExport: the archive ends inside the member.
            MalformedExport: the member is damaged, or swells beyond its bounds.
        """
        view = memoryview(buffer)
        block = b""
        while not block and not self._is_done:
            block = self._more(len(view))
        view[: len(block)] = block
        self._given += len(block)
        if self._given > FREE_BYTES + MAX_SWELLING * max(self.consumed, 1):
            raise MalformedExport(Locator(self._member.name), "archive-member-swells")
        return len(block)

    def _more(self, size: int) -> bytes:
        pending = self._inflate.unconsumed_tail if self._inflate else b""
        if not pending:
            limit = _BLOCK_BYTES if self._left is None else min(_BLOCK_BYTES, self._left)
            pending = self._stream.read(min(limit, size) if self._inflate is None else limit)
            self.consumed += len(pending)
            self._left = None if self._left is None else self._left - len(pending)
            if not pending:
                self._is_done = True
                if self._left != 0 or self._inflate is not None:
                    raise TruncatedExport(Locator(self._member.name), "archive-cut")
                return b""
        if self._inflate is None:
            return pending
        try:
            block = self._inflate.decompress(pending, size)
        except zlib.error as error:
            raise MalformedExport(Locator(self._member.name), "archive-member-damaged") from error
        if self._inflate.eof:
            self._is_done = True
            self.consumed -= len(self._inflate.unused_data)
        return block

    def close(self) -> None:
        """Close the archive too."""
        self._stream.close()
        super().close()
