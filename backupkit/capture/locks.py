"""SQLite's file locks, taken from outside and only ever shared.

A shared lock keeps others from changing what we copy and keeps nobody from reading. It needs a file that is open for
reading only, so capture never opens anything of a source for writing. Which byte means what: `os_unix.c` and `wal.c`
of SQLite, and section 2 of "WAL-mode file format".

Where the system has locks that belong to an open file (Linux), those are used: a lock of the older kind belongs to the
whole process, and would be dropped when any part of it closes the same file.
"""

import errno
import os
import struct
import sys
import time
from dataclasses import dataclass
from typing import Final

try:
    import fcntl
except ImportError:  # Windows has other locks, with which SQLite's cannot be met from outside.
    fcntl = None  # type: ignore[assignment]  # the module's absence is asked for below

PENDING_BYTE: Final = 0x40000000
RESERVED_BYTE: Final = PENDING_BYTE + 1
SHARED_FIRST: Final = PENDING_BYTE + 2
SHARED_SIZE: Final = 510
WAL_CHECKPOINT_BYTE: Final = 121
WAL_CONNECTED_BYTE: Final = 128
"""Every connection with a write-ahead log holds this, shared, for as long as it lives ("dead man's switch")."""
WAL_READ_BYTE: Final = 124
"""Read mark 1. While it is shared, no writer can begin the log anew, which takes all marks exclusively."""

_FIRST_PAUSE: Final = 0.0005
_LONGEST_PAUSE: Final = 0.02
_NO_LOCKS: Final = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
_PER_OPEN_FILE: Final = sys.platform == "linux" and sys.maxsize > 2**32 and hasattr(fcntl, "F_OFD_SETLK")
_FLOCK: Final = struct.Struct("hhqqi4x")
"""`struct flock` of 64-bit Linux: type, whence, start, length, process."""


class LocksUnavailable(Exception):
    """The system or file system has no locks that SQLite would see."""


class LockBusy(Exception):
    """Another program kept its lock for longer than we wait."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Until when to wait for others, as a reading of `time.monotonic`, in seconds."""

    deadline: float

    @classmethod
    def of(cls, seconds: float) -> "Patience":
        """Wait `seconds` from now."""
        return cls(time.monotonic() + seconds)


def share_database(descriptor: int, patience: Patience) -> None:
    """Take SQLite's SHARED lock on a database: until it is released or the file closed, nobody writes to the file.

    Raises:
        LockBusy: a writer did not finish in time.
        LocksUnavailable: this file system has no locks.
    """
    # The pending byte first, as SQLite itself does: a writer who waits for readers to leave is let through.
    _share(descriptor, PENDING_BYTE, 1, patience)
    try:
        _share(descriptor, SHARED_FIRST, SHARED_SIZE, patience)
    finally:
        _release(descriptor, PENDING_BYTE, 1)


def release_database(descriptor: int) -> None:
    """Give the SHARED lock back."""
    _release(descriptor, SHARED_FIRST, SHARED_SIZE)


def share_checkpoint(index_descriptor: int, patience: Patience) -> None:
    """Keep the log as it is but for additions: no checkpoint, and no beginning anew. Writers go on undisturbed.

    `index_descriptor` is the open `-shm` file.

    Raises:
        LockBusy: a checkpoint did not finish in time.
        LocksUnavailable: this file system has no locks.
    """
    _share(index_descriptor, WAL_CHECKPOINT_BYTE, 1, patience)
    _share(index_descriptor, WAL_READ_BYTE, 1, patience)


def has_writer(descriptor: int) -> bool:
    """Say whether somebody holds the RESERVED lock of a database, so that its journal is alive and not left over."""
    return _is_held(descriptor, RESERVED_BYTE)


def is_connected(index_descriptor: int) -> bool:
    """Say whether somebody has the database open, so that what the open `-shm` file says is alive and not left over."""
    return _is_held(index_descriptor, WAL_CONNECTED_BYTE)


def _is_held(descriptor: int, byte: int) -> bool:
    """Say whether another holds any lock on a byte; where the system cannot tell, that nobody does.

    Then more is copied than need be: a whole log, or a journal whose pages are those of the database.
    """
    if not _PER_OPEN_FILE:
        return False
    asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
    return bool(_FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, asked))[0] != fcntl.F_UNLCK)


def _share(descriptor: int, start: int, length: int, patience: Patience) -> None:
    if fcntl is None:
        raise LocksUnavailable
    pause = _FIRST_PAUSE
    while True:
        try:
            _set(descriptor, start, length, taken=True)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                raise LocksUnavailable from error
            if error.errno not in {errno.EACCES, errno.EAGAIN}:
                raise
        else:
            return
        if time.monotonic() + pause > patience.deadline:
            raise LockBusy
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _release(descriptor: int, start: int, length: int) -> None:
    _set(descriptor, start, length, taken=False)


def _set(descriptor: int, start: int, length: int, *, taken: bool) -> None:
    assert fcntl is not None
    if _PER_OPEN_FILE:
        kind = fcntl.F_RDLCK if taken else fcntl.F_UNLCK
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _FLOCK.pack(kind, os.SEEK_SET, start, length, 0))
    else:
        fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB if taken else fcntl.LOCK_UN, length, start, os.SEEK_SET)
