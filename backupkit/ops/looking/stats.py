"""How large the repository is, what of, and how it grows: sizes in bytes, month by month and source by source.

Needs no passphrase. Pack lists are in clear, so what each snapshot added is known exactly: the packs that none before it
needed. What the sources are, and how many messages they held, is this machine's own memory, and unknown of what others took.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from backupkit.errors import BackupkitError
from backupkit.ops.events import Tell, tell_nobody
from backupkit.ops.memory.journal import SourceFacts
from backupkit.ops.places import Places
from backupkit.ops.repository.repository import Repository, open_repository
from backupkit.ops.repository.snapshots import KnownSnapshot, known_snapshots
from backupkit.store import layout
from backupkit.store.backend import ObjectMissing, ObjectUnreadable
from backupkit.store.layout import PackRef
from backupkit.store.objects.pack_list import read_pack_list

_COPIES = "copies/"
_KINDS = {layout.PACKS: "packs", layout.PARITY: "parity", layout.INDEXES: "indexes", _COPIES: "copies"}
_OTHER = "records"


@dataclass(frozen=True, slots=True)
class StoredKind:
    """The files of one kind: packs, parity, indexes, copies (of small objects), or records (everything else)."""

    kind: str
    files: int
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class Month:
    """What one month's snapshots added. `month` is like 2026-11, in UTC.

    `messages` and `media` are what the newest snapshot of each source held at the month's end; None where nobody here counted them.
    `new_bytes` is None where what one of them needs cannot be read.
    """

    month: str
    snapshots: int
    messages: int | None
    media: int | None
    new_bytes: int | None


@dataclass(frozen=True, slots=True)
class SourceSize:
    """A source as its newest snapshot holds it, and in how many snapshots it is."""

    name: str
    path: str
    app: str | None
    snapshots: int
    bytes: int
    messages: int | None
    media: int | None


@dataclass(frozen=True, slots=True)
class Stats:
    """Sizes in bytes. `saved_bytes` is what restoring every snapshot that is kept would write."""

    path: str
    snapshots: int
    forgotten: int
    saved_bytes: int
    stored_bytes: int
    stored: tuple[StoredKind, ...]
    months: tuple[Month, ...]
    by_source: tuple[SourceSize, ...]


def stats(places: Places, *, tell: Tell = tell_nobody) -> Stats:
    """Add up what is stored.

    Raises:
        NoRepository: there is none.
    """
    repository = open_repository(places, tell)
    known = known_snapshots(repository, tell, with_forgotten=True)
    kept = [one for one in known if one.life == "kept"]
    stored = _stored(repository)
    return Stats(
        path=str(places.repository),
        snapshots=len(kept),
        forgotten=sum(one.life == "forgotten" for one in known),
        saved_bytes=sum(map(_saved_bytes, kept)),
        stored_bytes=sum(kind.stored_bytes for kind in stored),
        stored=stored,
        months=_months(repository, known),
        by_source=_by_source(kept),
    )


def _saved_bytes(snapshot: KnownSnapshot) -> int:
    """Return its size; rounded up to 1 MiB, as the statement tells it, where this machine did not take it."""
    facts = snapshot.facts
    return sum(source.bytes for source in facts.sources) if facts else snapshot.statement.size_bytes


def _stored(repository: Repository) -> tuple[StoredKind, ...]:
    files = dict.fromkeys((*_KINDS.values(), _OTHER), 0)
    sizes = dict(files)
    for name in repository.backend.names(""):
        kind = _KINDS.get(name[: name.find("/") + 1], _OTHER)
        # A sweep may take an object away meanwhile, and what somebody else left here may be no file at all.
        with suppress(ObjectMissing, ObjectUnreadable):
            sizes[kind] += repository.backend.size(name)
            files[kind] += 1
    return tuple(StoredKind(kind, files[kind], sizes[kind]) for kind in files)


def _months(repository: Repository, known: Sequence[KnownSnapshot]) -> tuple[Month, ...]:
    before: set[PackRef] = set()
    newest: dict[str, SourceFacts] = {}
    months: dict[str, Month] = {}
    for snapshot in known:
        month = f"{snapshot.statement.created_at:%Y-%m}"
        newest |= {source.path: source for source in (snapshot.facts.sources if snapshot.facts else ())}
        so_far = months.get(month, Month(month, 0, None, None, 0))
        added = _added_bytes(repository, snapshot, before)
        is_known = added is not None and so_far.new_bytes is not None
        months[month] = Month(
            month,
            so_far.snapshots + 1,
            _sum_known(source.messages for source in newest.values()),
            _sum_known(source.media for source in newest.values()),
            (so_far.new_bytes or 0) + (added or 0) if is_known else None,
        )
    return tuple(months[month] for month in sorted(months))


def _added_bytes(repository: Repository, snapshot: KnownSnapshot, before: set[PackRef]) -> int | None:
    """Return the size of the packs that no snapshot `before` needed, and count them among those."""
    try:
        listed = read_pack_list(repository.backend, snapshot.statement.packs.digest)
    except BackupkitError:
        return None
    added = sum(one.size for one in listed if one.ref not in before)
    before.update(one.ref for one in listed)
    return added


def _by_source(kept: Sequence[KnownSnapshot]) -> tuple[SourceSize, ...]:
    newest: dict[str, SourceFacts] = {}
    count: dict[str, int] = {}
    for snapshot in kept:
        for source in snapshot.facts.sources if snapshot.facts else ():
            newest[source.path] = source
            count[source.path] = count.get(source.path, 0) + 1
    return tuple(
        SourceSize(one.name, path, one.app, count[path], one.bytes, one.messages, one.media)
        for path, one in newest.items()
    )


def _sum_known(counts: Iterable[int | None]) -> int | None:
    known = [one for one in counts if one is not None]
    return sum(known) if known else None
