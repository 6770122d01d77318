"""A copy of a database as it was at one moment, while its app goes on writing.

Nothing in the source's folder is opened for writing, created, changed or removed: SQLite itself never gets to see a
source that an app has open. We hold its locks, shared, while we copy the bytes; what a crash or the write-ahead log left to be done is done
on the copy. Page numbers stay, so that one day's pages can be compared with those of the day before.

- Write-ahead log: the checkpoint lock keeps the database file still and a read mark keeps the log from being begun
  anew; the log may only grow meanwhile. Writers are never kept waiting.
- Rollback journal: first a copy without a lock, which counts if nothing was written meanwhile. Only where the app
  kept writing is SQLite's SHARED lock held, for as long as it takes to compare the copy with the database and to mend it.
- Sealed databases are saved as they lie: the log beside them, not merged, since nobody here can read either.

A process that copies must have no SQLite connection of its own open on the source: closing a file drops the older kind
of locks for the whole process.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeVar

from backupkit.capture import locks
from backupkit.capture.copying import copy_descriptor, mend_copy
from backupkit.capture.databases import PLAIN_MAGIC, DatabaseKind, recognise_database
from backupkit.capture.file_cache import RACY_NS
from backupkit.capture.finding import Finding
from backupkit.capture.locks import LockBusy, LocksUnavailable, Patience
from backupkit.capture.merging import merge_journal, merge_wal
from backupkit.capture.scratch import private_folder
from backupkit.capture.sqlite_health import Header, log_findings, read_header, size_findings
from backupkit.capture.stable_read import open_for_reading
from backupkit.capture.unreadable import SourceUnreadable, Unreadable, reason_of
from backupkit.codec.sqlite_wal import INDEX_HEAD_SIZE, WalIndex, WalSummary, read_index
from backupkit.errors import BackupkitError, ExitCode

PATIENCE_SECONDS: Final = 10.0
"""How long to wait for a writer or a checkpoint to finish before copying without its lock."""

Answer = TypeVar("Answer")

_ATTEMPTS: Final = 5
_FIRST_PAGE: Final = 4096
_INDEX_PAUSE: Final = 0.001
_COPIES: Final = {"-wal": "log", "-journal": "undo"}
"""What the copies are called: nothing that SQLite would take for the image's own log or journal, and act on."""


class NotADatabase(BackupkitError):
    """The file is no database that is known here.

    Facts: `path`.
    """

    code = "not-a-database"
    exit_code = ExitCode.NOT_UNDERSTOOD

    def __init__(self, path: Path) -> None:
        super().__init__(path=str(path))


@dataclass(frozen=True, slots=True)
class Companion:
    """A file to be saved beside the image as it is, under the database's name with `ending` added."""

    ending: bytes
    path: Path


