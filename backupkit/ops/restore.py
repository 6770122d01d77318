"""Bringing chats back: as much as can be read, in place of nothing, and every loss by name.

A restore never writes over anything and never stops at a bad byte. Each file is written under another name and gets its own
when it is whole and its SHA-256 is that of the file that was saved; what is damaged is left as `<name>.damaged`, the
missing bytes zero, beside a report.
"""

import errno
import hashlib
import itertools
import json
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from backupkit.clock import Clock, to_rfc3339
from backupkit.crypto.domains import DomainSecrets
from backupkit.errors import BackupkitError, Fact
from backupkit.ids import ChunkId, SnapshotId
from backupkit.ops.events import Found, Notice, Phase, Progress, Severity, Tell
from backupkit.ops.left_in_packs import choose, open_what_is_left
from backupkit.ops.places import Places, require_new_folder, shown_path
from backupkit.ops.repository import Repository, store_finding
from backupkit.ops.unlock import AskSecret
from backupkit.store.contents import LOST, PathEntry, content_chunks, walk_tree
from backupkit.store.domain_reader import DomainReader, in_order
from backupkit.store.finding import Finding, cause
from backupkit.store.manifest import Source, read_manifest
from backupkit.store.page_map import PageMap, read_page_map, run_bytes, runs_by_extent
from backupkit.store.tree import Chunks, Entry, EntryKind, Pages

REPORT = "backupkit-restore-report.json"
PARTIAL = ".backupkit-partial"
_THREADS = 2
_GROUP_BYTES = 4 << 20
_GROUP_FILES = 128
_PIECE = 1 << 20
_MAX_NAME = 255
_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PERMISSIONS = 0o777
"""What is given back of a mode: no chat needs to run as somebody else."""
_GIVES_UP = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
"""What the target answers when nothing more can be written to it at all."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back. `damaged` names every file or folder that did not come back whole.

    `distrust` says why the log could not be believed; the snapshot was then chosen without it.
    """

    snapshot: SnapshotId
    files: int
    bytes: int
    damaged: tuple[Found, ...]
    folders: tuple[Path, ...]
    distrust: BackupkitError | None = None


