"""Save what can be read of a damaged SQLite database into a new one. The damaged one is only read; nothing is written over."""

import errno
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from backupkit.chats.carve.borrowing import borrow
from backupkit.chats.carve.carving import Carving
from backupkit.chats.carve.filling import Filled, FilledTable, fill, is_the_disks
from backupkit.chats.carve.pages import Pages, guess_shape, shape_of
from backupkit.chats.carve.table import Table
from backupkit.codec.sqlite_wal import committed_pages
from backupkit.errors import BackupkitError, ExitCode
from backupkit.ops.events import Phase, Progress, Tell
from backupkit.ops.failures import SourceNotFound, TargetNotEmpty


class NothingToSalvage(BackupkitError):
    """A file has no page of a plain SQLite database in it; it may be sealed by its app. Facts: `path`."""

    code = "nothing-to-salvage"
    exit_code = ExitCode.NOT_UNDERSTOOD


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What came of it. `pages_lost` hold nothing or noise, `pages_borrowed` came from the older copy, `pages_unattributed` are kept in tables of their own.

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
    tables: tuple[FilledTable, ...]

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
        yield Pages(descriptor, shape)
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


def _write(carving: Carving, to: Path, *, deleted: bool, tell: Tell) -> Filled:
    # Created first, so that a file which appears meanwhile is never written over.
    try:
        os.close(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError as error:
        raise TargetNotEmpty(path=str(to)) from error
    try:
        with closing(sqlite3.connect(to, isolation_level=None)) as connection:
            progress = lambda rows: tell(Progress(Phase.READ, done_files=rows))  # noqa: E731  a word for one call
            return fill(connection, carving, deleted=deleted, progress=progress)
    except BaseException as error:
        to.unlink(missing_ok=True)
        if is_the_disks(error):
            code = errno.ENOSPC if error.sqlite_errorcode == sqlite3.SQLITE_FULL else errno.EIO
            raise OSError(code, os.strerror(code), str(to)) from error
        raise
