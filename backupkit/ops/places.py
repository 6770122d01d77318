"""Where things lie on this machine."""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from backupkit.home import make_private
from backupkit.ops.failures import TargetInRepository, TargetNotEmpty
from backupkit.store.backend import NoLocks
from backupkit.store.backends.posix_backend import NO_LOCKS

_LEFT_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Places:
    """The three roots that an owner's settings name.

    `repository` holds the backup; it may be on another disk. `state` holds this machine's own keys and memory: losing
    it costs this machine the right to write, never a chat. `cache` may be lost at any time.
    """

    repository: Path
    state: Path
    cache: Path

    @property
    def guard(self) -> Path:
        """What the hook reads: pins, policy, records, passes, ledger."""
        return self.state / "guard"

    def state_of(self, repository_id: bytes) -> Path:
        """What this machine remembers of one repository."""
        return self.state / "repositories" / repository_id.hex()

    def cache_of(self, repository_id: bytes) -> Path:
        """Caches for one repository."""
        return self.cache / "repositories" / repository_id.hex()


def shown_path(path: Path | str) -> str:
    """Return a path or name as text that can be kept and shown; bytes that are not UTF-8 become hex escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def on_same_disk(first: Path, second: Path) -> bool:
    """Tell whether two places are on one file system, so that one broken disk would take both.

    A place that does not exist yet counts as its nearest existing folder.
    """
    return _device(first) == _device(second)


def _device(path: Path) -> int:
    for place in (path, *path.absolute().parents):
        try:
            return place.stat().st_dev
        except OSError:
            continue
    return -1


def require_outside(places: Places, to: Path) -> None:
    """Refuse a target in the repository.

    Raises:
        TargetInRepository: it lies there.
    """
    if to.resolve().is_relative_to(places.repository.resolve()):
        raise TargetInRepository(path=shown_path(to))


def require_new_folder(places: Places, to: Path) -> None:
    """Refuse a target that holds anything, or that lies in the repository.

    Raises:
        TargetInRepository, TargetNotEmpty: so it is.
    """
    require_outside(places, to)
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise TargetNotEmpty(path=shown_path(to))


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, atomically: a crash leaves the old file or the new one, never half of one."""
    make_private(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        # Opened in here: a signal may end the process right behind it.
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    _clear_left(path)


def _clear_left(path: Path) -> None:
    """Remove what writers of a file left that were killed, once it is so old that none of them can still be at work."""
    limit = time.time() - _LEFT_SECONDS
    # The listing is closed also where a file goes away while it is looked at.
    with suppress(OSError), os.scandir(path.parent) as found:
        for entry in found:
            is_ours = entry.name.startswith(f".{path.name}.") and entry.name.endswith(".tmp")
            if is_ours and entry.stat(follow_symlinks=False).st_mtime < limit:
                Path(entry.path).unlink(missing_ok=True)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock file at `path`: of several processes of this machine one goes on, the others wait.

    The system lets go of it when the process ends, however it ends. The file stays.
    """
    make_private(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            import fcntl  # noqa: PLC0415 - Windows has none
        except ImportError:  # pragma: no cover - one process at a time is the owner's promise there
            pass
        else:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except OSError as error:
                if error.errno in NO_LOCKS:
                    raise NoLocks(path=str(path.parent)) from error
                raise
        yield
    finally:
        os.close(descriptor)


@contextmanager
def taken(folder: Path) -> Iterator[bool]:
    """Take a folder for this process, or give False at once where another one of this machine has it. Nothing is written there.

    A medium that knows no locks keeps nobody from their work.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield True
        return
    try:
        yield _is_taken(descriptor)
    finally:
        os.close(descriptor)


def _is_taken(descriptor: int) -> bool:
    try:
        import fcntl  # noqa: PLC0415 - Windows has none

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return True
    return True


def _sync_folder(folder: Path) -> None:
    # The rename is only durable once its folder is (not needed, and not possible, on Windows).
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
