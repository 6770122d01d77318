"""Plain SQLite databases from strangers, opened only as private copies without a name.

The source is never opened by SQLite: that would write to it, and would drop the locks of the app that is using it. The write-ahead log
belongs to the database and is worked into the copy; see `chats/database_image.py`. Only ordinary tables are read; views and virtual
tables of a hostile schema are never touched.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from itertools import islice
from typing import Any, BinaryIO

from backupkit.chats.database_image import fill_image
from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.model import Locator
from backupkit.chats.nameless import nameless_database
from backupkit.chats.reader import Recognition, Told, read_each
from backupkit.chats.source import Content, SourceFiles
from backupkit.chats.sqlite_copy import FAILURES, guarded
from backupkit.chats.sqlite_salvage import salvage

_FRONT = 1 << 20


def databases_in(source: SourceFiles) -> Iterator[str]:
    """Tell the names of files that begin as a plain SQLite database does."""
    return source.of(Content.SQLITE)


class Database:
    """A private copy of a database. Made by `database_in`."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        name: str,
        *,
        damage: MalformedExport | None = None,
        read_around: Callable[[sqlite3.Connection], sqlite3.Connection | None] = lambda _damaged: None,
    ) -> None:
        self.name = name
        self.damage = damage
        self._connection = connection
        self._read_around: Callable[[sqlite3.Connection], sqlite3.Connection | None] | None = read_around
        # Only what was made by a plain CREATE TABLE; a view or a virtual table could run anything when it is read.
        rows = connection.execute("select name, sql from sqlite_master where type = 'table'").fetchall()
        self.tables = frozenset(
            str(table) for table, sql in rows if str(sql or "").lstrip().lower().startswith("create table")
        )

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

    def show_only(self, table: str, rowids: Sequence[int]) -> None:
        """Let every query see only these rows of a table from now on.

        Raises:
            MalformedExport: there is no such table, or its rows have no numbers.
        """
        if table not in self.tables:
            raise MalformedExport(Locator(self.name), "no-such-table")
        try:
            # Names are looked up in the temporary schema first, so that a reader's queries need not know of this.
            self._connection.execute("pragma query_only = off")
            self._connection.execute("create temp table backupkit_shown (id integer primary key)")
            self._connection.executemany(
                "insert or ignore into temp.backupkit_shown values (?)", ((one,) for one in rowids)
            )
            quoted = _quoted(table)
            self._connection.execute(
                f"create temp view {quoted} as select * from main.{quoted} where rowid in (select id from temp.backupkit_shown)"  # noqa: S608  a name of its own schema, quoted
            )
            self._connection.commit()
            self._connection.execute("pragma query_only = on")
        except FAILURES as error:
            raise MalformedExport(Locator(self.name), "database-damaged") from error

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
            if not self._goes_on_without_the_damage():
                raise self.damage from error
        else:
            return
        try:
            # The rows that were told already are the first ones of the sound copy too.
            yield from islice(self._connection.execute(query), given, None)
        except FAILURES as error:
            raise self.damage from error

    def _goes_on_without_the_damage(self) -> bool:
        if self._read_around is None:
            return False
        sound, self._read_around = self._read_around(self._connection), None
        if sound is not None:
            self._connection = sound
        return sound is not None


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
        yield from read_one(name)
        damage = database_in(source, name).damage
        if damage is not None:
            raise damage

    return read_each(names, read)


def claim_databases(
    source: SourceFiles, alternatives: Sequence[tuple[bytes, ...]], is_it: Callable[[Database], bool]
) -> Recognition:
    """Claim the databases whose tables a reader knows. `alternatives` are words that one schema or another must hold.

    A database too damaged to be opened is claimed by its words alone, less surely: its reader then tells the damage.
    """
    claims = {}
    for name in databases_in(source):
        if any(mentions(source, name, *words) for words in alternatives):
            try:
                if is_it(database_in(source, name)):
                    claims[name] = 96
            except MalformedExport:
                claims[name] = 70
    return Recognition(claims)


def mentions(source: SourceFiles, name: str, *words: bytes) -> bool:
    """Say whether a database or its log holds every word: a cheap look before it is copied."""
    return set(words) <= source.keep(f"mentions {name}", lambda _stack: _mentioned(source, name))


# The names by which the readers know their databases. One pass looks for all of them.
_WORDS = (
    b"key_remote_jid", b"chat_row_id", b"ZWAMESSAGE", b"ZWACHATSESSION", b"chat_message_join", b"MesLocalID", b"CreateTime", b"dbContactRemark", b"date_received", b"thread_id",
)  # fmt: skip


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
    is_cut = fill_image(part, file, Locator(name))
    damage = TruncatedExport(Locator(name), "database-cut") if is_cut else None

    def read_around(damaged: sqlite3.Connection) -> sqlite3.Connection | None:
        try:
            sound, _file = nameless_database(stack)
            return guarded(sound) if salvage(damaged, sound) else None
        except FAILURES:
            return None

    try:
        return Database(guarded(connection), name, damage=damage, read_around=read_around)
    except FAILURES as error:
        raise (damage or MalformedExport(Locator(name), "database-damaged")) from error


def raw_of(row: Mapping[str, Any]) -> bytes:
    """Write a row down as it was read, column by column."""
    return "\x1e".join(f"{key}={_shown(row[key])}" for key in row.keys()).encode("utf-8", "surrogatepass")  # noqa: SIM118  sqlite3.Row iterates over values


def _shown(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else "" if value is None else str(value)
