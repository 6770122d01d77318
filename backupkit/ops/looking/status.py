"""One look: what is saved, how well, how long ago, and what to do next."""

import os
import shlex
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from backupkit.clock import Clock
from backupkit.ids import AppPackage, SnapshotId
from backupkit.ops.events import Tell, tell_nobody
from backupkit.ops.keys.confirm_recovery import confirmation
from backupkit.ops.memory.journal import SourceFacts
from backupkit.ops.places import Places, on_same_disk, shown_path
from backupkit.ops.repository.guard_files import counts_another, guard_until
from backupkit.ops.repository.repository import Repository, open_repository
from backupkit.ops.repository.snapshots import LATEST, KnownSnapshot, find_snapshot, known_snapshots
from backupkit.proof.pass_check import CLOCK_TOLERANCE
from backupkit.store.backend import ObjectMissing, ObjectUnreadable


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """The newest snapshot of one source. `state` is saved, verified, drilled, damaged or stale.

    `unreadable` is how many files it lacks. `last_verified_at` is of the last snapshot that held the source whole. `exists`: there is
    something at its path now. `in_settings`: the settings name it, or name no source at all. `guard_until`: how long a pass covers its app
    at the guard of this machine; `not_covered` says that none does, though the source was read back.
    """

    name: str
    path: str
    app: str | None
    last_snapshot: SnapshotId
    last_saved_at: datetime
    last_verified_at: datetime | None
    state: str
    messages: int | None
    unreadable: int
    stale: bool
    exists: bool
    in_settings: bool
    package: str | None
    guard_until: datetime | None
    not_covered: bool


