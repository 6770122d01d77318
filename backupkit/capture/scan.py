"""What lies in a source: every name, with nothing followed, opened or changed.

A folder is listed through its own descriptor, so that a folder which is swapped for a link while we walk is reported
and not followed. Names are bytes, as the file system has them, and come sorted by those bytes: the same tree always
gives the same order. What cannot be read is an entry with a reason; only a missing root raises.
"""

import os
import stat
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from backupkit.capture.unreadable import SourceMissing, Unreadable, reason_of

RelativePath = tuple[bytes, ...]
"""The names from the source's root down; empty for the root itself."""

_LISTS_DESCRIPTORS = os.scandir in os.supports_fd
_FOLDER_FLAGS = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class EntryKind(StrEnum):
    """What a name stands for. Sockets, pipes and devices are `OTHER`: they are told and never opened."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    OTHER = "other"


class ScannedEntry(NamedTuple):
    """One name in a folder. A named tuple, since a hundred thousand are made and a frozen dataclass costs four times more.

    `mode` holds the permission bits only, `size` is in bytes, times are nanoseconds since 1970 in UTC. `unreadable` is
    set where not even the status (or a link's target) could be read; the other fields are then zero.
    """

    name: bytes
    kind: EntryKind
    mode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int
    link_target: bytes | None = None
    unreadable: Unreadable | None = None


class ScannedFolder(NamedTuple):
    """A folder and what is in it, sorted by name.

    For a source that is a single file, `path` is the folder that holds it, `relative` is empty, and the file is the one
    entry. `unreadable` is set where the folder could not be listed; its entries are then empty.
    """

    path: Path
    relative: RelativePath
    entries: tuple[ScannedEntry, ...]
    unreadable: Unreadable | None = None


def walk(root: Path) -> Iterator[ScannedFolder]:
    """List a source folder by folder, each before the folders in it.

    Raises:
        SourceMissing: there is nothing at `root`.
    """
    for folder, is_done in _steps(root):
        if not is_done:
            yield folder


def walk_children_first(root: Path, *, leave_out: frozenset[tuple[int, int]] = frozenset()) -> Iterator[ScannedFolder]:
    """List a source folder by folder, each after the folders in it: the order in which trees are written.

    Folders below the root whose device and inode are in `leave_out` are not entered, and not given.

    Raises:
        SourceMissing: there is nothing at `root`.
    """
    for folder, is_done in _steps(root, leave_out):
        if is_done:
            yield folder


def scan_entry(path: Path) -> ScannedEntry:
    """Look at one name without following it."""
    name = os.fsencode(path.name)
    try:
        status = path.lstat()
        target = os.fsencode(path.readlink()) if stat.S_ISLNK(status.st_mode) else None
    except OSError as error:
        return ScannedEntry(name, EntryKind.OTHER, 0, 0, 0, 0, 0, 0, None, reason_of(error))
    return _entry(name, status, target)


def _steps(root: Path, leave_out: frozenset[tuple[int, int]] = frozenset()) -> Iterator[tuple[ScannedFolder, bool]]:
    """Go through the tree, each folder twice: when it is listed, and when all below it is done."""
    # The owner named the root, so a link there is followed; below it none is.
    try:
        place = root.resolve(strict=True)
        status = place.stat()
    except (OSError, RuntimeError) as error:
        raise SourceMissing(root) from error
    if not stat.S_ISDIR(status.st_mode):
        single = ScannedFolder(place.parent, (), (scan_entry(place),))
        yield single, False
        yield single, True
        return
    waiting: list[tuple[ScannedFolder, Iterator[ScannedEntry]]] = []
    identities: list[tuple[int, int]] = [(status.st_dev, status.st_ino)]
    folder = list_folder(place, ())
    yield folder, False
    waiting.append((folder, iter(folder.entries)))
    while waiting:
        folder, remaining = waiting[-1]
        child = next((entry for entry in remaining if entry.kind is EntryKind.FOLDER), None)
        if child is None:
            waiting.pop()
            identities.pop()
            yield folder, True
            continue
        path, relative = folder.path / os.fsdecode(child.name), (*folder.relative, child.name)
        identity = (child.device, child.inode)
        if identity in leave_out:
            continue
        # Only a bind mount can put a folder into itself. Windows may give no inode: it has no such mounts either.
        if identity in identities and child.inode:
            below = ScannedFolder(path, relative, (), Unreadable.FOLDER_LOOP)
        else:
            below = list_folder(path, relative)
        yield below, False
        waiting.append((below, iter(below.entries)))
        identities.append(identity)


def list_folder(path: Path, relative: RelativePath) -> ScannedFolder:
    """List one folder; whatever cannot be read is told in the result."""
    try:
        entries = _list_through_descriptor(path) if _LISTS_DESCRIPTORS else _list_by_path(path)
    except OSError as error:
        return ScannedFolder(path, relative, (), reason_of(error))
    entries.sort()
    return ScannedFolder(path, relative, tuple(entries))


def _list_through_descriptor(path: Path) -> list[ScannedEntry]:
    descriptor = os.open(path, _FOLDER_FLAGS)
    try:
        with os.scandir(descriptor) as found:
            return [_look(entry, descriptor) for entry in found]
    finally:
        os.close(descriptor)


def _list_by_path(path: Path) -> list[ScannedEntry]:
    with os.scandir(path) as found:
        return [_look(entry, None) for entry in found]


def _look(found: "os.DirEntry[str]", folder: int | None) -> ScannedEntry:
    # Called for every name of every run: os.fsencode would cost more than the call to the system.
    name = found.name.encode(_ENCODING, _ENCODE_ERRORS)
    try:
        status = found.stat(follow_symlinks=False)
        target = None
        if status.st_mode & _FORMAT == stat.S_IFLNK:
            target = os.fsencode(os.readlink(found.name if folder is not None else found.path, dir_fd=folder))
    except OSError as error:
        return ScannedEntry(name, EntryKind.OTHER, 0, 0, 0, 0, 0, 0, None, reason_of(error))
    return _entry(name, status, target)


_ENCODING, _ENCODE_ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
_FORMAT = 0o170000
_KINDS = {stat.S_IFREG: EntryKind.FILE, stat.S_IFDIR: EntryKind.FOLDER, stat.S_IFLNK: EntryKind.LINK}


def _entry(name: bytes, status: os.stat_result, target: bytes | None) -> ScannedEntry:
    mode = status.st_mode
    return ScannedEntry(
        name,
        _KINDS.get(mode & _FORMAT, EntryKind.OTHER),
        mode & 0o7777,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
        status.st_dev,
        target,
    )
