"""Save what can be read of a damaged SQLite database into a new one. The damaged one is only read; nothing is written over."""

import errno
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from backupkit.chats.carve.borrowing import borrow
from backupkit.chats.carve.carving import CarvedRow, Carving, How
from backupkit.chats.carve.pages import Pages, guess_shape, shape_of
from backupkit.chats.carve.table import Table, create_statement, quoted
from backupkit.codec.sqlite_wal import committed_pages
from backupkit.errors import BackupkitError, ExitCode
from backupkit.ops.events import Phase, Progress, Tell
from backupkit.ops.failures import SourceNotFound, TargetNotEmpty

LABELS = "backupkit_recovered"
_BATCH = 2000
_DISK = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}


class NothingToSalvage(BackupkitError):
    """A file has no page of a plain SQLite database in it; it may be sealed by its app. Facts: `path`."""

    code = "nothing-to-salvage"
    exit_code = ExitCode.NOT_UNDERSTOOD


@dataclass(frozen=True, slots=True)
class SalvagedTable:
    """One table of the new database, and how its rows were found."""

    name: str
    rows: int
    by_tree: int
    by_page: int
    deleted: int
    partial: int


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What came of it. `pages_lost` hold nothing, `pages_borrowed` came from the older copy, `pages_unattributed` are kept in tables of their own.

    `conflicts` are older versions of rows that were found already. `older_differs`: the older copy is of another state, so that
    only its tables' shapes were used.
    """

    path: Path
    to: Path
    page_size: int
    pages: int
    pages_lost: int
    pages_borrowed: int
    pages_unattributed: int
    rows: int
    partial: int
    conflicts: int
    older_differs: bool
    tables: tuple[SalvagedTable, ...]

    @property
    def is_damaged(self) -> bool:
        """Whether anything was missing, or was not where it belongs."""
        return bool(self.pages_lost or self.partial or any(table.by_page for table in self.tables))


def salvage(path: Path, to: Path, *, older: Path | None = None, deleted: bool = False, tell: Tell) -> Salvaged:
    """Write every row that can be read into a new database at `to`.

    With `deleted`, rows are looked for where they were deleted as well. `older` is a sound copy of the same database: its
    tables' shapes are used where they are lost, and its pages where both are of one state.

    Raises:
        SourceNotFound: `path` or `older` cannot be read.
        NothingToSalvage: there is no page of a plain database in it.
        TargetNotEmpty: there is something at `to`.
        OSError: the target cannot be written.
    """
    if os.path.lexists(to):
        raise TargetNotEmpty(path=str(to))
    with ExitStack() as stack:
        pages = stack.enter_context(_opened(path))
        log = path.with_name(path.name + "-wal")
        if log.is_file():
            _lay_over(pages, log, stack)
        like: Sequence[Table] = ()
        borrowed: int | None = 0
        if older is not None:
            other = stack.enter_context(_opened(older))
            like = Carving(other).tables
            borrowed = borrow(pages, other)
        carving = Carving(pages, like)
        written = _write(carving, to, deleted=deleted, tell=tell)
        return Salvaged(
            path=path,
            to=to,
            page_size=pages.shape.page_size,
            pages=carving.seen.pages,
            pages_lost=carving.seen.lost,
            pages_borrowed=borrowed or 0,
            pages_unattributed=carving.seen.left,
            rows=sum(table.rows for table in written.tables),
            partial=sum(table.partial for table in written.tables),
            conflicts=written.conflicts,
            older_differs=borrowed is None,
            tables=written.tables,
        )


@contextmanager
def _opened(path: Path) -> Iterator[Pages]:
    # Opening a pipe would wait for somebody to write into it.
    if not path.is_file():
        raise SourceNotFound(path=str(path), reason="no-file")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise SourceNotFound(path=str(path), reason="unreadable") from error
    try:
        shape = shape_of(os.pread(descriptor, 100, 0), os.fstat(descriptor).st_size) or guess_shape(descriptor)
        if shape is None:
            raise NothingToSalvage(path=str(path))
        yield Pages(path, descriptor, shape)
    finally:
        os.close(descriptor)


def _lay_over(pages: Pages, log: Path, stack: ExitStack) -> None:
    """Use the committed pages of the write-ahead log: they are newer than the file's."""
    with suppress(OSError):
        stream = stack.enter_context(log.open("rb"))
        summary, newest = committed_pages(stream)
        if summary.header is not None and summary.header.page_size == pages.shape.page_size:
            for number, offset in newest.items():
                if number < pages.count + len(newest) + 1:
                    pages.put(number, stream.fileno(), offset)


