"""The package file while it is being judged: opened once, read once in full, and the same file at the end as at the start.

What was judged is named by the SHA-256 of all its bytes, and that digest is computed from the very buffers that the content digests of
the signature schemes are computed from. Small reads made earlier (directory, signing block, manifest) are compared with those buffers,
so a file that changes in between is noticed.

A package may also be a part of a file (a split stored in a container): `PackagePart` reads it where it lies, and one sweep over the whole file
hashes every part as well.
"""

import hashlib
import os
import stat
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from io import FileIO
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from backupkit.guard.apk.chunks import CHUNK, Digester, Helper, open_chunks
from backupkit.guard.apk.reasons import Doubt, PackageNotGenuine, PackageUndecided, Reason

MOST_BYTES = 8 << 30
"""No APK that a phone installs comes near; a longer file is not read at all."""
_MOST_REMEMBERED = 24 << 20
"""How many bytes of small reads are kept for the comparison. Later ones rest on the file's identity alone."""
_WORTH_A_THREAD = 4 << 20


class PackageBytes(Protocol):
    """A package's bytes, wherever they lie."""

    size: int

    def read(self, offset: int, size: int) -> bytes:
        """Read exactly `size` bytes, as they will be compared in the sweep."""
        ...

    def stream(self, offset: int, size: int) -> Iterator[bytes]:
        """Read a range in pieces of `CHUNK` at the most."""
        ...


class Stretch(NamedTuple):
    """Bytes of a file that are hashed on their own. `digester` gets every chunk in front of `content_end`, by its offset from `start`."""

    start: int
    end: int
    digester: Digester | None = None
    content_end: int = 0
    """Counted from the file's beginning, as `start` and `end`."""


class PackageFile:
    """An open package. Use it as a context."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            PackageUndecided: it cannot be opened or read, is no regular file, or is longer than `MOST_BYTES`.
        """
        # O_NONBLOCK: opening a pipe that somebody left in place of the file must not wait for a writer.
        flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
        try:
            file = os.fdopen(os.open(path, flags), "rb", buffering=0)
        except (OSError, ValueError) as error:
            raise PackageUndecided(Doubt.UNREADABLE) from error
        self._begin(file, path)

    @classmethod
    def unnamed(cls, file: FileIO) -> "PackageFile":
        """Take over a finished file that has no name, so that nobody else can write to it.

        Raises:
            PackageUndecided: it is longer than `MOST_BYTES`.
        """
        own = cls.__new__(cls)
        own._begin(file, None)  # noqa: SLF001  # its own class
        return own

    def _begin(self, file: FileIO, path: Path | None) -> None:
        try:
            status = _checked(os.fstat(file.fileno()))
        except BaseException:
            file.close()
            raise
        self._file = file
        self._path = path
        self._identity = _identity(status)
        self.size = status.st_size
        self._remembered: list[tuple[int, bytes]] = []
        self._room = _MOST_REMEMBERED
        self._alone = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def read(self, offset: int, size: int) -> bytes:
        """Read exactly `size` bytes, and remember them for the comparison in `sweep`.

        Raises:
            PackageNotGenuine: the range is outside the file.
            PackageUndecided: the file became shorter, or the disk failed.
        """
        data = self._read(offset, size)
        with self._alone:
            if size <= self._room:
                self._room -= size
                self._remembered.append((offset, data))
        return data

    def stream(self, offset: int, size: int) -> Iterator[bytes]:
        """Read a range in pieces of `CHUNK` at the most, without remembering them.

        Raises:
            PackageNotGenuine: the range is outside the file.
        """
        end = offset + size
        while offset < end:
            piece = min(CHUNK, end - offset)
            yield self._read(offset, piece)
            offset += piece

    def sweep(self, stretches: Sequence[Stretch] = ()) -> tuple[str, list[str]]:
        """Read the whole file once; return its SHA-256 in hex, and that of each stretch. Stretches come in rising order and do not overlap.

        Raises:
            PackageUndecided: what was read earlier is not what is there now, or the file was swapped.
        """
        whole = hashlib.sha256()
        # A package that is the whole file is hashed once.
        own = [whole if (one.start, one.end) == (0, self.size) else hashlib.sha256() for one in stretches]
        remembered = sorted(self._remembered, key=lambda part: part[0], reverse=True)
        content = sum(one.content_end - one.start for one in stretches if one.digester)
        digest = _digest_by_place(stretches)
        with (
            open_chunks(self._file, self.size, self._fill) as chunks,
            Helper(digest if content >= _WORTH_A_THREAD else None, chunks) as helper,
        ):
            for piece in _pieces(stretches, self.size):
                for offset in range(piece.start, piece.end, CHUNK):
                    view = chunks.take(offset, min(CHUNK, piece.end - offset))
                    _compare(remembered, offset, view)
                    is_taken = piece.is_content and helper.take(offset, view)
                    whole.update(view)
                    if piece.stretch is not None and own[piece.stretch] is not whole:
                        own[piece.stretch].update(view)
                    if piece.is_content and not is_taken:
                        digest(offset, view)
                    chunks.done(view, is_shared=is_taken)
        if remembered:
            raise PackageUndecided(Doubt.CHANGED_WHILE_READ)
        self.check_identity()
        return whole.hexdigest(), [one.hexdigest() for one in own]

    def check_identity(self) -> None:
        """Make sure that this is still the file that was opened, unwritten, and still the one its name points to.

        Raises:
            PackageUndecided: it was swapped or written to.
        """
        try:
            same = _identity(os.fstat(self._file.fileno())) == self._identity
            same = same and (self._path is None or _identity(self._path.stat()) == self._identity)
        except OSError as error:
            raise PackageUndecided(Doubt.CHANGED_WHILE_READ) from error
        if not same:
            raise PackageUndecided(Doubt.CHANGED_WHILE_READ)

    def _read(self, offset: int, size: int) -> bytes:
        if offset < 0 or size < 0 or offset + size > self.size:
            raise PackageNotGenuine(Reason.ZIP_MALFORMED)
        data = bytearray(size)
        self._fill(offset, memoryview(data))
        return bytes(data)

    def _fill(self, offset: int, view: memoryview) -> None:
        """Fill the view from the file. Two threads may read, and to seek works on every system."""
        try:
            with self._alone:
                self._file.seek(offset)
                done = 0
                while done < len(view):
                    count = self._file.readinto(view[done:])
                    if not count:
                        raise PackageUndecided(Doubt.CHANGED_WHILE_READ)
                    done += count
        except OSError as error:
            raise PackageUndecided(Doubt.UNREADABLE) from error


