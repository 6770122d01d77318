"""Where the guard keeps what it must remember between two questions.

One folder, `$XDG_STATE_HOME/backupkit/guard`, written by `backupkit` and by the hook, readable by its owner only.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backupkit.codec.malformed import MalformedObject
from backupkit.guard.package_name import LONGEST_NAME
from backupkit.home import make_private
from backupkit.ids import AppPackage

UNFINISHED_FOR = 3600.0
"""Seconds after which a file that is still unfinished was left by a process that was killed: writing one takes milliseconds."""

_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{12}")
_PACKAGE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")


class GuardPlaces:
    """The files and folders of the guard under one folder.

    The paths are made once, for a resident hook asks for each of them with every question.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.pins = root / "pins.json"
        """The keys whose passes count, and the store whose log is watched."""
        self.policy = root / "policy.json"
        """The owner's policy, as `GuardPolicy.to_mapping` writes it."""
        self.witness = root / "witness.json"
        """The last log head that was seen."""
        self.ledger = root / "ledger.jsonl"
        """The decisions, one a line, only ever added to."""
        self.hook_key = root / "hook.key"
        """The key that signs the ledger on this machine."""
        self.owner_key = root / "owner.pub"
        """The public key whose consent tokens count, in hex."""
        self.records = root / "records"
        self.passes = root / "passes"
        self.consents = root / "consents"
        self.hints = root / "hints"
        self.folders = (root, self.records, self.passes, self.consents, self.hints)
        """Every folder that the guard writes into."""

    def record_of(self, package: AppPackage) -> Path:
        """The record of one app."""
        return self.records / f"{file_name_of(package)}.json"

    def pass_of(self, package: AppPackage) -> Path:
        """The newest coverage pass of one app."""
        return self.passes / f"{file_name_of(package)}.pass"

    def consent_of(self, package: AppPackage) -> Path:
        """What was last consented to at the owner's terminal."""
        return self.consents / f"{file_name_of(package)}.json"

    def hint_of(self, package: AppPackage) -> Path:
        """How much of an app no verified backup held when it was last counted."""
        return self.hints / f"{file_name_of(package)}.json"


def file_name_of(package: AppPackage) -> str:
    """Return what the files about an app are called, without their ending.

    Raises:
        MalformedObject: the name could not be a file's, or would lead to somebody else's.
    """
    if len(package) > LONGEST_NAME or not _PACKAGE_NAME.fullmatch(package):
        raise MalformedObject(what="package", reason="name-odd")
    return package


def write_whole(path: Path, data: bytes) -> None:
    """Replace a small file so that a crash leaves the old one or the new one, never a part; mode 0600.

    Raises:
        OSError: the folder cannot be made or written.
    """
    make_private(path.parent)
    temporary = _unfinished(path)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
        # Until this rename the old content stands.
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_first(path: Path, data: bytes) -> None:
    """Write a small file as `write_whole` does, unless there is one: of several that come at once, one wins.

    Raises:
        OSError: the folder cannot be made or written.
    """
    # A name of its own for each thread of each process.
    drawn = _unfinished(path)
    write_whole(drawn, data)
    try:
        os.link(drawn, path)
    except FileExistsError:
        pass
    except OSError:
        # A file system without hard links.
        with _alone_in(path.parent):
            if not path.exists():
                drawn.replace(path)
    finally:
        drawn.unlink(missing_ok=True)


def _unfinished(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.urandom(6).hex()}")


def clear_unfinished(places: GuardPlaces, now: float) -> None:
    """Remove the unfinished files of processes that were killed. `now` is in seconds since 1970, as the file system's times are.

    Nothing else is touched, no link is followed, and what cannot be removed stays: it is in nobody's way.
    """
    for folder in places.folders:
        with suppress(OSError), os.scandir(folder) as found:
            for entry in found:
                if not _UNFINISHED.fullmatch(entry.name):
                    continue
                with suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode) and now - status.st_mtime > UNFINISHED_FOR:
                        Path(entry.path).unlink()


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    import fcntl  # noqa: PLC0415 - POSIX only; elsewhere there are hard links

    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def read_small(path: Path, *, most: int) -> bytes | None:
    """Read a file of at most `most` bytes; None where there is none.

    Returns one byte more than `most` of a larger file, so that the decoder refuses it by its own limit.

    Raises:
        OSError: it is there and cannot be read, or is no regular file.
    """
    try:
        # A pipe in place of a file would make the guard wait for ever.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        if path.is_symlink():
            # It names a place that is not there now, such as a disk that is not connected: not the same as nothing at all.
            raise
        return None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        # One read for the whole file, which is small as a rule, and one more that finds its end.
        at_once, data = max(status.st_size, 4096), b""
        while more := os.read(handle, min(at_once, most + 1 - len(data))):
            data += more
        return data
    finally:
        os.close(handle)
