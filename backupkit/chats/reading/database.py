"""Plain SQLite databases from strangers, opened only as private copies without a name.

The source is never opened by SQLite: that would write to it, and would drop the locks of the app that is using it. The write-ahead log
belongs to the database and is worked into the copy; see `chats/databases/image.py`. Only ordinary tables are read; views and virtual
tables of a hostile schema are never touched.
"""

import re
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import Any, BinaryIO, cast

from backupkit.chats.carve.pages import has_pages
from backupkit.chats.databases.carved import carved, recovered_rows
from backupkit.chats.databases.image import fill_image
from backupkit.chats.databases.nameless import nameless_database
from backupkit.chats.databases.sqlite_copy import FAILURES, guarded
from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.model import Finding, Locator, Message, Severity
from backupkit.chats.partial import read_some
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.codec import sqlite_soundness

_FRONT = 1 << 20
_ATTEMPTS = 6
_PAUSE_SECONDS = 0.05
_DATABASE_NAME = re.compile(r"\.(?:db|db3|sqlite|sqlite3)$", re.IGNORECASE)


def databases_in(source: SourceFiles) -> Iterator[str]:
    """Tell the names of files that begin as a plain SQLite database does, and of those that only lost their beginning."""
    yield from source.of(Content.SQLITE)
    for name in source.of(Content.OTHER):
        if _DATABASE_NAME.search(name) and _is_headless(source, name):
            yield name


def _is_headless(source: SourceFiles, name: str) -> bool:
    return source.keep(f"headless {name}", lambda _stack: _has_pages_behind(source, name))


def _has_pages_behind(source: SourceFiles, name: str) -> bool:
    with suppress(MalformedExport, OSError), source.open(name) as stream:
        front, _failure = read_some(stream, _FRONT, name)
        return has_pages(front)
    return False


