"""Bringing a repository back to what it was: copies of small objects, packs from parity, and parity for new packs.

Nothing here needs a passphrase, and nothing is guessed: a pack is written back only if its bytes hash to its name. Each
pack that comes back is durable by itself, so a repair may be interrupted at any moment and taken up again.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from backupkit.clock import Clock
from backupkit.crypto.failures import SignatureInvalid
from backupkit.errors import BackupkitError, Fact
from backupkit.ids import DomainId, PackName, SnapshotId
from backupkit.ops.events import Event, Found, Notice, Phase, Progress, Severity, Tell
from backupkit.ops.failures import HistoryForked, HistoryRolledBack, LogDamaged, NoRepository
from backupkit.ops.mending.mend_copies import MendCopies
from backupkit.ops.mending.parity import dead_in, domains_of
from backupkit.ops.places import Places
from backupkit.ops.repository.lifecycle import Lifecycle, lifecycle_of
from backupkit.ops.repository.repository import Repository, open_repository, store_finding
from backupkit.ops.repository.signed_log import History
from backupkit.ops.repository.statements import publish_statement
from backupkit.proof.repair_statement import RepairStatement
from backupkit.proof.snapshot_statement import SnapshotStatement
from backupkit.store import layout
from backupkit.store.backend import Backend
from backupkit.store.backends.posix_backend import PosixBackend
from backupkit.store.finding import Finding, cause
from backupkit.store.layout import PackRef
from backupkit.store.parity.parity import GroupProtected, protect
from backupkit.store.upkeep.check import PackChecked, check_sealed
from backupkit.store.upkeep.repair import PackRepaired, bring_back, protected_packs, repair_packs

_MENDED = frozenset({"copy-missing", "copy-damaged", "copy-older", "log-head-signed-again"})
_DISTRUST = (SignatureInvalid, HistoryRolledBack, HistoryForked)


@dataclass(frozen=True, slots=True)
class Repaired:
    """What came of it. `findings` are what remains; `copies` and `repaired` what was put right; `groups` got parity.

    `lost` are packs beyond repair, `needed_by` the snapshots that need one of them and were not forgotten.
    """

    state: Literal["whole", "repaired", "damaged"]
    copies: int
    packs: int
    bytes_read: int
    repaired: tuple[PackName, ...]
    lost: tuple[PackName, ...]
    needed_by: tuple[SnapshotId, ...]
    groups: int
    findings: tuple[Found, ...]


def repair_repository(places: Places, *, clock: Clock, tell: Tell, copy: Path | None = None) -> Repaired:
    """Mend every copy of every small object, repair every pack that is damaged or gone, and write parity that is missing.

    Packs come from the second `copy` where one is named and holds them whole, else from parity. What was put right is signed and
    logged where this machine may write, and not in a second copy.

    Raises:
        NoRepository: there is none, or no copy at `copy`.
        SignatureInvalid, HistoryRolledBack, HistoryForked: the log is not the one this machine knows. Packs and copies were
            repaired all the same, since that changes nothing that was said.
    """
    if copy is not None and not (copy / layout.PACKS).is_dir():
        # Told before hours of reading, and not as if the copy had nothing that helps.
        raise NoRepository(path=str(copy))
    work = _Work(tell)
    repository = open_repository(places, work.hear)
    repository.config.require("check")
    repository.config.require("write")
    mend = MendCopies(repository, work.hear)
    mend.keys()
    history, distrust = _history(repository, work)
    if history is not None:
        mend.log(history)
    life = lifecycle_of(repository, () if history is None else history.entries)
    needs = _Needs(mend, life, mend.statements(history, swept=life.swept), is_all=history is not None)
    expected = _expected(repository, needs)
    beyond = _repair_packs(repository, expected, work, clock.now(), None if copy is None else PosixBackend(copy))
    _note_lost(beyond, needs, work)
    for domain in domains_of(repository):
        _protect(repository.backend, domain, life.gone, work)
    if distrust is not None:
        raise distrust
    # An entry in the log of a second copy would fork the history of both.
    writes = repository.writer is not None and repository.original is None
    if work.has_repaired and history is not None and writes:
        _record(repository, work, clock)
    return work.result()


@dataclass(slots=True)
class _Work:
    """What was found and done so far."""

    tell: Tell
    mended: set[str] = field(default_factory=set)
    remains: list[Found] = field(default_factory=list)
    packs: int = 0
    bytes_read: int = 0
    repaired: list[PackName] = field(default_factory=list)
    lost: list[PackName] = field(default_factory=list)
    needed_by: set[SnapshotId] = field(default_factory=set)
    groups: int = 0

    def hear(self, event: Event) -> None:
        """Take in an event, and pass it on: errors are what remains."""
        if isinstance(event, Found):
            if event.code in _MENDED:
                self.mended.add(str(event.facts["name"]))
            if event.severity is Severity.ERROR:
                self.remains.append(event)
                if event.code == "copy-not-written":
                    self.mended.discard(str(event.facts["name"]))
        self.tell(event)

    @property
    def has_repaired(self) -> bool:
        """Tell whether anything was put right."""
        return bool(self.mended or self.repaired)

    def result(self) -> Repaired:
        """Return it all."""
        state: Literal["whole", "repaired", "damaged"] = "repaired" if self.has_repaired else "whole"
        return Repaired(
            state="damaged" if self.remains else state,
            copies=len(self.mended),
            packs=self.packs,
            bytes_read=self.bytes_read,
            repaired=tuple(sorted(self.repaired)),
            lost=tuple(sorted(self.lost)),
            needed_by=tuple(sorted(self.needed_by)),
            groups=self.groups,
            findings=tuple(self.remains),
        )


def _history(repository: Repository, work: _Work) -> tuple[History | None, BackupkitError | None]:
    """Return the log if it can be believed, else why it cannot, where that is more than damage."""
    try:
        history = _with_head(repository, work)
    except _DISTRUST as error:
        return None, error
    except BackupkitError as error:
        work.hear(Found("log-unreadable", Severity.ERROR, {"reason": cause(error)}))
        return None, None
    if history.head is None and (repository.objects.names(layout.LOG_ENTRIES) or repository.packs()):
        work.hear(Found("log-unreadable", Severity.ERROR, {"reason": "no-head"}))
        return None, None
    return history, None


def _with_head(repository: Repository, work: _Work) -> History:
    """Return the log, with its head signed again if no copy of that can be read and the entries continue what was seen here."""
    try:
        return repository.log.read()
    except BackupkitError:
        if repository.writer is None or repository.original is not None or repository.log.has_head():
            raise
        try:
            size = repository.log.sign_head_again(repository.writer.writer)
        except LogDamaged:
            size = None
        if size is None:
            raise
    work.hear(Found("log-head-signed-again", Severity.WARNING, {"name": layout.LOG_HEAD, "size": size}))
    return repository.log.read()


def _repair_packs(
    repository: Repository, expected: Collection[PackRef], work: _Work, started: datetime, copy: Backend | None
) -> list[Finding]:
    """Repair packs, and return a finding for each that cannot be."""
    damaged: list[PackRef] = []
    whole: list[PackName] = []
    refs = sorted(expected)
    for number, outcome in enumerate(check_sealed(repository.backend, refs)):
        if isinstance(outcome, PackChecked):
            work.packs += 1
            work.bytes_read += outcome.size
            whole.append(outcome.ref.pack)
        else:
            damaged.append(refs[number])
            work.tell(store_finding(outcome))
        work.tell(Progress(Phase.CHECK, work.bytes_read, None, number + 1, len(refs)))
    names = [ref.pack for ref in damaged]
    repository.damaged_packs.learn(damaged=names, whole=whole)
    repository.pack_reads.learn(whole=whole, damaged=names, at=started)
    if copy is not None:
        for fetched in bring_back(repository.backend, copy, list(damaged)):
            damaged.remove(fetched.ref)
            _note_repaired(repository, work, fetched, "pack-from-copy")
    beyond: list[Finding] = []
    for domain in sorted({ref.domain for ref in damaged}):
        beyond += _repair_domain(repository, domain, [ref.pack for ref in damaged if ref.domain == domain], work)
    return beyond


class _Needs:
    """Which snapshots need which packs, as their lists say. `is_all` is false where the log cannot name them all."""

    def __init__(
        self, mend: MendCopies, life: Lifecycle, snapshots: Mapping[SnapshotId, SnapshotStatement], *, is_all: bool
    ) -> None:
        self.life = life
        self._mend = mend
        self._by_list: dict[str, set[SnapshotId]] = {}
        for snapshot, statement in snapshots.items():
            self._by_list.setdefault(statement.packs.digest, set()).add(snapshot)
        self._is_all = is_all and life.is_certain

    def packs(self) -> Iterator[PackRef]:
        """Give every pack that is needed, by forgotten snapshots too."""
        for digest in sorted(self._by_list):
            listed = self._mend.pack_list(digest)
            if not listed:
                # No snapshot needs nothing: the list is lost, and that was told.
                self._is_all = False
                del self._by_list[digest]
            yield from (one.ref for one in self.life.now_held_by(listed))

    def of(self, lost: Collection[str]) -> dict[str, set[SnapshotId] | None]:
        """Return the snapshots that need each of some packs and were not forgotten; None where nobody can say that these are all."""
        found: dict[str, set[SnapshotId]] = {name: set() for name in lost}
        for digest, snapshots in self._by_list.items() if lost else ():
            wanting = snapshots - self.life.forgotten.keys()
            for one in self.life.now_held_by(self._mend.pack_list(digest)) if wanting else ():
                if one.ref.name in found:
                    found[one.ref.name] |= wanting
        return {name: wanting if wanting or self._is_all else None for name, wanting in found.items()}


def _note_lost(beyond: Collection[Finding], needs: _Needs, work: _Work) -> None:
    for finding, wanting in zip(beyond, needs.of([finding.name for finding in beyond]).values(), strict=True):
        if wanting == set():
            # Nothing that anybody still wants is lost. It goes with the next sweep that may delete it.
            work.hear(Found("pack-needed-by-nobody", Severity.WARNING, finding.facts))
            continue
        work.hear(Found(finding.code, Severity.ERROR, finding.facts))
        work.needed_by |= wanting or set()


def _expected(repository: Repository, needs: _Needs) -> set[PackRef]:
    """Return the packs that are there, and those that a snapshot or a parity file says were there; none that a sweep deletes."""
    found: set[PackRef] = set()
    for name in repository.backend.names(layout.PACKS):
        ref = layout.pack_of(name)
        if ref is not None:
            found.add(ref)
    found.update(needs.packs())
    for domain in domains_of(repository):
        found.update(PackRef(domain, pack) for pack in protected_packs(repository.backend, domain))
    return found - needs.life.unusable


def _repair_domain(
    repository: Repository, domain: DomainId, damaged: Collection[PackName], work: _Work
) -> Collection[Finding]:
    """Repair what can be; again as long as that helps, for a pack may lie in two groups. Return what is beyond it."""
    left = list(damaged)
    while left:
        beyond: dict[PackName, Finding] = {}
        for pack, outcome in zip(left, repair_packs(repository.backend, domain, left), strict=True):
            if isinstance(outcome, PackRepaired):
                _note_repaired(repository, work, outcome, "pack-repaired")
            else:
                beyond[pack] = outcome
        if len(beyond) == len(left):
            work.lost.extend(beyond)
            return beyond.values()
        left = list(beyond)
    return ()


def _note_repaired(repository: Repository, work: _Work, outcome: PackRepaired, code: str) -> None:
    work.repaired.append(outcome.ref.pack)
    repository.damaged_packs.learn(damaged=(), whole=(outcome.ref.pack,))
    facts: dict[str, Fact] = {"name": outcome.ref.name, "blocks": outcome.blocks, "bytes": outcome.size}
    work.tell(Notice(code, facts))


def _protect(backend: Backend, domain: DomainId, gone: set[PackRef], work: _Work) -> None:
    said = {PackRef(domain, pack).name for pack in work.lost}
    there = set(backend.names(layout.parities(domain)))
    for outcome in protect(backend, domain, dead=dead_in(domain, gone), check=True):
        if isinstance(outcome, GroupProtected):
            # Beside a pack that is lost, the rest of its group is computed again each time, to the same files.
            work.groups += not there.issuperset(outcome.files)
            continue
        there.discard(outcome.name)
        if outcome.name not in said:
            work.tell(store_finding(outcome))


def _record(repository: Repository, work: _Work, clock: Clock) -> None:
    at = clock.now()
    statement = RepairStatement(
        store=repository.origin,
        repaired=tuple(work.repaired),
        lost=tuple(work.lost),
        repaired_count=len(work.repaired),
        lost_count=len(work.lost),
        copies=len(work.mended),
        packs=work.packs,
        bytes_read=work.bytes_read,
        repaired_at=at,
    )
    # The log's words are fixed. A repair is entered as a verification, which it is too; who looks for verifications of
    # snapshots reads the type of the statement and passes over this one.
    publish_statement(repository, statement.encode(), "verify", at)
