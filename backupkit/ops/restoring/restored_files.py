"""Writes files back, each under its own name only when it is whole.

Until then a file has no name at all where the target can do that (Linux, most file systems), so that a run which ends in the
middle leaves nothing of it; elsewhere it has a name that no source can have. A name that is taken is never written over: the
system itself refuses to give it twice.
"""

import errno
import hashlib
import itertools
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TypeAlias

from backupkit.errors import BackupkitError, Fact
from backupkit.ids import ChunkId, PackName
from backupkit.ops.events import Found, Severity
from backupkit.ops.places import shown_path
from backupkit.ops.restoring.names import names_like, shortened, tamed
from backupkit.ops.restoring.unfinished import PARTIAL, Came, sha256_of
from backupkit.store.domains.domain_reader import DomainReader
from backupkit.store.domains.stretch import Lent
from backupkit.store.failures import ChunkLost
from backupkit.store.finding import cause
from backupkit.store.trees.contents import LOST, PathEntry, content_chunks
from backupkit.store.trees.page_map import PageMap, PageRun, read_page_map, run_bytes, runs_by_extent
from backupkit.store.trees.tree import Entry, Pages, one_chunk

PERMISSIONS = 0o777
"""What is given back of a mode: no chat needs to run as somebody else."""

_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_UNNAMED: int = getattr(os, "O_TMPFILE", 0)
_GIVES_UP = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
"""What the target answers when nothing more can be written to it at all."""

_Fill: TypeAlias = Callable[[int], "str | None"]
"""Fills an open file with what was saved, as far as it can be read; says why it is not the file that was saved, or None."""


class Written(NamedTuple):
    """A file that was gone through: its bytes, and what there is to tell of it. An error means that it is not whole."""

    size: int
    found: Found | None = None


class _Folder(NamedTuple):
    """A folder of the target, held open while files are put into it: the way to it is not walked again for each of them."""

    path: Path
    descriptor: int


