"""Backends that fail as disks and power lines do."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from backupkit.store.backend import Backend, NoSpace, ObjectUnreadable, ReadBack
from backupkit.store.backends.memory_backend import MemoryBackend


class PowerCut(BaseException):
    """The machine is off. Nothing may be done about it, so nothing catches it."""


class Passing:
    """Passes everything on to another backend."""

    def __init__(self, inner: Backend | None = None) -> None:
        self.inner = inner if inner is not None else MemoryBackend()

    def create(self, name: str, data: bytes | bytearray | memoryview, *, check: ReadBack | None = None) -> None:
        self.inner.create(name, data, check=check)

    def overwrite(self, name: str, data: bytes | bytearray | memoryview, *, check: ReadBack | None = None) -> None:
        self.inner.overwrite(name, data, check=check)

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        return self.inner.read(name, offset, length)

    def size(self, name: str) -> int:
        return self.inner.size(name)

    def names(self, prefix: str) -> Iterator[str]:
        return self.inner.names(prefix)

    def delete(self, name: str) -> None:
        self.inner.delete(name)

    def swap(self, name: str, expected: bytes | None, new: bytes) -> None:
        self.inner.swap(name, expected, new)

    def set_aside(self, name: str, most: int) -> None:
        self.inner.set_aside(name, most)

    def sweep_unfinished(self, older_than: timedelta) -> int:
        return self.inner.sweep_unfinished(older_than)


class PowerCutBackend(Passing):
    """Does so many writes, and then none: what `inner` holds is what the disk holds after the cut."""

    def __init__(self, writes: int, inner: Backend | None = None) -> None:
        super().__init__(inner)
        self.left = writes

    def create(self, name: str, data: bytes | bytearray | memoryview, *, check: ReadBack | None = None) -> None:
        self._spend()
        super().create(name, data, check=check)

    def overwrite(self, name: str, data: bytes | bytearray | memoryview, *, check: ReadBack | None = None) -> None:
        self._spend()
        super().overwrite(name, data, check=check)

    def delete(self, name: str) -> None:
        self._spend()
        super().delete(name)

    def swap(self, name: str, expected: bytes | None, new: bytes) -> None:
        self._spend()
        super().swap(name, expected, new)

    def _spend(self) -> None:
        if self.left == 0:
            raise PowerCut
        self.left -= 1


class FullBackend(Passing):
    """Has room for so many bytes."""

    def __init__(self, room: int, inner: Backend | None = None) -> None:
        super().__init__(inner)
        self.room = room

    def create(self, name: str, data: bytes | bytearray | memoryview, *, check: ReadBack | None = None) -> None:
        self._take(name, len(data))
        super().create(name, data, check=check)

    def overwrite(self, name: str, data: bytes | bytearray | memoryview, *, check: ReadBack | None = None) -> None:
        self._take(name, len(data))
        super().overwrite(name, data, check=check)

    def swap(self, name: str, expected: bytes | None, new: bytes) -> None:
        self._take(name, len(new))
        super().swap(name, expected, new)

    def _take(self, name: str, size: int) -> None:
        if size > self.room:
            raise NoSpace(name=name, path="memory")
        self.room -= size


class LyingBackend(Passing):
    """Flips one bit of everything it writes, as failing memory does."""

    def create(self, name: str, data: bytes | bytearray | memoryview, *, check: ReadBack | None = None) -> None:
        super().create(name, _flipped(data), check=check)

    def overwrite(self, name: str, data: bytes | bytearray | memoryview, *, check: ReadBack | None = None) -> None:
        super().overwrite(name, _flipped(data), check=check)


def _flipped(data: bytes | bytearray | memoryview) -> bytearray:
    damaged = bytearray(data)
    if damaged:
        damaged[len(damaged) // 2] ^= 0x10
    return damaged


class BadSectorBackend(Passing):
    """Cannot read the objects named in `bad`."""

    def __init__(self, inner: Backend, bad: set[str]) -> None:
        super().__init__(inner)
        self.bad = bad

    def read(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        if name in self.bad:
            raise ObjectUnreadable(name=name, reason="EIO")
        return super().read(name, offset, length)


def damage(backend: Backend, name: str, data: bytes) -> None:
    """Put other bytes in an object's place, as only damage can."""
    backend.delete(name)
    backend.create(name, data)


class DiskInMemory:
    """What every repository is opened on: one memory, behind a power line that may be cut."""

    def __init__(self, folder: Path) -> None:
        self.inner = MemoryBackend()
        for path in folder.rglob("*"):
            if path.is_file() and not path.name.startswith("."):
                self.inner.create(str(path.relative_to(folder)), path.read_bytes())
        self.line: Any = self.inner

    def opened(self, _root: Path) -> Any:
        return self.line
