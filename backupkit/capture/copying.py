"""Bytes from one open file to another as fast as the system can: inside the kernel, shared blocks where it has them."""

import errno
import os
from pathlib import Path
from typing import Final

from backupkit.errors import BackupkitError, ExitCode

_STEP: Final = 64 << 20
_PIECE: Final = 1 << 20
# Other file systems, other kernels, containers: whatever the fast way does not do, the slow one does.
_NOT_THIS_WAY: Final = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF, errno.EIO}


class ScratchFull(BackupkitError):
    """There is no room for the copy that a live database is read from.

    Facts: `path` (the scratch folder's file).
    """

    code = "scratch-full"
    exit_code = ExitCode.NO_SPACE

    def __init__(self, path: Path) -> None:
        super().__init__(path=str(path))


def copy_descriptor(source: int, target: Path, *, most: int | None = None, shares_blocks: bool = True) -> int:
    """Copy an open file, from its first byte to the end it has now, into a new private file; return the bytes copied.

    `most` bytes are copied at the most. A copy that shares blocks is made at once, and is not in memory when it is read soon
    afterwards: not with `shares_blocks` false.

    Raises:
        ScratchFull: the target's file system is full.
        OSError: anything else.
    """
    size = os.fstat(source).st_size
    size = size if most is None else min(size, most)
    out = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        done = _copy_in_kernel(source, out, size) if shares_blocks else 0
        return done + _copy_by_hand(source, out, done, size)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise ScratchFull(target) from error
        raise
    finally:
        os.close(out)


def mend_copy(source: int, target: Path) -> int:
    """Make an older copy of an open file equal to what the file holds now; return the bytes written.

    To look whether anything changed takes a fraction of the time that writing everything does, so whoever holds a lock meanwhile
    holds it for that much less.

    Raises:
        ScratchFull: the target's file system is full.
        OSError: anything else.
    """
    out = os.open(target, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
    done = written = 0
    try:
        while piece := os.pread(source, _PIECE, done):
            if os.pread(out, len(piece), done) != piece:
                written += _write_all(out, memoryview(piece), done)
            done += len(piece)
        os.ftruncate(out, done)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise ScratchFull(target) from error
        raise
    finally:
        os.close(out)
    return written


def _write_all(out: int, data: memoryview, at: int) -> int:
    done = 0
    while done < len(data):
        done += os.pwrite(out, data[done:], at + done)
    return done


def _copy_in_kernel(source: int, out: int, size: int) -> int:
    if not hasattr(os, "copy_file_range"):
        return 0
    done = 0
    while done < size:
        try:
            count = os.copy_file_range(source, out, min(size - done, _STEP), done, done)
        except OSError as error:
            if error.errno in _NOT_THIS_WAY:
                return done
            raise
        if count == 0:
            return done
        done += count
    return done


def _copy_by_hand(source: int, out: int, start: int, size: int) -> int:
    os.lseek(source, start, os.SEEK_SET)
    os.lseek(out, start, os.SEEK_SET)
    done = start
    while done < size:
        piece = os.read(source, min(size - done, _PIECE))
        if not piece:
            break
        view = memoryview(piece)
        while view:
            view = view[os.write(out, view) :]
        done += len(piece)
    return done - start
