"""Records what a run asks of the file system, and makes what a disk may hold when the power fails at any moment of it.

The recorder stands in for the functions of `os` that change files. What goes past it (Python's own `open` for writing, SQLite,
`shutil`) is noticed by an audit hook, which sees every such call of the interpreter and of its modules, and is put in `missed`.

The disk knows what POSIX promises and nothing more: bytes are there after an `fsync` of their file, names after an `fsync` of
their folder. Everything else may be there or not.
"""

import os
import random
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias
from unittest.mock import patch

_WRITES: Final = os.O_WRONLY | os.O_RDWR


@dataclass(frozen=True, slots=True)
class Call:
    """One change that was asked for. `file` is a number for the bytes, whatever their name; `path` is below the root."""

    what: str
    path: str = ""
    file: int = 0
    offset: int = 0
    data: bytes = b""
    to: str = ""


FOLDER: Final = -1
Tree: TypeAlias = dict[str, int]
"""Names and the file behind each; `FOLDER` for a folder."""


@dataclass(slots=True)
class Start:
    """What lies on the disk before: durable, all of it."""

    names: Tree
    bytes: dict[int, bytes]

    @classmethod
    def of(cls, root: Path, tops: tuple[str, ...]) -> "Start":
        names: Tree = {}
        contents: dict[int, bytes] = {}
        for top in tops:
            for path in (root / top, *sorted((root / top).rglob("*"))):
                name = str(path.relative_to(root))
                if path.is_dir():
                    names[name] = FOLDER
                elif path.is_file():
                    names[name] = len(contents) + 1
                    contents[names[name]] = path.read_bytes()
        return cls(names, contents)


