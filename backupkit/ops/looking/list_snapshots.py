"""Which snapshots there are. Needs no passphrase: names and counts come from this machine's own memory."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from backupkit.clock import Clock
from backupkit.errors import BackupkitError
from backupkit.ids import SnapshotId
from backupkit.ops.events import Found, Severity, Tell, tell_nobody
from backupkit.ops.failures import LogDamaged, OnlyPacksLeft
from backupkit.ops.places import Places
from backupkit.ops.repository.lifecycle import lifecycle_of, undo_until
from backupkit.ops.repository.repository import open_repository
from backupkit.ops.repository.snapshots import KnownSnapshot, known_snapshots, named_snapshots, signed_snapshots
from backupkit.ops.restoring.left_in_packs import find_in_packs
from backupkit.ops.restoring.lookup import open_what_is_left
from backupkit.ops.unlock import AskSecret
from backupkit.store.finding import cause


@dataclass(frozen=True, slots=True)
class SnapshotLine:
    """One snapshot. `sources`, `apps` and `messages` are None where this machine did not take it, and `bytes` is then rounded up to 1 MiB.

    `life` is kept, forgotten or swept; `undo_until` is until when a forgotten one can surely be taken back.
    """

    snapshot: SnapshotId
    seq: int
    created_at: datetime
    state: str
    complete: bool
    sources: tuple[str, ...] | None
    apps: tuple[str, ...] | None
    messages: int | None
    bytes: int
    previous: SnapshotId | None
    tags: tuple[str, ...] = ()
    life: str = "kept"
    undo_until: datetime | None = None


def list_snapshots(places: Places, *, tell: Tell = tell_nobody) -> list[SnapshotLine]:
    """Return all snapshots, oldest first, but none that was forgotten.

    Raises:
        NoRepository: there is no repository.
        LogDamaged: there are packs and no log that names any.
        SnapshotUnreadable: the log names some, and none of them can be read.
        BackupkitError: the log cannot be believed.
    """
    repository = open_repository(places, tell)
    named = named_snapshots(repository, tell)
    known = [one for one in named.known if one.life == "kept"]
    if not named.known and named.unreadable:
        raise named.unreadable[-1].failure
    if not known and repository.log.read().head is None and repository.packs():
        raise LogDamaged(size=0, reason="no-head")
    return [_line(one, None) for one in known]


@dataclass(frozen=True, slots=True)
class Left:
    """The snapshots that can be found although the log cannot be believed, and why it cannot."""

    lines: tuple[SnapshotLine, ...]
    distrust: BackupkitError


def list_what_is_left(places: Places, *, secret: AskSecret, tell: Tell, reason: BackupkitError) -> Left:
    """Return the snapshots that signed statements name, or where there are none, those whose roots lie in the packs.

    `reason` is what `list_snapshots` failed with. Packs are only looked into where the person can open them.

    Raises:
        NoRepository: there is none.
        BackupkitError: nothing can be found: `reason`, or what opening the packs failed with.
    """
    repository, _ = open_what_is_left(places, tell)
    signed = signed_snapshots(repository)
    if signed:
        return Left(tuple(_line(known, None) for known in signed), reason)
    if not repository.packs():
        raise reason
    tell(Found("looking-in-packs", Severity.ERROR, {"reason": cause(reason)}))
    found, _ = find_in_packs(repository, repository.unlock(secret), tell)
    distrust = OnlyPacksLeft(reason=cause(reason))
    distrust.__cause__ = reason
    return Left(tuple(_line(one.known, None) for one in found), distrust)


def list_in_packs(places: Places, *, secret: AskSecret, tell: Tell) -> list[SnapshotLine]:
    """Return the snapshots whose roots lie in the packs, whatever log and statements say.

    Raises:
        NoRepository: there is none.
        CannotUnlock: the secret opens nothing.
    """
    repository, _ = open_what_is_left(places, tell)
    return [_line(one.known, None) for one in find_in_packs(repository, repository.unlock(secret), tell)[0]]


def list_forgotten(places: Places, *, clock: Clock, tell: Tell = tell_nobody) -> list[SnapshotLine]:
    """Return the snapshots that were forgotten, oldest first.

    Raises:
        NoRepository: there is no repository.
    """
    repository = open_repository(places, tell)
    known = [one for one in known_snapshots(repository, tell, with_forgotten=True) if one.life != "kept"]
    history = repository.log.read()
    life, now = lifecycle_of(repository, history.entries), clock.now()
    with suppress(OSError):
        repository.log.first_seen.note(len(history.entries), now)
    return [_line(one, undo_until(repository, life, one.id, now) if one.life == "forgotten" else None) for one in known]


def _line(known: KnownSnapshot, until: datetime | None) -> SnapshotLine:
    facts = known.facts
    counts = [source.messages for source in facts.sources if source.messages is not None] if facts else []
    return SnapshotLine(
        snapshot=known.id,
        seq=known.seq,
        created_at=known.statement.created_at,
        state=known.state,
        complete=known.statement.complete,
        sources=tuple(source.name for source in facts.sources) if facts else None,
        apps=tuple(sorted({source.app for source in facts.sources if source.app})) if facts else None,
        messages=sum(counts) if counts else None,
        bytes=sum(source.bytes for source in facts.sources) if facts else known.statement.size_bytes,
        previous=known.statement.previous,
        tags=facts.tags if facts else (),
        life=known.life,
        undo_until=until,
    )
