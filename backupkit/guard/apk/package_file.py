"""The package file while it is being judged: opened once, read once in full, and the same file at the end as at the start.

What was judged is named by the SHA-256 of all its bytes, and that digest is computed from the very buffers that the content digests of
the signature schemes are computed from. Small reads made earlier (directory, signing block, manifest) are compared with those buffers,
so a file that changes in between is noticed.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from backupkit.guard.apk.chunks import CHUNK, Digester, Helper, open_chunks
from backupkit.guard.apk.reasons import Doubt, PackageNotGenuine, PackageUndecided, Reason

MOST_BYTES = 8 << 30
"""No APK that a phone installs comes near; a longer file is not read at all."""
_MOST_REMEMBERED = 24 << 20
"""How many bytes of small reads are kept for the comparison. Later ones rest on the file's identity alone."""
_WORTH_A_THREAD = 4 << 20


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
            self._file = os.fdopen(os.open(path, flags), "rb", buffering=0)
        except (OSError, ValueError) as error:
            raise PackageUndecided(Doubt.UNREADABLE) from error
        try:
            status = _checked(os.fstat(self._file.fileno()))
        except BaseException:
            self._file.close()
            raise
        self._path = path
        self._identity = _identity(status)
        self.size = status.st_size
        self._remembered: list[tuple[int, bytes]] = []
        self._room = _MOST_REMEMBERED

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

    def sweep(self, digester: Digester | None = None, *, content_end: int = 0) -> str:
        """Read the whole file once and return its SHA-256 in hex; `digester` gets every chunk in front of `content_end` as well.

        Raises:
            PackageUndecided: what was read earlier is not what is there now, or the file was swapped.
        """
        whole = hashlib.sha256()
        remembered = sorted(self._remembered, key=lambda part: part[0], reverse=True)
        with (
            open_chunks(self._file, self.size, self._fill) as chunks,
            Helper(digester if content_end >= _WORTH_A_THREAD else None, chunks) as helper,
        ):
            for start, end in ((0, content_end), (content_end, self.size)):
                for offset in range(start, end, CHUNK):
                    view = chunks.take(offset, min(CHUNK, end - offset))
                    _compare(remembered, offset, view)
                    is_content = digester is not None and end <= content_end
                    is_taken = is_content and helper.take(offset, view)
                    whole.update(view)
                    if digester is not None and is_content and not is_taken:
                        digester(offset, view)
                    chunks.done(view, is_shared=is_taken)
        if remembered:
            raise PackageUndecided(Doubt.CHANGED_WHILE_READ)
        self.check_identity()
        return whole.hexdigest()

    def check_identity(self) -> None:
        """Make sure that this is still the file that was opened, unwritten, and still the one its name points to.

        Raises:
            PackageUndecided: it was swapped or written to.
        """
        try:
            same = _identity(os.fstat(self._file.fileno())) == self._identity == _identity(self._path.stat())
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
        """Fill the view from the file. Only one thread reads, so seeking is safe, and it works on every system."""
        try:
            self._file.seek(offset)
            done = 0
            while done < len(view):
                count = self._file.readinto(view[done:])
                if not count:
                    raise PackageUndecided(Doubt.CHANGED_WHILE_READ)
                done += count
        except OSError as error:
            raise PackageUndecided(Doubt.UNREADABLE) from error


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
