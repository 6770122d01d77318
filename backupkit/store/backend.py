"""Where a repository's objects lie: a flat space of names and bytes.

What is asked of a backend an object store with conditional writes can do too: create what was not there, write over what is
damaged, read a range, list, delete, and swap one object for another. What is created is whole and durable or not there at all.
"""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Protocol, TypeAlias

from backupkit.errors import BackupkitError, ExitCode

WINDOW = 1 << 20
"""Bytes of an object that are looked at in one go, so that nobody holds all of it twice."""


class Written(Protocol):
    """An object that was written and has no name yet, read from where it will stay."""

    @property
    def size(self) -> int:
        """How many bytes are there."""
        ...

    def read(self, offset: int, length: int) -> memoryview:
        """Return a range, shorter only where the object ends. It holds until the next call."""
        ...


ReadBack: TypeAlias = Callable[[Written], None]
"""Looks at an object before its name appears; raises to refuse it."""

MAX_NAME = 240
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*(?:/[a-z0-9][a-z0-9._-]*)*", re.ASCII)


class Backend(Protocol):
    """Holds named objects. Names are lower-case ASCII paths such as `packs/ab/abcd`; see `require_name`.

    Every method may raise `NoSpace`, `BackendDenied`, `ObjectUnreadable`, and `Unplugged` for all of it. Calls from several threads are safe.
    """

    def create(self, name: str, data: bytes | bytearray | memoryview, *, check: ReadBack | None = None) -> None:
        """Write a new object. After it returns, the object survives a power cut.

        `check` reads the bytes back from where they will stay. What it raises passes through, and no object appears.

        Raises:
            AlreadyExists: there is an object of this name; it was not touched.
        """
        ...

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return exactly `length` bytes from `offset`, or all from there to the end.

        Raises:
            ObjectMissing: no such object.
            ObjectTruncated: it ends before `offset + length`.
        """
        ...

    def size(self, name: str) -> int:
        """Return an object's size in bytes, or raise `ObjectMissing`."""
        ...

    def names(self, prefix: str) -> Iterator[str]:
        """List the names that begin with `prefix`, sorted. Objects being created are not among them."""
        ...

    def delete(self, name: str) -> None:
        """Delete an object. One that is not there is fine."""
        ...

    def swap(self, name: str, expected: bytes | None, new: bytes) -> None:
        """Replace an object in one step, durably, if it still is `expected` (None: if there is none).

        Raises:
            SwapLost: it is something else by now; it was not touched.
        """
        ...

    def overwrite(self, name: str, data: bytes | bytearray | memoryview, *, check: ReadBack | None = None) -> None:
        """Write an object whole, and only then put it in the place of what lies under its name, if anything does.

        For an object whose name says what it must be, so that only damage can be replaced. `check` works as in `create`.
        """
        ...

    def set_aside(self, name: str, most: int) -> None:
        """Take out of the way what lies under a name and can be no object of `most` bytes: longer, unreadable, not a file.

        An object that can be read is not touched. What was taken away need not be kept, and has no name any more.
        """
        ...

    def sweep_unfinished(self, older_than: timedelta) -> int:
        """Remove what interrupted writers left behind under no name, if it is old enough; return how many."""
        ...


class BackendError(BackupkitError):
    """A backend could not do what it was asked."""


class AlreadyExists(BackendError):
    """There is an object of this name already. Facts: `name`."""

    code = "object-exists"
    exit_code = ExitCode.LOCKED


class ObjectMissing(BackendError):
    """There is no object of this name. Facts: `name`."""

    code = "object-missing"
    exit_code = ExitCode.DAMAGED


class ObjectTruncated(BackendError):
    """An object is shorter than it must be. Facts: `name`, `size` and `wanted` in bytes."""

    code = "object-truncated"
    exit_code = ExitCode.DAMAGED


class ObjectUnreadable(BackendError):
    """The medium could not read or write an object. Facts: `name`, `reason` (the system's error name)."""

    code = "object-unreadable"
    exit_code = ExitCode.DAMAGED


class BackendDenied(BackendError):
    """The system does not let us do this: permissions, or a read-only medium. Facts: `name`, `reason`."""

    code = "backend-denied"
    exit_code = ExitCode.USAGE


class NoSpace(BackendError):
    """The medium is full, or a quota is used up. Nothing that was stored is harmed. Facts: `name`, and the `path` of the repository."""

    code = "no-space"
    exit_code = ExitCode.NO_SPACE


class NoLocks(BackendError):
    """The medium knows no locks, so two writers could undo each other. Facts: `path`."""

    code = "no-locks"
    exit_code = ExitCode.USAGE


class DiskGone(BackupkitError):
    """All of it went away while it was in use: unplugged, unmounted, moved. It comes in an `Unplugged`. Facts: `path`."""

    code = "disk-gone"
    exit_code = ExitCode.NO_REPOSITORY


class SwapLost(BackendError):
    """An object changed since it was read, so it was not replaced. Facts: `name`."""

    code = "swap-lost"
    exit_code = ExitCode.LOCKED


class BadName(BackendError):
    """A name that no backend may be asked for. Facts: `name`."""

    code = "bad-object-name"
    exit_code = ExitCode.DAMAGED


def require_name(name: str) -> str:
    """Return `name` if every backend can hold it: parts of `a-z 0-9 . _ -` that begin with a letter or digit, at most 240 long.

    Raises:
        BadName: it is anything else. So no name leaves the repository, and none is taken for an unfinished object.
    """
    if not is_name(name):
        raise BadName(name=name[:MAX_NAME])
    return name


def is_name(name: str) -> bool:
    """Tell whether an object can have this name; see `require_name`."""
    return len(name) <= MAX_NAME and _NAME.fullmatch(name) is not None


def pieces_of(written: Written) -> Iterator[memoryview]:
    """Give an object's bytes from beginning to end. Each piece holds until the next."""
    for at in range(0, written.size, WINDOW):
        yield written.read(at, WINDOW)


def holds_same(written: Written, data: bytes | bytearray | memoryview) -> bool:
    """Tell whether what was written is these bytes."""
    view = memoryview(data)
    if written.size != len(view):
        return False
    # Comparing two memory views directly looks at each byte on its own.
    return all(bytes(written.read(at, WINDOW)) == bytes(view[at : at + WINDOW]) for at in range(0, len(view), WINDOW))