@dataclass(frozen=True, slots=True)
class RepositoryFacts:
    """Where the repository lies, the name of its log, and how much it holds."""

    path: str
    origin: str
    snapshots: int
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that one screen shows. `next` are commands, the most urgent first. Sizes in bytes.

    `sources` is empty where this machine took none of the snapshots: what they hold is sealed. `let_go` are paths of sources that
    count no more by their owner's wish. `copy_of` is the path of the
    repository that this is a copy of, where this machine writes there. `copied_elsewhere`: the newest snapshot of every source was copied to another
    disk, too. `drill_due` says that longer than wanted no snapshot was restored in a drill; it makes nothing stale.
    """

    repository: RepositoryFacts
    sources: tuple[SourceStatus, ...]
    let_go: tuple[str, ...]
    recovery_confirmed: bool
    slots: int
    can_write: bool
    copy_of: str | None
    same_disk: bool
    copied_elsewhere: bool
    guard_counts_another: bool
    last_drilled_at: datetime | None
    drill_due: bool
    stale: bool
    next: tuple[str, ...]


def status(
    places: Places,
    *,
    max_age: timedelta,
    clock: Clock,
    drill_every: timedelta | None = None,
    configured: Collection[Path] = (),
    tell: Tell = tell_nobody,
) -> Status:
    """Look at the repository without opening anything. A verified backup may be `max_age` old, the last drill `drill_every`.

    `configured` are the paths of the sources that the settings name.

    Raises:
        NoRepository: there is none.
    """
    repository = open_repository(places, tell)
    ever = known_snapshots(repository, tell, with_forgotten=True)
    known = [one for one in ever if one.life == "kept"]
    drilled = max((one.drilled_at for one in ever if one.drilled_at is not None), default=None)
    newest = _newest(known)
    let_go = tuple(path for path, one in newest.items() if repository.let_go.holds(path, one.snapshot.id))
    wanted = {shown_path(path.absolute()) for path in configured}
    now = clock.now()
    confirmed = confirmation(repository) is not None
    counts_here = confirmed and counts_another(repository) is False and repository.original is None
    sources = tuple(
        _with_cover(_source(one, max_age, now, wanted), one, repository, now, counts_here=counts_here)
        for path, one in newest.items()
        if path not in let_go
    )
    is_stale = any(source.stale for source in sources) if newest else True
    original = repository.original
    can_write = repository.writer is not None and original is None
    # Words are typed back where snapshots are taken; elsewhere nobody was asked, and whoever has the sheet needs no reminder.
    is_reminded = not confirmed and (can_write or not known)
    return Status(
        repository=RepositoryFacts(str(places.repository), repository.origin, len(known), _stored_bytes(repository)),
        sources=sources,
        let_go=let_go,
        recovery_confirmed=confirmed,
        slots=len(repository.slots()),
        can_write=can_write,
        copy_of=None if original is None else shown_path(original),
        same_disk=on_same_disk(places.repository, places.state),
        copied_elsewhere=bool(sources) and all(_is_copied(repository, one.last_snapshot, now) for one in sources),
        guard_counts_another=bool(counts_another(repository)),
        last_drilled_at=drilled,
        drill_due=_is_drill_due(known, drilled, drill_every, clock.now()),
        stale=is_stale,
        next=tuple(_next_steps(sources, known, is_reminded=is_reminded, is_sealed=bool(known) and not newest)),
    )


def _is_drill_due(known: list[KnownSnapshot], drilled: datetime | None, every: timedelta | None, now: datetime) -> bool:
    """Tell whether a drill is due. Where there was none, the first snapshot is what the time is counted from."""
    since = drilled or min((one.statement.created_at for one in known), default=None)
    # As with backups: a clock that stood in the future once must not put a drill off for decades.
    return every is not None and since is not None and not -CLOCK_TOLERANCE <= now - since <= every


@dataclass(frozen=True, slots=True)
class _Newest:
    """The newest snapshot that holds a source, and when it was last verified whole."""

    snapshot: KnownSnapshot
    facts: SourceFacts
    verified_at: datetime | None


def _newest(known: list[KnownSnapshot]) -> dict[str, _Newest]:
    found: dict[str, _Newest] = {}
    for snapshot in known:
        for facts in snapshot.facts.sources if snapshot.facts else ():
            before = found.get(facts.path)
            is_verified = snapshot.verified_at is not None and facts.is_whole
            verified_at = snapshot.verified_at if is_verified else before.verified_at if before else None
            found[facts.path] = _Newest(snapshot, facts, verified_at)
    return found


def _exists(path: str) -> bool:
    # What was no UTF-8 in a path is only shown; whether it is there nobody can say then.
    return os.path.lexists(path) or "\\x" in path


def _source(newest: _Newest, max_age: timedelta, now: datetime, configured: Collection[str]) -> SourceStatus:
    snapshot, facts, verified_at = newest.snapshot, newest.facts, newest.verified_at
    # A clock that stood in the future once must not make a backup young for decades.
    is_old = verified_at is None or not -CLOCK_TOLERANCE <= now - verified_at <= max_age
    # What was whole once and is damaged now cannot be relied on, however lately it was verified.
    is_stale = is_old or snapshot.state == "damaged"
    state = "stale" if is_old and snapshot.state in {"verified", "drilled"} else snapshot.state
    return SourceStatus(
        name=facts.name,
        path=facts.path,
        app=facts.app,
        last_snapshot=snapshot.id,
        last_saved_at=snapshot.statement.created_at,
        last_verified_at=verified_at,
        state=state,
        messages=facts.messages,
        unreadable=facts.unreadable,
        stale=is_stale,
        exists=_exists(facts.path),
        in_settings=not configured or facts.path in configured,
        package=facts.package,
        guard_until=None,
        not_covered=False,
    )


def _with_cover(
    source: SourceStatus, newest: _Newest, repository: Repository, now: datetime, *, counts_here: bool
) -> SourceStatus:
    """Say what the guard of this machine makes of it, where it counts the backups in this repository."""
    if source.package is None or not counts_here:
        return source
    until = guard_until(repository, AppPackage(source.package), now)
    # Of what is not whole there is no pass, and of what is stale everybody is told already.
    is_whole = newest.snapshot.statement.complete and newest.facts.is_whole
    ought_to = is_whole and not source.stale and source.state != "saved"
    return replace(source, guard_until=until, not_covered=until is None and ought_to)


def _is_copied(repository: Repository, snapshot: SnapshotId, now: datetime) -> bool:
    return repository.second_copies.holds(snapshot, now, timedelta.max)


def _stored_bytes(repository: Repository) -> int:
    return sum(_size_of(repository, name) for name in repository.backend.names(""))


def _size_of(repository: Repository, name: str) -> int:
    # A sweep may take an object away meanwhile, and what somebody else left here may be no file at all.
    with suppress(ObjectMissing, ObjectUnreadable):
        return repository.backend.size(name)
    return 0


def _next_steps(
    sources: tuple[SourceStatus, ...], known: list[KnownSnapshot], *, is_reminded: bool, is_sealed: bool
) -> list[str]:
    # Damage first: every day may add to it, and the words are on paper.
    steps = ["backupkit repair"] if any(source.state == "damaged" for source in sources) else []
    steps += ["backupkit key confirm"] if is_reminded else []
    if is_sealed:
        # Another computer took what lies here: whoever comes with its disk wants the chats first.
        return [*steps, "backupkit restore latest --to DIR"]
    if not sources:
        return [*steps, "backupkit snapshot PATH"]
    unread = {source.last_snapshot for source in sources if source.state == "saved" or source.not_covered}
    # The command alone reads the latest one back, which may be another.
    latest = find_snapshot(known, LATEST).id
    steps += [
        "backupkit verify" if one.id == latest else f"backupkit verify {one.id[:8]}"
        for one in known
        if one.id in unread
    ]
    # A new snapshot saves anew what a verification found damaged.
    stale = [source for source in sources if source.stale and source.state != "saved" and source.exists]
    return [*steps, *(f"backupkit snapshot {shlex.quote(source.path)}" for source in stale)]