def restore(
    places: Places,
    snapshot: str,
    to: Path,
    *,
    secret: AskSecret,
    clock: Clock,
    tell: Tell,
    only: tuple[str, ...] = (),
    from_packs: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> Restored:
    """Restore a snapshot below `to`, each source under its own last folder name; `only` names sources.

    With `from_packs` the snapshot is looked for in the packs, whatever log and statements say.

    Raises:
        NoRepository, SnapshotNotFound: there is nothing to restore.
        CannotUnlock: the secret opens nothing.
        TargetInRepository, TargetNotEmpty: the target lies in the repository, or something lies there already.
    """
    repository, config_lost = open_what_is_left(places, tell)
    repository.config.require("read")
    chosen = choose(repository, snapshot, secret, tell, from_packs=from_packs)
    known = chosen.known
    if known.life == "forgotten":
        tell(Notice("snapshot-forgotten", {"snapshot": known.id}))
    require_new_folder(places, to)
    keyring = chosen.keyring or repository.unlock(secret)
    # Chats are nobody else's to read, also while they come back.
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    run = _Run(to, tell, stop)
    # Told already; but a latest snapshot that is not the latest must not pass for a whole restore.
    run.damaged += chosen.lost
    wanted: list[tuple[DomainReader, Source]] = []
    for domain in known.statement.domains:
        try:
            secrets = repository.open_domain(domain.id, keyring)
            reader = _reader(repository, secrets, tell)
            manifest = read_manifest(reader, domain.root)
        except BackupkitError as error:
            run.lose(Found("domain-lost", Severity.ERROR, {"name": domain.id.hex(), "reason": cause(error)}))
            continue
        wanted += [(reader, source) for source in manifest.sources if not only or source.name in only]
    for loose, source in chosen.loose:
        wanted.append((_reader(repository, repository.open_domain(loose, keyring), tell), source))
    run.total = sum(source.bytes for _, source in wanted)
    for reader, source in wanted:
        run.restore_source(reader, source)
    if run.damaged:
        _report(to / REPORT, known.id, run.damaged, clock)
    return Restored(
        known.id, run.files, run.size, tuple(run.damaged), tuple(run.folders), chosen.distrust or config_lost
    )


def _reader(repository: Repository, secrets: DomainSecrets, tell: Tell) -> DomainReader:
    return DomainReader(
        repository.backend,
        repository.id,
        secrets.id,
        secrets,
        tell=lambda finding: tell(store_finding(finding)),
    )


class _Written(NamedTuple):
    """A file that was gone through: its bytes, and what there is to tell of it. An error means that it is not whole."""

    size: int
    found: Found | None = None


class _Folder(NamedTuple):
    """A folder of the target, held open while files are put into it: the way to it is not walked again for each of them."""

    path: Path
    descriptor: int


class _Run:
    """One restore: where it goes, and what came of it so far."""

    def __init__(self, to: Path, tell: Tell, stop: Callable[[], bool]) -> None:
        self.to = to
        self.files = 0
        self.size = 0
        self.damaged: list[Found] = []
        self.folders: list[Path] = []
        self.total = 0
        self._tell = tell
        self._stop = stop
        # No source can have a name that was thrown just now, and so none is ever in the way.
        self._temporary = f"{PARTIAL}-{secrets.token_hex(8)}-{{}}".format
        self._numbers = itertools.count()
        self._naming = threading.Lock()

    def lose(self, found: Found) -> None:
        """Note a loss, tell it, and go on."""
        self.damaged.append(found)
        self._tell(found)

    def restore_source(self, reader: DomainReader, source: Source) -> None:
        """Restore one source into a folder of its own. A source that was a single file lies in it under its name."""
        root = self._new_root(source)
        finished: list[tuple[Path, Entry]] = []
        links: list[tuple[Path, Entry]] = []
        for written in in_order(self._groups(reader, source, root, finished, links), _THREADS):
            for one in written:
                self._note(one)
        # Links after everything else: no name on the way to a file may lead out of the target, whatever names a snapshot
        # holds and whichever of them the target's file system takes for the same.
        for path, entry in links:
            assert entry.target is not None
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.symlink_to(os.fsdecode(entry.target))
            except OSError as error:
                self.lose(self._refused(path, error))
        # Folders last: writing into them changes their times, and a read-only one takes no files.
        for path, entry in reversed(finished):
            try:
                path.chmod(entry.mode & _PERMISSIONS)
                os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns))
            except OSError as error:
                self.lose(self._refused(path, error))

    def _groups(
        self,
        reader: DomainReader,
        source: Source,
        root: Path,
        finished: list[tuple[Path, Entry]],
        links: list[tuple[Path, Entry]],
    ) -> "Iterator[partial[list[_Written]]]":
        """Make folders, note links, and give the files in groups that are written by a few threads."""
        group: list[PathEntry] = []
        size = 0
        for place in walk_tree(reader, source.tree, self._lose_folder):
            self._require_wanted()
            entry = place.entry
            if entry.kind is EntryKind.FILE:
                group.append(place)
                size += entry.size
                if size >= _GROUP_BYTES or len(group) >= _GROUP_FILES:
                    yield partial(self._restore_group, reader, root, group)
                    group, size = [], 0
                continue
            path = root / os.fsdecode(place.path)
            try:
                if entry.kind is EntryKind.FOLDER:
                    path.mkdir(mode=0o700, parents=True, exist_ok=True)
                    finished.append((path, entry))
                else:
                    links.append((path, entry))
            except OSError as error:
                self.lose(self._refused(path, error))
        yield partial(self._restore_group, reader, root, group)

    def _note(self, written: "_Written") -> None:
        if written.found is not None and written.found.severity is Severity.ERROR:
            self.lose(written.found)
            return
        if written.found is not None:
            self._tell(written.found)
        self.files += 1
        self.size += written.size
        self._tell(Progress(Phase.RESTORE, self.size, self.total, self.files))

    def _require_wanted(self) -> None:
        if self._stop():
            raise KeyboardInterrupt

    def _refused(self, path: Path, error: OSError) -> Found:
        """Say what the target's file system does not take, a name for example; give up if it takes nothing more."""
        if error.errno in _GIVES_UP:
            raise error
        reason = errno.errorcode.get(error.errno or 0, "unknown")
        return Found("not-written", Severity.ERROR, {"path": self._shown(path), "reason": reason})

    def _shown(self, path: Path) -> str:
        return shown_path(path.relative_to(self.to))

    def _new_root(self, source: Source) -> Path:
        name = _safe_name(os.fsdecode(source.path.rstrip(b"/").rpartition(b"/")[2]) or source.name)
        if name == REPORT:
            # The restore's own name.
            name = f"_{name}"
        root = self.to / name
        number = 2
        while os.path.lexists(root):
            root = self.to / f"{name}-{number}"
            number += 1
        self.folders.append(root)
        root.mkdir(mode=0o700)
        return root

    def _restore_group(self, reader: DomainReader, root: Path, group: list[PathEntry]) -> "list[_Written]":
        written: list[_Written] = []
        for folder, places in itertools.groupby(group, key=_folder_of):
            written += self._restore_into(reader, root / os.fsdecode(folder), [place.entry for place in places])
        return written

    def _restore_into(self, reader: DomainReader, path: Path, entries: list[Entry]) -> "Iterator[_Written]":
        """Write files into one folder."""
        try:
            folder = _Folder(path, _open_folder(path))
        except OSError as error:
            for entry in entries:
                yield _Written(0, self._refused(path / os.fsdecode(entry.name), error))
            return
        try:
            for entry in entries:
                self._require_wanted()
                try:
                    yield self._restore_file(reader, folder, entry)
                except OSError as error:
                    yield _Written(0, self._refused(path / os.fsdecode(entry.name), error))
        finally:
            os.close(folder.descriptor)

    def _restore_file(self, reader: DomainReader, folder: _Folder, entry: Entry) -> "_Written":
        # In the file's own folder: file systems lay the files of a folder together by where they were made.
        temporary = self._temporary(next(self._numbers))
        descriptor = os.open(temporary, _NEW_FILE, 0o600, dir_fd=folder.descriptor)
        name = os.fsdecode(entry.name)
        try:
            try:
                loss = self._fill(reader, descriptor, entry)
                os.fchmod(descriptor, entry.mode & _PERMISSIONS)
                os.utime(descriptor, ns=(entry.mtime_ns, entry.mtime_ns))
            finally:
                os.close(descriptor)
            wanted = name if loss is None else _shortened(name) + ".damaged"
            given = self._name(folder, temporary, wanted)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder.descriptor)
            raise
        if loss is not None:
            facts: dict[str, Fact] = {"path": self._shown(folder.path / name), "reason": loss}
            return _Written(0, Found("file-damaged", Severity.ERROR, facts))
        if given != wanted:
            names = {"path": self._shown(folder.path / wanted), "given": self._shown(folder.path / given)}
            return _Written(entry.size, Found("name-taken", Severity.WARNING, names))
        return _Written(entry.size)

    def _name(self, folder: _Folder, temporary: str, wanted: str) -> str:
        """Give a finished file its name, or one close to it where that is taken."""
        # One thread at a time: on a disk that takes two names for one, both would find it free.
        with self._naming:
            given = _free(folder, wanted)
            os.rename(temporary, given, src_dir_fd=folder.descriptor, dst_dir_fd=folder.descriptor)
        return given

    def _fill(self, reader: DomainReader, descriptor: int, entry: Entry) -> str | None:
        """Write a file's bytes as far as they can be read. Return why it is not the file that was saved, or None."""
        if isinstance(entry.content, Chunks) and len(entry.content.ids) == 1:
            return _fill_with_one(reader, descriptor, entry, entry.content.ids[0])
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
            _write_at(descriptor, offset, data)
        os.ftruncate(descriptor, entry.size)
        if loss is not None:
            return loss
        if end != entry.size:
            return "wrong-size"
        # Pages of a database come in the order in which they were stored, so that the whole is hashed at the end.
        found = whole.digest() if is_in_order and hashed == entry.size else _sha256(descriptor)
        return None if found == entry.sha256 else "wrong-sha256"

    def _lose_folder(self, finding: Finding) -> None:
        self.lose(Found(finding.code, Severity.ERROR, finding.facts))