@dataclass(frozen=True, slots=True)
class _Written:
    tables: tuple[SalvagedTable, ...]
    conflicts: int


def _write(carving: Carving, to: Path, *, deleted: bool, tell: Tell) -> _Written:
    # Created first, so that a file which appears meanwhile is never written over.
    try:
        os.close(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError as error:
        raise TargetNotEmpty(path=str(to)) from error
    try:
        with closing(sqlite3.connect(to, isolation_level=None)) as connection:
            return _Filling(connection, carving, tell).fill(deleted=deleted)
    except BaseException as error:
        to.unlink(missing_ok=True)
        if _is_the_disks(error):
            code = errno.ENOSPC if error.sqlite_errorcode == sqlite3.SQLITE_FULL else errno.EIO
            raise OSError(code, os.strerror(code), str(to)) from error
        raise


def _is_the_disks(error: BaseException) -> TypeGuard[sqlite3.Error]:
    """Tell whether the new database cannot be written, which says nothing of the row that was being put into it."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _DISK


class _Filling:
    """The new database while rows come in."""

    def __init__(self, connection: sqlite3.Connection, carving: Carving, tell: Tell) -> None:
        self._connection = connection
        self._carving = carving
        self._tell = tell
        self._made: dict[str, str] = {}
        self._counts: dict[str, Counter[str]] = {}
        self._conflicts = 0
        self._rows = 0

    def fill(self, *, deleted: bool) -> _Written:
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
            SalvagedTable(
                name,
                counts["rows"],
                counts[How.TREE.value],
                counts[How.PAGE.value],
                counts[How.FREE.value] + counts[How.BETWEEN.value],
                counts["partial"],
            )
            for name, counts in self._counts.items()
        )
        return _Written(tables, self._conflicts)

    def _make(self, table: Table) -> bool:
        """Make a table, once; say whether there is one."""
        if table.name not in self._made:
            width = len(table.columns)
            try:
                self._connection.execute(create_statement(table))
            except (sqlite3.Error, UnicodeError) as error:
                if _is_the_disks(error):
                    raise
                # A name that SQLite keeps for itself, or two columns of one name: a table that nobody can make.
                self._made[table.name] = ""
            else:
                own = "rowid, " if table.rowid_column is None and not _has_rowid_column(table) else ""
                names = ", ".join(quoted(column.name) for column in table.columns)
                marks = ", ".join("?" * (width + bool(own)))
                self._made[table.name] = f"insert or ignore into {quoted(table.name)} ({own}{names}) values ({marks})"  # noqa: S608  names, quoted
                self._counts[table.name] = Counter()
        return bool(self._made[table.name])

    def _put(self, row: CarvedRow) -> None:
        if not self._make(row.table):
            return
        statement, counts = self._made[row.table.name], self._counts[row.table.name]
        values = [*row.values, *[None] * (len(row.table.columns) - len(row.values))]
        if row.table.rowid_column is not None:
            values[row.table.rowid_column] = row.rowid
        elif "(rowid, " in statement:
            # Rows of which nothing tells whose they are may share their numbers.
            values.insert(0, None if row.table.name.startswith("backupkit_lost_") else row.rowid)
        try:
            done = self._connection.execute(statement, values)
        except (sqlite3.Error, UnicodeError, OverflowError) as error:
            if _is_the_disks(error):
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
            self._tell(Progress(Phase.READ, done_files=self._rows))


def _has_rowid_column(table: Table) -> bool:
    return any(column.name.lower() == "rowid" for column in table.columns)