@dataclass(frozen=True, slots=True)
class Captured:
    """A database at one moment.

    `image` is a private copy that goes away with the context it came from. For a plain database it holds everything
    committed; `companions` are then empty, unless a log was too damaged to be merged. `wal` tells what the log held.
    `locked_seconds` is how long a writer may have been kept waiting: 0 with a write-ahead log.
    """

    image: Path
    kind: DatabaseKind
    size: int
    wal: WalSummary | None = None
    companions: tuple[Companion, ...] = ()
    findings: tuple[Finding, ...] = ()
    locked_seconds: float = 0.0

    @property
    def page_size(self) -> int:
        """The block size to compare and store pages by, counted from the first byte of the image."""
        return self.kind.grid

    @property
    def pages(self) -> int:
        """Blocks of `page_size` in the image, a short last one included."""
        return -(-self.size // self.page_size)


@contextlib.contextmanager
def copy_live(
    path: Path, scratch: Path, *, kind: DatabaseKind | None = None, patience_seconds: float = PATIENCE_SECONDS
) -> Iterator[Captured]:
    """Copy a database into a private folder below `scratch` for as long as the context lasts.

    Raises:
        NotADatabase: `kind` was not given and the file is no database.
        SourceUnreadable: the file cannot be read, or changed all the time where no lock can be had.
        ScratchFull: there is no room for the copy.
    """
    kind = kind or _kind_of(path)
    with private_folder(scratch) as folder:
        yield _settled(path, _copy_moment(path, folder / "image", Patience.of(patience_seconds)), kind)


def _kind_of(path: Path) -> DatabaseKind:
    kind = recognise_database(path)
    if kind is None:
        raise NotADatabase(path)
    return kind


def read_database(
    path: Path,
    scratch: Path,
    read: Callable[[Captured], Answer],
    *,
    kind: DatabaseKind | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Answer:
    """Give a database as it was at one moment to `read`, without a copy where no app has it open.

    Then `image` is the source itself, to be read only, and `read` is called again with a copy if an app began to write
    meanwhile: only its last answer counts.

    Raises:
        NotADatabase: `kind` was not given and the file is no database.
        SourceUnreadable: the file cannot be read, or changed all the time where no lock can be had.
        ScratchFull: there is no room for the copy.
    """
    kind = kind or _kind_of(path)
    descriptor = open_for_reading(path)
    try:
        patience = Patience.of(0)
        before = _state_between_writes(path, descriptor, patience)
        if before is not None and before.is_at_rest(time.time_ns()):
            answer = read(Captured(path, kind, os.fstat(descriptor).st_size))
            if _state_between_writes(path, descriptor, patience) == before:
                return answer
    finally:
        os.close(descriptor)
    with copy_live(path, scratch, kind=kind, patience_seconds=patience_seconds) as captured:
        return read(captured)


@dataclass(slots=True)
class _Moment:
    """The raw files of one moment, in the scratch folder."""

    image: Path
    wal: Path | None = None
    index: WalIndex | None = None
    is_in_use: bool = False
    journal: Path | None = None
    findings: list[Finding] = field(default_factory=list)
    locked_seconds: float = 0.0


def _settled(path: Path, moment: _Moment, kind: DatabaseKind) -> Captured:
    """Do on the copy what is left to be done, where somebody here can read the pages."""
    companions, summary = [], None
    if moment.wal is not None:
        page_size = None if kind.sealed else kind.page_size
        salts = moment.index.salts if moment.index is not None and moment.is_in_use else None
        merged = merge_wal(moment.image, moment.wal, page_size, salts=salts)
        summary = merged.wal
        if not merged.done:
            companions.append(Companion(b"-wal", moment.wal))
    if moment.journal is not None and (kind.sealed or not _roll_back(path, moment)):
        companions.append(Companion(b"-journal", moment.journal))
    size = moment.image.stat().st_size
    left_in_log = summary if companions else None
    return Captured(
        image=moment.image,
        kind=kind,
        size=size,
        wal=summary,
        companions=tuple(companions),
        findings=(
            *moment.findings,
            *size_findings(kind, size, _header_of(moment.image, kind), left_in_log),
            *log_findings(summary, moment.index),
        ),
        locked_seconds=moment.locked_seconds,
    )


def _header_of(image: Path, kind: DatabaseKind) -> Header | None:
    if kind.sealed:
        return None
    with image.open("rb") as file:
        return read_header(file.read(100), kind.page_size)


def _roll_back(path: Path, moment: _Moment) -> bool:
    """Undo on the copy what a crashed transaction left; on failure the copy and its journal stay as they lay."""
    assert moment.journal is not None
    tried = moment.image.with_name("rolled-back")
    journal = tried.with_name("rolled-back-journal")
    shutil.copyfile(moment.image, tried)
    shutil.copyfile(moment.journal, journal)
    if not merge_journal(tried, journal, path).done:
        moment.findings.append(Finding("journal-not-applied"))
        return False
    tried.replace(moment.image)
    moment.journal.unlink()
    moment.findings.append(Finding("journal-rolled-back"))
    return True


def _copy_moment(path: Path, image: Path, patience: Patience) -> _Moment:
    for _ in range(_ATTEMPTS):
        descriptor = open_for_reading(path)
        try:
            moment = _copy_at_rest(path, descriptor, image)
            if moment is None:
                moment = _copy_locked(path, descriptor, image, patience)
        except (LockBusy, LocksUnavailable):
            moment = _copy_between_writes(path, descriptor, image)
            if moment is not None:
                moment.findings.append(Finding("copied-without-lock"))
        except OSError as error:
            raise SourceUnreadable(path, reason_of(error)) from error
        finally:
            os.close(descriptor)
        if moment is not None:
            return moment
    raise SourceUnreadable(path, Unreadable.CHANGED_WHILE_READ)


def _copy_at_rest(path: Path, descriptor: int, image: Path) -> _Moment | None:
    """Copy without a lock a database that no app has open; None where it turns out that one has."""
    before = _state_between_writes(path, descriptor, Patience.of(0))
    if before is None or not before.is_at_rest(time.time_ns()):
        return None
    copy_descriptor(descriptor, image)
    return _Moment(image) if _state_between_writes(path, descriptor, Patience.of(0)) == before else None


def _state_between_writes(path: Path, descriptor: int, patience: Patience) -> "_State | None":
    """The state while nobody is in the middle of writing; None while somebody is, or where there are no locks."""
    try:
        locks.share_database(descriptor, patience)
    except (LockBusy, LocksUnavailable):
        return None
    try:
        state = _state(path, descriptor)
        # The file may have been put in the place of another since we opened that.
        return state if state.database[0] == os.fstat(descriptor).st_ino else None
    finally:
        locks.release_database(descriptor)


def _copy_locked(path: Path, descriptor: int, image: Path, patience: Patience) -> _Moment | None:
    """Copy under SQLite's locks; None where an app opened or closed the database meanwhile, so that it is tried anew."""
    if not image.exists() and _status(_beside(path, "-shm")) is None:
        # Without a log a writer waits for us. A copy beforehand is torn where it wrote meanwhile, and soon mended.
        copy_descriptor(descriptor, image, shares_blocks=False)
    locks.share_database(descriptor, patience)
    taken = time.monotonic()
    with contextlib.ExitStack() as open_files:
        open_files.callback(locks.release_database, descriptor)
        try:
            index = _open_if_there(_beside(path, "-shm"), open_files)
        except SourceUnreadable as error:
            raise LocksUnavailable from error
        log = _open_if_there(_beside(path, "-wal"), open_files)
        if index is not None:
            locks.share_checkpoint(index, patience)
        before = _state(path, descriptor)
        if not before.is_of(descriptor, index, log):
            return None
        moment = _Moment(image)
        length = None
        if index is not None:
            moment.index = _read_index(index)
            # An index in use says where the log ends at this moment. What lies behind is being written or left over
            # from before the log was begun anew. An index that a crash left may know less than the log.
            moment.is_in_use = locks.is_connected(index)
            if moment.index is not None and moment.is_in_use:
                length = moment.index.log_size
        if image.exists():
            mend_copy(descriptor, image)
        else:
            copy_descriptor(descriptor, image)
        if log is not None and os.fstat(log).st_size and length != 0:
            moment.wal = image.with_name(_COPIES["-wal"])
            copy_descriptor(log, moment.wal, most=length)
        journal = _open_if_there(_beside(path, "-journal"), open_files)
        if journal is not None and not locks.has_writer(descriptor) and _is_hot(journal):
            moment.journal = image.with_name(_COPIES["-journal"])
            copy_descriptor(journal, moment.journal)
        # With a log the SHARED lock keeps no writer waiting, since writing means adding to the log.
        moment.locked_seconds = 0.0 if log is not None else time.monotonic() - taken
        # Without an index there was no lock on the log: an app that opened it meanwhile may have run a checkpoint.
        # A journal may come and go: its writer waits for us before it touches the database.
        after = before if index is not None else _state(path, descriptor)
        return moment if replace(after, journal=None) == replace(before, journal=None) else None


def _read_index(index: int) -> WalIndex | None:
    for _ in range(_ATTEMPTS):
        os.lseek(index, 0, os.SEEK_SET)
        # Both copies of the head differ while a writer is just changing them.
        if (head := read_index(os.read(index, INDEX_HEAD_SIZE))) is not None:
            return head
        time.sleep(_INDEX_PAUSE)
    return None


def _copy_between_writes(path: Path, descriptor: int, image: Path) -> _Moment | None:
    """Copy where no lock can be had; None unless nothing was written from the first byte copied to the last."""
    with contextlib.ExitStack() as open_files:
        before = _state(path, descriptor)
        moment = _Moment(image)
        copy_descriptor(descriptor, image)
        for ending in ("-wal", "-journal"):
            companion = _open_if_there(_beside(path, ending), open_files)
            if companion is not None and os.fstat(companion).st_size:
                copy = image.with_name(_COPIES[ending])
                copy_descriptor(companion, copy)
                if ending == "-wal":
                    moment.wal = copy
                elif _is_hot(companion):
                    moment.journal = copy
        return moment if _state(path, descriptor) == before else None


@dataclass(frozen=True, slots=True)
class _State:
    """What shows that somebody wrote: sizes, times and identities of the database and what lies beside it, and its first page.

    `database` holds inode, size, modification and change time; so do `wal` and `journal`.
    """

    database: tuple[int, ...]
    wal: tuple[int, ...] | None
    index_inode: int | None
    journal: tuple[int, ...] | None
    first_page: bytes

    def is_at_rest(self, now_ns: int) -> bool:
        """Say whether no app has the database open, and a later state would show any write."""
        if self.wal is not None or self.index_inode is not None or self.journal is not None:
            return False
        # With a rollback journal each commit changes the first page. With a log it need not, and the times alone tell:
        # not within one tick of the file system's clock, which is two seconds on some.
        keeps_journal = self.first_page.startswith(PLAIN_MAGIC) and self.first_page[18:20] == b"\x01\x01"
        return keeps_journal or max(self.database[2:]) < now_ns - RACY_NS

    def is_of(self, database: int, index: int | None, log: int | None) -> bool:
        """Say whether the open files are the ones that lie there now."""
        index_inode = None if index is None else os.fstat(index).st_ino
        log_inode = None if log is None else os.fstat(log).st_ino
        return (
            self.database[0] == os.fstat(database).st_ino
            and self.index_inode == index_inode
            and (None if self.wal is None else self.wal[0]) == log_inode
        )


def _state(path: Path, descriptor: int) -> _State:
    index = _status(_beside(path, "-shm"))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return _State(
        _traits(path.lstat()),
        _traits_of(_beside(path, "-wal")),
        None if index is None else index.st_ino,
        _traits_of(_beside(path, "-journal")),
        os.read(descriptor, _FIRST_PAGE),
    )


def _traits(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _traits_of(path: Path) -> tuple[int, ...] | None:
    status = _status(path)
    return None if status is None else _traits(status)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except FileNotFoundError:
        return None


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _open_if_there(path: Path, open_files: contextlib.ExitStack) -> int | None:
    try:
        descriptor = open_for_reading(path)
    except SourceUnreadable as error:
        if error.reason is Unreadable.VANISHED:
            return None
        raise
    open_files.callback(os.close, descriptor)
    return descriptor


def _is_hot(journal: int) -> bool:
    """A journal counts while its first byte is not zero: `PRAGMA journal_mode=PERSIST` and `TRUNCATE` leave dead ones."""
    os.lseek(journal, 0, os.SEEK_SET)
    return os.read(journal, 1) not in {b"", b"\x00"}
