"""Which snapshots there are. Needs no passphrase: names and counts come from this machine's own memory."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from backupkit.clock import Clock
from backupkit.ids import SnapshotId
from backupkit.ops.events import Tell, tell_nobody
from backupkit.ops.lifecycle import lifecycle_of, undo_until
from backupkit.ops.places import Places
from backupkit.ops.repository import open_repository
from backupkit.ops.snapshots import KnownSnapshot, known_snapshots


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
    """
    return [_line(known, None) for known in known_snapshots(open_repository(places, tell), tell)]


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
