"""Forgetting snapshots: those that are named, or those that no rule keeps. No byte is deleted; a sweep does that, later.

A client's clock alone decides nothing: the order of the log and what this machine saw itself do, see `retention.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from backupkit.chats.counting.shrink import Held
from backupkit.clock import Clock
from backupkit.ids import SnapshotId
from backupkit.ops.events import Tell
from backupkit.ops.failures import NothingKept, SnapshotNeeded, SnapshotsShrunk
from backupkit.ops.keeping.guard_holds import require_no_hold
from backupkit.ops.keeping.retention import Candidate, Decision, KeepRules, decide, newest_verified, shrunk
from backupkit.ops.memory.first_seen import Window
from backupkit.ops.places import Places
from backupkit.ops.repository.lifecycle import UNDO
from backupkit.ops.repository.repository import Repository, open_repository
from backupkit.ops.repository.snapshots import KnownSnapshot, find_snapshot, known_snapshots
from backupkit.ops.repository.statements import publish_statement
from backupkit.proof.forget_statement import MOST_SNAPSHOTS, ForgetStatement, Reason


@dataclass(frozen=True, slots=True)
class Judged:
    """A snapshot, and why it stays: no `rules` means that it goes. `counted_at` is when it counts as taken."""

    snapshot: SnapshotId
    created_at: datetime
    counted_at: datetime
    state: str
    rules: tuple[str, ...]

    @property
    def stays(self) -> bool:
        """Whether any rule keeps it."""
        return bool(self.rules)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was decided, oldest first, and what was, or would be, forgotten. It can be taken back until `undo_until`."""

    judged: tuple[Judged, ...]
    forgotten: tuple[SnapshotId, ...]
    dry_run: bool
    undo_until: datetime


def forget_snapshots(
    places: Places,
    wanted: Sequence[str],
    *,
    clock: Clock,
    tell: Tell,
    dry_run: bool = False,
    accept_shrink: bool = False,
) -> Forgotten:
    """Forget the snapshots that are named by id or its first digits.

    Raises:
        NoRepository, SnapshotNotFound, SnapshotForgotten: there is nothing to forget.
        SnapshotNeeded: one of them is the newest verified one of its sources.
        SnapshotsShrunk: what would stay holds sharply less.
        GuardHoldOpen: the guard holds an update.
    """
    repository = _opened(places, tell)
    now = clock.now()
    everything = known_snapshots(repository, tell, with_forgotten=True)
    known = [one for one in everything if one.life == "kept"]
    going = {find_snapshot(everything, one).id for one in wanted}
    candidates = _candidates(repository, known, now)
    needed = sorted(going & newest_verified(candidates))
    if needed:
        raise SnapshotNeeded(snapshot=needed[0])
    decided = [Decision(one, () if one.id in going else ("asked",)) for one in candidates]
    return _carry_out(repository, known, decided, "asked", now, dry_run=dry_run, accept_shrink=accept_shrink)


def apply_retention(
    places: Places,
    rules: KeepRules,
    *,
    clock: Clock,
    tell: Tell,
    dry_run: bool = False,
    accept_shrink: bool = False,
) -> Forgotten:
    """Forget the snapshots that no rule keeps.

    Raises:
        NoRepository: there is none.
        NothingKept: no rule keeps anything.
        SnapshotsShrunk: what would stay holds sharply less.
        GuardHoldOpen: the guard holds an update.
    """
    if rules.is_empty:
        raise NothingKept
    repository = _opened(places, tell)
    now = clock.now()
    known = known_snapshots(repository, tell)
    decided = decide(_candidates(repository, known, now), rules)
    return _carry_out(repository, known, decided, "retention", now, dry_run=dry_run, accept_shrink=accept_shrink)


def _opened(places: Places, tell: Tell) -> Repository:
    repository = open_repository(places, tell)
    repository.config.require("write")
    repository.config.require("delete")
    repository.require_writer()
    return repository


def _carry_out(
    repository: Repository,
    known: Sequence[KnownSnapshot],
    decided: Sequence[Decision],
    reason: Reason,
    now: datetime,
    *,
    dry_run: bool,
    accept_shrink: bool,
) -> Forgotten:
    going = [one.candidate.id for one in decided if not one.stays]
    if not dry_run:
        require_no_hold(repository, now)
        if not accept_shrink:
            _require_not_shrunk([one.candidate for one in decided], going)
        for start in range(0, len(going), MOST_SNAPSHOTS):
            some = tuple(sorted(going[start : start + MOST_SNAPSHOTS]))
            statement = ForgetStatement(repository.origin, some, reason, now)
            publish_statement(repository, statement.encode(), "forget", now)
    judged = tuple(
        Judged(one.id, one.statement.created_at, decision.candidate.at, one.state, decision.rules)
        for one, decision in zip(known, decided, strict=True)
    )
    return Forgotten(judged, tuple(going), dry_run, now + UNDO)


def _require_not_shrunk(candidates: Sequence[Candidate], going: Sequence[SnapshotId]) -> None:
    found = shrunk(candidates, going)
    if found is not None:
        raise SnapshotsShrunk(
            snapshot=found.newest.id,
            messages=found.now.messages,
            bytes=found.now.bytes,
            going=found.going.id,
            going_messages=found.then.messages,
            going_bytes=found.then.bytes,
        )


def _candidates(repository: Repository, known: Sequence[KnownSnapshot], now: datetime) -> list[Candidate]:
    """Say of each snapshot what a decision needs, its time as far as this machine can vouch for it."""
    seen = repository.log.first_seen
    size = max((one.seq for one in known), default=-1) + 1
    # The log was just read: what is new to this machine was seen now.
    seen.note(size, now)
    windows = seen.windows(size)
    return [_candidate(one, counted_at(one.statement.created_at, windows[one.seq], now)) for one in known]


def counted_at(claimed: datetime, window: Window, now: datetime) -> datetime:
    """Say when a snapshot counts as taken: when it claims, where this machine's own sight of the log allows that, else when it was seen."""
    before, after = window
    if before is not None and after is not None and before > after:
        # Our own clock was wrong at one of the two: it vouches for nothing here.
        before = None
    latest = now if after is None else min(after, now)
    is_possible = claimed <= latest and (before is None or before <= claimed)
    return claimed if is_possible else latest


def _candidate(one: KnownSnapshot, at: datetime) -> Candidate:
    facts = one.facts
    sources = sorted(facts.sources, key=lambda source: source.path) if facts else None
    domains = tuple(sorted(domain.id for domain in one.statement.domains))
    return Candidate(
        id=one.id,
        series=(one.statement.writer, domains, None if sources is None else tuple(source.path for source in sources)),
        at=at,
        is_whole=one.state not in {"partial", "damaged"},
        is_verified=one.state in {"verified", "drilled"},
        is_damaged=one.state == "damaged",
        held=(Held(one.statement.size_bytes),) if sources is None else tuple(source.held for source in sources),
    )
