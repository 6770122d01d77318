"""Verifying again what was verified a while ago, so that a backup of chats at rest goes on counting."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from backupkit.clock import Clock
from backupkit.ops.checking.verify import verify_snapshot
from backupkit.ops.events import Tell
from backupkit.ops.places import Places
from backupkit.ops.repository.repository import open_repository
from backupkit.ops.repository.snapshots import KnownSnapshot, known_snapshots
from backupkit.proof.pass_check import CLOCK_TOLERANCE

_DUE_AFTER = 2 / 3
"""Of the age that a verified backup may have: what is left is for a machine that was off meanwhile."""


@dataclass(frozen=True, slots=True)
class VerifiedAgain:
    """How many snapshots were read back, and the sources whose newest one turned out, or was known, to be damaged."""

    snapshots: int
    damaged_sources: frozenset[str]


def verify_due(
    places: Places, sources: Collection[str], *, clock: Clock, tell: Tell, max_age: timedelta
) -> VerifiedAgain:
    """Verify the newest snapshot of each of these sources again, where that is due.

    Raises:
        NoRepository: there is none.
        BackupkitError, OSError: one of them cannot be looked at.
    """
    repository = open_repository(places, tell)
    newest = _newest(known_snapshots(repository, tell), sources)
    # One snapshot may be the newest of several sources.
    due = {one.id for one in newest.values() if one.state != "damaged" and _is_due(one, clock.now(), max_age)}
    for snapshot in sorted(due):
        verify_snapshot(places, snapshot, clock=clock, tell=tell, max_age=max_age)
    if due:
        newest = _newest(known_snapshots(repository, tell), sources)
    return VerifiedAgain(len(due), frozenset(name for name, one in newest.items() if one.state == "damaged"))


def _newest(known: list[KnownSnapshot], sources: Collection[str]) -> dict[str, KnownSnapshot]:
    return {
        facts.name: snapshot
        for snapshot in known
        for facts in (snapshot.facts.sources if snapshot.facts else ())
        if facts.name in sources
    }


def _is_due(snapshot: KnownSnapshot, now: datetime, max_age: timedelta) -> bool:
    if snapshot.verified_at is None:
        return True
    return not -CLOCK_TOLERANCE <= now - snapshot.verified_at <= max_age * _DUE_AFTER
