"""Zip and tar archives from strangers, read in place.

The directory's size is looked at before it is read, and a member may not give more than it declares nor swell more
than deflate plausibly does on text.
"""

import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, BinaryIO, Self

from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Locator

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_DIRECTORY_BYTES = 64 * 2**20
# Deflate reaches 1032:1 on a run of one byte; a chat export in JSON stays under 40:1.
MAX_SWELLING = 200
FREE_BYTES = 64 * 2**20

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


def _declared_directory(stream: BinaryIO, locator: Locator) -> tuple[int, int]:
    length = stream.seek(0, io.SEEK_END)
    start = max(0, length - _END.size - 0xFFFF)
    stream.seek(start)
    tail = stream.read()
    at = tail.rfind(b"PK\x05\x06")
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
                    if member.offset_data + member.size > length:
                        raise MalformedExport(locator, "archive-cut")
                    yield member
                # The list that the module keeps for later look-ups would hold every member.
                archive.members.clear()  # type: ignore[attr-defined]  # typeshed hides it
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError) as error:
        raise MalformedExport(locator, "archive-directory-damaged") from error


def trouble_with_name(name: str) -> str | None:
    """Say why a member's name is not to be trusted, None where it is plain."""
    parts = PurePosixPath(name).parts
    if not name or "\0" in name or "\\" in name or name.startswith("/") or ".." in parts or name[1:2] == ":":
        return "unsafe-name"
    return None


class GuardedStream(io.RawIOBase):
    """A stream that turns every way a member can be wrong into one `MalformedExport`."""

    def __init__(self, inner: IO[bytes], limit_bytes: int, locator: Locator, *, ends_at_limit: bool = False) -> None:
        super().__init__()
        self._inner = inner
        self._left = limit_bytes
        self._locator = locator
        self._ends_at_limit = ends_at_limit

    @classmethod
    def over_zip(cls, archive: zipfile.ZipFile, info: zipfile.ZipInfo, locator: Locator) -> Self:
        """Open a member. It may give `MAX_SWELLING` times its compressed length, and a little for free."""
        try:
            inner = archive.open(info)
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