class RestoredFiles:
    """The files of one restore to `to`. `require_wanted` raises when somebody has stopped it. Safe for threads.

    `came` knows what an earlier run of the same restore brought back; None for a new target.
    """

    def __init__(self, to: Path, require_wanted: Callable[[], None], came: Came | None = None) -> None:
        self._to = to
        self._came = came
        self._require_wanted = require_wanted
        # No source can have a name that was thrown just now, and so none is ever in the way.
        self._temporary = f"{PARTIAL}-{secrets.token_hex(8)}-{{}}".format
        self._numbers = itertools.count()
        self._naming = threading.Lock()
        self._can_be_unnamed = self._try_unnamed()
        self._instead: dict[tuple[Path, bytes], Path] = {}

    def write(self, reader: DomainReader, root: Path, group: Sequence[PathEntry]) -> list[Written]:
        """Write files, whose paths are below `root`."""
        written: list[Written] = []
        way = _Way(partial(self.folder, root))
        try:
            for is_one_chunk, run in itertools.groupby(group, key=lambda place: one_chunk(place.entry) is not None):
                places = list(run)
                fills = _fills_with_one(reader, places) if is_one_chunk else self._fills(reader, places)
                for place, fill in zip(places, fills, strict=True):
                    self._require_wanted()
                    try:
                        written.append(self._write(way.to(_folder_of(place)), place.entry, fill))
                    except OSError as error:
                        written.append(Written(0, self.refused(root / os.fsdecode(place.path), error)))
        finally:
            way.close()
        return written

    def refused(self, path: Path, error: OSError) -> Found:
        """Say what the target's file system does not take, a name for example; give up if it takes nothing more."""
        if error.errno in _GIVES_UP:
            raise error
        reason = errno.errorcode.get(error.errno or 0, "unknown")
        return Found("not-written", Severity.ERROR, {"path": self._shown(path), "reason": reason})

    def folder(self, root: Path, relative: bytes) -> Path:
        """Return where a folder of a snapshot lies in the target, by its path below `root`."""
        if not self._instead:
            return root / os.fsdecode(relative)
        parts = relative.split(b"/")
        for end in range(len(parts), 0, -1):
            instead = self._instead.get((root, b"/".join(parts[:end])))
            if instead is not None:
                return instead.joinpath(*map(os.fsdecode, parts[end:]))
        return root / os.fsdecode(relative)

    def make_folder(self, root: Path, relative: bytes) -> tuple[Path, Found | None]:
        """Make a folder; under another name where the target does not take its own or gave that to another, and that is told.

        Raises:
            OSError: the target takes neither.
        """
        path = self.folder(root, relative)
        if path in self._instead.values():
            return self._make_instead(root, relative, path, path.name)
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            instead = tamed(path.name)
            if instead is None or error.errno in _GIVES_UP:
                raise
            with suppress(OSError):
                return self._make_instead(root, relative, path, instead)
            raise
        return path, None

    def _make_instead(self, root: Path, relative: bytes, path: Path, wanted: str) -> tuple[Path, Found]:
        given = next(like for name in names_like(wanted) if not os.path.lexists(like := path.with_name(name)))
        given.mkdir(mode=0o700)
        self._instead[root, relative] = given
        return given, self._renamed(path, given, is_refused=wanted != path.name)

    def _renamed(self, wanted: Path, given: Path, *, is_refused: bool) -> Found:
        names: dict[str, Fact] = {"path": self._shown(wanted), "given": self._shown(given)}
        return Found("name-refused" if is_refused else "name-taken", Severity.WARNING, names)

    def _shown(self, path: Path) -> str:
        return shown_path(path.relative_to(self._to))

    def _write(self, folder: _Folder, entry: Entry, fill: _Fill) -> Written:
        name = os.fsdecode(entry.name)
        assert entry.sha256 is not None
        came = self._came and self._came.whole(folder.descriptor, name, entry.size, entry.sha256)
        if came:
            return self._written(folder, entry, name, came, is_refused=came == tamed(name))
        descriptor, temporary = self._begin(folder)
        try:
            loss = fill(descriptor)
            os.fchmod(descriptor, entry.mode & PERMISSIONS)
            os.utime(descriptor, ns=(entry.mtime_ns, entry.mtime_ns))
            wanted = name if loss is None else shortened(name) + ".damaged"
            if (
                loss is not None
                and self._came
                and self._came.whole(folder.descriptor, wanted, entry.size, sha256_of(descriptor))
            ):
                if temporary:
                    os.unlink(temporary, dir_fd=folder.descriptor)
                return self._damaged(folder, name, loss)
            give = partial(self._name, folder, temporary) if temporary else partial(_link, folder, descriptor)
            given, is_refused = _give(give, wanted)
            if self._came:
                self._came.count(descriptor)
        except BaseException:
            if temporary:
                with suppress(FileNotFoundError):
                    os.unlink(temporary, dir_fd=folder.descriptor)
            raise
        finally:
            os.close(descriptor)
        if loss is not None:
            return self._damaged(folder, name, loss)
        return self._written(folder, entry, wanted, given, is_refused=is_refused)

    def _damaged(self, folder: _Folder, name: str, loss: str) -> Written:
        facts: dict[str, Fact] = {"path": self._shown(folder.path / name), "reason": loss}
        return Written(0, Found("file-damaged", Severity.ERROR, facts))

    def _written(self, folder: _Folder, entry: Entry, wanted: str, given: str, *, is_refused: bool) -> Written:
        if given == wanted:
            return Written(entry.size)
        return Written(entry.size, self._renamed(folder.path / wanted, folder.path / given, is_refused=is_refused))

    def _begin(self, folder: _Folder) -> tuple[int, str]:
        """Make a file in its own folder: file systems lay the files of a folder together by where they were made."""
        if self._can_be_unnamed:
            return os.open(".", _UNNAMED | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=folder.descriptor), ""
        temporary = self._temporary(next(self._numbers))
        return os.open(temporary, _NEW_FILE, 0o600, dir_fd=folder.descriptor), temporary

    def _name(self, folder: _Folder, temporary: str, wanted: str) -> str:
        """Give a finished file its name, or one close to it where that is taken."""
        # One thread at a time: on a disk that takes two names for one, both would find it free.
        with self._naming:
            given = next(name for name in names_like(wanted) if not _is_taken(folder, name))
            os.rename(temporary, given, src_dir_fd=folder.descriptor, dst_dir_fd=folder.descriptor)
        return given

    def _try_unnamed(self) -> bool:
        """Find out whether the target gives a name to a file that has none."""
        if not _UNNAMED:
            return False
        try:
            descriptor = os.open(self._to, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return False
        folder = _Folder(self._to, descriptor)
        try:
            unnamed = os.open(".", _UNNAMED | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=descriptor)
            try:
                os.unlink(_link(folder, unnamed, self._temporary("unnamed")), dir_fd=descriptor)
            finally:
                os.close(unnamed)
        except OSError:
            # No such files, no links, or no /proc to link them from.
            return False
        finally:
            os.close(descriptor)
        return True

    def _fills(self, reader: DomainReader, places: Sequence[PathEntry]) -> "Iterator[_Fill]":
        return (partial(self._fill, reader, place.entry) for place in places)

    def _fill(self, reader: DomainReader, entry: Entry, descriptor: int) -> str | None:
        """Write a file's bytes as far as they can be read. Return why it is not the file that was saved, or None."""
        loss: str | None = None
        whole, hashed, end, is_in_order = hashlib.sha256(), 0, 0, True
        for offset, data in _pieces(reader, entry):
            self._require_wanted()
            if isinstance(data, BackupkitError):
                loss = loss or cause(data)
                continue
            end = max(end, offset + len(data))
            if end > entry.size:
                # More than was saved: there may be no end to it.
                return "wrong-size"
            is_in_order = is_in_order and offset == hashed
            if is_in_order:
                whole.update(data)
                hashed += len(data)
            if not _is_hole(data):
                _write_at(descriptor, offset, data)
        os.ftruncate(descriptor, entry.size)
        if loss is not None:
            return loss
        if end != entry.size:
            return "wrong-size"
        # Pages of a database come in the order in which they were stored, so that the whole is hashed at the end.
        found = whole.digest() if is_in_order and hashed == entry.size else sha256_of(descriptor)
        return None if found == entry.sha256 else "wrong-sha256"


class _Way:
    """Opens folders below a root, one at a time. Those are missing that the target refused or the snapshot lost."""

    def __init__(self, place: Callable[[bytes], Path]) -> None:
        self._place = place
        self._name = b""
        self._folder: _Folder | None = None

    def to(self, name: bytes) -> _Folder:
        """Return the folder of this path below the root. The one before it is closed."""
        if self._folder is None or self._name != name:
            self.close()
            path = self._place(name)
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            self._name, self._folder = name, _Folder(path, descriptor)
        return self._folder

    def close(self) -> None:
        """Let go of the folder."""
        if self._folder is not None:
            os.close(self._folder.descriptor)
            self._folder = None


def _fills_with_one(reader: DomainReader, places: Sequence[PathEntry]) -> Iterator[_Fill]:
    """Fill files that are one chunk each: computing the chunk's id gave the file's hash already."""
    chunks = (chunk for place in places if (chunk := one_chunk(place.entry)) is not None)
    for place, outcome in zip(places, reader.lend(chunks), strict=True):
        yield partial(_fill_with_one, place.entry, outcome)


def _fill_with_one(entry: Entry, outcome: Lent | ChunkLost, descriptor: int) -> str | None:
    if isinstance(outcome, ChunkLost):
        os.ftruncate(descriptor, entry.size)
        return cause(outcome)
    _write_at(descriptor, 0, outcome.plaintext)
    if len(outcome.plaintext) != entry.size:
        return "wrong-size"
    return None if outcome.sha256 == entry.sha256 else "wrong-sha256"


def _pieces(reader: DomainReader, entry: Entry) -> Iterator[tuple[int, bytes | memoryview | BackupkitError]]:
    """Give a file's bytes with their offsets, each lent until the next; a piece that is lost comes as its error."""
    assert entry.content is not None
    if isinstance(entry.content, Pages):
        yield from _pages(reader, entry.content)
        return
    try:
        chunks = content_chunks(reader, entry.content)
    except LOST as error:
        yield 0, error
        return
    yield from _chunks(reader, chunks, entry.size)


def _chunks(
    reader: DomainReader, chunks: tuple[ChunkId, ...], size: int
) -> Iterator[tuple[int, bytes | memoryview | BackupkitError]]:
    offset = 0
    for number, outcome in enumerate(reader.lend(chunks)):
        if isinstance(outcome, Lent):
            yield offset, outcome.plaintext
            offset += len(outcome.plaintext)
            continue
        yield offset, outcome
        # How long a lost chunk was is known to the index; without that, only the last one can still be placed.
        where = reader.where(chunks[number])
        if where is None:
            if number == len(chunks) - 2:
                yield from _last(reader, chunks[-1], size)
            return
        offset += where.row.plain


def _last(reader: DomainReader, chunk: ChunkId, size: int) -> Iterator[tuple[int, bytes | BackupkitError]]:
    try:
        data = reader.read(chunk)
    except LOST as error:
        yield 0, error
        return
    yield size - len(data), data


def _pages(reader: DomainReader, content: Pages) -> Iterator[tuple[int, bytes | memoryview | BackupkitError]]:
    try:
        page_map: PageMap = read_page_map(reader, content.map)
    except LOST as error:
        yield 0, error
        return
    extents = _as_they_lie(reader, page_map)
    for (_, runs), outcome in zip(extents, reader.lend(extent for extent, _ in extents), strict=True):
        if isinstance(outcome, ChunkLost):
            yield runs[0].first * page_map.page_size, outcome
            continue
        data = memoryview(outcome.plaintext)
        try:
            for run in runs:
                yield run.first * page_map.page_size, run_bytes(page_map, run, data)
        except LOST as error:
            yield runs[0].first * page_map.page_size, error


def _as_they_lie(reader: DomainReader, page_map: PageMap) -> list[tuple[ChunkId, list[PageRun]]]:
    """Return extents with their runs in the order of the file where each is in one place of it, else in that of the packs."""
    extents = list(runs_by_extent(page_map))
    if all(one.first + one.pages == two.first for _, runs in extents for one, two in pairwise(runs)):
        return extents
    ranks: dict[PackName | None, int] = {}
    places = []
    for at, (extent, _) in enumerate(extents):
        where = reader.where(extent)
        pack, offset = (where.pack, where.row.offset) if where is not None else (None, 0)
        places.append((ranks.setdefault(pack, len(ranks)), offset, at))
    return [extents[at] for _, _, at in sorted(places)]


def _is_hole(data: bytes | memoryview) -> bool:
    """Whether all bytes are zero: in a new file they are so unwritten, and a sparse file of 20 GB takes the place it took."""
    if not data or data[0] or data[len(data) // 2] or data[-1]:
        return not data
    return bytes(data).count(0) == len(data)


def _write_at(descriptor: int, offset: int, data: bytes | memoryview) -> None:
    done = os.pwrite(descriptor, data, offset)
    while done < len(data):
        done += os.pwrite(descriptor, memoryview(data)[done:], offset + done)


def _give(give: Callable[[str], str], wanted: str) -> tuple[str, bool]:
    """Give a file its name; return the name it got, and whether the target did not take the one that was wanted."""
    try:
        return give(wanted), False
    except OSError as error:
        instead = tamed(wanted)
        if instead is None or error.errno in _GIVES_UP:
            raise
        with suppress(OSError):
            return give(instead), True
        raise


def _link(folder: _Folder, descriptor: int, wanted: str) -> str:
    """Give a file without a name its name, or one close to it where that is taken."""
    source = f"/proc/self/fd/{descriptor}"
    for given in names_like(wanted):
        try:
            os.link(source, given, dst_dir_fd=folder.descriptor, follow_symlinks=True)
        except FileExistsError:
            continue
        return given
    raise AssertionError("names never end")


def _is_taken(folder: _Folder, name: str) -> bool:
    try:
        os.lstat(name, dir_fd=folder.descriptor)
    except FileNotFoundError:
        return False
    return True


def _folder_of(place: PathEntry) -> bytes:
    return place.path.rpartition(b"/")[0]
