"""What changed between two snapshots, file by file."""

from dataclasses import dataclass

from backupkit.errors import BackupkitError
from backupkit.ids import SnapshotId
from backupkit.ops.events import Found, Losses, Severity, Tell, tell_nobody
from backupkit.ops.places import Places
from backupkit.ops.restoring.lookup import Chosen, Lookup, open_lookup
from backupkit.ops.unlock import AskSecret
from backupkit.store.finding import Finding
from backupkit.store.trees.contents import walk_tree
from backupkit.store.trees.tree import Entry, EntryKind


@dataclass(frozen=True, slots=True)
class Differences:
    """Paths are `<source>/<path in it>`, sorted. `same` counts files; sizes are in bytes. Counts of messages are None where unknown.

    `damaged` is what could not be read of either, so that what seems added or removed may only be unread. `distrust` says why the
    log could not be believed.
    """

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
    damaged: tuple[Found, ...] = ()
    distrust: BackupkitError | None = None

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
    """
    lookup, losses = open_lookup(places, secret, tell), Losses(tell)
    one, other = lookup.choose(first), lookup.choose(second)
    before = _content(lookup, one, losses.tell)
    after = _content(lookup, other, losses.tell)
    both = before.files.keys() & after.files.keys()
    changed = {path for path in both if _differs(before.files[path], after.files[path])}
    return Differences(
        first=one.known.id,
        second=other.known.id,
        added=tuple(sorted(after.files.keys() - before.files.keys())),
        removed=tuple(sorted(before.files.keys() - after.files.keys())),
        changed=tuple(sorted(changed)),
        same=len(both) - len(changed),
        bytes_first=sum(entry.size for entry in before.files.values()),
        bytes_second=sum(entry.size for entry in after.files.values()),
        messages_first=before.messages,
        messages_second=after.messages,
        damaged=(*one.lost, *other.lost, *losses.found),
        distrust=other.distrust or one.distrust,
    )


def _content(lookup: Lookup, chosen: Chosen, tell: Tell) -> _Content:
    files: dict[str, Entry] = {}
    counts: list[int] = []

    def lose(finding: Finding) -> None:
        tell(Found(finding.code, Severity.ERROR, finding.facts))

    for reader, source in lookup.sources(chosen, chosen.known, tell):
        if source.chat is not None and source.chat.messages is not None:
            counts.append(source.chat.messages)
        for path, entry in walk_tree(reader, source.tree, lose):
            if entry.kind is not EntryKind.FOLDER:
                files[f"{source.name}/{path.decode('utf-8', 'backslashreplace')}"] = entry
    return _Content(files, sum(counts) if counts else None)


def _differs(one: Entry, other: Entry) -> bool:
    return (one.kind, one.sha256, one.target) != (other.kind, other.sha256, other.target)
