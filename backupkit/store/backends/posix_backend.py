"""A repository in a folder of a POSIX file system.

The promise of `create` rests on this order (ADR 0002): write a file without a name of its own, fsync it, read it back, link the
name, fsync the folder. A crash before the link leaves a `.tmp-` file that nobody reads; after it, the whole object.
"""

import errno
import fcntl
import os
import secrets
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from backupkit.errors import Unplugged
from backupkit.store.backend import (
    WINDOW,
    AlreadyExists,
    BackendDenied,
    DiskGone,
    NoLocks,
    NoSpace,
    ObjectMissing,
    ObjectTruncated,
    ObjectUnreadable,
    ReadBack,
    SwapLost,
    is_name,
    require_name,
)

UNFINISHED = ".tmp-"
ASIDE = ".aside-"
_LOCK = ".lock"
_PIECE = 1 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
# What file systems without hard links answer: FAT and exFAT, some network and user-space ones.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
"""What file systems without locks answer."""
_GONE = {errno.ENODEV, errno.ENXIO, errno.ESTALE, errno.ENOTCONN}


class PosixBackend:
    """Keeps each object in a file below `root`, which must exist.

    `hard_links` is for file systems without them (exFAT): None finds out, False does without.
    """

    def __init__(self, root: Path, *, hard_links: bool | None = None) -> None:
        self.root = root
        self._links = hard_links
        self._identity = _identity_of(root)
        self._durable_folders: set[Path] = set()
        self._by_thread = threading.local()

    def create(self, name: str, data: bytes | bytearray | memoryview, *, check: ReadBack | None = None) -> None:
        """Write a new object."""
        path = self._path(name)
        with self._system_errors(name):
            if path.exists():
                raise AlreadyExists(name=name)
            self._make_folder(path.parent)
            with self._unfinished(data, check) as temporary:
                self._publish(temporary, path, name)
            _sync_folder(path.parent)

    def overwrite(self, name: str, data: bytes | bytearray | memoryview, *, check: ReadBack | None = None) -> None:
        """Write an object in the place of what is damaged. Until the rename that stays what it was, and nothing comes between."""
        path = self._path(name)
        with self._system_errors(name):
            self._make_folder(path.parent)
            with self._unfinished(data, check) as temporary:
                if path.is_dir() and not path.is_symlink():
                    path.rename(self.root / f"{ASIDE}{secrets.token_hex(8)}")
                temporary.replace(path)
            _sync_folder(path.parent)

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return a range of an object."""
        with self._system_errors(name):
            descriptor = self._open(name)
            try:
                # The size is looked at before anything is allocated: an index may ask for a range that is not there.
                size = os.fstat(descriptor).st_size
                end = size if length is None else offset + length
                if offset > size or end > size:
                    raise ObjectTruncated(name=name, size=size, wanted=max(offset, end))
                data = _read_exactly(descriptor, offset, end - offset)
                if len(data) != end - offset:
                    raise ObjectTruncated(name=name, size=offset + len(data), wanted=end)
                return data
            finally:
                os.close(descriptor)

    def size(self, name: str) -> int:
        """Return an object's size in bytes."""
        with self._system_errors(name):
            return self._path(name).stat().st_size

    def names(self, prefix: str) -> Iterator[str]:
        """List the names that begin with `prefix`, sorted."""
        folder = prefix.rpartition("/")[0]
        with self._system_errors(prefix):
            found = sorted(name for name in self._walk(folder) if name.startswith(prefix))
        return iter(found)

    def delete(self, name: str) -> None:
        """Delete an object."""
        path = self._path(name)
        with self._system_errors(name), suppress(FileNotFoundError):
            path.unlink()
            _sync_folder(path.parent)

    def swap(self, name: str, expected: bytes | None, new: bytes) -> None:
        """Replace an object if it still is `expected`. Other processes of this machine wait while it is compared and replaced."""
        path = self._path(name)
        with self._system_errors(name):
            self._make_folder(path.parent)
            with self._unfinished(new, None) as temporary, self._locked():
                if not self._holds(name, expected):
                    raise SwapLost(name=name)
                temporary.replace(path)
                _sync_folder(path.parent)

    def set_aside(self, name: str, most: int) -> None:
        """Rename what can be no object. It is kept: a person may know what it was, or read it on a better day."""
        path = self._path(name)
        with self._system_errors(name), self._locked():
            if not os.path.lexists(path) or self._can_be_read(name, most):
                return
            path.rename(self.root / f"{ASIDE}{secrets.token_hex(8)}")
            _sync_folder(path.parent)

    def sweep_unfinished(self, older_than: timedelta) -> int:
        """Remove `.tmp-` files that nobody has written to for so long."""
        limit = time.time() - older_than.total_seconds()
        swept = 0
        with self._system_errors(UNFINISHED):
            for entry in os.scandir(self.root):
                if entry.name.startswith(UNFINISHED):
                    # Another writer may be sweeping, too.
                    with suppress(FileNotFoundError):
                        if entry.stat(follow_symlinks=False).st_mtime < limit:
                            Path(entry.path).unlink()
                            swept += 1
        return swept

    def _path(self, name: str) -> Path:
        return self.root / require_name(name)

    def _open(self, name: str) -> int:
        # O_NONBLOCK: a pipe that somebody left in place of an object must not be waited for.
        descriptor = os.open(self._path(name), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISREG(kind):
            return descriptor
        os.close(descriptor)
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(name)
        raise ObjectUnreadable(name=name, reason="not-a-file")

    def _can_be_read(self, name: str, most: int) -> bool:
        try:
            descriptor = self._open(name)
        except (OSError, ObjectUnreadable):
            return False
        try:
            size = os.fstat(descriptor).st_size
            return size <= most and len(_read_exactly(descriptor, 0, size)) == size
        except OSError:
            return False
        finally:
            os.close(descriptor)

    def _holds(self, name: str, expected: bytes | None) -> bool:
        """Tell whether an object is these bytes, reading no more than that takes."""
        try:
            descriptor = self._open(name)
        except FileNotFoundError:
            return expected is None
        try:
            size = os.fstat(descriptor).st_size
            return expected is not None and size == len(expected) and _read_exactly(descriptor, 0, size) == expected
        finally:
            os.close(descriptor)

    def _walk(self, folder: str) -> Iterator[str]:
        pending = [folder]
        while pending:
            parent = pending.pop()
            try:
                entries = list(os.scandir(self.root / parent))
            except (FileNotFoundError, NotADirectoryError):
                self._require_there()
                continue
            for entry in entries:
                name = f"{parent}/{entry.name}" if parent else entry.name
                # Not an object's name: our unfinished files, and what others left here, such as `lost+found`.
                if not is_name(name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    pending.append(name)
                else:
                    yield name

    def _make_folder(self, folder: Path) -> None:
        if folder in self._durable_folders:
            return
        if folder != self.root:
            self._make_folder(folder.parent)
            # A folder made by another process may not be durable yet, so its parent is synced in either case.
            folder.mkdir(exist_ok=True)
            _sync_folder(folder.parent)
        self._durable_folders.add(folder)

    def _require_there(self) -> None:
        """Tell a disk that went away from objects that did."""
        if self._identity is not None and _identity_of(self.root) != self._identity:
            raise Unplugged(DiskGone(path=os.fspath(self.root)))

    @contextmanager
    def _system_errors(self, name: str) -> Iterator[None]:
        """Turn what the system says into the errors of the backend protocol."""
        try:
            yield
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            self._require_there()
            raise ObjectMissing(name=name) from error
        except OSError as error:
            number = error.errno or 0
            if number in _FULL:
                raise NoSpace(name=name, path=os.fspath(self.root)) from error
            if number in _GONE:
                self._require_there()
            reason = errno.errorcode.get(number, "unknown")
            if number in _DENIED:
                raise BackendDenied(name=name, reason=reason) from error
            raise ObjectUnreadable(name=name, reason=reason) from error

    @contextmanager
    def _unfinished(self, data: bytes | bytearray | memoryview, check: ReadBack | None) -> Iterator[Path]:
        """Write, fsync and read back a file without a name of its own, and remove it at the end if it still is there."""
        # What stays of a disk that was unmounted is an empty folder, and that takes files.
        self._require_there()
        temporary = self.root / f"{UNFINISHED}{os.getpid()}-{secrets.token_hex(8)}"
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            try:
                _write_all(descriptor, data)
                _sync(descriptor)
                if check is not None:
                    check(_WrittenFile(descriptor, self._by_thread))
            finally:
                os.close(descriptor)
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

    def _publish(self, temporary: Path, path: Path, name: str) -> None:
        """Give a finished file its name unless the name is taken."""
        if self._links is not False:
            try:
                os.link(temporary, path)
            except FileExistsError:
                raise AlreadyExists(name=name) from None
            except OSError as error:
                if self._links or error.errno not in _NO_LINKS:
                    raise
            else:
                self._links = True
                return
        # Without hard links a name cannot be claimed and filled in one step, so writers of this machine take turns.
        with self._locked():
            if path.exists():
                raise AlreadyExists(name=name)
            temporary.replace(path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the folder's lock. The system lets go of it when this process ends, however it ends."""
        try:
            # O_NOFOLLOW: a link that somebody left there would have us make or open a file elsewhere.
            descriptor = os.open(self.root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            if error.errno in {errno.EISDIR, errno.ELOOP}:
                raise ObjectUnreadable(name=_LOCK, reason="not-a-file") from error
            raise
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except OSError as error:
                if error.errno in NO_LOCKS:
                    raise NoLocks(path=os.fspath(self.root)) from error
                raise
            yield
        finally:
            os.close(descriptor)


class _WrittenFile:
    """A file without a name, read into memory that this thread uses again and again."""

    def __init__(self, descriptor: int, by_thread: threading.local) -> None:
        self.size = os.fstat(descriptor).st_size
        self._descriptor = descriptor
        self._by_thread = by_thread

    def read(self, offset: int, length: int) -> memoryview:
        buffer: bytearray = getattr(self._by_thread, "buffer", bytearray())
        if len(buffer) < length:
            buffer = self._by_thread.buffer = bytearray(max(length, WINDOW))
        view = memoryview(buffer)[:length]
        done = 0
        while done < length and (count := os.preadv(self._descriptor, [view[done:]], offset + done)):
            done += count
        return view[:done]


def _identity_of(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    view = memoryview(data)
    written = 0
    while written < len(view):
        written += os.write(descriptor, view[written : written + 16 * _PIECE])


def _read_exactly(descriptor: int, offset: int, length: int) -> bytes:
    """Read `length` bytes, fewer only at the end of the file."""
    data = os.pread(descriptor, length, offset)
    if len(data) == length or not data:
        return data
    pieces = [data]
    done = len(data)
    while done < length and (data := os.pread(descriptor, length - done, offset + done)):
        pieces.append(data)
        done += len(data)
    return b"".join(pieces)


def _sync(descriptor: int) -> None:
    # macOS answers fsync before the disk has the bytes; F_FULLFSYNC waits for it.
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        with suppress(OSError):
            fcntl.fcntl(descriptor, full)
            return
    os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems cannot sync a folder, and say so. Nothing better can be done there.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(descriptor)
