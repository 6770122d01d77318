"""What is inside a snapshot: opened, so it needs a way in."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from backupkit.crypto.keyring import Keyring
from backupkit.ids import SnapshotId
from backupkit.ops.events import Notice, Tell, tell_nobody
from backupkit.ops.places import Places
from backupkit.ops.repository.repository import Repository, open_repository, store_finding
from backupkit.ops.repository.snapshots import KnownSnapshot, find_snapshot, known_snapshots
from backupkit.ops.unlock import AskSecret
from backupkit.store.domains.domain_reader import DomainReader
from backupkit.store.trees.manifest import ChatFacts, Source, read_manifest


@dataclass(frozen=True, slots=True)
class ShownSource:
    """One source of a snapshot. Counts are None where its format is not a chat's; times are RFC 3339 UTC."""

    name: str
    path: str
    app: str | None
    package: str | None
    format: str
    files: int
    bytes: int
    messages: int | None
    conversations: int | None
    media: int | None
    media_missing: int | None
    oldest: str | None
    newest: str | None
    captured_at: str
    unreadable: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A snapshot, opened."""

    snapshot: SnapshotId
    created_at: datetime
    state: str
    complete: bool
    verified_at: datetime | None
    sources: tuple[ShownSource, ...]


def show(places: Places, snapshot: str, *, secret: AskSecret, tell: Tell = tell_nobody) -> Shown:
    """Open a snapshot's manifests.

    Raises:
        NoRepository, SnapshotNotFound: there is nothing to show.
        CannotUnlock: the secret opens nothing.
        ChunkLost: a manifest is lost; `restore` still brings back what it can.
    """
    repository = open_repository(places, tell)
    known = find_snapshot(known_snapshots(repository, tell, with_forgotten=True), snapshot, forgotten_too=True)
    if known.life == "forgotten":
        tell(Notice("snapshot-forgotten", {"snapshot": known.id}))
    keyring = repository.unlock(secret)
    return shown_of(known, [source for _, source in opened_sources(repository, known, keyring, tell)])


def shown_of(known: KnownSnapshot, sources: Iterable[Source]) -> Shown:
    """Return an opened snapshot as it is shown."""
    statement = known.statement
    shown = tuple(_shown(source) for source in sources)
    return Shown(known.id, statement.created_at, known.state, statement.complete, known.verified_at, shown)


def opened_sources(
    repository: Repository, known: KnownSnapshot, keyring: Keyring, tell: Tell
) -> Iterator[tuple[DomainReader, Source]]:
    """Give each source of a snapshot with the reader that opens its domain."""
    for domain in known.statement.domains:
        secrets = repository.open_domain(domain.id, keyring)
        reader = DomainReader(
            repository.backend,
            repository.id,
            domain.id,
            secrets,
            tell=lambda finding: tell(store_finding(finding)),
        )
        for source in read_manifest(reader, domain.root).sources:
            yield reader, source


def _shown(source: Source) -> ShownSource:
    chat = source.chat or ChatFacts(format="files")
    return ShownSource(
        name=source.name,
        path=_text(source.path),
        app=source.app,
        package=source.package,
        format=chat.format,
        files=source.files,
        bytes=source.bytes,
        messages=chat.messages,
        conversations=chat.conversations,
        media=chat.media,
        media_missing=chat.media_missing,
        oldest=chat.oldest,
        newest=chat.newest,
        captured_at=source.captured_at,
        unreadable=tuple((_text(one.path), one.reason) for one in source.unreadable),
    )


def _text(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")
