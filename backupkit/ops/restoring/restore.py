"""Bringing chats back: as much as can be read, in place of nothing, and every loss by name.

A restore never writes over anything and never stops at a bad byte. Each file gets its name when it is whole and its SHA-256 is
that of the file that was saved; what is damaged is left as `<name>.damaged`, the missing bytes zero, beside a report. One that
ended in the middle is gone on with by the same command (`unfinished.py`).
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from backupkit.clock import Clock, to_rfc3339
from backupkit.errors import BackupkitError
from backupkit.ids import SnapshotId
from backupkit.ops.events import Found, Losses, Phase, Progress, Severity, Tell
from backupkit.ops.failures import SourceNotInSnapshot
from backupkit.ops.places import Places, require_outside
from backupkit.ops.restoring.elsewhere import Elsewhere, beside_latest
from backupkit.ops.restoring.lookup import open_lookup
from backupkit.ops.restoring.restored_files import PERMISSIONS, RestoredFiles, Written
from backupkit.ops.restoring.unfinished import NOTE, Came, clear_partial, goes_on, noted_restore
from backupkit.ops.unlock import AskSecret
from backupkit.store.domains.domain_reader import DomainReader, in_any_order
from backupkit.store.finding import Finding
from backupkit.store.trees.contents import PathEntry, walk_tree
from backupkit.store.trees.manifest import Source
from backupkit.store.trees.tree import Entry, EntryKind

REPORT = "backupkit-restore-report.json"
_THREADS = 2
_MOST_NAMES = 20
_GROUP_BYTES = 4 << 20
_GROUP_FILES = 128


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back. `damaged` names every file or folder that did not come back whole. `already_there` of the files had come back before.

    `distrust` says why the log could not be believed; the snapshot was then chosen without it. `elsewhere` names what the latest
    snapshot does not hold and others do.
    """

    snapshot: SnapshotId
    files: int
    bytes: int
    damaged: tuple[Found, ...]
    folders: tuple[Path, ...]
    distrust: BackupkitError | None = None
    elsewhere: tuple[Elsewhere, ...] = ()
    already_there: int = 0


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
        NoRepository, SnapshotNotFound, SourceNotInSnapshot: there is nothing to restore.
        CannotUnlock: the secret opens nothing.
        TargetInRepository, TargetNotEmpty: the target lies in the repository, or something lies there already.
        RestoreRunning: a restore into it is at work now.
        RestoreUnfinished: another restore lies there that did not come to its end.
    """
    lookup = open_lookup(places, secret, tell)
    chosen = lookup.choose(snapshot, from_packs=from_packs)
    known = chosen.known
    require_outside(places, to)
    came = Came() if goes_on(to, known.id, only) else None
    losses = Losses(tell)
    there = list(lookup.sources(chosen, known, losses.tell))
    # Told already; but a latest snapshot that is not the latest must not pass for a whole restore.
    lost = [*chosen.lost, *losses.found]
    wanted = [(reader, source) for reader, source in there if not only or source.name in only]
    names = [source.name for _, source in there]
    unknown = [name for name in only if name not in names]
    if unknown and not lost:
        # A slip must not pass for a restore of nothing. Where a part is lost, the source may have been in it.
        raise SourceNotInSnapshot(source=unknown[0], snapshot=known.id, known=", ".join(names[:_MOST_NAMES]))
    # Chats are nobody else's to read, also while they come back.
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    run = _Run(to, tell, stop, came)
    run.damaged += lost
    run.total = sum(source.bytes for _, source in wanted)
    with noted_restore(to, known.id, only):
        if came:
            clear_partial(to)
            (to / REPORT).unlink(missing_ok=True)
        for reader, source in wanted:
            run.restore_source(reader, source)
        if run.damaged:
            _report(to / REPORT, known.id, run.damaged, clock)
    elsewhere: tuple[Elsewhere, ...] = ()
    if not only and not from_packs:
        elsewhere = beside_latest(lookup, snapshot, chosen, [source.path for _, source in there])
    already = came.files if came else 0
    return Restored(
        known.id, run.files, run.size, tuple(run.damaged), tuple(run.folders), chosen.distrust, elsewhere, already
    )


class _Run:
    """One restore: where it goes, and what came of it so far."""

    def __init__(self, to: Path, tell: Tell, stop: Callable[[], bool], came: Came | None) -> None:
        self.to = to
        self._came = came
        self.files = 0
        self.size = 0
        self.damaged: list[Found] = []
        self.folders: list[Path] = []
        self.total = 0
        self._tell = tell
        self._stop = stop
        self._files = RestoredFiles(to, self._require_wanted, came)

    def lose(self, found: Found) -> None:
        """Note a loss, tell it, and go on."""
        self.damaged.append(found)
        self._tell(found)

    def restore_source(self, reader: DomainReader, source: Source) -> None:
        """Restore one source into a folder of its own. A source that was a single file lies in it under its name."""
        root = self._new_root(source)
        finished: list[tuple[Path, Entry]] = []
        links: list[tuple[Path, Entry]] = []
        for written in in_any_order(self._groups(reader, source, root, finished, links), _THREADS):
            for one in written:
                self._note(one)
            self._tell(Progress(Phase.RESTORE, self.size, self.total, self.files))
        # Links after everything else: no name on the way to a file may lead out of the target, whatever names a snapshot
        # holds and whichever of them the target's file system takes for the same.
        for path, entry in links:
            assert entry.target is not None
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                path.symlink_to(os.fsdecode(entry.target))
            except OSError as error:
                if not (self._came and _leads_to(path, entry.target)):
                    self.lose(self._files.refused(path, error))
        # Folders last: writing into them changes their times, and a read-only one takes no files.
        for path, entry in reversed(finished):
            try:
                path.chmod(entry.mode & PERMISSIONS)
                os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns))
            except OSError as error:
                self.lose(self._files.refused(path, error))

    def _groups(
        self,
        reader: DomainReader,
        source: Source,
        root: Path,
        finished: list[tuple[Path, Entry]],
        links: list[tuple[Path, Entry]],
    ) -> "Iterator[partial[list[Written]]]":
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
                    yield partial(self._files.write, reader, root, group)
                    group, size = [], 0
                continue
            if entry.kind is not EntryKind.FOLDER:
                folder, _, name = place.path.rpartition(b"/")
                links.append((self._files.folder(root, folder) / os.fsdecode(name), entry))
                continue
            try:
                path, renamed = self._files.make_folder(root, place.path)
            except OSError as error:
                self.lose(self._files.refused(root / os.fsdecode(place.path), error))
                continue
            if renamed is not None:
                self._tell(renamed)
            finished.append((path, entry))
        yield partial(self._files.write, reader, root, group)

    def _note(self, written: Written) -> None:
        if written.found is not None and written.found.severity is Severity.ERROR:
            self.lose(written.found)
            return
        if written.found is not None:
            self._tell(written.found)
        self.files += 1
        self.size += written.size

    def _require_wanted(self) -> None:
        if self._stop():
            raise KeyboardInterrupt

    def _new_root(self, source: Source) -> Path:
        name = _safe_name(os.fsdecode(source.path.rstrip(b"/").rpartition(b"/")[2]) or source.name)
        if name in {REPORT, NOTE}:
            # The restore's own names.
            name = f"_{name}"
        root = self.to / name
        number = 2
        while os.path.lexists(root) and not self._came_as(root):
            root = self.to / f"{name}-{number}"
            number += 1
        self.folders.append(root)
        root.mkdir(mode=0o700, exist_ok=self._came is not None)
        return root

    def _came_as(self, root: Path) -> bool:
        """Say whether an earlier run made this folder for the source that is next: sources come in the same order each time."""
        is_folder = self._came is not None and root.is_dir() and not root.is_symlink()
        return is_folder and not any(root.samefile(given) for given in self.folders)

    def _lose_folder(self, finding: Finding) -> None:
        self.lose(Found(finding.code, Severity.ERROR, finding.facts))


def _leads_to(link: Path, target: bytes) -> bool:
    try:
        return os.fsencode(link.readlink()) == target
    except OSError:
        return False


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
