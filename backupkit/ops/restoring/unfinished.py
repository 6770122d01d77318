"""A restore that ended in the middle: the same command goes on with it.

While a restore runs, a note in its target says what is being restored; it goes last. Whoever runs the same restore again keeps each
file that came back whole, which is hashed to know it, and writes the rest. What somebody else put there is never written over.
"""

import hashlib
import json
import os
import re
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from backupkit.codec.canonical import decode_json
from backupkit.codec.malformed import MalformedObject
from backupkit.ids import SnapshotId
from backupkit.ops.failures import RestoreUnfinished, TargetNotEmpty
from backupkit.ops.places import shown_path
from backupkit.ops.restoring.names import names_like, tamed

NOTE = "backupkit-restore-unfinished.json"
PARTIAL = ".backupkit-partial"

_VERSION = 1
_MOST_NOTE_BYTES = 1 << 20
_LEFT_PARTIAL = re.compile(re.escape(PARTIAL) + r"-[0-9a-f]{16}-[0-9a-z]+")
_PIECE = 1 << 20


def goes_on(to: Path, snapshot: SnapshotId, only: tuple[str, ...]) -> bool:
    """Say whether a folder holds this very restore, unfinished. Nobody wrote into it otherwise, or it is empty or absent: no.

    Raises:
        RestoreUnfinished: it holds another one.
        TargetNotEmpty: it holds anything else.
    """
    if not to.exists() or (to.is_dir() and not any(to.iterdir())):
        return False
    noted = _noted(to / NOTE)
    if noted is None:
        raise TargetNotEmpty(path=shown_path(to))
    if noted != _note(snapshot, only):
        raise RestoreUnfinished(path=shown_path(to), snapshot=noted["snapshot"])
    return True


@contextmanager
def noted_restore(to: Path, snapshot: SnapshotId, only: tuple[str, ...]) -> Iterator[None]:
    """Keep the note in a target while a restore runs; it stays where the restore ends before its end and anything came back.

    Raises:
        TargetNotEmpty: another process restores into it now, or something came to lie there meanwhile.
    """
    path = to / NOTE
    is_new = not path.exists()
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT | os.O_EXCL if is_new else 0)
    try:
        handle = os.open(path, flags, 0o600)
    except (FileExistsError, FileNotFoundError) as error:
        raise TargetNotEmpty(path=shown_path(to)) from error
    try:
        _require_alone(handle, to)
        if is_new:
            os.write(handle, json.dumps(_note(snapshot, only)).encode())
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


def _require_alone(handle: int, to: Path) -> None:
    try:
        import fcntl  # noqa: PLC0415 - POSIX only
    except ImportError:  # pragma: no cover - elsewhere nothing tells of the other one
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise TargetNotEmpty(path=shown_path(to)) from error
    except OSError:
        # A file system without locks.
        return


def _note(snapshot: SnapshotId, only: tuple[str, ...]) -> dict[str, object]:
    return {"type": "unfinished-restore", "v": _VERSION, "snapshot": snapshot, "only": sorted(only)}


def _noted(path: Path) -> dict[str, Any] | None:
    """Read a note; None where there is none, or none that could be ours."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            data = file.read(_MOST_NOTE_BYTES + 1)
        noted = decode_json(data, what="unfinished-restore", max_bytes=_MOST_NOTE_BYTES)
    except (OSError, MalformedObject):
        return None
    is_note = isinstance(noted, dict) and noted.get("type") == "unfinished-restore"
    return noted if is_note and isinstance(noted.get("snapshot"), str) else None


def clear_partial(to: Path) -> None:
    """Remove the files that never got their names, of a run that was killed."""
    for folder, _, names in os.walk(to):
        for name in names:
            if _LEFT_PARTIAL.fullmatch(name):
                Path(folder, name).unlink(missing_ok=True)


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
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            whole = hashlib.sha256()
            while piece := file.read(_PIECE):
                whole.update(piece)
        with self._alone:
            if whole.digest() != sha256 or inode in self._counted:
                return False
            self._counted.add(inode)
            self.files += 1
        return True
