"""What became of snapshots and packs after they were saved, as the log tells it: forgotten, wanted again, marked, swept.

What cannot be read is taken for what loses least: a forgetting that cannot be read did not happen, and a taking back that cannot
be read took everything back.
"""

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from backupkit.errors import BackupkitError
from backupkit.ids import SnapshotId
from backupkit.ops.repository.repository import Repository
from backupkit.ops.repository.statements import read_statement, statements_lying_there
from backupkit.proof.log_entry import LogEntry
from backupkit.store.layout import PackRef
from backupkit.store.objects.pack_list import ListedPack

if TYPE_CHECKING:
    from backupkit.proof.repack_statement import RepackStatement
    from backupkit.proof.sweep_statement import NamedPack

UNDO = timedelta(days=30)
"""How long what was forgotten can be taken back, counted from when this machine first saw that it was forgotten."""

GRACE = timedelta(hours=24)
"""How long a pack stays marked, by the same count, before it may be deleted."""


@dataclass(slots=True)
class Lifecycle:
    """What the log says until some place.

    `forgotten` and `marked` give the entry's place in the log. `swept` are snapshots that cannot be restored any more by that name, `gone`
    packs that are deleted, and `replaced` packs that others stand for: no new snapshot may need either. `is_certain` is false where an
    entry about swept or replaced packs cannot be read, and `lost_repack` is the place of the last such entry about replaced ones.
    """

    forgotten: dict[SnapshotId, int] = field(default_factory=dict)
    marked: dict[PackRef, int] = field(default_factory=dict)
    swept: set[SnapshotId] = field(default_factory=set)
    gone: set[PackRef] = field(default_factory=set)
    replaced: dict[PackRef, tuple[ListedPack, ...]] = field(default_factory=dict)
    is_certain: bool = True
    lost_repack: int | None = None

    @property
    def unusable(self) -> set[PackRef]:
        """The packs that no new snapshot may need."""
        return self.gone | self.replaced.keys()

    def now_held_by(self, listed: Iterable[ListedPack]) -> list[ListedPack]:
        """Return the packs that hold by now what these packs held of any snapshot that can be wanted."""
        found: dict[PackRef, ListedPack] = {}
        waiting, met = list(listed), set[PackRef]()
        while waiting:
            one = waiting.pop()
            if one.ref in met:
                continue
            met.add(one.ref)
            by = self.replaced.get(one.ref)
            if by is None:
                found[one.ref] = one
            else:
                waiting += by
        return sorted(found.values())


def lifecycle_of(repository: Repository, entries: Iterable[LogEntry]) -> Lifecycle:
    """Read all that the log says about it."""
    found = Lifecycle()
    for entry in entries:
        if entry.type == "forget":
            _forget(repository, entry, found)
        elif entry.type == "undelete":
            _undelete(repository, entry, found)
        elif entry.type == "mark":
            _mark(repository, entry, found)
        elif entry.type == "sweep":
            _sweep(repository, entry, found)
        elif entry.type == "import":
            _rebuild(repository, entry, found)
        elif entry.type == "repack":
            _repack(repository, entry, found)
    return found


def undo_until(repository: Repository, found: Lifecycle, snapshot: SnapshotId, now: datetime) -> datetime:
    """Return until when a forgotten snapshot can surely be taken back."""
    seq = found.forgotten[snapshot]
    since = repository.log.first_seen.since(seq + 1)[seq]
    return (now if since is None else since) + UNDO


def _forget(repository: Repository, entry: LogEntry, found: Lifecycle) -> None:
    from backupkit.proof.forget_statement import decode_forget_statement  # noqa: PLC0415 - few logs hold one

    try:
        said = decode_forget_statement(read_statement(repository, entry.subject))
    except BackupkitError:
        return
    if said.store == repository.origin:
        for snapshot in said.snapshots:
            found.forgotten.setdefault(snapshot, entry.seq)


