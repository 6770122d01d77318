"""Passes for what was read back before the recovery words were typed back.

Whoever saves first and types the words later need not have everything read again: what a pass says of the reading is true already.
"""

from datetime import timedelta

from backupkit.clock import Clock
from backupkit.ids import AppPackage
from backupkit.ops.checking.coverage import CoverageIssued, issue_passes
from backupkit.ops.events import Tell
from backupkit.ops.places import Places
from backupkit.ops.repository.repository import open_repository
from backupkit.ops.repository.snapshots import NO_HISTORY, KnownSnapshot, known_snapshots
from backupkit.proof.pass_check import CLOCK_TOLERANCE


def cover_verified(places: Places, *, clock: Clock, tell: Tell, max_age: timedelta) -> tuple[CoverageIssued, ...]:
    """Issue the passes of the newest snapshot of each source that was verified within `max_age`, as of when it was.

    Raises:
        NoRepository: there is none.
    """
    repository = open_repository(places)
    if repository.writer is None or repository.original is not None:
        return ()
    try:
        known = known_snapshots(repository)
    except NO_HISTORY:
        # The words are right all the same. That the log cannot be believed is told by every command that rests on it.
        return ()
    now = clock.now()
    newest: dict[str, KnownSnapshot] = {}
    for one in known:
        is_young = one.verified_at is not None and -CLOCK_TOLERANCE <= now - one.verified_at < max_age
        for source in one.facts.sources if one.facts and is_young else ():
            newest[source.path] = one
    issued: dict[AppPackage, CoverageIssued] = {}
    # The oldest first: where two of them hold one app, the newer one's pass is what stays.
    for one in sorted(set(newest.values()), key=lambda one: one.seq):
        assert one.verified_at is not None
        assert one.method is not None
        passes = issue_passes(repository, one, method=one.method, at=one.verified_at, max_age=max_age, tell=tell)
        issued |= {each.package: each for each in passes}
    return tuple(issued.values())
