"""One source into one domain: walk it, store what is new, write its trees.

Folders are written after what is in them, so that at every moment all finished folders can be tied into a tree: that is
how an interrupted run still leaves a restorable part.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from backupkit.capture.databases import COMPANION_ENDINGS, companions
from backupkit.capture.file_cache import NEVER, FileCache, Stamp, folder_stamp, stamp_of
from backupkit.capture.scan import EntryKind, RelativePath, ScannedEntry, ScannedFolder, walk_children_first
from backupkit.capture.unreadable import SourceUnreadable, Unreadable as Reason
from backupkit.ids import ChunkId, PackName
from backupkit.ops.events import Found, Phase, Progress, Severity, Tell
from backupkit.ops.saving.remembered_file import RememberedFolder, decode_folder
from backupkit.ops.saving.save_file import MOST_NOTED, FileSaver, Noting, StopAsked, shown_place
from backupkit.store.chunk_id import ID_SIZE
from backupkit.store.domains.domain_writer import DomainWriter
from backupkit.store.packs.index import Index
from backupkit.store.trees import manifest, tree

_NOTED_AT_ONCE = 1 << 20
"""So many bytes of ids wait before it is looked which of their packs have names by now."""


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
        self._chunks = Noting(writer)
        self._index = index
        self._cache = cache
        self._files = FileSaver(
            key, self._chunks, index=index, cache=cache, scratch=scratch, seed=seed, tell=tell, stop=stop
        )
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
        if self._is_certain and self._noted + len(new) <= MOST_NOTED:
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
                    self._tell(Found("own-folder", Severity.INFO, {"path": shown_place(relative)}))
            elif scanned.kind is EntryKind.LINK:
                assert scanned.link_target is not None
                kind = tree.EntryKind.LINK
                entries.append(
                    tree.Entry(scanned.name, kind, scanned.mode, scanned.mtime_ns, target=scanned.link_target)
                )
            elif scanned.kind is EntryKind.OTHER:
                self._tell(Found("special-file", Severity.INFO, {"path": shown_place(relative)}))
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
        unchanged = self._files.unchanged(relative, scanned, stamp)
        try:
            saved = unchanged or self._files.save(_path(folder, scanned), relative, scanned, stamp)
        except SourceUnreadable as error:
            self._lost(relative, error.reason)
            return
        if saved.lost is not None:
            self._lost(relative, saved.lost)
        self._is_certain = self._is_certain and saved.is_certain
        if saved.is_database:
            passed_over.update(one.name for one in beside)
        for entry in saved.entries:
            entries.append(entry)
            self.counts.files += 1
            self.counts.size += entry.size
        self._tell(Progress(Phase.STORE, self.counts.size, None, self.counts.files, None))
        if unchanged is None:
            # Only what was read can be lost by a crash, so only that makes a partial snapshot due.
            self._after_file(sum(entry.size for entry in saved.entries))

    def _lost(self, relative: RelativePath, reason: Reason) -> None:
        self._is_certain = False
        self.counts.unreadable.append(manifest.Unreadable(b"/".join(relative), reason.value))
        self._tell(Found("unreadable", Severity.ERROR, {"path": shown_place(relative), "reason": reason.value}))


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


def _path(folder: ScannedFolder, scanned: ScannedEntry) -> str:
    # Called for every file that is read: joining paths would cost more than opening one.
    return f"{folder.path}{os.sep}{os.fsdecode(scanned.name)}"


def _belongs_to(name: bytes) -> bytes:
    """Return the name of the database that a journal or log of this name would lie beside."""
    for ending in companions(b""):
        if name.endswith(ending):
            return name[: -len(ending)]
    return b""
