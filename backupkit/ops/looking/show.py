"""What is inside a snapshot: opened, so it needs a way in."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from backupkit.errors import BackupkitError
from backupkit.ids import SnapshotId
from backupkit.ops.chats.chat_facts import EXPORT_DAMAGED
from backupkit.ops.events import Found, Losses, Tell, tell_nobody
from backupkit.ops.places import Places
from backupkit.ops.restoring.elsewhere import Elsewhere, beside_latest
from backupkit.ops.restoring.lookup import Chosen, open_lookup
from backupkit.ops.unlock import AskSecret
from backupkit.store.trees.manifest import ChatFacts, Source


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
    """A snapshot, opened. `damaged` is what could not be read of it; `distrust` says why the log could not be believed.

    `elsewhere` names what the latest snapshot does not hold and others do.
    """

    snapshot: SnapshotId
    created_at: datetime
    state: str
    complete: bool
    verified_at: datetime | None
    sources: tuple[ShownSource, ...]
    damaged: tuple[Found, ...] = ()
    distrust: BackupkitError | None = None
    elsewhere: tuple[Elsewhere, ...] = ()


def show(places: Places, snapshot: str, *, secret: AskSecret, tell: Tell = tell_nobody) -> Shown:
    """Open a snapshot's manifests.

    Raises:
        NoRepository, SnapshotNotFound: there is nothing to show.
        CannotUnlock: the secret opens nothing.
    """
    lookup, losses = open_lookup(places, secret, tell), Losses(tell)
    chosen = lookup.choose(snapshot)
    sources = [source for _, source in lookup.sources(chosen, chosen.known, losses.tell)]
    return shown_of(chosen, sources, losses, beside_latest(lookup, snapshot, chosen, [one.path for one in sources]))


def shown_of(chosen: Chosen, sources: Iterable[Source], losses: Losses, elsewhere: tuple[Elsewhere, ...]) -> Shown:
    """Return an opened snapshot as it is shown."""
    known, statement = chosen.known, chosen.known.statement
    # An export may have been damaged when it was saved, and is saved whole.
    is_damaged = any(found.code != EXPORT_DAMAGED for found in losses.found)
    return Shown(
        snapshot=known.id,
        created_at=statement.created_at,
        state="damaged" if is_damaged else known.state,
        complete=statement.complete,
        verified_at=known.verified_at,
        sources=tuple(_shown(source) for source in sources),
        damaged=(*chosen.lost, *losses.found),
        distrust=chosen.distrust,
        elsewhere=elsewhere,
    )


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
