"""SQLite's write-ahead log, read without SQLite and without a key.

The log's headers are clear and its running checksums cover the pages as they lie there, so a log of sealed pages is
checked like any other. Format: the SQLite file format, section 4.

    header (32): magic u32, version u32, page size u32, sequence u32, salt u32[2], checksum u32[2]      big endian
    frame (24 + page): page number u32, database pages after commit u32 (0: no commit), salt u32[2], checksum u32[2]

A log ends where a frame carries other salts (left over from before the log was last begun anew) or its checksum does
not follow from the one before. That is normal after a crash. It is damage only when a later frame of the same salts
says that it was a commit.
"""

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, NamedTuple

WAL_MAGICS: Final = (0x377F0682, 0x377F0683)
WAL_VERSION: Final = 3007000
HEADER_SIZE: Final = 32
FRAME_HEADER_SIZE: Final = 24
_HEADER: Final = struct.Struct(">8I")
_FEW_PAGES: Final = 1024
_FRAME: Final = struct.Struct(">6I")
_BATCH_BYTES: Final = 1 << 20
_MASK: Final = 0xFFFFFFFF
_STEP: Final = 128
"""Words summed between two reductions: keeps Python's integers short."""


@dataclass(frozen=True, slots=True)
class WalHeader:
    """The head of a log, its checksum already found right.

    `salts` change each time the log is begun anew after a checkpoint.
    """

    page_size: int
    sequence: int
    salts: tuple[int, int]
    checksum: tuple[int, int]
    is_big_endian: bool


class WalFrame(NamedTuple):
    """One page in a log. `commit_pages` is the size of the database in pages where this frame ends a transaction, else 0."""

    offset: int
    page: int
    commit_pages: int


@dataclass(frozen=True, slots=True)
class WalSummary:
    """What a log holds.

    `frames` hold a right checksum, `committed` of them belong to finished transactions, `commits` transactions were
    finished, after which the database had `database_pages` pages. `total_frames` counts whole frames in the file,
    leftovers included. `damaged` is true where a commit lies behind a frame that is wrong: transactions are lost.
    """

    header: WalHeader | None
    size: int
    total_frames: int = 0
    frames: int = 0
    committed: int = 0
    commits: int = 0
    database_pages: int = 0
    damaged: bool = False

    @property
    def is_empty(self) -> bool:
        """Nothing committed lies in the log."""
        return self.committed == 0

    @property
    def ends_within_a_page(self) -> bool:
        """The file is no whole number of frames long."""
        return self.header is not None and (self.size - HEADER_SIZE) % (FRAME_HEADER_SIZE + self.header.page_size) != 0

    @property
    def is_garbled(self) -> bool:
        """The log has contents, and its head is not that of a log."""
        return self.header is None and self.size > 0


def read_header(data: bytes) -> WalHeader | None:
    """Read the head of a log; None where it is none, which SQLite takes for an empty log."""
    if len(data) < HEADER_SIZE:
        return None
    magic, version, field, sequence, salt_1, salt_2, sum_1, sum_2 = _HEADER.unpack_from(data)
    page_size = 65536 if field == 1 else field
    if magic not in WAL_MAGICS or version != WAL_VERSION:
        return None
    if not 512 <= page_size <= 65536 or page_size & (page_size - 1):
        return None
    is_big_endian = bool(magic & 1)
    if _checksum(data[:24], (0, 0), is_big_endian=is_big_endian) != (sum_1, sum_2):
        return None
    return WalHeader(page_size, sequence, (salt_1, salt_2), (sum_1, sum_2), is_big_endian)


def summarise_wal(log: BinaryIO) -> WalSummary:
    """Check a log from front to back and say what it holds. Memory does not grow with the log."""
    summary, _ = _walk(log, collect=False)
    return summary


def most_pages(there: int, logged: int) -> int:
    """Return how many pages a database can have, by those in its file and in its log. A log speaks of pages that nobody wrote, but not of billions."""
    return 4 * (there + logged) + _FEW_PAGES


def committed_pages(log: BinaryIO) -> tuple[WalSummary, dict[int, int]]:
    """Check a log, and find for each page the offset in the log of its newest committed bytes."""
    return _walk(log, collect=True)


