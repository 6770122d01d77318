"""Zip and tar archives from strangers, read in place.

The directory's size is looked at before it is read, and a member may not give more than it declares nor swell more
than deflate plausibly does on text.
"""

import io
import re
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, BinaryIO, Self

from backupkit.chats.archives.zip_bytes import ZipBytes
from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Locator

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_DIRECTORY_BYTES = 64 * 2**20
# Deflate reaches 1032:1 on a run of one byte; a chat export in JSON stays under 40:1.
MAX_SWELLING = 200
FREE_BYTES = 64 * 2**20

_END_MARK, _ENTRY_MARK = b"PK\x05\x06", b"PK\x01\x02"
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")


def open_archive(stream: BinaryIO, locator: Locator, max_members: int) -> zipfile.ZipFile:
    """Open a zip archive after looking at the size of its directory.

    Raises:
        MalformedExport: it is cut, damaged or too large.
    """
    members, directory_bytes = _declared_directory(stream, locator)
    if members > max_members or directory_bytes > MAX_DIRECTORY_BYTES:
        raise MalformedExport(locator, "archive-directory-too-large")
    stream.seek(0)
    try:
        return zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, struct.error, NotImplementedError) as error:
        raise MalformedExport(locator, "archive-directory-damaged") from error


def has_zip_directory(stream: BinaryIO) -> bool:
    """Say whether a file ends with the directory of a zip archive, whatever stands in front of it: a program that unpacks it, or a hole."""
    length = stream.seek(0, io.SEEK_END)
    start = max(0, length - _END.size - 0xFFFF)
    stream.seek(start)
    tail = stream.read()
    at = tail.rfind(_END_MARK)
    if at < 0 or len(tail) - at < _END.size:
        return False
    begins = start + at - _END.unpack_from(tail, at)[5]
    if begins < 0:
        return False
    stream.seek(begins)
    return stream.read(4) == _ENTRY_MARK


def _declared_directory(stream: BinaryIO, locator: Locator) -> tuple[int, int]:
    length = stream.seek(0, io.SEEK_END)
    start = max(0, length - _END.size - 0xFFFF)
    stream.seek(start)
    tail = stream.read()
    at = tail.rfind(_END_MARK)
    if at < 0 or len(tail) - at < _END.size:
        raise MalformedExport(locator, "archive-cut")
    members, directory_bytes = _END.unpack_from(tail, at)[4:6]
    before = start + at - _LOCATOR_64.size
    if before >= 0:
        stream.seek(before)
        mark, _disk, end_64, _disks = _LOCATOR_64.unpack(stream.read(_LOCATOR_64.size))
        if mark == b"PK\x06\x07" and end_64 + _END_64.size <= length:
            stream.seek(end_64)
            fields = _END_64.unpack(stream.read(_END_64.size))
            if fields[0] == b"PK\x06\x06":
                members, directory_bytes = fields[7:9]
    return members, directory_bytes


def tar_members(path: Path, locator: Locator, max_members: int) -> Iterator[tarfile.TarInfo]:
    """Tell the regular files of a tar archive that is not compressed; what comes before a damage is told first.

    Raises:
        MalformedExport: it is cut or damaged, or holds too much.
    """
    length = path.stat().st_size
    try:
        with tarfile.open(path, "r:", errorlevel=1) as archive:
            for number, member in enumerate(archive):
                if number >= max_members:
                    raise MalformedExport(locator, "archive-directory-too-large")
                if member.isreg() and not member.issparse():
                    is_cut = member.offset_data + member.size > length
                    if is_cut:
                        member.size = max(length - member.offset_data, 0)
                    yield member
                    if is_cut:
                        raise MalformedExport(locator, "archive-cut")
                # The list that the module keeps for later look-ups would hold every member.
                archive.members.clear()  # type: ignore[attr-defined]  # typeshed hides it
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError) as error:
        raise MalformedExport(locator, "archive-directory-damaged") from error


_GZIP = b"\x1f\x8b\x08"
_ANDROID = re.compile(rb"ANDROID BACKUP\n\d{1,3}\n([01])\n([\w-]{1,20})\n")


