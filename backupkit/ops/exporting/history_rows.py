"""What all snapshots say of every message, gathered on the disk until each conversation is merged.

A message that ten exports hold alike lies here once. Only one conversation's identities are in memory at a time. What lies
here is plain text, in a private folder that goes with it.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from backupkit.chats.export.record import MessageRecord, message_record
from backupkit.chats.history.diff import Seen, seen_of
from backupkit.chats.history.identity import Identifier
from backupkit.chats.model import DeletionState, Locator, MediaState, Message, Precision

_LAYOUT = """
pragma journal_mode = off; pragma synchronous = off; pragma temp_store = memory; pragma cache_size = -16384;
create table said (id integer primary key, thread integer, key blob, seen text, export integer, present integer,
                   record text, unique (thread, key));
create table held (thread integer, export integer, place integer, said integer, primary key (thread, export, place))
  without rowid;
create table wanted (export integer, name text, file text, primary key (export, name)) without rowid;
"""
_HOLD = """
insert into said (thread, key, seen, export, present, record) values (?, ?, ?, ?, ?, ?)
on conflict (thread, key) do update set export = excluded.export, present = excluded.present, record = excluded.record
where excluded.present >= present returning id
"""


@dataclass(frozen=True, slots=True)
class ExportRead:
    """One export as it was taken in. `source` is the number of its source; `is_whole`: it was read to its end, without a loss."""

    number: int
    source: int
    is_whole: bool


@dataclass(slots=True)
class HistoryRows:
    """Takes in what exports say, and gives it back by conversation and export. Made by `history_rows`."""

    database: sqlite3.Connection
    _identifiers: dict[str, Identifier] = field(default_factory=dict)
    _places: dict[tuple[int, int], int] = field(default_factory=dict)

    def begin(self) -> None:
        """Begin with the next export: equals are counted anew."""
        self._identifiers = {}

    def take(self, thread: int, export: int, app: str, message: Message, *, with_raw: bool) -> None:
        """Take in a message of a conversation, in the order of its export."""
        identifier = self._identifiers.get(app) or self._identifiers.setdefault(app, Identifier(app))
        seen = seen_of(identifier, message)
        present = sum(media.state is MediaState.PRESENT for media in message.media)
        record = json.dumps(message_record(message, "", with_raw=with_raw))
        (said,) = (
            self.database.execute(
                _HOLD, (thread, seen.digest + seen.content, _written(seen), export, present, record)
            ).fetchone()
            or self.database.execute(
                "select id from said where thread = ? and key = ?", (thread, seen.digest + seen.content)
            ).fetchone()
        )
        place = self._places[thread, export] = self._places.get((thread, export), -1) + 1
        self.database.execute("insert into held values (?, ?, ?, ?)", (thread, export, place, said))

    def exports_of(self, thread: int) -> list[int]:
        """Return the numbers of the exports that hold a conversation."""
        rows = self.database.execute("select distinct export from held where thread = ? order by export", (thread,))
        return [number for (number,) in rows]

    def seen_in(self, thread: int, export: int, known: dict[int, Seen], numbers: dict[int, int]) -> list[Seen]:
        """Return what one export says of a conversation. `known` and `numbers` remember each value, and the row that it is of."""
        found = []
        rows = self.database.execute(
            "select said, seen from held join said on said.id = held.said"
            " where held.thread = ? and held.export = ? order by place",
            (thread, export),
        )
        for said, written in rows:
            seen = known.get(said)
            if seen is None:
                seen = known[said] = _read(written)
                numbers[id(seen)] = said
            found.append(seen)
        return found

    def record(self, said: int) -> tuple[int, MessageRecord]:
        """Return a message as it is written, and the export that it is of: the newest with most of its files."""
        export, record = self.database.execute("select export, record from said where id = ?", (said,)).fetchone()
        return export, cast("MessageRecord", json.loads(record))

    def want_file(self, export: int, name: str) -> None:
        """Note that a file of an export is needed."""
        self.database.execute("insert or ignore into wanted values (?, ?, null)", (export, name))

    def wanted_files(self, export: int) -> list[str]:
        """Return the files of an export that are needed."""
        rows = self.database.execute("select name from wanted where export = ?", (export,))
        return [name for (name,) in rows]

    def put_file(self, export: int, name: str, given: str) -> None:
        """Note where a file was put."""
        self.database.execute("update wanted set file = ? where export = ? and name = ?", (given, export, name))

    def file(self, export: int, name: str) -> str | None:
        """Return where a file was put."""
        row = self.database.execute("select file from wanted where export = ? and name = ?", (export, name)).fetchone()
        return None if row is None else row[0]


def _written(seen: Seen) -> str:
    return json.dumps(
        [
            seen.digest.hex(), seen.content.hex(), seen.has_native_id, seen.sender, seen.ts_us, seen.precision.value,
            seen.deletion.value, seen.is_wall_time,
        ]
    )  # fmt: skip


def _read(written: str) -> Seen:
    digest, content, has_native_id, sender, ts_us, precision, deletion, is_wall_time = json.loads(written)
    return Seen(
        bytes.fromhex(digest), bytes.fromhex(content), has_native_id, sender, ts_us, Precision(precision),
        DeletionState(deletion), Locator(""), is_wall_time,
    )  # fmt: skip


@contextmanager
def history_rows(folder: Path) -> Iterator[HistoryRows]:
    """Make a place for what exports say in a private folder."""
    with closing(sqlite3.connect(folder / "history", isolation_level=None)) as database:
        database.executescript(_LAYOUT)
        database.execute("begin")
        yield HistoryRows(database)