def _walk(log: BinaryIO, *, collect: bool) -> tuple[WalSummary, dict[int, int]]:
    size = log.seek(0, 2)
    log.seek(0)
    header = read_header(log.read(HEADER_SIZE))
    if header is None:
        return WalSummary(None, size), {}
    total = max(size - HEADER_SIZE, 0) // (FRAME_HEADER_SIZE + header.page_size)
    frames = committed = commits = database_pages = 0
    newest: dict[int, int] = {}
    pending: dict[int, int] = {}
    for frame in _valid_frames(log, header):
        frames += 1
        if collect:
            pending[frame.page] = frame.offset + FRAME_HEADER_SIZE
        if frame.commit_pages:
            committed, database_pages = frames, frame.commit_pages
            commits += 1
            newest |= pending
            pending = {}
    damaged = any(frame.commit_pages for frame in _same_salts(log, header, start=frames + 1, total=total))
    return WalSummary(header, size, total, frames, committed, commits, database_pages, damaged), newest


def _valid_frames(log: BinaryIO, header: WalHeader) -> Iterator[WalFrame]:
    """Go through the frames whose checksums follow one from another."""
    frame_size = FRAME_HEADER_SIZE + header.page_size
    batch_frames = max(1, _BATCH_BYTES // frame_size)
    running = header.checksum
    offset = HEADER_SIZE
    log.seek(offset)
    while batch := log.read(batch_frames * frame_size):
        view = memoryview(batch)
        for start in range(0, len(batch) - frame_size + 1, frame_size):
            page, commit_pages, salt_1, salt_2, sum_1, sum_2 = _FRAME.unpack_from(batch, start)
            if (salt_1, salt_2) != header.salts or page == 0:
                return
            running = _checksum(view[start : start + 8], running, is_big_endian=header.is_big_endian)
            body = view[start + FRAME_HEADER_SIZE : start + frame_size]
            running = _checksum(body, running, is_big_endian=header.is_big_endian)
            if running != (sum_1, sum_2):
                return
            yield WalFrame(offset + start, page, commit_pages)
        offset += len(batch)
        if len(batch) % frame_size:
            return


def _same_salts(log: BinaryIO, header: WalHeader, *, start: int, total: int) -> Iterator[WalFrame]:
    """Go through the frame heads from number `start` on that carry the salts of this log, right or wrong otherwise."""
    frame_size = FRAME_HEADER_SIZE + header.page_size
    for number in range(start, total):
        offset = HEADER_SIZE + number * frame_size
        log.seek(offset)
        head = log.read(FRAME_HEADER_SIZE)
        if len(head) < FRAME_HEADER_SIZE:
            return
        page, commit_pages, salt_1, salt_2, _, _ = _FRAME.unpack(head)
        if (salt_1, salt_2) == header.salts:
            yield WalFrame(offset, page, commit_pages)


def _checksum(data: bytes | memoryview, start: tuple[int, int], *, is_big_endian: bool) -> tuple[int, int]:
    """SQLite's running sum over pairs of 32-bit words; the length is a multiple of eight bytes."""
    if is_big_endian == (sys.byteorder == "big"):
        words = memoryview(data).cast("I")
    else:
        count = len(data) // 4
        words = memoryview(
            struct.pack(f"={count}I", *struct.unpack(f"{'>' if is_big_endian else '<'}{count}I", data))
        ).cast("I")
    first, second = start
    for at in range(0, len(words), _STEP):
        pairs = iter(words[at : at + _STEP])
        for even, odd in zip(pairs, pairs, strict=True):
            first += even + second
            second += odd + first
        first &= _MASK
        second &= _MASK
    return first, second


@dataclass(frozen=True, slots=True)
class WalIndex:
    """What the last connection knew of the log: the head of a `-shm` file.

    `frames` were committed, the first `written_back` of them are in the database file too.
    """

    page_size: int
    frames: int
    salts: tuple[int, int]
    written_back: int

    @property
    def log_size(self) -> int:
        """The length of the log up to its last commit, in bytes; 0 where nothing was committed since it was begun."""
        return HEADER_SIZE + self.frames * (FRAME_HEADER_SIZE + self.page_size) if self.frames else 0


INDEX_HEAD_SIZE: Final = 136


def read_index(head: bytes) -> WalIndex | None:
    """Read the first 136 bytes of a `-shm` file; None where its two copies differ or it was never filled.

    Layout: the WAL-mode file format, section 2.1. Numbers are in the byte order of the machine that made them.
    """
    if len(head) < INDEX_HEAD_SIZE or head[:48] != head[48:96]:
        return None
    version, _unused, _change, is_filled, _order, field, frames = struct.unpack_from("=IIIBBHI", head)
    if version != WAL_VERSION or not is_filled:
        return None
    salt_1, salt_2 = struct.unpack_from(">II", head, 32)
    (written_back,) = struct.unpack_from("=I", head, 96)
    return WalIndex(65536 if field == 1 else field, frames, (salt_1, salt_2), written_back)
