"""What can be said of a database's health: without a key from its outside, and with SQLite for a plain image.

Nothing here writes. SQLite is only ever given a file as immutable, for which it makes neither log nor index nor lock:
give it a copy, or a source that no app has open.
"""

import contextlib
import os
import sqlite3
import struct
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backupkit.capture.databases import DatabaseKind, recognise_database
from backupkit.capture.finding import Finding
from backupkit.capture.stable_read import open_for_reading
from backupkit.capture.unreadable import SourceUnreadable, Unreadable, reason_of
from backupkit.codec.sqlite_soundness import complaints
from backupkit.codec.sqlite_wal import INDEX_HEAD_SIZE, WalIndex, WalSummary, read_index, summarise_wal

_MOST_SAID: Final = 200
_MOST_CELL: Final = 64 << 20
"""Bytes of one value: SQLite takes memory for no more."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a plain database says of itself in its first 100 bytes.

    `pages` is its size in pages; it counts only where `change_counter` equals `valid_for`, as older writers left it
    alone. `uses_wal` is true where the app keeps a write-ahead log.
    """

    page_size: int
    pages: int
    change_counter: int
    valid_for: int
    uses_wal: bool

    @property
    def knows_its_size(self) -> bool:
        """The page count can be believed."""
        return self.pages > 0 and self.change_counter == self.valid_for


@dataclass(frozen=True, slots=True)
class DatabaseHealth:
    """A database seen from outside. `header` is None for a sealed one, `wal` without a log."""

    kind: DatabaseKind
    size: int
    header: Header | None
    wal: WalSummary | None
    findings: tuple[Finding, ...]


def examine_database(path: Path, *, kind: DatabaseKind | None = None) -> DatabaseHealth | None:
    """Look at a database and its log without a key and without SQLite; None where the file is no database.

    Raises:
        SourceUnreadable: the file cannot be read.
    """
    kind = kind or recognise_database(path)
    if kind is None:
        return None
    descriptor = open_for_reading(path)
    try:
        size = os.fstat(descriptor).st_size
        head = os.read(descriptor, 100)
    except OSError as error:
        raise SourceUnreadable(path, reason_of(error)) from error
    finally:
        os.close(descriptor)
    header = None if kind.sealed else read_header(head, kind.page_size)
    wal = _wal(path)
    index = _index(path.with_name(path.name + "-shm"))
    findings = [*size_findings(kind, size, header, wal), *log_findings(wal, index)]
    return DatabaseHealth(kind, size, header, wal, tuple(findings))


def image_complaints(
    image: Path, *, thorough: bool = False, stop: Callable[[], bool] = lambda: False
) -> tuple[str, ...] | None:
    """Ask SQLite whether a plain image hangs together; see `sqlite_soundness.complaints`.

    Raises:
        Interrupted: `stop` said yes.
    """
    address = f"file:{urllib.parse.quote(os.fsencode(image.absolute()))}?mode=ro&immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True, check_same_thread=False)) as connection:
            connection.text_factory = lambda text: text.decode("utf-8", "replace")
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_CELL)
            # A file that is cut off while it is mapped would end the process instead of the question.
            connection.execute("pragma mmap_size = 0")
            connection.execute("pragma trusted_schema = off")
            return complaints(connection, thorough=thorough, stop=stop)
    except sqlite3.Error as error:
        return (str(error),)


def soundness_findings(said: tuple[str, ...] | None) -> list[Finding]:
    """Say what SQLite complained of, the first in its words; nothing where it did not, or could not be asked."""
    if not said:
        return []
    return [Finding("pages-not-sound", lost=True, facts={"count": len(said), "said": said[0][:_MOST_SAID]})]


def read_header(head: bytes, page_size: int) -> Header | None:
    """Read the first 100 bytes of a plain database; None where there are fewer."""
    if len(head) < 100:
        return None
    change_counter, pages = struct.unpack_from(">II", head, 24)
    (valid_for,) = struct.unpack_from(">I", head, 92)
    return Header(page_size, pages, change_counter, valid_for, uses_wal=head[18] == 2)


def size_findings(kind: DatabaseKind, size: int, header: Header | None, wal: WalSummary | None = None) -> list[Finding]:
    """Say whether a database file is as long as it must be. `wal` is a log that is still to be put into it."""
    findings = []
    if (size - kind.prefix) % kind.page_size:
        facts = {"size": size, "page_size": kind.page_size}
        findings.append(Finding("database-not-whole-pages", lost=True, facts=facts))
    if header is not None and header.knows_its_size:
        pages = size // kind.page_size
        # What the log will still bring may lie behind the end of the file, so a log excuses a short one.
        is_awaited = wal is not None and wal.database_pages >= header.pages
        if pages < header.pages and not is_awaited:
            facts = {"pages": pages, "declared": header.pages}
            findings.append(Finding("database-shorter-than-declared", lost=True, facts=facts))
    return findings


def log_findings(wal: WalSummary | None, index: WalIndex | None) -> list[Finding]:
    """Say whether a log holds what its own frames and its index say that it must hold."""
    findings = []
    if wal is not None and wal.damaged:
        facts = {"frames": wal.frames, "total": wal.total_frames}
        findings.append(Finding("wal-damaged", lost=True, facts=facts))
    if wal is not None and wal.is_garbled:
        findings.append(Finding("wal-garbled", facts={"size": wal.size}))
    # Frames that were not yet written back to the database are nowhere but in the log.
    if index is None or index.frames <= index.written_back:
        return findings
    if wal is None or wal.size == 0:
        findings.append(Finding("wal-missing", lost=True, facts={"frames": index.frames - index.written_back}))
    elif wal.header is not None and wal.header.salts == index.salts and wal.committed < index.frames:
        facts = {"frames": wal.committed, "declared": index.frames}
        findings.append(Finding("wal-truncated", lost=True, facts=facts))
    elif wal.header is not None and wal.header.salts != index.salts:
        findings.append(Finding("wal-of-another-time", facts={"frames": wal.committed, "declared": index.frames}))
    return findings


def _wal(path: Path) -> WalSummary | None:
    try:
        descriptor = open_for_reading(path.with_name(path.name + "-wal"))
    except SourceUnreadable as error:
        if error.reason is Unreadable.VANISHED:
            return None
        raise
    with os.fdopen(descriptor, "rb", buffering=0) as log:
        return summarise_wal(log)


def _index(path: Path) -> WalIndex | None:
    try:
        descriptor = open_for_reading(path)
    except SourceUnreadable:
        return None
    try:
        return read_index(os.read(descriptor, INDEX_HEAD_SIZE))
    finally:
        os.close(descriptor)
