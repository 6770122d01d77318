"""Which files are databases, and where their pages are.

Recognised by content, never by name: a plain SQLite database by its header, NTQQ's by the words in front of it, and a
sealed one (SQLCipher and its kin, all noise) by the write-ahead log beside it or by its structure. A guess that is
wrong costs nothing but the way a file is cut: sealed files are saved as the bytes they are.
"""

import math
import os
import struct
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from backupkit.capture.content import PROBE_SIZE, has_known_mark, is_compressible
from backupkit.capture.stable_read import open_for_reading
from backupkit.capture.unreadable import SourceUnreadable, reason_of

PLAIN_MAGIC: Final = b"SQLite format 3\x00"
NTQQ_MAGIC: Final = b"SQLite header 3\x00"
NTQQ_PREFIX: Final = 1024
NTQQ_PAGE_SIZE: Final = 4096
WAL_MAGICS: Final = (0x377F0682, 0x377F0683)
COMPANION_ENDINGS: Final = (b"-wal", b"-shm", b"-journal")

_SEALED_PAGE_SIZES: Final = (4096, 1024)
_NOISE_CHI_SQUARED: Final = 420.0
"""Noise of 4,096 bytes spread over 256 values has a chi-squared of 255 with a deviation of 23: this is seven deviations up."""


@dataclass(frozen=True, slots=True)
class DatabaseKind:
    """How a database file is laid out.

    `page_size` is in bytes; `prefix` bytes come before the first page (NTQQ: 1,024). `certain` is false where a
    sealed database was only told by its structure.
    """

    sealed: bool
    page_size: int
    prefix: int = 0
    certain: bool = True

    @property
    def grid(self) -> int:
        """The largest block size, counted from the file's first byte, that never straddles two pages."""
        return math.gcd(self.page_size, self.prefix)


def recognise_database(path: Path, *, known_page_size: int | None = None) -> DatabaseKind | None:
    """Say what kind of database a file is, or None for any other file.

    `known_page_size` is what an earlier run found for a sealed file: it is kept while it fits, so that the pages of
    one day can be compared with those of the day before.

    Raises:
        SourceUnreadable: the file cannot be read.
    """
    try:
        descriptor = open_for_reading(path)
        try:
            size = os.fstat(descriptor).st_size
            head = _read_at(descriptor, 0, PROBE_SIZE)
            if (known := _by_head(head)) is not None:
                return known
            if size < PROBE_SIZE or has_known_mark(head) or is_compressible(head):
                return None
            if (page_size := _wal_page_size(path)) is not None:
                return DatabaseKind(sealed=True, page_size=page_size)
            return _by_structure(descriptor, head, size, known_page_size)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SourceUnreadable(path, reason_of(error)) from error


def may_be_database(head: bytes, size: int) -> bool:
    """Say from a file's first `PROBE_SIZE` bytes whether `recognise_database` may find a database, without reading on.

    No is certain; it is the answer for text, pictures, sound and film.
    """
    if head.startswith((PLAIN_MAGIC, NTQQ_MAGIC)):
        return True
    return size >= PROBE_SIZE and not has_known_mark(head) and not is_compressible(head)


def companions(name: bytes) -> tuple[bytes, bytes, bytes]:
    """The names that SQLite keeps beside a database: its write-ahead log, that log's index, and the rollback journal."""
    wal, shm, journal = (name + ending for ending in COMPANION_ENDINGS)
    return wal, shm, journal


def header_page_size(head: bytes) -> int | None:
    """The page size in the first 24 bytes of a SQLite file, or None where they are no such header.

    Source of the rules: the SQLite file format, section 1.3.
    """
    if len(head) < 24 or not head.startswith(PLAIN_MAGIC):
        return None
    (field,) = struct.unpack_from(">H", head, 16)
    page_size = 65536 if field == 1 else int(field)
    if page_size < 512 or page_size & (page_size - 1):
        return None
    # The payload fractions have had these values since 2004, and SQLite opens nothing else.
    return page_size if head[21:24] == b"\x40\x20\x20" else None


def _by_head(head: bytes) -> DatabaseKind | None:
    if (page_size := header_page_size(head)) is not None:
        # SQLCipher can leave the first 32 bytes clear (iOS demands that of shared files). What SQLite keeps zero
        # then is noise.
        return DatabaseKind(sealed=any(head[72:92]), page_size=page_size)
    if head.startswith(NTQQ_MAGIC) and b"QQ_NT DB" in head[16:64]:
        return DatabaseKind(sealed=True, page_size=NTQQ_PAGE_SIZE, prefix=NTQQ_PREFIX)
    return None


def _wal_page_size(path: Path) -> int | None:
    """The page size that the write-ahead log beside a file tells, log headers being clear even where pages are sealed."""
    try:
        descriptor = open_for_reading(path.with_name(path.name + "-wal"))
    except SourceUnreadable:
        return None
    try:
        head = _read_at(descriptor, 0, 32)
    finally:
        os.close(descriptor)
    if len(head) < 32:
        return None
    magic, _version, page_size = struct.unpack_from(">III", head)
    page_size = 65536 if page_size == 1 else page_size
    fits = 512 <= page_size <= 65536 and not page_size & (page_size - 1)
    return page_size if magic in WAL_MAGICS and fits else None


def _by_structure(descriptor: int, head: bytes, size: int, known_page_size: int | None) -> DatabaseKind | None:
    """Tell a sealed database by what is left to see: whole pages, and noise from the first byte to the last."""
    fitting = [page_size for page_size in _SEALED_PAGE_SIZES if size % page_size == 0]
    if not fitting or size < 2 * PROBE_SIZE:
        return None
    middle = size // 2 // PROBE_SIZE * PROBE_SIZE
    samples = (head, *(_read_at(descriptor, offset, PROBE_SIZE) for offset in (middle, size - PROBE_SIZE)))
    if not all(_is_noise(sample) for sample in samples):
        return None
    # A size that 4,096 divides is also what one database of 1,024-byte pages in four has: once known, it is kept.
    page_size = known_page_size if known_page_size in fitting else fitting[0]
    return DatabaseKind(sealed=True, page_size=page_size, certain=False)


def _is_noise(sample: bytes) -> bool:
    if not sample:
        return False
    counts = Counter(sample)
    expected = len(sample) / 256
    chi_squared = sum((counts.get(value, 0) - expected) ** 2 for value in range(256)) / expected
    return chi_squared < _NOISE_CHI_SQUARED


def _read_at(descriptor: int, offset: int, size: int) -> bytes:
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, size)
