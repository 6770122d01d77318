"""Bringing the search index up to date: what each snapshot has that the ones before it had not.

Memory does not grow with the history: identities lie in a private folder on the disk while they are compared, and new
messages are written, sealed, as soon as there are enough of them for a file.
"""

import sqlite3
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from backupkit.chats.backups.opened_backups import ChatKeyWrong, is_wrong_key
from backupkit.chats.history.identity import Identifier
from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Conversation, Direction, Message
from backupkit.chats.owner_keys import KeysOf, OwnerKeys, no_keys
from backupkit.chats.readers.registry import read_all
from backupkit.chats.search.document import Document, document_of
from backupkit.ops.chats.snapshot_chats import OpenedChats, open_chats
from backupkit.ops.events import Event, Found, Phase, Progress, Severity, Tell
from backupkit.ops.searching.index import IndexedConversation, IndexedSource, SearchIndex, Sender
from backupkit.ops.searching.segment import Filling, Place
from backupkit.store.domains.domain_reader import DomainReader
from backupkit.store.trees.manifest import Source

_LAYOUT = """
pragma journal_mode = off; pragma synchronous = off; pragma temp_store = memory; pragma cache_size = -16384;
create table known (id blob primary key, content blob, segment integer, number integer, seen integer) without rowid;
"""
_SOURCE = struct.Struct(">I")
_ASKED_AT_ONCE = 500
_ASKED_BYTES = 4 << 20


class _Met(NamedTuple):
    """A message that was read and not looked up yet. `id` begins with the number of its source."""

    id: bytes
    content: bytes
    form: str
    app: str
    message: Message
    at: int


@contextmanager
def building(
    index: SearchIndex, scratch: Path, tell: Tell, stop: Callable[[], bool], keys: KeysOf = no_keys
) -> "Iterator[Building]":
    """Begin to bring an index up to date, with a private folder for what waits to be written."""
    with closing(sqlite3.connect(scratch / "fresh", isolation_level=None)) as database:
        database.executescript(_LAYOUT)
        database.execute("begin")
        made = Building(index, scratch, tell, stop, database, keys)
        made.begin()
        yield made


