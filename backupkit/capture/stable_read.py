"""A file read as one moment: if it changes while we read, it is read again, and what will not hold still is told.

A reader gets the file in pieces and may be called more than once for one file; only its last answer counts. Nothing
is ever opened for writing, no link is followed, and a pipe that takes a file's place cannot make us wait.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from backupkit.capture.unreadable import SourceUnreadable, Unreadable, reason_of

PIECE_SIZE = 1 << 20
"""Bytes in a piece: every piece but the last has exactly this size."""

_PEEK = 4096

_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_BINARY", 0)
)
_NO_ACCESS_TIME = getattr(os, "O_NOATIME", 0)

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class StableRead(Generic[Answer]):
    """What a reader made of a file.

    `size` counts the bytes it was given, `attempts` how often it was called. Where `changed` is true the file did not
    hold still in any attempt: `answer` is of the last one, whose bytes may mix two states of the file.
    """

    answer: Answer
    size: int
    attempts: int
    changed: bool
    status: os.stat_result


def read_stable(
    path: Path | str, read: Callable[[Iterator[bytes]], Answer], *, attempts: int = 3
) -> StableRead[Answer]:
    """Give the pieces of a file to `read`, again from the start if the file changed meanwhile, `attempts` times at most.

    Raises:
        SourceUnreadable: the file cannot be opened or read, or is no longer a file.
    """
    for attempt in range(1, attempts + 1):
        done = _read_once(path, read, attempt)
        if not done.changed:
            break
    return done


def _read_once(path: Path | str, read: Callable[[Iterator[bytes]], Answer], attempt: int) -> StableRead[Answer]:
    descriptor = open_for_reading(path)
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise SourceUnreadable(path, Unreadable.BECAME_ANOTHER_KIND)
        pieces = _Pieces(path, descriptor, before.st_size)
        answer = read(iter(pieces))
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    changed = _identity(before) != _identity(after) or (pieces.is_finished and pieces.size != after.st_size)
    return StableRead(answer, pieces.size, attempt, changed, after)


def open_for_reading(path: Path | str) -> int:
    """Open a file so that nothing of it changes, its access time included where the system allows that.

    Raises:
        SourceUnreadable: it cannot be opened.
    """
    try:
        try:
            return os.open(path, _FLAGS | _NO_ACCESS_TIME)
        except OSError as error:
            # Only a file's owner may read it without leaving a trace in its access time.
            if error.errno != errno.EPERM or not _NO_ACCESS_TIME:
                raise
            return os.open(path, _FLAGS)
    except OSError as error:
        raise SourceUnreadable(path, reason_of(error)) from error


class _Pieces:
    """The pieces of an open file, counted."""

    __slots__ = ("_descriptor", "_end", "_path", "is_finished", "size")

    def __init__(self, path: Path | str, descriptor: int, end: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._end = end
        self.size = 0
        self.is_finished = False

    def __iter__(self) -> Iterator[bytes]:
        # One byte more than there is, so that a file that grew shows it in the first call to the system.
        wanted = min(self._end + 1, PIECE_SIZE)
        is_last = False
        while not is_last:
            piece = self._fill(wanted)
            wanted = PIECE_SIZE
            is_last = len(piece) < PIECE_SIZE
            self.size += len(piece)
            if piece:
                yield piece
        self.is_finished = True

    def _fill(self, wanted: int) -> bytes:
        try:
            piece = os.read(self._descriptor, wanted)
            # Short reads happen on network file systems: the piece is full, or the file has ended. Where it ends at the
            # size it had when it was opened, its status is looked at again anyway, and nobody need ask for more.
            while piece and len(piece) < PIECE_SIZE and self.size + len(piece) != self._end:
                more = os.read(self._descriptor, min(PIECE_SIZE - len(piece), max(wanted, _PEEK)))
                if not more:
                    break
                piece += more
        except OSError as error:
            raise SourceUnreadable(self._path, reason_of(error)) from error
        return piece


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
