"""A repository in memory: for tests, and for looking at what a run would write."""

import threading
from collections.abc import Iterator
from datetime import timedelta

from backupkit.store.backend import AlreadyExists, ObjectMissing, ObjectTruncated, ReadBack, SwapLost, require_name


class WrittenBytes:
    """Bytes in memory, as a check sees what was written."""

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        self._data = memoryview(data)

    def read(self, offset: int, length: int) -> memoryview:
        """Return a range."""
        return self._data[offset : offset + length]


class MemoryBackend:
    """Keeps every object in a dictionary. It forgets all at the end."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def create(self, name: str, data: bytes | bytearray | memoryview, *, check: ReadBack | None = None) -> None:
        """Write a new object."""
        require_name(name)
        copy = bytes(data)
        if name in self._objects:
            raise AlreadyExists(name=name)
        if check is not None:
            check(WrittenBytes(copy))
        with self._lock:
            if name in self._objects:
                raise AlreadyExists(name=name)
            self._objects[name] = copy

    def overwrite(self, name: str, data: bytes | bytearray | memoryview, *, check: ReadBack | None = None) -> None:
        """Write an object in the place of another."""
        require_name(name)
        copy = bytes(data)
        if check is not None:
            check(WrittenBytes(copy))
        with self._lock:
            self._objects[name] = copy

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return a range of an object."""
        data = self._object(name)
        end = len(data) if length is None else offset + length
        if offset > len(data) or end > len(data):
            raise ObjectTruncated(name=name, size=len(data), wanted=max(offset, end))
        return data[offset:end]

    def size(self, name: str) -> int:
        """Return an object's size in bytes."""
        return len(self._object(name))

    def names(self, prefix: str) -> Iterator[str]:
        """List the names that begin with `prefix`, sorted."""
        with self._lock:
            found = sorted(name for name in self._objects if name.startswith(prefix))
        return iter(found)

    def delete(self, name: str) -> None:
        """Delete an object."""
        with self._lock:
            self._objects.pop(require_name(name), None)

    def swap(self, name: str, expected: bytes | None, new: bytes) -> None:
        """Replace an object if it still is `expected`."""
        require_name(name)
        with self._lock:
            if self._objects.get(name) != expected:
                raise SwapLost(name=name)
            self._objects[name] = bytes(new)

    def set_aside(self, name: str, most: int) -> None:
        """Drop an object that is longer than `most`."""
        with self._lock:
            if len(self._objects.get(require_name(name), b"")) > most:
                del self._objects[name]

    def sweep_unfinished(self, older_than: timedelta) -> int:  # noqa: ARG002 - the protocol's name
        """Remove nothing: what was interrupted here is gone already."""
        return 0

    def _object(self, name: str) -> bytes:
        try:
            return self._objects[require_name(name)]
        except KeyError:
            raise ObjectMissing(name=name) from None