class Database:
    """A private copy of a database. Made by `database_in`."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        name: str,
        *,
        damage: MalformedExport | None = None,
        findings: Sequence[Finding] = (),
        read_around: Callable[[], sqlite3.Connection | None] = lambda: None,
    ) -> None:
        self.name = name
        self.damage = damage
        self.findings = tuple(findings)
        self._connection = connection
        self._read_around: Callable[[], sqlite3.Connection | None] | None = read_around
        self._shown: list[tuple[str, Sequence[int]]] = []
        self._recovered: Mapping[str, set[int]] = {}
        self.tables = _tables_of(connection)

    def columns(self, table: str) -> frozenset[str]:
        """Return the columns of a table, empty where there is none."""
        if table not in self.tables:
            return frozenset()
        try:
            rows = self._connection.execute("select name from pragma_table_info(?)", (table,)).fetchall()
        except FAILURES as error:
            raise MalformedExport(Locator(self.name), "database-damaged") from error
        return frozenset(str(row[0]) for row in rows)

    def has(self, table: str, *columns: str) -> bool:
        """Say whether a table has all the columns."""
        return set(columns) <= self.columns(table)

    def count(self, table: str) -> int:
        """Count the rows of a table.

        Raises:
            MalformedExport: there is no such table, or it is damaged.
        """
        if table not in self.tables:
            raise MalformedExport(Locator(self.name), "no-such-table")
        row = next(iter(self.rows(f"select count(*) as rows from main.{_quoted(table)}")))  # noqa: S608  a name of its own schema, quoted
        return int(row["rows"])

    def last_number(self, table: str) -> int | None:
        """Return the last number that SQLite ever gave to a row of a table, None where it does not remember."""
        if "sqlite_sequence" not in self.tables:
            return None
        try:
            known = self._connection.execute("select seq from sqlite_sequence where name = ?", (table,)).fetchone()
        except FAILURES:
            return None
        return known[0] if known is not None and isinstance(known[0], int) else None

    def deleted(self, table: str) -> Iterator[Finding]:
        """Tell how many rows of a table are gone, where its app numbers them and SQLite remembers the last number. Nothing is damaged then.

        A damaged database tells it too, but not whether they were deleted or are lost.
        """
        if table not in self.tables or self.damage is not None:
            return
        last = self.last_number(table)
        try:
            counted = self._connection.execute(f"select count(*), max(rowid) from main.{_quoted(table)}").fetchone()  # noqa: S608  a name of its own schema, quoted
        except FAILURES:
            return
        if last is not None and last >= (counted[1] or 0) and (count := last - counted[0]) > 0:
            yield Finding("rows-deleted", Severity.INFO, Locator(self.name, table), {"count": count, "last": last})

    def complaints(self) -> tuple[str, ...] | None:
        """Ask SQLite whether the pages hang together: its words for each place where not, 20 at the most.

        None where it cannot be asked without what only the app has; see `codec/sqlite_soundness.py`.
        """
        if self.damage is not None:
            return (self.damage.reason,)
        return sqlite_soundness.complaints(self._connection)

    def show_only(self, table: str, rowids: Sequence[int]) -> None:
        """Let every query see only these rows of a table from now on.

        Raises:
            MalformedExport: there is no such table, or its rows have no numbers.
        """
        if table not in self.tables:
            raise MalformedExport(Locator(self.name), "no-such-table")
        try:
            _show_only(self._connection, table, rowids)
        except FAILURES as error:
            raise MalformedExport(Locator(self.name), "database-damaged") from error
        self._shown.append((table, rowids))

    def rows(self, query: str) -> Iterator[Mapping[str, Any]]:
        """Stream the rows of a query by column name. Rows that cannot be read are left out, and `damage` tells it.

        Raises:
            MalformedExport: the database is damaged where it is read, and nothing around the damage can be read.
        """
        given = 0
        try:
            for row in self._connection.execute(query):
                given += 1
                yield row
        except FAILURES as error:
            self.damage = self.damage or MalformedExport(Locator(self.name), "database-damaged")
            damaged = self._connection
            if not self._goes_on_without_the_damage():
                raise self.damage from error
        else:
            return
        # What was told already is read once more, so that of the sound copy exactly the rest is told, whatever its order.
        told: Counter[tuple[Any, ...]] = Counter()
        with suppress(*FAILURES):
            told.update(tuple(row) for row in islice(damaged.execute(query), given))
        try:
            for row in self._connection.execute(query):
                values = tuple(row)
                if told[values] > 0:
                    told[values] -= 1
                else:
                    yield row
        except FAILURES as error:
            raise self.damage from error

    def is_recovered(self, place: str) -> bool:
        """Say whether a row (`table#number`) was not in its place, or is only a part of what it was."""
        if not self._recovered:
            return False
        table, _, number = place.rpartition("#")
        return number.isdecimal() and int(number) in self._recovered.get(table, ())

    def use_recovered(self) -> None:
        """Take this connection for a carved one, whose rows were not all in their place."""
        self._recovered = recovered_rows(self._connection)

    def _goes_on_without_the_damage(self) -> bool:
        if self._read_around is None:
            return False
        sound, self._read_around = self._read_around(), None
        if sound is None:
            return False
        self._connection = sound
        with suppress(*FAILURES):
            self.tables |= _tables_of(sound)
            self.use_recovered()
            for table, rowids in self._shown:
                _show_only(sound, table, rowids)
        return True


def _tables_of(connection: sqlite3.Connection) -> frozenset[str]:
    # Only what was made by a plain CREATE TABLE; a view or a virtual table could run anything when it is read.
    rows = connection.execute("select name, sql from sqlite_master where type = 'table'").fetchall()
    return frozenset(str(table) for table, sql in rows if str(sql or "").lstrip().lower().startswith("create table"))


def _show_only(connection: sqlite3.Connection, table: str, rowids: Sequence[int]) -> None:
    # Names are looked up in the temporary schema first, so that a reader's queries need not know of this.
    connection.execute("pragma query_only = off")
    connection.execute(
        "create temp table if not exists backupkit_shown (in_table text, id integer, primary key (in_table, id)) without rowid"
    )
    connection.executemany("insert or ignore into temp.backupkit_shown values (?, ?)", ((table, one) for one in rowids))
    quoted, text = _quoted(table), "'" + table.replace("'", "''") + "'"
    connection.execute(
        f"create temp view {quoted} as select * from main.{quoted} where rowid in (select id from temp.backupkit_shown where in_table = {text})"  # noqa: S608  a name of its own schema, quoted
    )
    connection.commit()
    connection.execute("pragma query_only = on")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def database_in(source: SourceFiles, name: str) -> Database:
    """Open a private copy of a database with its write-ahead log. It is made once and lasts as long as the source.

    Raises:
        TruncatedExport: the file is shorter than its own header says, and cannot be opened.
        MalformedExport: it is damaged, or too large.
    """
    return source.keep(f"database {name}", lambda stack: _open_copy(source, name, stack))


def read_databases(
    source: SourceFiles, names: Iterable[str], read_one: Callable[[str], Iterator[Told]]
) -> Iterator[Told]:
    """Read database after database, and tell the damage of each when all that can be read of it was told.

    Raises:
        MalformedExport: the first damage, at the very end.
    """

    def read(name: str) -> Iterator[Told]:
        database = database_in(source, name)
        for told in read_one(name):
            if isinstance(told, Message) and database.is_recovered(told.locator.place):
                yield replace(told, recovered=True)
            else:
                yield told
        yield from database.findings
        if database.damage is not None:
            raise database.damage

    return read_each(names, read)


def claim_databases(
    source: SourceFiles, alternatives: Sequence[tuple[bytes, ...]], is_it: Callable[[Database], bool]
) -> Recognition:
    """Claim the databases whose tables a reader knows. `alternatives` are words that one schema or another must hold.

    A database too damaged to be opened is claimed by its words alone, less surely: its reader then tells the damage. Where even the words
    are lost, what its pages look like decides.
    """
    claims = {}
    for name in databases_in(source):
        has_words = any(mentions(source, name, *words) for words in alternatives)
        if has_words or _has_lost_its_schema(source, name):
            try:
                if is_it(database_in(source, name)):
                    claims[name] = 96
            except MalformedExport:
                if has_words:
                    claims[name] = 70
    return Recognition(claims)


def mentions(source: SourceFiles, name: str, *words: bytes) -> bool:
    """Say whether a database or its log holds every word: a cheap look before it is copied."""
    return set(words) <= source.keep(f"mentions {name}", lambda _stack: _mentioned(source, name))


# The names by which the readers know their databases. One pass looks for all of them.
_WORDS = (
    b"key_remote_jid", b"chat_row_id", b"ZWAMESSAGE", b"ZWACHATSESSION", b"chat_message_join", b"MesLocalID", b"CreateTime", b"dbContactRemark", b"date_received", b"thread_id",
)  # fmt: skip


def _state(source: SourceFiles, name: str) -> tuple[object, ...]:
    """Return what changes when an app writes to a database that lies on the disk: file and journal, and the log where it begins anew.

    What an app only adds to its log is no change: what was committed before is where it was.
    """
    told: list[object] = []
    for part in (name, name + "-journal"):
        path = source.path(part)
        with suppress(OSError):
            status = None if path is None else path.stat()
            told.append(None if status is None else (status.st_size, status.st_mtime_ns, status.st_ino))
    path = source.path(name + "-wal")
    with suppress(OSError):
        if path is not None:
            with path.open("rb") as log:
                told.append(log.read(32))
    return tuple(told)


def _has_lost_its_schema(source: SourceFiles, name: str) -> bool:
    """Say whether not one word of any app is left, and the place where the words should stand cannot be read."""
    known = source.keep(f"mentions {name}", lambda _stack: _mentioned(source, name))
    return source.keep(f"schema {name}", lambda _stack: not known and not _has_schema(source, name))


def _has_schema(source: SourceFiles, name: str) -> bool:
    try:
        return bool(_schema_at_the_front(source, name))
    except (MalformedExport, OSError, *FAILURES):
        return False


def _mentioned(source: SourceFiles, name: str) -> set[bytes]:
    if not source.size(name + "-wal"):
        # The schema nearly always lies at the front, and a database may be gigabytes long.
        with suppress(MalformedExport, OSError, *FAILURES):
            return _words_in(_schema_at_the_front(source, name))
    found: set[bytes] = set()
    for part in (name, name + "-wal"):
        if not source.size(part):
            continue
        tail = b""
        with suppress(MalformedExport, OSError), source.open(part) as stream:
            while len(found) < len(_WORDS) and (block := stream.read(1 << 20)):
                window = tail + block
                found |= _words_in(window)
                tail = window[-32:]
    return found


def _words_in(text: bytes) -> set[bytes]:
    return {word for word in _WORDS if word in text}


def _schema_at_the_front(source: SourceFiles, name: str) -> bytes:
    """Return the statements of a schema that lies within the first MiB, from a copy in memory of no more than that.

    Raises:
        sqlite3.Error: the schema goes on behind, or is damaged.
    """
    with source.open(name) as stream:
        head = bytearray(stream.read(_FRONT))
    page_size = int.from_bytes(head[16:18], "big")
    pages = len(head) // (65536 if page_size == 1 else max(page_size, 512))
    # As if it ended here, with a rollback journal: pages that lie behind are then an error and nothing else.
    head[18:20], head[28:32] = b"\1\1", pages.to_bytes(4, "big")
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(bytes(head))
        connection.text_factory = bytes
        connection.execute("pragma trusted_schema = off")
        return b"\n".join(sql for (sql,) in connection.execute("select sql from sqlite_master") if sql)


def _open_copy(source: SourceFiles, name: str, stack: ExitStack) -> Database:
    def part(ending: str) -> BinaryIO | None:
        return source.open(name + ending) if source.size(name + ending) else None

    connection, file = nameless_database(stack)
    findings: list[Finding] = []
    for _attempt in range(_ATTEMPTS):
        before = _state(source, name)
        image = fill_image(part, file, Locator(name))
        if _state(source, name) == before:
            break
        time.sleep(_PAUSE_SECONDS)
    else:
        findings.append(Finding("database-in-use", Severity.WARNING, Locator(name)))
    if image.lost_frames:
        findings.append(Finding("log-damaged", Severity.ERROR, Locator(name + "-wal"), {"count": image.lost_frames}))
    damage: MalformedExport | None = TruncatedExport(Locator(name), "database-cut") if image.is_cut else None

    def read_around() -> sqlite3.Connection | None:
        try:
            return carved(file, stack)
        except FAILURES:
            return None

    try:
        return Database(guarded(connection), name, damage=damage, findings=findings, read_around=read_around)
    except FAILURES as error:
        damage = damage or MalformedExport(Locator(name), "database-damaged")
        sound = read_around()
        if sound is None:
            raise damage from error
    database = Database(sound, name, damage=damage, findings=findings)
    database.use_recovered()
    return database


def raw_of(row: Mapping[str, Any]) -> bytes:
    """Write a row down as it was read, column by column."""
    # A row of SQLite's gives its values, not its columns' names.
    values = [
        "" if value is None else value.hex() if isinstance(value, bytes) else value
        for value in cast("Iterable[Any]", row)
    ]
    return (_form_of(tuple(row.keys())) % tuple(values)).encode("utf-8", "surrogatepass")


@lru_cache(maxsize=256)
def _form_of(columns: tuple[str, ...]) -> str:
    """Return the form of a row: a query's rows have the same columns a million times."""
    return "\x1e".join(f"{column.replace('%', '%%')}=%s" for column in columns)
