"""Deleting what no snapshot needs any more, in two phases and without a lock for those who write.

First packs are *marked*: a signed entry in the log says that nothing needs them. New snapshots do not build on them. A day later
a second entry *condemns* those that still nothing needs, and only then they are deleted. An entry is put into the log only
after all entries before it were looked at, by us and by whoever commits a snapshot; so each snapshot either comes before the second
entry, and what it needs is spared, or after it, and is refused if it needs what goes. ADR 0014 has the whole argument.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from backupkit.clock import Clock
from backupkit.errors import BackupkitError
from backupkit.ids import DomainId, SnapshotId
from backupkit.ops.events import Found, Severity, Tell
from backupkit.ops.keeping.guard_holds import require_no_hold
from backupkit.ops.places import Places, held
from backupkit.ops.repository.lifecycle import GRACE
from backupkit.ops.repository.reach import Reach, reach_of
from backupkit.ops.repository.repository import Repository, open_repository, store_finding
from backupkit.ops.repository.snapshots import read_snapshot
from backupkit.ops.repository.statements import publish_statement
from backupkit.proof.log_entry import LogEntry
from backupkit.proof.sweep_statement import MOST_PACKS, MOST_SNAPSHOTS, MarkStatement, SweepStatement
from backupkit.store import layout
from backupkit.store.backend import BackendError
from backupkit.store.domains.domain_writer import UNFINISHED_AGE
from backupkit.store.finding import Finding
from backupkit.store.layout import PackRef
from backupkit.store.objects.pack_list import read_pack_list
from backupkit.store.packs.pack_format import Address
from backupkit.store.upkeep.sweep import Deleted, delete_index_files, delete_packs

_MOST_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class Swept:
    """What was done, or would be. Sizes in bytes, parity not counted.

    `deleted_packs` are gone, `snapshots` with them for good; `marked` were found needless now, `waiting` earlier. Those can be
    deleted from `next_at` on, which is None where there are none.
    """

    deleted_packs: int
    freed_bytes: int
    snapshots: tuple[SnapshotId, ...]
    marked: int
    marked_bytes: int
    waiting: int
    next_at: datetime | None
    dry_run: bool


class _Overtaken(Exception):
    """Something was committed meanwhile that changes what may be deleted."""


def sweep(places: Places, *, clock: Clock, tell: Tell, dry_run: bool = False) -> Swept:
    """Delete what was marked a day ago and is still needless, and mark what is needless now.

    It may be cut off anywhere; the next sweep goes on.

    Raises:
        NoRepository, NotAWriter, RepositoryIsCopy: there is nothing to sweep, or not from here.
        GuardHoldOpen: the guard holds an update.
        NeedUnknown: what some snapshot needs cannot be read.
    """
    repository = open_repository(places, tell)
    repository.config.require("write")
    repository.config.require("delete")
    repository.require_writer()
    if dry_run:
        return _Sweep(repository, clock, tell).look()
    require_no_hold(repository, clock.now())
    with held(repository.memory / "sweep.lock"):
        return _Sweep(repository, clock, tell).run()


class _Sweep:
    """One run."""

    def __init__(self, repository: Repository, clock: Clock, tell: Tell) -> None:
        self._repository = repository
        self._now = clock.now()
        self._tell = tell
        self._deleted = 0
        self._freed = 0
        self._lost: set[SnapshotId] = set()

    def look(self) -> Swept:
        """Say what would be done."""
        entries = self._entries()
        reach = reach_of(self._repository, entries, self._now)
        present = self._repository.packs()
        going = self._ripe(reach, present, len(entries)) | (reach.life.gone & present - reach.needed)
        left = present - reach.needed - going
        new = left - reach.life.marked.keys()
        lost = tuple(sorted(reach.lost_with(going)))
        return self._result(len(going), self._size(going), lost, new, left - new, len(entries), reach, dry_run=True)

    def run(self) -> Swept:
        """Condemn, delete, mark."""
        self._repository.backend.sweep_unfinished(UNFINISHED_AGE)
        for _ in range(_MOST_ATTEMPTS):
            try:
                self._condemn()
                break
            except _Overtaken:
                continue
        # Everything that any sweep condemned: one that was cut off left some of it.
        entries = self._entries()
        reach = reach_of(self._repository, entries, self._now)
        self._delete(reach)
        left = self._repository.packs() - reach.needed - reach.life.gone
        new = left - reach.life.marked.keys()
        self._mark(new, len(entries))
        lost = tuple(sorted(self._lost))
        size = len(entries)
        return self._result(self._deleted, self._freed, lost, new, left - new, size, reach, dry_run=False)

    def _entries(self) -> Sequence[LogEntry]:
        entries = self._repository.log.read().entries
        self._repository.log.first_seen.note(len(entries), self._now)
        return entries

    def _ripe(self, reach: Reach, present: set[PackRef], size: int) -> set[PackRef]:
        """Return the packs that were marked long enough ago, by this machine's own count, and that nothing needs."""
        since = self._repository.log.first_seen.since(size)
        ripe = set()
        for ref, seq in reach.life.marked.items():
            seen = since[seq]
            if seen is not None and self._now - seen >= GRACE:
                ripe.add(ref)
        return (ripe & present) - reach.needed - reach.life.gone

    def _condemn(self) -> None:
        entries = self._entries()
        reach = reach_of(self._repository, entries, self._now)
        ripe = sorted(self._ripe(reach, self._repository.packs(), len(entries)))
        while ripe:
            some, ripe = ripe[:MOST_PACKS], ripe[MOST_PACKS:]
            lost = sorted(reach.lost_with(set(some)) - self._lost)
            # More snapshots than one statement holds: fewer packs at a time, down to one.
            while len(lost) > MOST_SNAPSHOTS and len(some) > 1:
                ripe = [*some[len(some) // 2 :], *ripe]
                some = some[: len(some) // 2]
                lost = sorted(reach.lost_with(set(some)) - self._lost)
            self._condemn_some(some, lost[:MOST_SNAPSHOTS], len(entries))

    def _condemn_some(self, packs: Sequence[PackRef], lost: Sequence[SnapshotId], size: int) -> None:
        def admit(before: Sequence[LogEntry]) -> None:
            """See that what came since we looked changes nothing. Whatever comes after will have seen this entry."""
            if any(entry.type != "sweep" for entry in before[size:]):
                reach = reach_of(self._repository, before, self._now)
                if reach.needed & set(packs) or not reach.expired.keys() >= set(lost):
                    raise _Overtaken

        named = tuple((ref.domain, ref.pack) for ref in packs)
        statement = SweepStatement(self._repository.origin, named, tuple(lost), self._now)
        publish_statement(self._repository, statement.encode(), "sweep", self._now, admit=admit)
        self._lost.update(lost)

    def _delete(self, reach: Reach) -> None:
        by_domain: dict[DomainId, set[PackRef]] = {}
        for ref in reach.life.gone:
            by_domain.setdefault(ref.domain, set()).add(ref)
        present = self._repository.packs()
        for domain, refs in sorted(by_domain.items()):
            for ref in sorted(refs & reach.needed & present):
                # Only a program that breaks the rules can have done this. What is needed stays.
                self._tell(Found("pack-needed-again", Severity.WARNING, {"name": ref.name}))
            if refs & present:
                dead, keep = {ref.pack for ref in refs}, {ref.pack for ref in reach.needed}
                for one in delete_packs(self._repository.backend, domain, dead, keep):
                    self._count(one)
            self._delete_index(domain, refs - reach.needed)
        self._delete_lists(reach)

    def _delete_index(self, domain: DomainId, refs: set[PackRef]) -> None:
        keys = self._repository.require_writer().domains.get(domain)
        if keys is not None:
            address = Address(self._repository.id, domain)
            dead = {ref.pack for ref in refs}
            for one in delete_index_files(self._repository.backend, address, keys.index_key, dead):
                self._freed += one.size

    def _delete_lists(self, reach: Reach) -> None:
        """Delete the pack lists of snapshots that cannot be restored: nobody may commit one that names a condemned pack."""
        present = set(self._repository.objects.names(layout.PACK_LISTS))
        for snapshot in sorted(reach.life.swept):
            try:
                digest = read_snapshot(self._repository, snapshot).packs.digest
                name = layout.pack_list(digest)
                if name not in present:
                    continue
                named = {listed.ref for listed in read_pack_list(self._repository.backend, digest)}
            except BackupkitError:
                continue
            if named & reach.life.gone:
                self._repository.objects.delete(name)

    def _mark(self, packs: set[PackRef], size: int) -> None:
        ordered = sorted(packs)
        for start in range(0, len(ordered), MOST_PACKS):
            named = tuple((ref.domain, ref.pack) for ref in ordered[start : start + MOST_PACKS])
            statement = MarkStatement(self._repository.origin, named, size, self._now)
            # A mark need not be right: whether something is needed is looked at again before it goes.
            publish_statement(self._repository, statement.encode(), "mark", self._now)

    def _count(self, one: Deleted | Finding) -> None:
        if isinstance(one, Finding):
            self._tell(store_finding(one))
            return
        self._deleted += 1
        self._freed += one.size

    def _size(self, packs: set[PackRef]) -> int:
        size = 0
        for ref in packs:
            try:
                size += self._repository.backend.size(ref.name)
            except BackendError:
                continue
        return size

    def _result(
        self,
        deleted: int,
        freed: int,
        lost: tuple[SnapshotId, ...],
        new: set[PackRef],
        waiting: set[PackRef],
        size: int,
        reach: Reach,
        *,
        dry_run: bool,
    ) -> Swept:
        since = self._repository.log.first_seen.since(size)
        times = [since[reach.life.marked[ref]] or self._now for ref in waiting]
        if new:
            times.append(self._now)
        next_at = min(times) + GRACE if times else None
        return Swept(deleted, freed, lost, len(new), self._size(new), len(waiting), next_at, dry_run)
