"""Putting what was carved into a new database, each row that was not in its place with a label."""

import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeGuard

from backupkit.chats.carve.carving import CarvedRow, Carving, How
from backupkit.chats.carve.table import Table, create_statement, quoted

LABELS = "backupkit_recovered"
_BATCH = 2000
_DISK = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}


@dataclass(frozen=True, slots=True)
class FilledTable:
    """One table of the new database, and how its rows were found."""

    name: str
    rows: int
    by_tree: int
    by_page: int
    deleted: int
    partial: int


@dataclass(frozen=True, slots=True)
class Filled:
    """What came of it. `conflicts` are older versions of rows that were found already."""

    tables: tuple[FilledTable, ...]
    conflicts: int


def fill(
    connection: sqlite3.Connection,
    carving: Carving,
    *,
    deleted: bool = False,
    progress: Callable[[int], None] = lambda _rows: None,
) -> Filled:
    """Write every row that was found. `progress` is told how many there are so far.

    Raises:
        sqlite3.Error: the new database cannot be written.
    """
    return _Filling(connection, carving, progress).fill(deleted=deleted)


def is_the_disks(error: BaseException) -> TypeGuard[sqlite3.Error]:
    """Tell whether the new database cannot be written, which says nothing of the row that was being put into it."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _DISK


class _Filling:
    """The new database while rows come in."""

    def __init__(self, connection: sqlite3.Connection, carving: Carving, progress: Callable[[int], None]) -> None:
        self._connection = connection
        self._carving = carving
        self._progress = progress
        # By the table itself, which is held here: its columns are too many to be compared for every row.
        self._made: dict[int, tuple[Table, str]] = {}
        self._columns: dict[str, set[str]] = {}
        self._counts: dict[str, Counter[str]] = {}
        self._conflicts = 0
        self._rows = 0

    def fill(self, *, deleted: bool) -> Filled:
        self._connection.execute("pragma journal_mode = off")
        self._connection.execute("pragma synchronous = off")
        self._connection.execute("begin")
        self._connection.execute(
            f"create table {LABELS} (in_table text, row integer, page integer, how text, whole integer)"
        )
        for table in self._carving.tables:
            self._make(table)
        for row in self._carving.rows(deleted=deleted):
            self._put(row)
        self._connection.execute("commit")
        tables = tuple(
            FilledTable(
                name,
                counts["rows"],
                counts[How.TREE.value],
                counts[How.PAGE.value],
                counts[How.FREE.value] + counts[How.BETWEEN.value],
                counts["partial"],
            )
            for name, counts in self._counts.items()
        )
        return Filled(tables, self._conflicts)

    def _make(self, table: Table) -> bool:
        """Make a table, once; say whether there is one."""
        key = id(table)
        if key not in self._made:
            width = len(table.columns)
            try:
                self._create(table)
            except (sqlite3.Error, UnicodeError) as error:
                if is_the_disks(error):
                    raise
                # A name that SQLite keeps for itself, or two columns of one name: a table that nobody can make.
                self._made[key] = table, ""
            else:
                has_number = table.rowid_column is None and not table.stored_order and not _has_rowid_column(table)
                own = "rowid, " if has_number else ""
                names = ", ".join(quoted(column.name) for column in table.columns)
                marks = ", ".join("?" * (width + bool(own)))
                insert = f"insert or ignore into {quoted(table.name)} ({own}{names}) values ({marks})"  # noqa: S608  names, quoted
                self._made[key] = table, insert
                self._counts.setdefault(table.name, Counter())
        return bool(self._made[key][1])

    def _create(self, table: Table) -> None:
        """Create a table, or add the columns that another form of it has more."""
        known = self._columns.get(table.name)
        if known is None:
            self._connection.execute(create_statement(table))
            self._columns[table.name] = {column.name.lower() for column in table.columns}
            return
        for column in table.columns:
            if column.name.lower() not in known:
                self._connection.execute(f"alter table {quoted(table.name)} add column {quoted(column.name)}")
                known.add(column.name.lower())

    def _put(self, row: CarvedRow) -> None:
        if not self._make(row.table):
            return
        statement, counts = self._made[id(row.table)][1], self._counts[row.table.name]
        values = [*row.values, *[None] * (len(row.table.columns) - len(row.values))]
        if row.table.rowid_column is not None:
            values[row.table.rowid_column] = row.rowid
        elif "(rowid, " in statement:
            # Rows of which nothing tells whose they are may share their numbers.
            values.insert(0, None if row.table.name.startswith("backupkit_lost_") else row.rowid)
        try:
            done = self._connection.execute(statement, values)
        except (sqlite3.Error, UnicodeError, OverflowError) as error:
            if is_the_disks(error):
                raise
            self._conflicts += 1
            return
        if not done.rowcount:
            self._conflicts += 1
            return
        counts["rows"] += 1
        counts[row.how.value] += 1
        counts["partial"] += not row.is_whole
        if row.how is not How.TREE or not row.is_whole:
            label = (row.table.name, done.lastrowid, row.page, row.how.value, int(row.is_whole))
            self._connection.execute(f"insert into {LABELS} values (?,?,?,?,?)", label)  # noqa: S608  a name of our own
        self._rows += 1
        if self._rows % _BATCH == 0:
            self._progress(self._rows)


def _has_rowid_column(table: Table) -> bool:
    return any(column.name.lower() == "rowid" for column in table.columns)