def _pieces(reader: DomainReader, entry: Entry) -> Iterator[tuple[int, bytes | BackupkitError]]:
    """Give a file's bytes with their offsets; a piece that is lost comes as its error."""
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
) -> Iterator[tuple[int, bytes | BackupkitError]]:
    offset = 0
    for number, chunk in enumerate(chunks):
        try:
            data = reader.read(chunk)
        except LOST as error:
            yield offset, error
            # How long a lost chunk was is known to the index; without that, only the last one can still be placed.
            where = reader.where(chunk)
            if where is not None:
                offset += where.row.plain
                continue
            if number == len(chunks) - 2:
                yield from _last(reader, chunks[-1], size)
            return
        yield offset, data
        offset += len(data)


def _last(reader: DomainReader, chunk: ChunkId, size: int) -> Iterator[tuple[int, bytes | BackupkitError]]:
    try:
        data = reader.read(chunk)
    except LOST as error:
        yield 0, error
        return
    yield size - len(data), data


def _pages(reader: DomainReader, content: Pages) -> Iterator[tuple[int, bytes | BackupkitError]]:
    try:
        page_map: PageMap = read_page_map(reader, content.map)
    except LOST as error:
        yield 0, error
        return
    for extent, runs in runs_by_extent(page_map):
        try:
            data = reader.read(extent)
            for run in runs:
                yield run.first * page_map.page_size, run_bytes(page_map, run, data)
        except LOST as error:
            yield runs[0].first * page_map.page_size, error


