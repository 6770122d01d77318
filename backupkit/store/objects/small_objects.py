"""Objects that are small and must never be lost: each is kept three times.

`<name>` is the object, `copies/1/<name>` and `copies/2/<name>` are the others. A reader takes the first that its check
accepts and writes it back over those that were damaged or gone.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from backupkit.codec.malformed import MalformedObject
from backupkit.errors import BackupkitError
from backupkit.store.backend import (
    AlreadyExists,
    Backend,
    BackendError,
    ObjectMissing,
    ObjectUnreadable,
    SwapLost,
    Written,
    holds_same,
)
from backupkit.store.finding import Finding

COPIES = ("", "copies/1/", "copies/2/")
MAX_SMALL = 4 << 20
"""Most bytes of a small object that is read; pack lists may be larger."""

_T = TypeVar("_T")


class SmallObjects:
    """The small objects of a repository. `tell` is called for every copy that was damaged or gone."""

    def __init__(
        self, backend: Backend, tell: Callable[[Finding], None] = lambda _: None, *, most: int = MAX_SMALL
    ) -> None:
        self._backend = backend
        self._tell = tell
        self._most = most

    def up_to(self, most: int) -> "SmallObjects":
        """Return the same objects, read up to another size in bytes."""
        return SmallObjects(self._backend, self._tell, most=most)

    def create(self, name: str, data: bytes) -> None:
        """Write a new object and its copies.

        Raises:
            AlreadyExists: there is one of this name; it was not touched.
        """
        self._backend.create(name, data, check=lambda back: _require_same(back, data, name))
        for copy in COPIES[1:]:
            self._put(copy + name, data)

    def create_named(self, name: str, data: bytes) -> None:
        """Write an object whose name is made of its bytes: what lies there and is something else is damaged, and put right."""
        try:
            self.create(name, data)
        except AlreadyExists:
            self._heal(name, data, [copy for copy in COPIES if not self._is(copy + name, data)])

    def read(self, name: str, check: Callable[[bytes], _T]) -> _T:
        """Return what `check` makes of the first copy that it accepts. It refuses a copy by raising a `BackupkitError`.

        Raises:
            ObjectMissing: there is no copy.
            BackupkitError: there are copies, and none was accepted: what `check` said of the first of them.
        """
        return self._first(name, check)[1]

    def read_newest(
        self, name: str, check: Callable[[bytes], _T], age: Callable[[_T], int], *, least: int = 0
    ) -> tuple[bytes, _T]:
        """Return bytes and meaning of an object that changes: the object itself or, where it is damaged, its newest copy.

        `age` grows with every change. Copies are written after the object, so after a crash they may be one change behind.
        An object younger than `least` was put back to an older state, by a sync program or a partial restore; then a newer
        copy counts. Raises as `read` does.
        """
        first = self._first(name, check, heal=False)
        if first[2] == 0 and age(first[1]) >= least:
            return first[0], first[1]
        found = [first]
        for copy in COPIES[1:]:
            with suppress(BackupkitError):
                data = self._bounded(copy + name)
                found.append((data, check(data), 1))
        best = max(found, key=lambda one: age(one[1]))
        if first[2] != 0:
            self._heal(name, best[0], [COPIES[0]])
        elif best is not first:
            self._catch_up(name, first[0], best[0])
        return best[0], best[1]

    def read_or_none(self, name: str) -> bytes | None:
        """Return the bytes of the first copy that can be read, unchecked; None where there is none."""
        return next(iter(self.versions(name)), None)

    def replace(self, name: str, expected: bytes | None, new: bytes) -> None:
        """Change an object in one step if it still is `expected` (None: if there is none), then its copies.

        Raises:
            SwapLost: it is something else by now; it was not touched.
        """
        self._backend.swap(name, expected, new)
        self.refresh_copies(name)

    def refresh_copies(self, name: str) -> None:
        """Make the copies what the object is, also while somebody else changes it."""
        while True:
            current = self._backend.read(name)
            for copy in COPIES[1:]:
                with suppress(SwapLost, ObjectUnreadable):
                    self._put_over(copy + name, current)
            if self._present(name) == current:
                return

    def put(self, name: str, data: bytes) -> None:
        """Put an object and its copies in the place of whatever lies there: for one of which nothing can be read any more."""
        for copy in COPIES:
            self._put_over(copy + name, data)

    def names(self, prefix: str) -> list[str]:
        """List the objects of which there is at least one copy, sorted."""
        found: set[str] = set()
        for copy in COPIES:
            found.update(name.removeprefix(copy) for name in self._backend.names(copy + prefix))
        return sorted(found)

    def delete(self, name: str) -> None:
        """Delete an object with its copies. Until the last is gone the object is still there as a whole."""
        for copy in COPIES:
            try:
                self._backend.delete(copy + name)
            except ObjectMissing:
                # A folder of this name: no object, but in the way of one.
                self._backend.set_aside(copy + name, self._most)

    def versions(self, name: str) -> list[bytes]:
        """Return what each copy that can be read holds, unchecked: for a caller who can tell them apart."""
        found = []
        for copy in COPIES:
            with suppress(BackupkitError):
                found.append(self._bounded(copy + name))
        return found

    def check_copies(self, name: str, check: Callable[[bytes], object]) -> None:
        """Look at every copy, telling of those that are damaged or gone and putting them right from a good one.

        Raises as `read` does.
        """
        data, _, _ = self._first(name, check)
        self._heal(name, data, [copy for copy in COPIES if not self._is(copy + name, data)])

    def _first(self, name: str, check: Callable[[bytes], _T], *, heal: bool = True) -> tuple[bytes, _T, int]:
        failure: BackupkitError | None = None
        for number, copy in enumerate(COPIES):
            try:
                data = self._bounded(copy + name)
                meaning = check(data)
            except BackupkitError as error:
                if failure is None or (isinstance(failure, ObjectMissing) and not isinstance(error, ObjectMissing)):
                    failure = error
                continue
            if heal and number:
                self._heal(name, data, COPIES[:number])
            return data, meaning, number
        assert failure is not None
        raise failure

    def _heal(self, name: str, data: bytes, copies: "tuple[str, ...] | list[str]") -> None:
        for copy in copies:
            try:
                is_missing = self._present(copy + name) is None
            except (BackendError, MalformedObject):
                is_missing = False
            self._tell(Finding("copy-missing" if is_missing else "copy-damaged", copy + name))
            # A medium that cannot be written to can still be read: healing is not what was asked for.
            with suppress(BackendError):
                self._put_over(copy + name, data)

    def _catch_up(self, name: str, old: bytes, new: bytes) -> None:
        self._tell(Finding("copy-older", name))
        # Somebody may have changed it since it was read; then theirs is newer, and stays.
        with suppress(BackendError):
            self._backend.swap(name, old, new)

    def _put(self, name: str, data: bytes) -> None:
        try:
            self._backend.create(name, data)
        except AlreadyExists:
            with suppress(SwapLost):
                self._put_over(name, data)

    def _put_over(self, name: str, data: bytes) -> None:
        """Put an object in the place of whatever lies there."""
        try:
            self._backend.swap(name, self._present(name), data)
        except (ObjectMissing, ObjectUnreadable, MalformedObject):
            # A pipe, a folder, a file without end, a bad sector: nothing that could be compared and exchanged.
            self._backend.set_aside(name, self._most)
            self._backend.swap(name, None, data)

    def _bounded(self, name: str) -> bytes:
        if self._backend.size(name) > self._most:
            raise MalformedObject(what=name, reason="too-large")
        return self._backend.read(name)

    def _present(self, name: str) -> bytes | None:
        try:
            return self._bounded(name)
        except ObjectMissing:
            return None

    def _is(self, name: str, data: bytes) -> bool:
        try:
            return self._present(name) == data
        except (BackendError, MalformedObject):
            return False


def _require_same(written: Written, data: bytes, name: str) -> None:
    if not holds_same(written, data):
        raise MalformedObject(what=name, reason="read-back-differs")
