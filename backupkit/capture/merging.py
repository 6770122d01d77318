"""What a write-ahead log or a rollback journal left to be done, done on a private copy."""

import os
import sqlite3
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from backupkit.codec.sqlite_wal import WalSummary, committed_pages, most_pages

_JOURNAL_MAGIC: Final = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
_JOURNAL_HEADER: Final = struct.Struct(">8s5I")
_SUPER_TAIL: Final = struct.Struct(">II8s")
_LONGEST_NAME: Final = 4096


@dataclass(frozen=True, slots=True)
class Merged:
    """Whether the copy now holds everything committed, and what its log held."""

    done: bool
    wal: WalSummary | None = None


def merge_wal(image: Path, wal: Path, page_size: int | None, *, salts: tuple[int, int] | None = None) -> Merged:
    """Put the newest committed bytes of each page in a log into a copied database, as a checkpoint would.

    Nothing is done, and `done` is false, where the log is damaged, garbled, made for other pages, or speaks of pages that cannot be: then both files
    are worth more as they are. A sealed database has a `page_size` of None: its log is checked and never merged.
    `salts` are those of the log that an app has open: another log in its place is none of the database's.
    """
    with wal.open("rb") as log:
        summary, pages = committed_pages(log)
        if page_size is None or summary.damaged or summary.is_garbled:
            return Merged(done=summary.size == 0, wal=summary)
        if summary.header is not None and (
            summary.header.page_size != page_size or salts not in {None, summary.header.salts}
        ):
            return Merged(done=False, wal=summary)
        if summary.database_pages > most_pages(image.stat().st_size // page_size, len(pages)):
            # It would be made that long, and be read to its end.
            return Merged(done=False, wal=summary)
        if not summary.is_empty:
            _write_back(image, log, summary, pages, page_size)
    return Merged(done=True, wal=summary)


def _write_back(image: Path, log: BinaryIO, summary: WalSummary, pages: dict[int, int], page_size: int) -> None:
    with image.open("r+b") as database:
        for page in sorted(page for page in pages if page <= summary.database_pages):
            log.seek(pages[page])
            database.seek((page - 1) * page_size)
            database.write(log.read(page_size))
        database.truncate(summary.database_pages * page_size)


def merge_journal(image: Path, journal: Path, source: Path) -> Merged:
    """Roll a copied database back to before the transaction that a crash left in its journal.

    SQLite does it, on the copy; `journal` must be named as SQLite expects and is used up. `source` is where the
    database came from: a journal can name another file that decides whether the transaction counts, and that file is
    looked for and never touched.
    """
    if _speaks_of_too_many(image, journal):
        return Merged(done=False)
    named = _named_super_journal(journal)
    if named is not None:
        name, tail_size = named
        if not _exists(name, source):
            # The transaction over several databases was finished when that file was removed: nothing to roll back.
            journal.unlink()
            return Merged(done=True)
        # Without the name SQLite rolls back the copy and leaves the other file alone, which it would else remove.
        os.truncate(journal, journal.stat().st_size - tail_size)
    try:
        connection = sqlite3.connect(image, timeout=0, isolation_level=None)
        try:
            connection.execute("PRAGMA schema_version").fetchone()
        finally:
            connection.close()
    except sqlite3.Error:
        return Merged(done=False)
    return Merged(done=not journal.exists() or journal.stat().st_size == 0)


def _speaks_of_too_many(image: Path, journal: Path) -> bool:
    """Whether the database would be made so long that its end is never reached."""
    with journal.open("rb") as file:
        head = file.read(_JOURNAL_HEADER.size)
    if len(head) < _JOURNAL_HEADER.size:
        return False
    magic, _records, _nonce, pages, _sector, size = _JOURNAL_HEADER.unpack(head)
    if magic != _JOURNAL_MAGIC or not size:
        return False
    return int(pages) > most_pages(image.stat().st_size // size, journal.stat().st_size // size)


def _named_super_journal(journal: Path) -> tuple[bytes, int] | None:
    """The super-journal's name at the end of a journal and the bytes it takes there: name, length u32, sum u32, magic."""
    size = journal.stat().st_size
    with journal.open("rb") as file:
        file.seek(max(size - _SUPER_TAIL.size - _LONGEST_NAME, 0))
        tail = file.read()
    if len(tail) < _SUPER_TAIL.size:
        return None
    length, checksum, magic = _SUPER_TAIL.unpack(tail[-_SUPER_TAIL.size :])
    if magic != _JOURNAL_MAGIC or not 0 < length <= len(tail) - _SUPER_TAIL.size:
        return None
    name = tail[-_SUPER_TAIL.size - length : -_SUPER_TAIL.size]
    # SQLite sums the bytes as signed characters; both readings are the same below 128.
    signed = sum(byte - 256 if byte > 127 else byte for byte in name) & 0xFFFFFFFF
    if checksum not in {signed, sum(name) & 0xFFFFFFFF}:
        return None
    # In front of the name lies the number of a page that can hold no data: four bytes that belong to the tail.
    return name, _SUPER_TAIL.size + length + 4


def _exists(name: bytes, source: Path) -> bool:
    named = Path(os.fsdecode(name))
    return named.exists() or (source.parent / named.name).exists()
