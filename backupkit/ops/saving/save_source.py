"""One source into one domain: walk it, store what is new, write its trees.

Folders are written after what is in them, so that at every moment all finished folders can be tied into a tree: that is
how an interrupted run still leaves a restorable part.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from backupkit.capture.content import PROBE_SIZE, Cut, choose_cut, is_compressible
from backupkit.capture.cuts import MIN_TEXT_CHUNK, media_cuts, text_cuts
from backupkit.capture.databases import COMPANION_ENDINGS, DatabaseKind, companions, may_be_database, recognise_database
from backupkit.capture.file_cache import NEVER, FileCache, Stamp, folder_stamp, stamp_of
from backupkit.capture.pages import PageReading
from backupkit.capture.scan import EntryKind, RelativePath, ScannedEntry, ScannedFolder, walk_children_first
from backupkit.capture.stable_read import PIECE_SIZE, read_stable
from backupkit.capture.unreadable import SourceUnreadable, Unreadable as Reason, reason_of
from backupkit.codec.malformed import MalformedObject
from backupkit.ids import ChunkId, PackName
from backupkit.ops.events import Found, Phase, Progress, Severity, Tell
from backupkit.ops.saving.remembered_file import (
    RememberedFile,
    RememberedFolder,
    RememberedPages,
    decode_file,
    decode_folder,
    decode_pages,
)
from backupkit.store.chunk_id import ID_SIZE, ChunkType
from backupkit.store.domains.domain_writer import DomainWriter, StoredChunk
from backupkit.store.packs.index import Index
from backupkit.store.trees import manifest, tree
from backupkit.store.trees.page_map import PageMap, store_extents, write_page_map

if TYPE_CHECKING:
    from backupkit.capture.live_database import Captured

_MOST_NOTED = 16 << 20
"""Bytes of ids that are kept to say, once their packs have names, which packs hold a folder. Folders beyond are told next time."""

_NOTED_AT_ONCE = 1 << 20
"""So many bytes of ids wait before it is looked which of their packs have names by now."""


_Stored: TypeAlias = tuple[tuple[ChunkId, ...], bytes]
"""A file's chunks, and the SHA-256 of all its bytes."""

_Piece = TypeVar("_Piece")


class StopAsked(Exception):
    """The person asked to stop. What is stored stays; the caller ties it together."""


@dataclass(slots=True)
class Counts:
    """What was put into the trees so far. Sizes in bytes."""

    files: int = 0
    size: int = 0
    unreadable: list[manifest.Unreadable] = field(default_factory=list)