@dataclass(slots=True)
class Building:
    """An index that takes in one snapshot after the other. Made by `building`."""

    index: SearchIndex
    scratch: Path
    tell: Tell
    stop: Callable[[], bool]
    database: sqlite3.Connection
    keys: KeysOf = no_keys
    has_opened: bool = False
    wrong_key: ChatKeyWrong | None = None
    done_bytes: int = 0
    total_bytes: int = 0
    _is_filled: bool = False
    _conversations: dict[tuple[int, str, str], int] = field(default_factory=dict)
    _senders: dict[Sender, int] = field(default_factory=dict)
    _filling: Filling = field(default_factory=Filling)
    _waiting: dict[bytes, int] = field(default_factory=dict)
    _names: list[str] = field(default_factory=list)
    _run: int = 0

    def begin(self) -> None:
        """Read what the index has."""
        state = self.index.state
        self._conversations = {(one.source, one.format, one.key): n for n, one in enumerate(state.conversations)}
        self._senders = {sender: n for n, sender in enumerate(state.senders)}

    def take_in(self, snapshot: str, reader: DomainReader, sources: Iterable[Source]) -> None:
        """Take in one snapshot, later than all before it, and save."""
        state = self.index.state
        number = len(state.snapshots)
        state.snapshots.append(snapshot)
        for source in sources:
            self._take_source(number, reader, source)
        self._write()
        self._move(self.index.tidy())

    def _take_source(self, snapshot: int, reader: DomainReader, source: Source) -> None:
        number = self._source_number(source)
        indexed = self.index.state.sources[number]
        tree = source.tree.hex()
        if indexed.tree != tree:
            lost: list[Found] = []

            def telling(event: Event) -> None:
                if isinstance(event, Found):
                    lost.append(event)
                self.tell(event)

            keys = self.keys(source.name)
            try:
                with open_chats(reader, source, self.scratch / "archives", telling, keys, strict=False) as opened:
                    self._note_keys(indexed, opened, keys)
                    whole = self._read(number, snapshot, opened)
            except MalformedExport:
                whole = False
            if whole and not lost:
                self._end_unseen(number, indexed)
            indexed.tree = "" if lost else tree
            state = self.index.state
            if any(one.severity is Severity.ERROR for one in lost) and state.snapshots[-1] not in state.incomplete:
                state.incomplete.append(state.snapshots[-1])
        self.done_bytes += source.bytes
        self._progress()
        indexed.present.append(snapshot)

    def _note_keys(self, indexed: IndexedSource, opened: OpenedChats, keys: OwnerKeys) -> None:
        """Note what stays sealed. An older backup may have had another key than today's, which is no reason to find nothing."""
        self.has_opened = self.has_opened or any(map(opened.files.sealed_name, opened.files.names()))
        for finding in filter(is_wrong_key, opened.files.findings):
            file = finding.locator.file if finding.locator else ""
            self.wrong_key = self.wrong_key or ChatKeyWrong(file=file)
        tried = keys.mark(self.index.key)
        if opened.recognised.waits_for_a_key and tried not in indexed.unopened:
            indexed.unopened.append(tried)

    def _read(self, source: int, snapshot: int, opened: OpenedChats) -> bool:
        """Read every message. Return whether the source was read to its end."""
        if not opened.recognised.parts or opened.recognised.is_all_sealed:
            return False
        self._fill()
        self._run += 1
        identifiers: dict[str, Identifier] = {}
        latest: dict[str, int] = {}
        mark = _SOURCE.pack(source)
        met: list[_Met] = []
        held = seen = 0
        expected = (opened.source.chat.messages if opened.source.chat else None) or 0
        whole = True
        try:
            for reader, told in read_all(opened.files, opened.recognised):
                if isinstance(told, Message):
                    if self.stop():
                        raise KeyboardInterrupt
                    app = reader.app or reader.format
                    identifier = identifiers.get(app) or identifiers.setdefault(app, Identifier(app))
                    identity = identifier.identify(told)
                    at = told.ts_utc_us
                    if at is None or not -(2**62) < at < 2**62:
                        at = latest.get(told.conversation, 0)
                    latest[told.conversation] = at
                    met.append(_Met(mark + identity.digest, identity.content, reader.format, app, told, at))
                    held += len(told.raw)
                    if len(met) == _ASKED_AT_ONCE or held > _ASKED_BYTES:
                        self._take(source, snapshot, met)
                        seen += len(met)
                        met, held = [], 0
                        share = min(seen / expected, 1.0) if expected else 0.0
                        self._progress(int(opened.source.bytes * share))
                elif isinstance(told, Conversation):
                    self._name(source, reader.format, reader.app or opened.source.app, told)
        except MalformedExport:
            whole = False
        self._take(source, snapshot, met)
        return whole

    def _take(self, source: int, snapshot: int, met: list[_Met]) -> None:
        """Look messages up, and put those that are new where they wait to be written."""
        places = ",".join("?" * len(met))
        ids = [one.id for one in met]
        known = {
            row[0]: row[1:]
            for row in self.database.execute(
                f"select id, content, segment, number, seen from known where id in ({places})",  # noqa: S608 - only question marks
                ids,
            )
        }
        again = []
        for one in met:
            if one.id in self._waiting:
                # Where an export holds a message twice, its first version counts, or each snapshot would bring both anew.
                continue
            if (row := known.get(one.id)) is not None:
                content, segment, number, run = row
                if run == self._run:
                    continue
                if content == one.content:
                    known[one.id] = (content, segment, number, self._run)
                    again.append(one.id)
                    # It may have been gone, and is there again.
                    self.index.state.ended.get(self._names[segment], {}).pop(number, None)
                    continue
                self._end(Place(self._names[segment], number), source, replaced=True)
            self._waiting[one.id] = self._run
            self._filling.add(self._document(source, snapshot, one))
        if again:
            places = ",".join("?" * len(again))
            self.database.execute(
                f"update known set seen = ? where id in ({places})",  # noqa: S608 - only question marks
                [self._run, *again],
            )
        if self._filling.is_full:
            self._write()

    def _document(self, source: int, snapshot: int, met: _Met) -> Document:
        return document_of(
            met.message,
            key=(met.id[_SOURCE.size :] + met.content).hex(),
            source=source,
            conversation=self._conversation(source, met.form, met.app, met.message.conversation),
            sender=self._sender(met.message),
            first=snapshot,
            at=met.at,
        )

    def _write(self) -> None:
        """Write what waits, and remember where it went."""
        rows = []
        for document, place in self.index.write(self._filling):
            identity, content = _identity(document)
            rows.append((identity, content, self._number(place.segment), place.number, self._waiting[identity]))
        # Sorted, they lie beside each other on the pages.
        self.database.executemany("insert or replace into known values (?, ?, ?, ?, ?)", sorted(rows))
        self._filling = Filling()
        self._waiting.clear()

    def _end_unseen(self, source: int, indexed: IndexedSource) -> None:
        """Note which messages this snapshot lacks."""
        rows = self.database.execute(
            "select segment, number from known where id >= ? and id < ? and seen <> ?",
            (_SOURCE.pack(source), _SOURCE.pack(source + 1), self._run),
        )
        for segment, number in rows:
            place = Place(self._names[segment], number)
            if self.index.state.end_of(place) is None and indexed.present:
                self._end(place, source, replaced=False)

    def _end(self, place: Place, source: int, *, replaced: bool) -> None:
        present = self.index.state.sources[source].present
        last = present[-1] if present else 0
        self.index.state.ended.setdefault(place.segment, {})[place.number] = (last, replaced)

    def _fill(self) -> None:
        """Put the identities of everything that is indexed where they can be looked up."""
        if self._is_filled:
            return
        self._is_filled = True
        with self.index.open_segments() as segments:
            for name, segment in segments.items():
                replaced = {n for n, (_, by) in self.index.state.ended.get(name, {}).items() if by}
                which = self._number(name)
                rows = [
                    (_SOURCE.pack(source) + key[:16], key[16:], which, number, -1)
                    for number, (source, key) in enumerate(segment.keys())
                    if number not in replaced
                ]
                self.database.executemany("insert or replace into known values (?, ?, ?, ?, ?)", sorted(rows))

    def _move(self, moved: Iterator[tuple[Document, Place]]) -> None:
        for document, place in moved:
            self.database.execute(
                "update known set segment = ?, number = ? where id = ? and content = ?",
                (self._number(place.segment), place.number, *_identity(document)),
            )

    def _number(self, name: str) -> int:
        if not self._names or self._names[-1] != name:
            self._names.append(name)
        return len(self._names) - 1

    def _source_number(self, source: Source) -> int:
        path = source.path.decode("utf-8", "backslashreplace")
        for number, one in enumerate(self.index.state.sources):
            if (one.name, one.path) == (source.name, path):
                return number
        self.index.state.sources.append(IndexedSource(source.name, path))
        return len(self.index.state.sources) - 1

    def _name(self, source: int, form: str, app: str | None, told: Conversation) -> None:
        number = self._conversation(source, form, app, told.key)
        names = [one.name for one in told.participants if one.name and not one.is_owner]
        title = told.title or ", ".join(names[:5]) or None
        self.index.state.conversations[number].title = title or self.index.state.conversations[number].title

    def _conversation(self, source: int, form: str, app: str | None, key: str) -> int:
        number = self._conversations.get((source, form, key))
        if number is None:
            number = self._conversations[source, form, key] = len(self._conversations)
            self.index.state.conversations.append(IndexedConversation(source, form, key, None, app))
        return number

    def _sender(self, message: Message) -> int:
        sender = (message.sender_id, message.sender_name, message.direction is Direction.OUT)
        number = self._senders.get(sender)
        if number is None:
            number = self._senders[sender] = len(self._senders)
            self.index.state.senders.append(sender)
        return number

    def _progress(self, of_source: int = 0) -> None:
        self.tell(Progress(Phase.INDEX, self.done_bytes + of_source, self.total_bytes or None))


def _identity(document: Document) -> tuple[bytes, bytes]:
    key = bytes.fromhex(document.key)
    return _SOURCE.pack(document.source) + key[:16], key[16:]
