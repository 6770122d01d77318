"""Which packs are needed: by every snapshot that is kept, or that was forgotten and can still be taken back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from backupkit.errors import BackupkitError
from backupkit.ids import SnapshotId
from backupkit.ops.failures import NeedUnknown, ReplacedUnknown
from backupkit.ops.repository.lifecycle import UNDO, Lifecycle, lifecycle_of
from backupkit.ops.repository.repository import Repository
from backupkit.ops.repository.snapshots import read_snapshot
from backupkit.proof.log_entry import LogEntry
from backupkit.proof.snapshot_statement import SnapshotStatement
from backupkit.store.finding import Finding, cause
from backupkit.store.layout import PackRef
from backupkit.store.objects.pack_list import ListedPack, read_pack_list


@dataclass(frozen=True, slots=True)
class Reach:
    """What the log says until some place, the packs that are `needed`, and the snapshots that nobody can take back any more.

    Of an expired snapshot whose list cannot be read nothing is known: None.
    """

    life: Lifecycle
    needed: frozenset[PackRef]
    expired: dict[SnapshotId, frozenset[PackRef] | None]

    def lost_with(self, packs: set[PackRef]) -> set[SnapshotId]:
        """Return the expired snapshots that cannot be restored without these packs."""
        return {one for one, needs in self.expired.items() if needs is None or needs & packs}


def reach_of(repository: Repository, entries: Sequence[LogEntry], now: datetime) -> Reach:
    """Look at every snapshot that the log names.

    Raises:
        NeedUnknown: what one of them needs cannot be read, so nothing is known to be needless.
        ReplacedUnknown: which packs were replaced cannot be read.
    """
    life = lifecycle_of(repository, entries)
    if life.lost_repack is not None:
        # Packs that replaced others are named there and nowhere else.
        raise ReplacedUnknown
    since = repository.log.first_seen.since(len(entries))
    needed: set[PackRef] = set()
    expired: dict[SnapshotId, frozenset[PackRef] | None] = {}
    for snapshot in dict.fromkeys(SnapshotId(entry.subject) for entry in entries if entry.type == "snapshot"):
        if snapshot in life.swept:
            continue
        seq = life.forgotten.get(snapshot)
        seen = None if seq is None else since[seq]
        is_expired = seen is not None and now - seen >= UNDO
        try:
            packs = packs_of(repository, snapshot, life)
        except BackupkitError as error:
            if not is_expired:
                raise NeedUnknown(snapshot=snapshot, reason=cause(error)) from error
            expired[snapshot] = None
            continue
        if is_expired:
            expired[snapshot] = packs
        else:
            needed |= packs
    return Reach(life, frozenset(needed), expired)


def unwanted_packs(repository: Repository, entries: Sequence[LogEntry]) -> set[PackRef]:
    """Return the packs that a new snapshot should not build on: those gone or replaced, and the marked ones that nothing needs."""
    life = lifecycle_of(repository, entries)
    marked = life.marked.keys() - life.unusable
    if not marked and life.is_certain:
        return life.unusable
    needed: set[PackRef] = set()
    for snapshot in {SnapshotId(entry.subject) for entry in entries if entry.type == "snapshot"} - life.swept:
        if snapshot not in life.forgotten:
            try:
                needed |= packs_of(repository, snapshot, life)
            except BackupkitError:
                # What it needs counts as needless here: it is stored again, which costs room and loses nothing.
                continue
    if not life.is_certain:
        # Nobody knows what that sweep deletes, but it deletes nothing that is needed.
        return life.unusable | (repository.packs() - needed)
    return life.unusable | (marked - needed)


def packs_of(repository: Repository, snapshot: SnapshotId, life: Lifecycle) -> frozenset[PackRef]:
    """Return the packs that a snapshot needs by now; raises what reading it raises."""
    return frozenset(listed.ref for listed in listed_for(repository, read_snapshot(repository, snapshot), life))


def listed_for(
    repository: Repository,
    statement: SnapshotStatement,
    life: Lifecycle,
    tell: Callable[[Finding], None] = lambda _: None,
) -> list[ListedPack]:
    """Return the packs that a snapshot needs by now, with their sizes; raises what reading its list raises."""
    return life.now_held_by(read_pack_list(repository.backend, statement.packs.digest, tell))
