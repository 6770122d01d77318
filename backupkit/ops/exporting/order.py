"""Messages put in order on the disk, so that memory does not grow with the history.

Exports stream in their own order: newest first, one file after the other, several conversations at once. What lies here is
plain text, so it lives in a private folder and goes with it.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

from backupkit.chats.export.record import MessageRecord

_LAYOUT = """
create table message (id integer primary key, conversation integer, at integer, native blob, record text);
create table placed (conversation integer, number integer, message integer, primary key (conversation, number)) without rowid;
"""
_PLACE = """
insert into placed select conversation, row_number() over (partition by conversation order by at, id), id from message
order by conversation, at, id;
create index by_message on placed (message);
create index by_native on message (conversation, native) where native is not null;
"""


class OrderedMessages:
    """Takes messages in any order and gives them back by conversation and time. Made by `ordered_messages`."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._latest: dict[int, int] = {}
        self._rows: list[tuple[int, int, bytes | None, str]] = []

    def add(self, conversation: int, message: MessageRecord, *, at: int | None = None) -> None:
        """Take one. It goes where its time says, or `at` where that is given; without a time, after the one before it."""
        at = message["time_us"] if at is None else at
        if at is None or not -(2**62) < at < 2**62:
            at = self._latest.get(conversation, 0)
        self._latest[conversation] = at
        self._rows.append((conversation, at, _bytes(message["id"]), json.dumps(message)))
        if len(self._rows) >= 2000:
            self._flush()

    def place(self) -> None:
        """Put all that were taken in order."""
        self._flush()
        self._database.executescript(_PLACE)

    def of(self, conversation: int, first: int = 1, last: int | None = None) -> Iterator[MessageRecord]:
        """Give the messages of a conversation from the `first` to the `last`, counted from 1."""
        rows = self._database.execute(
            "select number, record from placed join message on message.id = placed.message"
            " where placed.conversation = ? and number between ? and ? order by number",
            (conversation, first, 2**62 if last is None else last),
        )
        for number, record in rows:
            yield _record(number, record)

    def find(self, conversation: int, native: str) -> MessageRecord | None:
        """Return the message with an id of the app's own."""
        row = self._database.execute(
            "select number, record from message join placed on placed.message = message.id"
            " where message.conversation = ? and native = ? limit 1",
            (conversation, _bytes(native)),
        ).fetchone()
        return None if row is None else _record(*row)

    def _flush(self) -> None:
        self._database.executemany(
            "insert into message (conversation, at, native, record) values (?, ?, ?, ?)", self._rows
        )
        self._rows.clear()


def _bytes(native: str | None) -> bytes | None:
    # An id may hold half a character, which the database would refuse as text.
    return None if native is None else native.encode("utf-8", "surrogatepass")


def _record(number: int, record: str) -> MessageRecord:
    message = cast("MessageRecord", json.loads(record))
    message["number"] = number
    return message


@contextmanager
def ordered_messages(folder: Path) -> Iterator[OrderedMessages]:
    """Make a place for messages in a private folder."""
    with closing(sqlite3.connect(folder / "messages", isolation_level=None)) as database:
        # Nobody ever opens this file again: no journal, no waiting for the disk, and what must be sorted stays in memory.
        database.executescript("pragma journal_mode = off; pragma synchronous = off; pragma temp_store = memory;")
        database.executescript(_LAYOUT)
        database.execute("begin")
        yield OrderedMessages(database)