class SourceSaver:
    """Saves one source. `packs` are the packs that hold what was there already; new ones are known to the index."""

    def __init__(
        self,
        root: Path,
        *,
        key: str,
        writer: DomainWriter,
        index: Index,
        cache: FileCache,
        scratch: Path,
        seed: int,
        tell: Tell,
        stop: Callable[[], bool],
        after_file: Callable[[int], None],
        leave_out: frozenset[tuple[int, int]] = frozenset(),
    ) -> None:
        self.root = root
        self._leave_out = leave_out
        self.counts = Counts()
        self._key = key
        self._chunks = _Noting(writer)
        self._index = index
        self._cache = cache
        self._scratch = scratch
        self._seed = seed
        self._tell = tell
        self._stop = stop
        self._after_file = after_file
        self._started_ns = time.time_ns()
        self._finished: dict[RelativePath, ChunkId] = {}
        self._status: dict[RelativePath, ScannedEntry] = {}
        self._open: tuple[RelativePath, list[tree.Entry]] = ((), [])
        self._present = index.packs()
        self._is_certain = True
        self._unnamed: list[_SavedFolder] = []
        self._noted = 0
        self._look_at = _NOTED_AT_ONCE
        self.tree: ChunkId | None = None

    @property
    def started_ns(self) -> int:
        """When this began, in nanoseconds since 1970."""
        return self._started_ns

    @property
    def packs(self) -> set[PackName]:
        """The packs that hold what was there already."""
        return self._chunks.packs

    def save(self) -> ChunkId:
        """Walk the source and store it; return its tree.

        Raises:
            SourceMissing: there is nothing at the root.
            StopAsked: the person asked to stop.
            NoSpace, BackendError: the repository cannot take more.
        """
        for folder in walk_children_first(self.root, leave_out=self._leave_out):
            self._finished[folder.relative] = self._save_folder(folder)
        self.tree = self._finished.pop(())
        self._cache.finish(self._key)
        return self.tree

    def remember_folders(self) -> None:
        """Keep what those folders came to whose packs have names by now: all of them when the writer was flushed."""
        waiting, self._unnamed, self._noted = self._unnamed, [], 0
        for saved in waiting:
            found = [
                self._index.find(ChunkId(bytes(saved.new[at : at + ID_SIZE])))
                for at in range(0, len(saved.new), ID_SIZE)
            ]
            if None in found:
                self._unnamed.append(saved)
                self._noted += len(saved.new)
                continue
            packs = saved.packs.union(location.pack for location in found if location is not None)
            value = RememberedFolder(saved.tree, saved.files, saved.size, frozenset(packs)).encode()
            self._cache.remember_folder(self._key, saved.relative, saved.stamp, value)
        self._look_at = max(2 * self._noted, _NOTED_AT_ONCE)

    def partial_tree(self) -> ChunkId:
        """Tie all that is stored so far into a tree, folders that are not done included with what they hold by now."""
        if self.tree is not None:
            return self.tree
        waiting: dict[RelativePath, list[tree.Entry]] = {}
        relative, entries = self._open
        waiting[relative] = list(entries)
        for done, chunk in self._finished.items():
            waiting.setdefault(done[:-1], []).append(self._folder_entry(done, chunk))
        for depth in range(max(map(len, waiting), default=0), 0, -1):
            for place in [place for place in waiting if len(place) == depth]:
                chunk = tree.write_tree(self._chunks, waiting.pop(place))
                waiting.setdefault(place[:-1], []).append(self._folder_entry(place, chunk))
        return tree.write_tree(self._chunks, waiting.get((), []))

    def _folder_entry(self, relative: RelativePath, chunk: ChunkId) -> tree.Entry:
        known = self._status.get(relative)
        mode, mtime_ns = (known.mode, known.mtime_ns) if known else (0o700, 0)
        return tree.Entry(relative[-1], tree.EntryKind.FOLDER, mode, mtime_ns, tree=chunk)

    def _save_folder(self, folder: ScannedFolder) -> ChunkId:
        stamp = self._stamp(folder)
        unchanged = self._unchanged_folder(folder, stamp)
        if unchanged is not None:
            return unchanged
        self._chunks.begin()
        self._is_certain = bool(stamp)
        files, size = self.counts.files, self.counts.size
        chunk = self._save_entries(folder)
        new = self._chunks.new
        if self._is_certain and self._noted + len(new) <= _MOST_NOTED:
            self._noted += len(new)
            files, size = self.counts.files - files, self.counts.size - size
            self._unnamed.append(
                _SavedFolder(folder.relative, stamp, chunk, files, size, frozenset(self._chunks.begun), bytes(new))
            )
            if self._noted >= self._look_at:
                self.remember_folders()
        return chunk

    def _stamp(self, folder: ScannedFolder) -> Stamp:
        """Stamp a folder with all below it: the trees of the folders in it are part of the stamp."""
        if folder.unreadable is not None:
            return NEVER
        kind = EntryKind.FOLDER
        below = [self._finished.get((*folder.relative, one.name)) for one in folder.entries if one.kind is kind]
        told = b"".join(chunk for chunk in below if chunk is not None)
        return NEVER if None in below else folder_stamp(folder.entries, told, scan_started_ns=self._started_ns)

    def _unchanged_folder(self, folder: ScannedFolder, stamp: Stamp) -> ChunkId | None:
        """Return the tree of a folder that is as it was, if all packs that hold it are still there."""
        if not stamp:
            return None
        known = decode_folder(self._cache.unchanged_folder(self._key, folder.relative, stamp))
        if known is None or not known.packs <= self._present:
            return None
        if self._stop():
            raise StopAsked
        self._cache.keep_folder(self._key, folder.relative)
        for scanned in folder.entries:
            if scanned.kind is EntryKind.FOLDER:
                self._finished.pop((*folder.relative, scanned.name))
        self.packs.update(known.packs)
        self._open = ((), [])
        self.counts.files += known.files
        self.counts.size += known.size
        self._tell(Progress(Phase.STORE, self.counts.size, None, self.counts.files, None))
        return known.tree

    def _save_entries(self, folder: ScannedFolder) -> ChunkId:
        entries: list[tree.Entry] = []
        self._open = (folder.relative, entries)
        if folder.unreadable is not None:
            self._lost(folder.relative, folder.unreadable)
        by_name = {entry.name: entry for entry in folder.entries}
        logs = {name: entry for name, entry in by_name.items() if name.endswith(COMPANION_ENDINGS)}
        passed_over: set[bytes] = set()
        for scanned in folder.entries:
            if self._stop():
                raise StopAsked
            relative = (*folder.relative, scanned.name)
            if scanned.unreadable is Reason.VANISHED and _belongs_to(scanned.name) in by_name:
                # A journal lives as long as its transaction: the app ended one while we listed the folder.
                continue
            if scanned.unreadable is not None:
                self._lost(relative, scanned.unreadable)
            elif scanned.kind is EntryKind.FOLDER:
                self._status[relative] = scanned
                chunk = self._finished.pop(relative, None)
                if chunk is not None:
                    entries.append(self._folder_entry(relative, chunk))
                else:
                    self._tell(Found("own-folder", Severity.INFO, {"path": _shown(relative)}))
            elif scanned.kind is EntryKind.LINK:
                assert scanned.link_target is not None
                kind = tree.EntryKind.LINK
                entries.append(
                    tree.Entry(scanned.name, kind, scanned.mode, scanned.mtime_ns, target=scanned.link_target)
                )
            elif scanned.kind is EntryKind.OTHER:
                self._tell(Found("special-file", Severity.INFO, {"path": _shown(relative)}))
            elif scanned.name not in passed_over:
                self._save_file(folder, relative, scanned, logs, passed_over, entries)
        return tree.write_tree(self._chunks, entries)

    def _save_file(
        self,
        folder: ScannedFolder,
        relative: RelativePath,
        scanned: ScannedEntry,
        logs: dict[bytes, ScannedEntry],
        passed_over: set[bytes],
        entries: list[tree.Entry],
    ) -> None:
        beside = [logs[name] for name in companions(scanned.name) if name in logs] if logs else []
        # The index of a write-ahead log changes when somebody merely reads: it says nothing about the database.
        stamped = [one for one in beside if not one.name.endswith(b"-shm")]
        stamp = stamp_of(scanned, *stamped, scan_started_ns=self._started_ns)
        saved = self._unchanged(relative, stamp)
        try:
            if saved is not None:
                content, sha256, size, is_database = saved
                added = [self._file_entry(scanned, size, sha256, content)]
            else:
                added, is_database = self._save_new(_path(folder, scanned), relative, scanned, stamp)
        except SourceUnreadable as error:
            self._lost(relative, error.reason)
            return
        if is_database:
            passed_over.update(one.name for one in beside)
        for entry in added:
            entries.append(entry)
            self.counts.files += 1
            self.counts.size += entry.size
        self._tell(Progress(Phase.STORE, self.counts.size, None, self.counts.files, None))
        if saved is None:
            # Only what was read can be lost by a crash, so only that makes a partial snapshot due.
            self._after_file(sum(entry.size for entry in added))

    def _unchanged(self, relative: RelativePath, stamp: Stamp) -> tuple[tree.Content, bytes, int, bool] | None:
        """Return what an unchanged file was stored as, if all of it is still in the repository."""
        value = self._cache.unchanged(self._key, relative, stamp)
        known = decode_file(value) if value is not None else None
        if known is None:
            return None
        if known.chunks is not None:
            if not self._all_there(known.chunks):
                return None
            return tree.file_content(self._chunks, known.chunks), known.sha256, known.size, False
        pages = decode_pages(self._cache.pages(self._key, relative))
        if pages is None or pages.map.size != known.size or not self._all_there(pages.map.extents()):
            return None
        return self._page_content(pages.map), known.sha256, known.size, True

    def _all_there(self, chunks: "tuple[ChunkId, ...] | list[ChunkId]") -> bool:
        found = [self._index.find(chunk) for chunk in chunks]
        if None in found:
            return False
        self._chunks.note(location.pack for location in found if location is not None)
        return True

    def _save_new(
        self, path: str, relative: RelativePath, scanned: ScannedEntry, stamp: Stamp
    ) -> tuple[list[tree.Entry], bool]:
        """Read and store a file; return its entries and whether it is a database."""
        # Most files show by their first bytes that they are none, so they are opened once.
        plain = self._save_plain(path, relative, scanned, stamp, self._store_unless_database)
        if plain is not None:
            return [plain], False
        kind = recognise_database(Path(path))
        if kind is not None:
            return self._save_database(Path(path), relative, scanned, stamp, kind), True
        plain = self._save_plain(path, relative, scanned, stamp, self._store_pieces)
        return [] if plain is None else [plain], False

    def _save_plain(
        self,
        path: str,
        relative: RelativePath,
        scanned: ScannedEntry,
        stamp: Stamp,
        store: "Callable[[ScannedEntry, Iterator[bytes]], _Stored | None]",
    ) -> tree.Entry | None:
        read = read_stable(path, lambda pieces: store(scanned, pieces))
        if read.answer is None:
            return None
        chunks, sha256 = read.answer
        if read.changed:
            self._lost(relative, Reason.CHANGED_WHILE_READ)
        else:
            self._cache.remember(self._key, relative, stamp, RememberedFile(sha256, read.size, chunks).encode())
        return self._file_entry(scanned, read.size, sha256, tree.file_content(self._chunks, chunks))

    def _store_unless_database(self, scanned: ScannedEntry, pieces: Iterator[bytes]) -> "_Stored | None":
        first = next(pieces, b"")
        if may_be_database(first[:PROBE_SIZE], scanned.size):
            return None
        return self._store_from(first, scanned, pieces)

    def _store_pieces(self, scanned: ScannedEntry, pieces: Iterator[bytes]) -> "_Stored":
        return self._store_from(next(pieces, b""), scanned, pieces)

    def _store_from(self, first: bytes, scanned: ScannedEntry, rest: Iterator[bytes]) -> "_Stored":
        probe = first[:PROBE_SIZE]
        cut = choose_cut(scanned.name, probe, scanned.size)
        compress = cut is Cut.TEXT or is_compressible(probe)
        if len(first) < PIECE_SIZE and (cut is Cut.MEDIA or len(first) <= MIN_TEXT_CHUNK):
            # Most files are one chunk, whose hash is the file's.
            return self._store_alone(first, rest, compress=compress)
        watched = self._until_stopped(_chain(first, rest))
        cuts = text_cuts(watched, self._seed) if cut is Cut.TEXT else media_cuts(watched)
        ids: list[ChunkId] = []
        whole = hashlib.sha256()
        for data in cuts:
            ids.append(self._chunks.store(ChunkType.DATA, data, compress=compress).id)
            whole.update(data)
        return tuple(ids), whole.digest()

    def _store_alone(self, data: bytes, rest: Iterator[bytes], *, compress: bool) -> "_Stored":
        # The end is looked for: until then nobody noticed whether the file grew.
        for _ in rest:
            raise AssertionError("a short piece is the last")
        if not data:
            return (), hashlib.sha256().digest()
        chunk = self._chunks.store(ChunkType.DATA, data, compress=compress)
        return (chunk.id,), chunk.sha256

    def _save_database(
        self, path: Path, relative: RelativePath, scanned: ScannedEntry, stamp: Stamp, kind: DatabaseKind
    ) -> list[tree.Entry]:
        from backupkit.capture.live_database import read_database  # noqa: PLC0415 - a run that finds nothing new copies none

        def save(captured: "Captured") -> list[tree.Entry] | None:
            for finding in captured.findings:
                severity = Severity.ERROR if finding.lost else Severity.WARNING
                self._tell(Found(finding.code, severity, {**finding.facts, "path": _shown(relative)}))
            try:
                image = self._save_image(relative, scanned, stamp, captured)
            except MalformedObject:
                # Shortened while it was read where it lies: then a copy is read instead.
                if captured.image != path:
                    raise
                return None
            except OSError as error:
                raise SourceUnreadable(path, reason_of(error)) from error
            beside = (self._save_companion(scanned.name + one.ending, one.path, scanned) for one in captured.companions)
            return [image, *beside]

        # Read where it lies if no app has it open: to copy every database costs more than to look at its pages.
        saved = read_database(path, self._scratch, save, kind=kind)
        if saved is None:
            raise SourceUnreadable(path, Reason.CHANGED_WHILE_READ)
        return saved

    def _save_image(
        self, relative: RelativePath, scanned: ScannedEntry, stamp: Stamp, captured: "Captured"
    ) -> tree.Entry:
        known = decode_pages(self._cache.pages(self._key, relative))
        if known is not None and not self._all_there(known.map.extents()):
            known = None
        page_size = captured.page_size
        reading = PageReading(captured.image, page_size, known.hashes if known else None)
        stored = store_extents(
            self._chunks,
            known.map if known else None,
            page_size=page_size,
            file_size=captured.size,
            extents=self._until_stopped(reading.extents()),
            compress=not captured.kind.sealed,
        )
        result = reading.result
        self._is_certain = self._is_certain and not captured.companions
        self._cache.remember(
            self._key,
            relative,
            # What the log held is in the image, but with companions the pair is not told by one stamp's value.
            stamp if not captured.companions else Stamp(b""),
            RememberedFile(result.sha256, result.size, None).encode(),
            pages=RememberedPages(result.hashes, stored).encode(),
        )
        return self._file_entry(scanned, result.size, result.sha256, self._page_content(stored))

    def _until_stopped(self, pieces: "Iterator[_Piece]") -> "Iterator[_Piece]":
        for piece in pieces:
            if self._stop():
                raise StopAsked
            yield piece

    def _save_companion(self, name: bytes, path: Path, beside: ScannedEntry) -> tree.Entry:
        like = beside._replace(name=name, size=path.stat().st_size)
        read = read_stable(path, lambda pieces: self._store_pieces(like, pieces))
        chunks, sha256 = read.answer
        return self._file_entry(like, read.size, sha256, tree.file_content(self._chunks, chunks))

    def _page_content(self, page_map: PageMap) -> tree.Content:
        return tree.Pages(write_page_map(self._chunks, page_map), page_map.page_size)

    @staticmethod
    def _file_entry(scanned: ScannedEntry, size: int, sha256: bytes, content: tree.Content) -> tree.Entry:
        kind = tree.EntryKind.FILE
        return tree.Entry(scanned.name, kind, scanned.mode, scanned.mtime_ns, size=size, sha256=sha256, content=content)

    def _lost(self, relative: RelativePath, reason: Reason) -> None:
        self._is_certain = False
        self.counts.unreadable.append(manifest.Unreadable(b"/".join(relative), reason.value))
        self._tell(Found("unreadable", Severity.ERROR, {"path": _shown(relative), "reason": reason.value}))


