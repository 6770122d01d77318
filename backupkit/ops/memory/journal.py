"""What this machine remembers of the snapshots it took.

The repository tells nothing about apps, people or message counts to who has no key. So that `status` and `snapshots` can
answer without a passphrase, the machine that has the chats anyway keeps these facts beside its keys. Losing the journal
loses nothing that a key slot cannot show again; a torn or damaged line is passed over.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from backupkit.chats.counting.shrink import Held
from backupkit.chats.owner_keys import OPENED_BY_OWN_KEY
from backupkit.clock import to_rfc3339
from backupkit.codec.canonical import decode_json
from backupkit.errors import BackupkitError
from backupkit.home import make_private
from backupkit.ops.places import shown_path
from backupkit.proof.fields import Fields
from backupkit.store.trees.manifest import ChatFacts, Source

_WHAT = "journal"
_MAX_LINE = 16 << 20
_MAX_TEXT = 16 << 10


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What was found in one source. Times are RFC 3339 UTC; None where the source's format is not a chat's.

    `tree` names the tree that it was saved as, by which the ledger of its messages is found.
    """

    name: str
    path: str
    app: str | None
    package: str | None
    format: str
    files: int
    bytes: int
    messages: int | None = None
    conversations: int | None = None
    media: int | None = None
    media_missing: int | None = None
    oldest: str | None = None
    newest: str | None = None
    high_water: str | None = None
    unreadable: int = 0
    tree: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing in the source, as where its disk was not connected."""
        return self.bytes == 0

    @property
    def is_whole(self) -> bool:
        """Whether there was something in the source, and all of it could be read."""
        return not self.is_empty and not self.unreadable

    @property
    def held(self) -> Held:
        """What the source held, as the judgement of shrinks needs it."""
        waits = self.messages is None and self.format in OPENED_BY_OWN_KEY
        return Held(self.bytes, self.messages, self.conversations, waits)


@dataclass(frozen=True, slots=True)
class TakenFacts:
    """One snapshot as this machine took it. `shrink_accepted`: its owner said that it holds what it should, however little."""

    snapshot: str
    created_at: str
    complete: bool
    sources: tuple[SourceFacts, ...]
    tags: tuple[str, ...] = ()
    shrink_accepted: bool = False


class Journal:
    """An append-only file of JSON lines."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def remember(self, taken: TakenFacts) -> None:
        """Append one snapshot's facts. One write, so that two processes do not mix their lines.

        It begins with a line's end: what a crash tore off before must not take this line with it.
        """
        make_private(self._path.parent)
        line = "\n" + json.dumps({"type": "taken", "v": 1, **asdict(taken)}, ensure_ascii=True) + "\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode("ascii"))
        finally:
            os.close(descriptor)

    def taken(self) -> dict[str, TakenFacts]:
        """Return what is remembered, by snapshot id, oldest first."""
        return {facts.snapshot: facts for facts in self._read()}

    def held_by(self, path: str, until: str | None = None) -> list[Held]:
        """Return what snapshots held of a source, oldest first, up to and with `until`; nothing from before a shrink that was accepted."""
        held: list[Held] = []
        for taken in self.taken().values():
            found = [source.held for source in taken.sources if source.path == path]
            held = found if found and taken.shrink_accepted else held + found
            if taken.snapshot == until:
                break
        return held

    def _read(self) -> Iterator[TakenFacts]:
        try:
            lines = self._path.read_bytes().splitlines()
        except OSError:
            return
        for line in lines:
            try:
                record = Fields(decode_json(line, what=_WHAT, max_bytes=_MAX_LINE), what=_WHAT)
                if record.text("type") == "taken":
                    yield _taken(record)
            except BackupkitError:
                continue


def _taken(record: Fields) -> TakenFacts:
    return TakenFacts(
        snapshot=record.hex("snapshot", size=32),
        created_at=record.text("created_at"),
        complete=record.claim("complete"),
        sources=tuple(_source(source) for source in record.objects("sources")),
        tags=record.texts("tags"),
        shrink_accepted=record.optional_claim("shrink_accepted"),
    )


def _source(record: Fields) -> SourceFacts:
    return SourceFacts(
        name=record.text("name", most=_MAX_TEXT),
        path=record.text("path", most=_MAX_TEXT),
        app=record.optional_text("app"),
        package=record.optional_text("package"),
        format=record.text("format"),
        files=record.count("files"),
        bytes=record.count("bytes"),
        messages=record.optional_count("messages"),
        conversations=record.optional_count("conversations"),
        media=record.optional_count("media"),
        media_missing=record.optional_count("media_missing"),
        oldest=_time(record, "oldest"),
        newest=_time(record, "newest"),
        high_water=record.optional_text("high_water", most=_MAX_TEXT),
        unreadable=record.count("unreadable"),
        tree=record.optional_text("tree"),
    )


def _time(record: Fields, name: str) -> str | None:
    moment = record.optional_moment(name)
    return None if moment is None else to_rfc3339(moment)


def facts_of(source: Source) -> SourceFacts:
    """Return what is remembered of a source that was saved."""
    chat = source.chat or ChatFacts(format="files")
    return SourceFacts(
        name=source.name,
        path=shown_path(os.fsdecode(source.path)),
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
        high_water=chat.high_water,
        unreadable=len(source.unreadable),
        tree=source.tree.hex(),
    )