def _fill_with_one(reader: DomainReader, descriptor: int, entry: Entry, chunk: ChunkId) -> str | None:
    """Fill a file that is one chunk: computing the chunk's id gave the file's hash already."""
    try:
        opened = reader.open(chunk)
    except LOST as error:
        os.ftruncate(descriptor, entry.size)
        return cause(error)
    _write_at(descriptor, 0, opened.plaintext)
    if len(opened.plaintext) != entry.size:
        return "wrong-size"
    return None if opened.sha256 == entry.sha256 else "wrong-sha256"


def _write_at(descriptor: int, offset: int, data: bytes) -> None:
    done = os.pwrite(descriptor, data, offset)
    while done < len(data):
        done += os.pwrite(descriptor, memoryview(data)[done:], offset + done)


def _sha256(descriptor: int) -> bytes:
    whole, offset = hashlib.sha256(), 0
    while piece := os.pread(descriptor, _PIECE, offset):
        whole.update(piece)
        offset += len(piece)
    return whole.digest()


def _shortened(name: str) -> str:
    """Return the beginning of a name, short enough to be given an ending."""
    encoded = os.fsencode(name)
    if len(encoded) <= _MAX_NAME - 16:
        return name
    return encoded[: _MAX_NAME - 16].decode("utf-8", "ignore")


def _free(folder: _Folder, name: str) -> str:
    """Return `name`, or where that is taken a name close to it: a restore never writes over anything."""
    given, number = name, 2
    while _is_taken(folder, given):
        given = f"{_shortened(name)}-{number}"
        number += 1
    return given


def _is_taken(folder: _Folder, name: str) -> bool:
    try:
        os.lstat(name, dir_fd=folder.descriptor)
    except FileNotFoundError:
        return False
    return True


def _folder_of(place: PathEntry) -> bytes:
    return place.path.rpartition(b"/")[0]


def _open_folder(path: Path) -> int:
    """Open a folder to put files into. It is missing where the target refused it or the snapshot lost it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _safe_name(name: str) -> str:
    """Return a folder name that stays inside the target."""
    cleaned = name.replace("/", "_").replace("\0", "_")
    return "_" if cleaned in {"", ".", ".."} else cleaned


def _report(path: Path, snapshot: SnapshotId, damaged: list[Found], clock: Clock) -> None:
    report = {
        "type": "restore-report",
        "v": 1,
        "snapshot": snapshot,
        "at": to_rfc3339(clock.now()),
        "damaged": [{"code": found.code, **found.facts} for found in damaged],
    }
    # It names files and people's folders.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write((json.dumps(report, ensure_ascii=False, indent=1) + "\n").encode("utf-8"))