@dataclass(frozen=True, slots=True)
class _SavedFolder:
    """A folder that was saved: the packs that held some of it already, and the ids of what is new, one after another."""

    relative: RelativePath
    stamp: Stamp
    tree: ChunkId
    files: int
    size: int
    packs: frozenset[PackName]
    new: bytes


class _Noting:
    """A writer that notes which packs already hold what is stored through it, and what is in none yet."""

    def __init__(self, writer: DomainWriter) -> None:
        self.packs: set[PackName] = set()
        self.begun: set[PackName] = set()
        self.new = bytearray()
        self._writer = writer

    def begin(self) -> None:
        """Begin with a folder: `begun` and `new` are about it alone."""
        self.begun = set()
        self.new = bytearray()

    def note(self, packs: Iterable[PackName]) -> None:
        """Note packs that are needed."""
        found = set(packs)
        self.begun |= found
        self.packs |= found

    def store(
        self, kind: ChunkType, plaintext: bytes | bytearray | memoryview, *, compress: bool = True
    ) -> StoredChunk:
        """Store a chunk."""
        stored = self._writer.store(kind, plaintext, compress=compress)
        if stored.pack is not None:
            self.begun.add(stored.pack)
            self.packs.add(stored.pack)
        elif len(self.new) <= _MOST_NOTED:
            self.new += stored.id
        return stored


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _path(folder: ScannedFolder, scanned: ScannedEntry) -> str:
    # Called for every file that is read: joining paths would cost more than opening one.
    return f"{folder.path}{os.sep}{os.fsdecode(scanned.name)}"


def _shown(relative: RelativePath) -> str:
    return b"/".join(relative).decode("utf-8", "backslashreplace") or "."


def _belongs_to(name: bytes) -> bytes:
    """Return the name of the database that a journal or log of this name would lie beside."""
    for ending in companions(b""):
        if name.endswith(ending):
            return name[: -len(ending)]
    return b""
