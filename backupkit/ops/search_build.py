"""Bringing the search index up to date: what each snapshot has that the ones before it had not.

Memory does not grow with the history: identities and new messages wait in a private folder on the disk until they are
written, sealed, in the order of their times.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path

from backupkit.chats.identity import Identifier
from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Conversation, Message
from backupkit.chats.opened_backups import ChatKeyWrong, is_wrong_key
from backupkit.chats.owner_keys import KeysOf, OwnerKeys, no_keys
from backupkit.chats.registry import read_all
from backupkit.chats.search.document import Document, decode_documents, document_of
from backupkit.ops.events import Event, Found, Phase, Progress, Tell
from backupkit.ops.search_index import IndexedConversation, IndexedSource, Place, SearchIndex
from backupkit.ops.snapshot_chats import OpenedChats, open_chats
from backupkit.store.domain_reader import DomainReader
from backupkit.store.manifest import Source

_LAYOUT = """
pragma journal_mode = off; pragma synchronous = off; pragma temp_store = memory;
create table known (source integer, id text, content text, segment text, number integer, seen integer,
                    primary key (source, id)) without rowid;
create table fresh (at integer, document text, primary key (at, document)) without rowid;
"""


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
    _senders: dict[tuple[str | None, str | None], int] = field(default_factory=dict)
    _run: int = 0

    def begin(self) -> None:
        """Read what the index has."""
        state = self.index.state
        self._conversations = {(one.source, one.format, one.key): n for n, one in enumerate(state.conversations)}
        self._senders = {sender: n for n, sender in enumerate(state.senders)}

    def take(self, snapshot: str, reader: DomainReader, sources: Iterable[Source]) -> None:
        """Take in one snapshot, later than all before it, and save."""
        state = self.index.state
        number = len(state.snapshots)
        state.snapshots.append(snapshot)
        for source in sources:
            self._take_source(number, reader, source)
        for moved in (self.index.add(self._fresh()), self.index.tidy()):
            self._move(moved)
        self.database.execute("delete from fresh")

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
        seen, expected = 0, (opened.source.chat.messages if opened.source.chat else None) or 0
        try:
            for reader, told in read_all(opened.files, opened.recognised):
                if isinstance(told, Conversation):
                    self._name(source, reader.format, reader.app or opened.source.app, told)
                elif isinstance(told, Message):
                    if self.stop():
                        raise KeyboardInterrupt
                    app = reader.app or reader.format
                    identity = identifiers.setdefault(app, Identifier(app)).identify(told)
                    at = told.ts_utc_us
                    if at is None or not -(2**62) < at < 2**62:
                        at = latest.get(told.conversation, 0)
                    latest[told.conversation] = at
                    self._take_message(
                        source, snapshot, reader.format, app, told, identity.digest, identity.content, at
                    )
                    seen += 1
                    if seen % 1000 == 0:
                        share = min(seen / expected, 1.0) if expected else 0.0
                        self._progress(int(opened.source.bytes * share))
        except MalformedExport:
            return False
        return True

    def _take_message(
        self, source: int, snapshot: int, form: str, app: str, message: Message, digest: bytes, content: bytes, at: int
    ) -> None:
        identity = digest.hex()
        row = self.database.execute(
            "select content, segment, number, seen from known where source = ? and id = ?", (source, identity)
        ).fetchone()
        if row is not None and (row[0] == content.hex() or row[3] == self._run):
            # Where an export holds a message twice, its first version counts, or each snapshot would bring both anew.
            if row[3] != self._run:
                self.database.execute(
                    "update known set seen = ? where source = ? and id = ?", (self._run, source, identity)
                )
            if row[1]:
                # A message that was gone and is there again.
                self.index.state.ended.get(row[1], {}).pop(row[2], None)
            return
        if row is not None and row[1]:
            self._end(Place(row[1], row[2]), source, replaced=True)
        document = document_of(
            message,
            key=identity + content.hex(),
            source=source,
            conversation=self._conversation(source, form, app, message.conversation),
            sender=self._sender(message),
            first=snapshot,
            at=at,
        )
        self.database.execute(
            "insert or ignore into fresh values (?, ?)", (at, json.dumps(astuple(document), separators=(",", ":")))
        )
        self.database.execute(
            "insert or replace into known values (?, ?, ?, '', 0, ?)", (source, identity, content.hex(), self._run)
        )

    def _end_unseen(self, source: int, indexed: IndexedSource) -> None:
        """Note which messages this snapshot lacks."""
        rows = self.database.execute(
            "select segment, number from known where source = ? and seen <> ? and segment <> ''", (source, self._run)
        )
        for segment, number in rows:
            if self.index.state.end_of(Place(segment, number)) is None and indexed.present:
                self._end(Place(segment, number), source, replaced=False)

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
                rows = (
                    (source, key[:32], key[32:], name, number)
                    for number, (source, key) in enumerate(segment.keys())
                    if number not in replaced
                )
                self.database.executemany("insert or replace into known values (?, ?, ?, ?, ?, -1)", rows)

    def _fresh(self) -> Iterator[Document]:
        for (document,) in self.database.execute("select document from fresh order by at"):
            yield from decode_documents(f"[{document}]".encode())

    def _move(self, moved: Iterator[tuple[int, str, Place]]) -> None:
        for source, key, place in moved:
            self.database.execute(
                "update known set segment = ?, number = ? where source = ? and id = ? and content = ?",
                (place.segment, place.number, source, key[:32], key[32:]),
            )

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
        sender = (message.sender_id, message.sender_name)
        number = self._senders.get(sender)
        if number is None:
            number = self._senders[sender] = len(self._senders)
            self.index.state.senders.append(sender)
        return number

    def _progress(self, of_source: int = 0) -> None:
        self.tell(Progress(Phase.INDEX, self.done_bytes + of_source, self.total_bytes or None))
