"""Writing again what is still needed of packs that are mostly dead, so that a sweep can delete the rest of them.

A sweep deletes whole packs, and after months of forgetting most of what nothing needs may lie beside something that is needed. Who
only writes cannot open old packs, so this takes the passphrase or the recovery words. Two phases, and no lock for those who write:
first the new packs, which nobody names yet; then one signed entry in the log that says which packs they replace. From its place
on, every list means the new ones, and no new snapshot may need the old, which the next sweeps mark and delete as they do others.
It may be cut off anywhere. ADR 0026 has the argument.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from backupkit.clock import Clock
from backupkit.crypto.domains import DomainSecrets
from backupkit.crypto.keyring import Keyring
from backupkit.errors import BackupkitError
from backupkit.ids import ChunkId, DomainId, PackName, SnapshotId
from backupkit.ops.events import Found, Phase, Progress, Severity, Tell
from backupkit.ops.keeping.guard_holds import require_no_hold
from backupkit.ops.mending.parity import write_parity
from backupkit.ops.places import Places, held
from backupkit.ops.repository.lifecycle import lifecycle_of
from backupkit.ops.repository.reach import Reach, packs_of, reach_of, unwanted_packs
from backupkit.ops.repository.repository import Repository, open_repository, store_finding
from backupkit.ops.repository.snapshots import read_snapshot
from backupkit.ops.repository.statements import publish_statement, read_statement
from backupkit.ops.unlock import AskSecret
from backupkit.proof.forget_statement import decode_undelete_statement
from backupkit.proof.log_entry import LogEntry
from backupkit.proof.repack_statement import MOST_REPLACED, RepackStatement, Replacement
from backupkit.proof.sweep_statement import MOST_SNAPSHOTS
from backupkit.store import layout
from backupkit.store.backend import SwapLost
from backupkit.store.domains.domain_reader import DomainReader
from backupkit.store.domains.domain_writer import DomainWriter
from backupkit.store.finding import Finding
from backupkit.store.layout import PackRef
from backupkit.store.objects.config import REPACK, Operation, decode_config
from backupkit.store.packs.index import Index
from backupkit.store.packs.pack_format import Address
from backupkit.store.packs.pack_reader import UNREADABLE
from backupkit.store.upkeep.repack import LiveChunks, PackUse, choose_packs, copy_live
from backupkit.store.upkeep.salvage import index_new_packs

MOST_UNUSED = 0.1
"""Which share of the packs may be dead before any is written again. One peer's default is 5 %, of what it can write again at will."""

_MOST_ATTEMPTS = 5
_MOST_BYTES = 384 << 10


@dataclass(frozen=True, slots=True)
class Repacked:
    """What was done, or would be. Sizes in bytes, parity not counted.

    `packs` were replaced; of their `old_bytes`, which a sweep frees a day later, about `live_bytes` are needed, and `new_bytes` were
    written. `dead_bytes` lie in the packs that stay. `domains_left` could not be gone through, since something in them is lost.
    """

    packs: int
    old_bytes: int
    live_bytes: int
    new_bytes: int
    dead_bytes: int
    domains_left: int
    dry_run: bool


class _Overtaken(Exception):
    """Something was committed meanwhile that needs one of the packs to be replaced."""


