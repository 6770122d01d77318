"""The owner's word that a snapshot which holds sharply less holds what it should."""

from dataclasses import replace

from backupkit.ops.events import Tell
from backupkit.ops.places import Places
from backupkit.ops.repository.repository import open_repository
from backupkit.ops.repository.snapshots import find_snapshot, known_snapshots


def accept_shrink(places: Places, snapshot: str, tell: Tell) -> None:
    """Let the sources of a snapshot be compared with nothing older from now on. This machine remembers it.

    Raises:
        NoRepository, SnapshotNotFound: there is no such snapshot.
    """
    repository = open_repository(places, tell)
    known = find_snapshot(known_snapshots(repository), snapshot)
    if known.facts is not None and not known.facts.shrink_accepted:
        repository.journal.remember(replace(known.facts, shrink_accepted=True))