def is_inflatable(head: bytes) -> bool:
    """Say whether a file may be a compressed tar archive, or an Android backup that is not encrypted."""
    found = _ANDROID.match(head)
    return head.startswith(_GZIP) if found is None else found[2] == b"none"


def is_sealed_android_backup(head: bytes) -> bool:
    """Say whether a file is an Android backup with a password."""
    found = _ANDROID.match(head)
    return found is not None and found[2] != b"none"


def inflates_to_tar(path: Path) -> bool:
    """Look at the first bytes of what a compressed archive holds, before all of it is written."""
    with path.open("rb") as stream:
        found = _ANDROID.match(stream.read(64))
        stream.seek(found.end() if found else 0)
        begun = stream.read(1 << 16)
    if found is None or found[1] == b"1":
        try:
            begun = zlib.decompressobj(zlib.MAX_WBITS if found else zlib.MAX_WBITS | 16).decompress(begun, 512)
        except zlib.error:
            return False
    return begun[257:262] == b"ustar"


def inflate(path: Path, target: Path, locator: Locator) -> MalformedExport | None:
    """Write what a compressed archive holds, within bounds. Returns the damage that ended it; what came before is written."""
    with path.open("rb") as stream, target.open("wb") as out:
        found = _ANDROID.match(stream.read(64))
        stream.seek(found.end() if found else 0)
        if found is not None and found[1] == b"0":
            shutil.copyfileobj(stream, out, 1 << 20)
            return None
        inflating = zlib.decompressobj(wbits=zlib.MAX_WBITS if found else zlib.MAX_WBITS | 16)
        left = FREE_BYTES + MAX_SWELLING * path.stat().st_size
        while block := stream.read(1 << 20):
            while block:
                try:
                    plain = inflating.decompress(block, 1 << 20)
                except zlib.error:
                    return MalformedExport(locator, "archive-member-damaged")
                left -= len(plain)
                if left < 0:
                    return MalformedExport(locator, "archive-member-swells")
                out.write(plain)
                block = inflating.unconsumed_tail
        return None if inflating.eof else MalformedExport(locator, "archive-cut")


def trouble_with_name(name: str) -> str | None:
    """Say why a member's name is not to be trusted, None where it is plain."""
    parts = PurePosixPath(name).parts
    if not name or "\0" in name or "\\" in name or name.startswith("/") or ".." in parts or name[1:2] == ":":
        return "unsafe-name"
    return None


class GuardedStream(io.RawIOBase):
    """A stream that turns every way a member can be wrong into one `MalformedExport`."""

    def __init__(
        self, inner: "IO[bytes] | ZipBytes", limit_bytes: int, locator: Locator, *, ends_at_limit: bool = False
    ) -> None:
        super().__init__()
        self._inner = inner
        self._left = limit_bytes
        self._locator = locator
        self._ends_at_limit = ends_at_limit

    @classmethod
    def over_zip(cls, archive: zipfile.ZipFile, info: zipfile.ZipInfo, locator: Locator) -> Self:
        """Open a member. It may give `MAX_SWELLING` times its compressed length, and a little for free."""
        try:
            inner = ZipBytes(archive, info)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, ValueError, struct.error) as error:
            raise MalformedExport(locator, "archive-member-damaged") from error
        return cls(inner, FREE_BYTES + MAX_SWELLING * info.compress_size, locator)

    @classmethod
    def stretch(cls, inner: BinaryIO, size_bytes: int, locator: Locator) -> Self:
        """Give `size_bytes` from where `inner` stands, and then the end."""
        return cls(inner, size_bytes, locator, ends_at_limit=True)

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Read the next bytes.

        Raises:
            MalformedExport: the member is damaged, or larger than it may be.
        """
        view = memoryview(buffer)
        if self._ends_at_limit:
            view = view[: self._left]
        try:
            block = self._inner.read(len(view))
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
            raise MalformedExport(self._locator, "archive-member-damaged") from error
        self._left -= len(block)
        if self._left < 0:
            raise MalformedExport(self._locator, "archive-member-swells")
        view[: len(block)] = block
        return len(block)

    def close(self) -> None:
        """Close the member too."""
        self._inner.close()
        super().close()
