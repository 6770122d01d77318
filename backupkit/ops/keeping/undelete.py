"""Taking a forgetting back, as long as the bytes are there."""

from collections.abc import Sequence
from dataclasses import dataclass

from backupkit.clock import Clock
from backupkit.ids import SnapshotId
from backupkit.ops.events import Tell
from backupkit.ops.failures import SnapshotSwept
from backupkit.ops.places import Places
from backupkit.ops.repository.lifecycle import lifecycle_of
from backupkit.ops.repository.reach import packs_of
from backupkit.ops.repository.repository import open_repository
from backupkit.ops.repository.snapshots import find_snapshot, known_snapshots
from backupkit.ops.repository.statements import publish_statement
from backupkit.proof.forget_statement import UndeleteStatement
from backupkit.proof.log_entry import LogEntry


@dataclass(frozen=True, slots=True)
class Undeleted:
    """The snapshots that are there again; one that was not forgotten is not among them."""

    undeleted: tuple[SnapshotId, ...]


def undelete_snapshots(places: Places, wanted: Sequence[str], *, clock: Clock, tell: Tell) -> Undeleted:
    """Take back that snapshots were forgotten.

    Raises:
        NoRepository, SnapshotNotFound: there is nothing to take back.
        SnapshotSwept: its bytes are not all there, or a sweep that runs now was faster.
        ObjectMissing, MalformedObject: what it needs cannot be read.
    """
    repository = open_repository(places, tell)
    repository.config.require("write")
    repository.require_writer()
    everything = known_snapshots(repository, tell, with_forgotten=True)
    found = {one.id: one for one in (find_snapshot(everything, name, forgotten_too=True) for name in wanted)}
    again = tuple(sorted(snapshot for snapshot, one in found.items() if one.life == "forgotten"))
    if not again:
        return Undeleted(())
    present, life = repository.packs(), lifecycle_of(repository, repository.log.read().entries)
    for snapshot in again:
        if not packs_of(repository, snapshot, life) <= present:
            raise SnapshotSwept(snapshot=snapshot)

    def admit(before: Sequence[LogEntry]) -> None:
        lost = lifecycle_of(repository, before).swept.intersection(again)
        if lost:
            raise SnapshotSwept(snapshot=min(lost))

    at = clock.now()
    statement = UndeleteStatement(repository.origin, again, at)
    publish_statement(repository, statement.encode(), "undelete", at, admit=admit)
    return Undeleted(again)