def _undelete(repository: Repository, entry: LogEntry, found: Lifecycle) -> None:
    from backupkit.proof.forget_statement import decode_undelete_statement  # noqa: PLC0415 - few logs hold one

    try:
        said = decode_undelete_statement(read_statement(repository, entry.subject))
    except BackupkitError:
        found.forgotten = {one: seq for one, seq in found.forgotten.items() if one in found.swept}
        return
    for snapshot in said.snapshots:
        if said.store == repository.origin and snapshot not in found.swept:
            found.forgotten.pop(snapshot, None)


def _mark(repository: Repository, entry: LogEntry, found: Lifecycle) -> None:
    from backupkit.proof.sweep_statement import decode_mark_statement  # noqa: PLC0415 - few logs hold one

    try:
        said = decode_mark_statement(read_statement(repository, entry.subject))
    except BackupkitError:
        return
    if said.store == repository.origin:
        for one in said.packs:
            found.marked.setdefault(_ref(one), entry.seq)


def _sweep(repository: Repository, entry: LogEntry, found: Lifecycle) -> None:
    from backupkit.proof.sweep_statement import decode_sweep_statement  # noqa: PLC0415 - few logs hold one

    try:
        said = decode_sweep_statement(read_statement(repository, entry.subject))
    except BackupkitError:
        found.is_certain = False
        return
    if said.store == repository.origin:
        found.swept.update(said.snapshots)
        for snapshot in said.snapshots:
            found.forgotten.setdefault(snapshot, entry.seq)
        found.gone.update(map(_ref, said.packs))


def _rebuild(repository: Repository, entry: LogEntry, found: Lifecycle) -> None:
    """Take in which snapshots cannot be had under their old names any more. Other imports say nothing about that."""
    from backupkit.proof.rebuild_statement import decode_rebuild_statement  # noqa: PLC0415 - few logs hold one

    try:
        said = decode_rebuild_statement(read_statement(repository, entry.subject))
    except BackupkitError:
        return
    if said.store == repository.origin:
        found.lost_repack = None
        found.swept.update(said.gone)
        for snapshot in said.gone:
            found.forgotten.setdefault(snapshot, entry.seq)


def _repack(repository: Repository, entry: LogEntry, found: Lifecycle) -> None:
    from backupkit.proof.repack_statement import decode_repack_statement  # noqa: PLC0415 - few logs hold one

    try:
        said = decode_repack_statement(read_statement(repository, entry.subject))
    except BackupkitError:
        found.is_certain, found.lost_repack = False, entry.seq
        return
    if said.store == repository.origin:
        found.swept.update(said.snapshots)
        for snapshot in said.snapshots:
            found.forgotten.setdefault(snapshot, entry.seq)
        replace_packs(said, found)


def repacks_lying_there(repository: Repository, named: Collection[str] = ()) -> "dict[str, RepackStatement]":
    """Return the statements about replaced packs that no log names (or none of `named`), of those whose old packs are all gone.

    Where some are still there, a snapshot may need them: nobody can say without the log what such a statement is worth.
    """
    from backupkit.proof.repack_statement import decode_repack_statement  # noqa: PLC0415 - few repositories hold one

    present, found = repository.packs(), {}
    for digest, payload in statements_lying_there(repository):
        with suppress(BackupkitError):
            said = decode_repack_statement(payload)
            replaced = {PackRef(*pack) for pack in said.replaced}
            if digest not in named and said.store == repository.origin and not replaced & present:
                found[digest] = said
    return found


def lifecycle_without_log(repository: Repository) -> Lifecycle:
    """Return what can be said of packs where the log is lost: which were replaced."""
    found = Lifecycle()
    for said in repacks_lying_there(repository).values():
        replace_packs(said, found)
    return found


def replace_packs(said: "RepackStatement", found: Lifecycle) -> None:
    """Take in which packs stand for others."""
    for pack, by in said.replaced.items():
        listed = tuple(ListedPack(PackRef(pack[0], name), size) for name, size in by)
        found.replaced.setdefault(_ref(pack), listed)


def _ref(one: "NamedPack") -> PackRef:
    return PackRef(*one)