class Recorder:
    """Everything that was asked for below `root / top` for each of `tops`, in order."""

    def __init__(self, root: Path, tops: tuple[str, ...]) -> None:
        self.calls: list[Call] = []
        self.missed: list[str] = []
        self.start = Start.of(root, tops)
        self._root = root.resolve()
        self._tops = tops
        self._names = dict(self.start.names)
        self._bytes = {number: bytearray(data) for number, data in self.start.bytes.items()}
        self._open_files: dict[int, tuple[int, str]] = {}
        self._open_folders: dict[int, str] = {}
        self._lock = threading.RLock()
        self._by_thread = threading.local()
        self._real: dict[str, Callable[..., Any]] = {}

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record what this process does, in all of its threads."""
        stand_ins: dict[str, Callable[..., Any]] = {
            "open": self._open, "close": self._close, "write": self._write, "pwrite": self._pwrite, "fsync": self._fsync,
            "link": self._link, "rename": self._rename, "replace": self._rename, "unlink": self._unlink,
            "remove": self._unlink, "mkdir": self._mkdir, "rmdir": self._unlink, "ftruncate": self._truncate,
        }  # fmt: skip
        self._real = {name: getattr(os, name) for name in stand_ins}
        with ExitStack() as patched, _watched(self._audit):
            for name, stand_in in stand_ins.items():
                patched.enter_context(patch.object(os, name, stand_in))
            yield

    def _below(self, path: Any) -> str | None:
        if isinstance(path, int):
            return None
        place = Path(os.fsdecode(path))
        # The folder as it really is, and the name as it is called: a link is changed itself, not what it leads to.
        whole = place.parent.resolve() / place.name
        name = str(whole.relative_to(self._root)) if whole.is_relative_to(self._root) else ""
        return name if name.split("/")[0] in self._tops else None

    @contextmanager
    def _seen(self) -> Iterator[None]:
        with self._lock:
            self._by_thread.inside = getattr(self._by_thread, "inside", 0) + 1
            try:
                yield
            finally:
                self._by_thread.inside -= 1

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if getattr(self._by_thread, "inside", 0) or event not in _CHANGES:
            return
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & (_WRITES | os.O_CREAT)):
            return
        paths = [path for path in arguments[:2] if isinstance(path, str | bytes | os.PathLike)]
        if event == "open":
            paths = paths[:1]
        if any(self._below(path) is not None for path in paths):
            self.missed.append(f"{event} {paths}")

    def _say(self, call: Call) -> None:
        self.calls.append(call)

    def _open(self, path: Any, flags: int, *rest: Any, **more: Any) -> int:
        with self._seen():
            name = self._below(path) if "dir_fd" not in more else None
            descriptor: int = self._real["open"](path, flags, *rest, **more)
            self._open_files.pop(descriptor, None)
            self._open_folders.pop(descriptor, None)
            if name is None:
                return descriptor
            if self._names.get(name) == FOLDER:
                self._open_folders[descriptor] = name
                return descriptor
            if name not in self._names and flags & os.O_CREAT:
                self._names[name] = number = max(self._bytes, default=0) + 1
                self._bytes[number] = bytearray()
                self._say(Call("create", name, number))
            elif flags & os.O_TRUNC and name in self._names:
                self._cut(self._names[name], 0)
            if name in self._names and flags & _WRITES:
                self._open_files[descriptor] = self._names[name], name
            return descriptor

    def _close(self, descriptor: int) -> None:
        with self._seen():
            self._look(descriptor)
            self._open_files.pop(descriptor, None)
            self._open_folders.pop(descriptor, None)
            self._real["close"](descriptor)

    def _write(self, descriptor: int, data: Any) -> int:
        with self._seen():
            written: int = self._real["write"](descriptor, data)
            self._look(descriptor)
            return written

    def _pwrite(self, descriptor: int, data: Any, offset: int) -> int:
        with self._seen():
            written: int = self._real["pwrite"](descriptor, data, offset)
            self._look(descriptor)
            return written

    def _truncate(self, descriptor: int, size: int) -> None:
        with self._seen():
            self._real["ftruncate"](descriptor, size)
            self._look(descriptor)

    def _fsync(self, descriptor: int) -> None:
        with self._seen():
            # What a file object wrote went past `os.write`: it is seen here, before it counts.
            self._look(descriptor)
            self._real["fsync"](descriptor)
            if descriptor in self._open_folders:
                self._say(Call("sync-folder", self._open_folders[descriptor]))
            elif descriptor in self._open_files:
                number, name = self._open_files[descriptor]
                self._say(Call("fsync", name, number))

    def _look(self, descriptor: int) -> None:
        """Compare an open file with what is known of it, and record the difference as a write."""
        if descriptor not in self._open_files:
            return
        number, name = self._open_files[descriptor]
        held = self._bytes[number]
        with open(f"/proc/self/fd/{descriptor}", "rb") as file:  # noqa: PTH123 - a descriptor of any kind, from its start
            found = file.read()
        if len(found) < len(held):
            self._cut(number, len(found))
        same = len(held)
        if found[:same] != held:
            same = next(at for at, (new, old) in enumerate(zip(found, held, strict=False)) if new != old)
        if same < len(found):
            self._bytes[number][same:] = found[same:]
            self._say(Call("write", name, number, same, found[same:]))

    def _cut(self, number: int, size: int) -> None:
        if len(self._bytes[number]) != size:
            del self._bytes[number][size:]
            self._say(Call("truncate", file=number, offset=size))

    def _link(self, source: Any, target: Any, **more: Any) -> None:
        with self._seen():
            self._real["link"](source, target, **more)
            was, name = self._below(source), self._below(target)
            if name is not None and was is not None:
                self._names[name] = self._names[was]
                self._say(Call("link", was, self._names[was], to=name))

    def _rename(self, source: Any, target: Any, **more: Any) -> None:
        with self._seen():
            self._real["rename"](source, target, **more)
            was, name = self._below(source), self._below(target)
            if name is not None and was is not None:
                self._names[name] = self._names.pop(was)
                self._say(Call("rename", was, self._names[name], to=name))

    def _unlink(self, path: Any, **more: Any) -> None:
        with self._seen():
            name = self._below(path) if "dir_fd" not in more else None
            is_folder = name is not None and self._names.get(name) == FOLDER
            self._real["rmdir" if is_folder else "unlink"](path, **more)
            if name is not None and self._names.pop(name, None) is not None:
                self._say(Call("unlink", name))

    def _mkdir(self, path: Any, *rest: Any, **more: Any) -> None:
        with self._seen():
            self._real["mkdir"](path, *rest, **more)
            name = self._below(path) if "dir_fd" not in more else None
            if name is not None:
                self._names[name] = FOLDER
                self._say(Call("mkdir", name))


_CHANGES: Final = frozenset(
    {
        "open",
        "os.rename",
        "os.link",
        "os.symlink",
        "os.remove",
        "os.mkdir",
        "os.rmdir",
        "os.truncate",
        "sqlite3.connect",
    }
)
_watchers: list[Callable[[str, tuple[Any, ...]], None]] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    for watcher in _watchers:
        watcher(event, arguments)


@contextmanager
def _watched(watcher: Callable[[str, tuple[Any, ...]], None]) -> Iterator[None]:
    if not hasattr(_watched, "is_on"):
        # An audit hook can never be taken away again; without a watcher it does nothing.
        sys.addaudithook(_hook)
        _watched.is_on = True  # type: ignore[attr-defined]
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


VARIANTS: Final = (
    "nothing-unsynced",
    "everything",
    "names-without-bytes",
    "torn-write",
    "some-names",
    "old-and-new-names",
)
"""What may be on the disk after a cut, from the same calls:

