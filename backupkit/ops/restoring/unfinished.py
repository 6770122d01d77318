"""A restore that ended in the middle: the same command goes on with it.

While a restore runs, a note in its target says what is being restored; it goes last. Whoever runs the same restore again keeps each
file that came back whole, which is hashed to know it, and writes the rest. What somebody else put there is never written over.
"""

import hashlib
import os
import re
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backupkit.codec.canonical import Json, decode_json, encode_canonical
from backupkit.codec.malformed import MalformedObject
from backupkit.guard.places import read_small
from backupkit.ids import SnapshotId
from backupkit.ops.failures import RestoreRunning, RestoreUnfinished, TargetNotEmpty
from backupkit.ops.places import shown_path
from backupkit.ops.restoring.names import names_like, tamed

NOTE = "backupkit-restore-unfinished.json"
PARTIAL = ".backupkit-partial"

_WHAT = "unfinished-restore"
_VERSION = 1
_MOST_NOTE_BYTES = 1 << 20
_LEFT_PARTIAL = re.compile(re.escape(PARTIAL) + r"-[0-9a-f]{16}-[0-9a-z]+")
_PIECE = 1 << 20


def goes_on(to: Path, snapshot: SnapshotId, only: tuple[str, ...]) -> bool:
    """Say whether a folder holds this very restore, unfinished. Nobody wrote into it otherwise, or it is empty or absent: no.

    Raises:
        RestoreRunning: a restore into it is at work now.
        RestoreUnfinished: it holds another one.
        TargetNotEmpty: it holds anything else.
    """
    if not to.exists():
        return False
    there = list(to.iterdir()) if to.is_dir() else [to]
    data = _noted(to / NOTE)
    if data is not None:
        _require_none_at_work(to)
    # A run that was killed before it wrote its note brought nothing back.
    if not there or (there == [to / NOTE] and data == b""):
        return False
    if data == _note(snapshot, only):
        return True
    other = _snapshot_in(data)
    if other is None:
        raise TargetNotEmpty(path=shown_path(to))
    raise RestoreUnfinished(path=shown_path(to), snapshot=other)


@contextmanager
def noted_restore(to: Path, snapshot: SnapshotId, only: tuple[str, ...]) -> Iterator[None]:
    """Keep the note in a target while a restore runs; it stays where the restore ends before its end and anything came back.

    Raises:
        RestoreRunning: another process restores into it now.
    """
    path = to / NOTE
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _lock(handle, to, is_alone=True)
        if not os.fstat(handle).st_size:
            os.write(handle, _note(snapshot, only))
            os.fsync(handle)
        yield
        path.unlink()
    except BaseException:
        with suppress(OSError):
            if list(to.iterdir()) == [path]:
                path.unlink()
        raise
    finally:
        os.close(handle)


def _require_none_at_work(to: Path) -> None:
    try:
        handle = os.open(to / NOTE, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        # It came to its end just now.
        return
    try:
        _lock(handle, to, is_alone=False)
    finally:
        os.close(handle)


def _lock(handle: int, to: Path, *, is_alone: bool) -> None:
    try:
        import fcntl  # noqa: PLC0415 - POSIX only
    except ImportError:  # pragma: no cover - elsewhere nothing tells of the other one
        return
    try:
        fcntl.flock(handle, (fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RestoreRunning(path=shown_path(to)) from error
    except OSError:
        # A file system without locks.
        return


def _note(snapshot: SnapshotId, only: tuple[str, ...]) -> bytes:
    # The command line may hand in bytes that are no text.
    names: list[Json] = [name.encode("utf-8", "backslashreplace").decode() for name in sorted(only)]
    return encode_canonical({"type": _WHAT, "v": _VERSION, "snapshot": snapshot, "only": names})


def _noted(path: Path) -> bytes | None:
    try:
        return None if path.is_symlink() else read_small(path, most=_MOST_NOTE_BYTES)
    except OSError:
        return None


def _snapshot_in(data: bytes | None) -> str | None:
    """Return the snapshot that a note names; None where it is no note of ours."""
    try:
        noted = decode_json(data or b"", what=_WHAT, max_bytes=_MOST_NOTE_BYTES)
    except MalformedObject:
        return None
    return str(noted.get("snapshot")) if isinstance(noted, dict) and noted.get("type") == _WHAT else None


def clear_partial(to: Path) -> None:
    """Remove the files that never got their names, of a run that was killed."""
    for folder, _, names in os.walk(to):
        for name in names:
            if _LEFT_PARTIAL.fullmatch(name):
                Path(folder, name).unlink(missing_ok=True)


def sha256_of(descriptor: int) -> bytes:
    """Hash an open file from its start."""
    whole, offset = hashlib.sha256(), 0
    while piece := os.pread(descriptor, _PIECE, offset):
        whole.update(piece)
        offset += len(piece)
    return whole.digest()


class Came:
    """What an earlier run of the same restore brought back. Safe for threads.

    Each file counts once: where the target takes two names for one, the second must not be taken for there because the first is.
    """

    def __init__(self) -> None:
        self._counted: set[int] = set()
        self._alone = threading.Lock()
        self.files = 0

    def whole(self, folder: int, wanted: str, size: int, sha256: bytes) -> str | None:
        """Return the name under which a file lies in an open folder, as it would be given now; None where it does not."""
        for name in dict.fromkeys((wanted, tamed(wanted) or wanted)):
            for given in names_like(name):
                try:
                    found = os.stat(given, dir_fd=folder, follow_symlinks=False)
                except OSError:
                    # No such name, or one that the target does not take.
                    break
                if (
                    stat.S_ISREG(found.st_mode)
                    and found.st_size == size
                    and self._counts(folder, given, found.st_ino, sha256)
                ):
                    return given
        return None

    def count(self, descriptor: int) -> None:
        """Note a file that was written just now: no other one is taken for it."""
        with self._alone:
            self._counted.add(os.fstat(descriptor).st_ino)

    def _counts(self, folder: int, name: str, inode: int, sha256: bytes) -> bool:
        with self._alone:
            if inode in self._counted:
                return False
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        except OSError:
            return False
        try:
            found = sha256_of(descriptor)
        finally:
            os.close(descriptor)
        with self._alone:
            if found != sha256 or inode in self._counted:
                return False
            self._counted.add(inode)
            self.files += 1
        return True
