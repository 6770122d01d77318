"""Looking at a part of a snapshot: so many of its bytes today, or its structure only.

Neither passes for a verification. Samples add up to one when every pack was read after the snapshot was taken and within the
time that the policy gives; then the verification counts from the pack that was read longest ago.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from backupkit.clock import Clock
from backupkit.ids import PackName
from backupkit.ops.checking.verify import DEFAULT_MAX_AGE, Verified, begin
from backupkit.ops.events import Phase, Progress, Tell
from backupkit.ops.places import Places
from backupkit.ops.repository.snapshots import LATEST
from backupkit.store import layout
from backupkit.store.finding import Finding
from backupkit.store.objects.pack_list import ListedPack
from backupkit.store.upkeep.check import check_outline

_NEVER = datetime.fromtimestamp(0, UTC)


def verify_sample(
    places: Places,
    snapshot: str = LATEST,
    *,
    share: float,
    clock: Clock,
    tell: Tell,
    max_age: timedelta = DEFAULT_MAX_AGE,
) -> Verified:
    """Read a share of a snapshot's bytes (above 0, up to 1): whole packs, those first that were read longest ago or never.

    Raises:
        NoRepository, SnapshotNotFound: there is nothing to verify.
    """
    started = clock.now()
    work = begin(places, snapshot, tell)
    work.check_keys()
    listed = work.listed()
    before = work.repository.pack_reads.known(started)
    read = work.read_packs(oldest_first(listed, before, share), started)
    reads = {**before, **dict.fromkeys(read.whole, started)}
    oldest = min((reads.get(pack.ref.pack, _NEVER) for pack in listed), default=started)
    present = {ref.pack for name in work.repository.backend.names(layout.PACKS) if (ref := layout.pack_of(name))}
    work.repository.pack_reads.keep(present, started)
    done = Verified(
        snapshot=work.known.id,
        state="damaged" if work.found else "saved",
        method="sample",
        bytes_read=read.size,
        packs=len(read.whole),
        packs_total=len(listed),
        oldest_read=None if oldest == _NEVER else oldest,
        findings=tuple(work.found),
        coverage=(),
    )
    if work.found:
        # A sample that found damage says all that a whole reading would: this snapshot is not whole.
        work.publish("sealed", read.size, len(read.whole), clock.now(), clock=clock, max_age=max_age)
        return done
    if oldest < max(work.known.statement.created_at, started - max_age):
        return done
    done = replace(done, state="verified")
    if work.known.verified_at is not None and work.known.verified_at >= oldest:
        # A verification that says more is on record already.
        return done
    size = sum(pack.size for pack in listed)
    coverage = work.publish("sealed", size, len(listed), oldest, clock=clock, max_age=max_age)
    return replace(done, coverage=coverage)


def verify_quickly(places: Places, snapshot: str = LATEST, *, tell: Tell) -> Verified:
    """Look whether everything that a snapshot needs is there, as long as it must be and what it says it is; read no content.

    Raises:
        NoRepository, SnapshotNotFound: there is nothing to verify.
    """
    work = begin(places, snapshot, tell)
    work.check_keys()
    listed = work.listed()
    missing = []
    for number, pack in enumerate(listed):
        outcome = check_outline(work.repository.backend, work.repository.id, pack)
        if isinstance(outcome, Finding):
            missing.append(pack.ref.pack)
            work.note(outcome)
        tell(Progress(Phase.CHECK, done_files=number + 1, total_files=len(listed)))
    work.remember_damaged(missing)
    return Verified(
        snapshot=work.known.id,
        state="damaged" if work.found else "saved",
        method="quick",
        bytes_read=0,
        packs=0,
        packs_total=len(listed),
        oldest_read=None,
        findings=tuple(work.found),
        coverage=(),
    )


def oldest_first(listed: list[ListedPack], reads: Mapping[PackName, datetime], share: float) -> list[ListedPack]:
    """Choose whole packs that make up a share of all bytes, at least one, those first that were read longest ago or never."""
    wanted = share * sum(pack.size for pack in listed)
    chosen: list[ListedPack] = []
    size = 0
    for pack in sorted(listed, key=lambda one: (reads.get(one.ref.pack, _NEVER), one.ref)):
        if chosen and size >= wanted:
            break
        chosen.append(pack)
        size += pack.size
    return chosen
