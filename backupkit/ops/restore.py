"""Bringing chats back: as much as can be read, in place of nothing, and every loss by name.

A restore never writes over anything and never stops at a bad byte. Each file is written under another name and gets its own
when it is whole and its SHA-256 is that of the file that was saved; what is damaged is left as `<name>.damaged`, the
missing bytes zero, beside a report.
"""

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from backupkit.clock import Clock, to_rfc3339
from backupkit.crypto.domains import DomainSecrets
from backupkit.errors import BackupkitError
from backupkit.ids import ChunkId, SnapshotId
from backupkit.ops.events import Found, Phase, Progress, Severity, Tell
from backupkit.ops.failures import TargetNotEmpty
from backupkit.ops.places import Places, shown_path
from backupkit.ops.repository import Repository, open_repository, store_finding
from backupkit.ops.snapshots import salvage_snapshot
from backupkit.ops.unlock import AskSecret
from backupkit.store.contents import LOST, content_chunks, walk_tree
from backupkit.store.domain_reader import DomainReader
from backupkit.store.finding import Finding, cause
from backupkit.store.manifest import Source, read_manifest
from backupkit.store.page_map import PageMap, read_page_map, run_bytes, runs_by_extent
from backupkit.store.tree import Entry, EntryKind, Pages

REPORT = "backupkit-restore-report.json"
PARTIAL = ".backupkit-partial"
_RESERVED = frozenset({REPORT, PARTIAL})
_MAX_NAME = 255
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
    stop: Callable[[], bool] = lambda: False,
) -> Restored:
    """Restore a snapshot below `to`, each source under its own last folder name; `only` names sources.

    Raises:
        NoRepository, SnapshotNotFound: there is nothing to restore.
        CannotUnlock: the secret opens nothing.
        TargetNotEmpty: something lies at the target already.
    """
    repository = open_repository(places, tell)
    repository.config.require("read")
    known, lost, distrust = salvage_snapshot(repository, snapshot, tell)
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise TargetNotEmpty(path=str(to))
    keyring = repository.unlock(secret)
    to.mkdir(parents=True, exist_ok=True)
    run = _Run(to, tell, stop)
    # Told already; but a latest snapshot that is not the latest must not pass for a whole restore.
    run.damaged += lost
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
    run.total = sum(source.bytes for _, source in wanted)
    for reader, source in wanted:
        run.restore_source(reader, source)
    if run.damaged:
        _report(to / REPORT, known.id, run.damaged, clock)
    return Restored(known.id, run.files, run.size, tuple(run.damaged), tuple(run.folders), distrust)


def _reader(repository: Repository, secrets: DomainSecrets, tell: Tell) -> DomainReader:
    return DomainReader(
        repository.backend,
        repository.id,
        secrets.id,
        secrets,
        tell=lambda finding: tell(store_finding(finding)),
    )


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

    def lose(self, found: Found) -> None:
        """Note a loss, tell it, and go on."""
        self.damaged.append(found)
        self._tell(found)

    def restore_source(self, reader: DomainReader, source: Source) -> None:
        """Restore one source into a folder of its own. A source that was a single file lies in it under its name."""
        root = self._new_root(source)
        finished: list[tuple[Path, Entry]] = []
        for place in walk_tree(reader, source.tree, self._lose_folder):
            self._require_wanted()
            path = root / os.fsdecode(place.path)
            entry = place.entry
            try:
                if entry.kind is EntryKind.FOLDER:
                    path.mkdir(mode=0o700, parents=True, exist_ok=True)
                    finished.append((path, entry))
                elif entry.kind is EntryKind.LINK:
                    assert entry.target is not None
                    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                    path.symlink_to(os.fsdecode(entry.target))
                else:
                    self._restore_file(reader, path, entry)
            except OSError as error:
                self._refused(path, error)
        # Folders last: writing into them changes their times, and a read-only one takes no files.
        for path, entry in reversed(finished):
            try:
                path.chmod(entry.mode)
                os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns))
            except OSError as error:
                self._refused(path, error)

    def _require_wanted(self) -> None:
        if self._stop():
            raise KeyboardInterrupt

    def _refused(self, path: Path, error: OSError) -> None:
        """Note what the target's file system does not take, a name for example, and go on unless it takes nothing more."""
        if error.errno in _GIVES_UP:
            raise error
        reason = errno.errorcode.get(error.errno or 0, "unknown")
        self.lose(Found("not-written", Severity.ERROR, {"path": self._shown(path), "reason": reason}))

    def _shown(self, path: Path) -> str:
        return shown_path(path.relative_to(self.to))

    def _new_root(self, source: Source) -> Path:
        name = _safe_name(os.fsdecode(source.path.rstrip(b"/").rpartition(b"/")[2]) or source.name)
        root = self.to / name
        number = 2
        while root.name in _RESERVED or os.path.lexists(root):
            root = self.to / f"{name}-{number}"
            number += 1
        self.folders.append(root)
        root.mkdir(mode=0o700)
        return root

    def _restore_file(self, reader: DomainReader, path: Path, entry: Entry) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Under a name that no source has, at the top: any longer name beside the file might be too long, or taken.
        temporary = self.to / PARTIAL
        try:
            loss = self._fill(reader, temporary, entry)
            temporary.chmod(entry.mode)
            os.utime(temporary, ns=(entry.mtime_ns, entry.mtime_ns))
            wanted = path if loss is None else path.with_name(_shortened(path.name) + ".damaged")
            given = _free(wanted)
            temporary.rename(given)
        finally:
            temporary.unlink(missing_ok=True)
        if loss is not None:
            self.lose(Found("file-damaged", Severity.ERROR, {"path": self._shown(path), "reason": loss}))
            return
        if given != wanted:
            names = {"path": self._shown(wanted), "given": self._shown(given)}
            self._tell(Found("name-taken", Severity.WARNING, names))
        self.files += 1
        self.size += entry.size
        self._tell(Progress(Phase.RESTORE, self.size, self.total, self.files))

    def _fill(self, reader: DomainReader, temporary: Path, entry: Entry) -> str | None:
        """Write a file's bytes as far as they can be read. Return why it is not the file that was saved, or None."""
        loss: str | None = None
        with temporary.open("xb") as file:
            for offset, data in _pieces(reader, entry):
                self._require_wanted()
                if isinstance(data, BackupkitError):
                    loss = loss or cause(data)
                    continue
                file.seek(offset)
                file.write(data)
            file.truncate(entry.size)
        if loss is None and _sha256(temporary) != entry.sha256:
            return "wrong-sha256"
        return loss

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


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _shortened(name: str) -> str:
    """Return the beginning of a name, short enough to be given an ending."""
    encoded = os.fsencode(name)
    if len(encoded) <= _MAX_NAME - 16:
        return name
    return encoded[: _MAX_NAME - 16].decode("utf-8", "ignore")


def _free(path: Path) -> Path:
    """Return `path`, or where that is taken a name close to it: a restore never writes over anything."""
    given, number = path, 2
    while os.path.lexists(given):
        given = path.with_name(f"{_shortened(path.name)}-{number}")
        number += 1
    return given


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
    path.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", "utf-8")
