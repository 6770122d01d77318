"""What changed between two snapshots, file by file."""

from dataclasses import dataclass

from backupkit.crypto.keyring import Keyring
from backupkit.ids import SnapshotId
from backupkit.ops.events import Tell, tell_nobody
from backupkit.ops.looking.show import opened_sources
from backupkit.ops.places import Places
from backupkit.ops.repository.repository import Repository, open_repository, store_finding
from backupkit.ops.repository.snapshots import KnownSnapshot, find_snapshot, known_snapshots
from backupkit.ops.unlock import AskSecret
from backupkit.store.trees.contents import walk_tree
from backupkit.store.trees.tree import Entry, EntryKind


@dataclass(frozen=True, slots=True)
class Differences:
    """Paths are `<source>/<path in it>`, sorted. `same` counts files; sizes are in bytes. Counts of messages are None where unknown."""

    first: SnapshotId
    second: SnapshotId
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    same: int
    bytes_first: int
    bytes_second: int
    messages_first: int | None
    messages_second: int | None

    @property
    def is_empty(self) -> bool:
        """Whether the two hold the same files with the same bytes."""
        return not (self.added or self.removed or self.changed)


@dataclass(frozen=True, slots=True)
class _Content:
    files: dict[str, Entry]
    messages: int | None


def diff_snapshots(
    places: Places, first: str, second: str, *, secret: AskSecret, tell: Tell = tell_nobody
) -> Differences:
    """Compare two snapshots.

    Raises:
        NoRepository, SnapshotNotFound: one of them is not there.
        CannotUnlock: the secret opens nothing.
        ChunkLost: a manifest is lost.
    """
    repository = open_repository(places, tell)
    known = known_snapshots(repository, tell, with_forgotten=True)
    one, other = find_snapshot(known, first), find_snapshot(known, second)
    keyring = repository.unlock(secret)
    before = _content(repository, one, keyring, tell)
    after = _content(repository, other, keyring, tell)
    both = before.files.keys() & after.files.keys()
    changed = {path for path in both if _differs(before.files[path], after.files[path])}
    return Differences(
        first=one.id,
        second=other.id,
        added=tuple(sorted(after.files.keys() - before.files.keys())),
        removed=tuple(sorted(before.files.keys() - after.files.keys())),
        changed=tuple(sorted(changed)),
        same=len(both) - len(changed),
        bytes_first=sum(entry.size for entry in before.files.values()),
        bytes_second=sum(entry.size for entry in after.files.values()),
        messages_first=before.messages,
        messages_second=after.messages,
    )


def _content(repository: Repository, known: KnownSnapshot, keyring: Keyring, tell: Tell) -> _Content:
    files: dict[str, Entry] = {}
    counts: list[int] = []
    for reader, source in opened_sources(repository, known, keyring, tell):
        if source.chat is not None and source.chat.messages is not None:
            counts.append(source.chat.messages)
        for path, entry in walk_tree(reader, source.tree, lambda found: tell(store_finding(found))):
            if entry.kind is not EntryKind.FOLDER:
                files[f"{source.name}/{path.decode('utf-8', 'backslashreplace')}"] = entry
    return _Content(files, sum(counts) if counts else None)


def _differs(one: Entry, other: Entry) -> bool:
    return (one.kind, one.sha256, one.target) != (other.kind, other.sha256, other.target)