class PackagePart:
    """A package that lies in a file as it is: a range of the file's bytes."""

    def __init__(self, file: PackageFile, start: int, size: int) -> None:
        self._file = file
        self.start = start
        self.size = size

    def read(self, offset: int, size: int) -> bytes:
        """Read exactly `size` bytes.

        Raises:
            PackageNotGenuine: the range is outside the part.
        """
        return self._file.read(self._placed(offset, size), size)

    def stream(self, offset: int, size: int) -> Iterator[bytes]:
        """Read a range in pieces.

        Raises:
            PackageNotGenuine: the range is outside the part.
        """
        return self._file.stream(self._placed(offset, size), size)

    def _placed(self, offset: int, size: int) -> int:
        if offset < 0 or size < 0 or offset + size > self.size:
            raise PackageNotGenuine(Reason.ZIP_MALFORMED)
        return self.start + offset


class _Piece(NamedTuple):
    """Bytes that are treated alike in a sweep."""

    start: int
    end: int
    stretch: int | None
    is_content: bool


def _pieces(stretches: Sequence[Stretch], size: int) -> Iterator[_Piece]:
    at = 0
    for index, one in enumerate(stretches):
        content_end = one.content_end if one.digester else one.start
        yield _Piece(at, one.start, None, False)  # a field of its own
        yield _Piece(one.start, content_end, index, True)
        yield _Piece(content_end, one.end, index, False)
        at = one.end
    yield _Piece(at, size, None, False)


def _digest_by_place(stretches: Sequence[Stretch]) -> Digester:
    starts = [one.start for one in stretches]

    def digest(offset: int, view: memoryview) -> None:
        one = stretches[bisect_right(starts, offset) - 1]
        if one.digester is not None:
            one.digester(offset - one.start, view)

    return digest


def _checked(status: os.stat_result) -> os.stat_result:
    if not stat.S_ISREG(status.st_mode):
        raise PackageUndecided(Doubt.UNREADABLE)
    if status.st_size > MOST_BYTES:
        raise PackageUndecided(Doubt.TOO_LARGE)
    return status


def _identity(status: os.stat_result) -> tuple[int, int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _compare(remembered: list[tuple[int, bytes]], offset: int, view: memoryview) -> None:
    """Compare a chunk with the parts read earlier; parts are in falling order of offset, and done ones are dropped."""
    end = offset + len(view)
    unfinished = []
    while remembered and remembered[-1][0] < end:
        start, data = remembered.pop()
        first, last = max(start, offset), min(start + len(data), end)
        if first < last and view[first - offset : last - offset] != data[first - start : last - start]:
            raise PackageUndecided(Doubt.CHANGED_WHILE_READ)
        if start + len(data) > end:
            unfinished.append((start, data))
    remembered.extend(reversed(unfinished))