`nothing-unsynced`: only what was synced. `everything`: as after a `kill -9`. `names-without-bytes`: all names, but unsynced bytes
are gone. `torn-write`: everything, but half of the last write. `some-names`: of the unsynced names some, by lot, and of the
unsynced bytes a part. `old-and-new-names`: what was renamed and not synced has both names.
"""


@dataclass(slots=True)
class _File:
    held: bytearray = field(default_factory=bytearray)
    durable: bytes = b""


class Disk:
    """A disk on which calls are done one after the other, and which can say what it may hold at any moment."""

    def __init__(self, start: Start) -> None:
        self._files = {number: _File(bytearray(data), data) for number, data in start.bytes.items()}
        self._names = dict(start.names)
        self._durable = dict(start.names)
        self._pending: list[tuple[str, int | None]] = []
        self._last: tuple[int, int] | None = None

    def do(self, call: Call) -> None:
        """Do one call."""
        self._last = None
        match call.what:
            case "create":
                self._files[call.file] = _File()
                self._enter(call.path, call.file)
            case "write":
                held = self._files[call.file].held
                held[call.offset : call.offset + len(call.data)] = call.data
                self._last = (call.file, call.offset + len(call.data) // 2)
            case "truncate":
                del self._files[call.file].held[call.offset :]
            case "fsync":
                self._files[call.file].durable = bytes(self._files[call.file].held)
            case "link":
                self._enter(call.to, call.file)
            case "rename":
                self._enter(call.to, call.file)
                self._enter(call.path, None)
            case "unlink":
                self._enter(call.path, None)
            case "mkdir":
                self._enter(call.path, FOLDER)
            case "sync-folder":
                for name, file in self._pending:
                    if _folder_of(name) == call.path:
                        _put(self._durable, name, file)
                self._pending = [one for one in self._pending if _folder_of(one[0]) != call.path]

    def holds(self, variant: str, dice: random.Random) -> dict[str, bytes | None]:
        """Return what is on the disk if the power fails now: each file's bytes, None for a folder."""
        names = dict(self._durable)
        for name, file in self._pending:
            if (
                variant in {"everything", "names-without-bytes", "torn-write"}
                or (variant == "some-names" and dice.random() < 0.5)
                or (variant == "old-and-new-names" and file is not None)
            ):
                _put(names, name, file)
        found: dict[str, bytes | None] = {}
        for name, file in sorted(names.items()):
            if "/" in name and found.get(_folder_of(name), b"") is not None:
                continue
            found[name] = None if file == FOLDER else self._content(file, variant, dice)
        return found

    def _content(self, number: int, variant: str, dice: random.Random) -> bytes:
        file = self._files[number]
        if variant in {"everything", "old-and-new-names"} or file.held == file.durable:
            return bytes(file.held)
        if variant == "torn-write":
            return bytes(file.held[: self._last[1]] if self._last and self._last[0] == number else file.held)
        if variant == "some-names":
            # The size may have become durable before the bytes: the rest is zeros.
            kept = dice.randrange(len(file.held) + 1)
            return bytes(file.held[:kept]) + bytes(len(file.held) - kept)
        return file.durable

    def _enter(self, name: str, file: int | None) -> None:
        _put(self._names, name, file)
        self._pending.append((name, file))


def _folder_of(name: str) -> str:
    return name.rpartition("/")[0]


def _put(names: Tree, name: str, file: int | None) -> None:
    if file is None:
        names.pop(name, None)
    else:
        names[name] = file


def lay_out(held: dict[str, bytes | None], root: Path) -> None:
    """Make real files of what a disk holds."""
    for name, data in held.items():
        path = root / name
        if data is None:
            path.mkdir(mode=0o700, exist_ok=True)
        else:
            path.write_bytes(data)