def repack(
    places: Places,
    *,
    secret: AskSecret,
    clock: Clock,
    tell: Tell,
    most_unused: float = MOST_UNUSED,
    dry_run: bool = False,
) -> Repacked:
    """Replace the deadest packs until at most a share of what stays is dead.

    Raises:
        NoRepository, NotAWriter, RepositoryIsCopy: there is nothing to repack, or not from here.
        CannotUnlock: the secret opens nothing.
        GuardHoldOpen: the guard holds an update.
        NeedUnknown: what some snapshot needs cannot be read.
        NoSpace: the new packs have no room. What was written is needed by nothing, and goes with a later sweep.
    """
    repository = open_repository(places, tell)
    for operation in ("read", "write", "delete"):
        repository.config.require(operation)
    repository.require_writer()
    if not dry_run:
        require_no_hold(repository, clock.now())
    keyring = repository.unlock(secret)
    if dry_run:
        return _Repack(repository, keyring, clock, tell, most_unused).look()
    with held(repository.memory / "sweep.lock"):
        done = _Repack(repository, keyring, clock, tell, most_unused).run()
    if done.packs and next(repository.backend.names(layout.PARITY), None) is not None:
        write_parity(places, tell=tell)
    return done


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is to be done in one domain."""

    secrets: DomainSecrets
    live: LiveChunks
    reader: DomainReader
    chosen: list[PackUse]
    dead_left: int


class _Repack:
    """One run."""

    def __init__(self, repository: Repository, keyring: Keyring, clock: Clock, tell: Tell, most_unused: float) -> None:
        self._repository = repository
        self._keyring = keyring
        self._clock = clock
        self._tell = tell
        self._most_unused = most_unused
        self._left: set[DomainId] = set()
        self._packs = self._old = self._live = self._new = self._dead = 0

    def look(self) -> Repacked:
        """Say what would be done."""
        _, reach = self._reach()
        for plan in self._plans(reach):
            self._count(plan.chosen)
            self._dead += plan.dead_left
        return self._result(dry_run=True)

    def run(self) -> Repacked:
        """Write, sign, commit: a domain at a time."""
        _, reach = self._reach()
        for domain in sorted({ref.domain for ref in reach.needed}):
            for attempt in range(_MOST_ATTEMPTS):
                try:
                    self._repack_domain(domain, is_last=attempt == _MOST_ATTEMPTS - 1)
                    break
                except _Overtaken:
                    # What was written is found by the index, and need not be written again.
                    continue
        return self._result(dry_run=False)

    def _reach(self) -> tuple[Sequence[LogEntry], Reach]:
        now = self._clock.now()
        entries = self._repository.log.read().entries
        self._repository.log.first_seen.note(len(entries), now)
        return entries, reach_of(self._repository, entries, now)

    def _plans(self, reach: Reach) -> list[_Plan]:
        plans = (self._plan(domain, reach) for domain in sorted({ref.domain for ref in reach.needed}))
        return [plan for plan in plans if plan is not None]

    def _plan(self, domain: DomainId, reach: Reach) -> _Plan | None:
        """Follow every snapshot that can be wanted. Where anything is lost, nothing of the domain is known to be dead."""
        repository = self._repository
        try:
            secrets = repository.open_domain(domain, self._keyring)
        except BackupkitError as error:
            self._leave(domain, error.code)
            return None
        index_new_packs(repository.backend, repository.id, secrets)
        reader = DomainReader(repository.backend, repository.id, domain, secrets)
        live = LiveChunks(reader)
        for root in self._roots(domain, reach):
            live.add_root(root)
        if live.lost:
            self._leave(domain, live.lost[0].code)
            return None
        uses = []
        for ref in sorted(ref for ref in reach.needed if ref.domain == domain):
            try:
                uses.append(live.use_of(ref.pack, repository.backend.size(ref.name)))
            except UNREADABLE as error:
                # It may be repaired yet: what it holds cannot be told, so it stays.
                self._tell(store_finding(Finding("pack-not-repacked", ref.name, error.code)))
            self._tell(Progress(Phase.CHECK, done_files=len(uses)))
        chosen = choose_packs(uses, most_unused=self._most_unused)
        dead = sum(one.dead_size for one in uses) - sum(one.dead_size for one in chosen)
        return _Plan(secrets, live, reader, chosen, dead)

    def _roots(self, domain: DomainId, reach: Reach) -> list[ChunkId]:
        """Return the roots in this domain of all snapshots that are kept, or were forgotten so lately that they can come back."""
        entries = self._repository.log.read().entries
        wanted = {SnapshotId(one.subject) for one in entries if one.type == "snapshot"}
        found: dict[ChunkId, None] = {}
        for snapshot in sorted(wanted - reach.life.swept - reach.expired.keys()):
            for part in read_snapshot(self._repository, snapshot).domains:
                if part.id == domain:
                    found[part.root] = None
        return list(found)

    def _leave(self, domain: DomainId, reason: str) -> None:
        self._left.add(domain)
        self._tell(Found("domain-not-repacked", Severity.WARNING, {"name": domain.hex(), "reason": reason}))

    def _repack_domain(self, domain: DomainId, *, is_last: bool) -> None:
        entries, reach = self._reach()
        plan = self._plan(domain, reach)
        if plan is None:
            return
        copied = self._write(plan, entries) if plan.chosen else {}
        named = [one for one in plan.chosen if one.pack in copied]
        self._dead += plan.dead_left + sum(one.dead_size for one in plan.chosen if one.pack not in copied)
        if named:
            self._ask_for_the_feature()
        while named:
            some, named = named[:MOST_REPLACED], named[MOST_REPLACED:]
            statement = self._statement(domain, some, copied, reach)
            while statement is None and len(some) > 1:
                named = [*some[len(some) // 2 :], *named]
                some = some[: len(some) // 2]
                statement = self._statement(domain, some, copied, reach)
            if statement is None:
                # More forgotten snapshots hang on this one pack than a statement holds: a sweep has to take them first.
                self._dead += sum(one.dead_size for one in some)
                continue
            try:
                self._commit(statement, len(entries))
            except _Overtaken:
                if is_last:
                    self._leave(domain, "overtaken")
                raise
            self._count(some)

    def _statement(
        self,
        domain: DomainId,
        some: Sequence[PackUse],
        copied: dict[PackName, tuple[Replacement, ...]],
        reach: Reach,
    ) -> RepackStatement | None:
        """Say that these packs are replaced; None where that is too much for one statement."""
        lost = sorted(reach.lost_with({PackRef(domain, one.pack) for one in some}))
        replaced = {(domain, one.pack): copied[one.pack] for one in some}
        statement = RepackStatement(self._repository.origin, replaced, tuple(lost), self._clock.now())
        is_small = len(lost) <= MOST_SNAPSHOTS and len(statement.encode()) <= _MOST_BYTES
        return statement if is_small else None

    def _write(self, plan: _Plan, entries: Sequence[LogEntry]) -> dict[PackName, tuple[Replacement, ...]]:
        """Store again what is needed of the chosen packs. Return for each that could be read which packs hold that now."""
        repository, secrets = self._repository, plan.secrets
        going = {one.pack for one in plan.chosen}
        # As a new snapshot, nothing of this rests on a pack that may be gone tomorrow, or that is known to be damaged.
        unfit = {ref.pack for ref in unwanted_packs(repository, entries)} | repository.damaged_packs.known()
        address = Address(repository.id, secrets.id)
        index = Index.load(repository.backend, address, secrets.index_key, lambda _: None, damaged=going | unfit)
        keys = secrets.writer_keys()
        chunks: dict[PackName, list[ChunkId]] = {}
        done, total = 0, sum(one.live for one in plan.chosen)
        with DomainWriter(repository.backend, repository.id, secrets.id, keys, index) as writer:
            for number, one in enumerate(plan.chosen, 1):
                stored = copy_live(plan.reader, writer, plan.live, one.pack, self._hear)
                if stored is not None:
                    chunks[one.pack] = stored
                done += one.live
                self._tell(Progress(Phase.STORE, done, total, number, len(plan.chosen)))
        self._new += writer.stored_bytes
        sizes: dict[PackName, int] = {}
        by: dict[PackName, tuple[Replacement, ...]] = {}
        for pack, stored in chunks.items():
            names = sorted(writer.packs_of(stored))
            for name in names:
                if name not in sizes:
                    sizes[name] = repository.backend.size(PackRef(secrets.id, name).name)
            by[pack] = tuple((name, sizes[name]) for name in names)
        return by

    def _commit(self, statement: RepackStatement, size: int) -> None:
        going = {PackRef(*pack) for pack in statement.replaced}
        coming = {PackRef(pack[0], name) for pack, by in statement.replaced.items() for name, _ in by}

        def admit(before: Sequence[LogEntry]) -> None:
            """See that nothing that came since we looked needs what goes, or lets go what comes. Whatever comes after will have seen this."""
            life = lifecycle_of(self._repository, before)
            if not life.is_certain or coming & life.unusable or going & life.replaced.keys():
                raise _Overtaken
            for entry in before[size:]:
                if self._needs(entry, going):
                    raise _Overtaken

        publish_statement(self._repository, statement.encode(), "repack", statement.repacked_at, admit=admit)

    def _needs(self, entry: LogEntry, packs: Collection[PackRef]) -> bool:
        """Tell whether an entry wants a snapshot that needs one of these packs. What cannot be read may want anything."""
        try:
            if entry.type == "snapshot":
                wanted: Sequence[SnapshotId] = (SnapshotId(entry.subject),)
            elif entry.type == "undelete":
                wanted = decode_undelete_statement(read_statement(self._repository, entry.subject)).snapshots
            else:
                return entry.type == "import"
            life = lifecycle_of(self._repository, ())
            return any(packs_of(self._repository, one, life) & set(packs) for one in wanted)
        except BackupkitError:
            return True

    def _ask_for_the_feature(self) -> None:
        """Let the config say that the log may speak of replaced packs: a program that cannot read that must not sweep or verify here."""
        repository, owner = self._repository, self._keyring.owner
        while True:
            current, config = repository.objects.read_newest(
                layout.CONFIG, lambda data: decode_config(data, owner.verify_key), lambda found: found.revision
            )
            operations: tuple[Operation, ...] = ("write", "check", "delete")
            if all(REPACK in config.features.get(one, ()) for one in operations):
                return
            try:
                repository.objects.replace(
                    layout.CONFIG, current, config.with_feature(REPACK, *operations).encode(owner)
                )
            except SwapLost:
                continue
            return

    def _hear(self, finding: Finding) -> None:
        self._tell(store_finding(finding))

    def _count(self, uses: Sequence[PackUse]) -> None:
        self._packs += len(uses)
        self._old += sum(one.size for one in uses)
        self._live += sum(one.size - one.dead_size for one in uses)

    def _result(self, *, dry_run: bool) -> Repacked:
        return Repacked(
            packs=self._packs,
            old_bytes=self._old,
            live_bytes=self._live,
            new_bytes=self._new,
            dead_bytes=self._dead,
            domains_left=len(self._left),
            dry_run=dry_run,
        )


__all__ = ["MOST_UNUSED", "Repacked", "repack"]
