"""Which pages of a database changed since a snapshot, and which rows lie on them.

For the sealed ones that is all that can be known; for the plain ones it says which rows must be looked at again.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from backupkit.chats.carve.leaf import leaf_rowids
from backupkit.chats.losing.ledger import CHUNK, LedgerFile, stretch_digest

UNIT_BYTES = 4096
BLOCK_BYTES = 65536
_DIGEST_BYTES = 8
_LOG_HEADER_BYTES = 32
_FRAME_HEADER_BYTES = 24
_LOG_MAGICS = {0x377F0682, 0x377F0683}


def digest_pages(stream: BinaryIO, key: bytes) -> tuple[bytes, bytes]:
    """Digest a database in blocks, and each block in units of 4 KiB, as a ledger keeps both."""
    blocks, units = bytearray(), bytearray()
    while block := stream.read(BLOCK_BYTES):
        blocks += CHUNK.pack(stretch_digest(block, key), len(block), 0, 0, 0)
        for at in range(0, len(block), UNIT_BYTES):
            units += stretch_digest(memoryview(block)[at : at + UNIT_BYTES], key, _DIGEST_BYTES)
    return bytes(blocks), bytes(units)


def changed_units(stream: BinaryIO, saved: LedgerFile, key: bytes, *, also: Collection[int] = ()) -> dict[int, bytes]:
    """Return the units that changed, and those in `also`, with what is in them now. The blocks around them are only hashed."""
    known = [stretch.digest for stretch in saved.stretches()]
    wanted = {unit * UNIT_BYTES // BLOCK_BYTES for unit in also}
    found: dict[int, bytes] = {}
    number = 0
    while block := stream.read(BLOCK_BYTES):
        is_same = number < len(known) and stretch_digest(block, key) == known[number]
        if not is_same or number in wanted:
            first = number * BLOCK_BYTES // UNIT_BYTES
            for at in range(0, len(block), UNIT_BYTES):
                unit = first + at // UNIT_BYTES
                data = block[at : at + UNIT_BYTES]
                before = saved.pages[unit * _DIGEST_BYTES : (unit + 1) * _DIGEST_BYTES]
                if unit in also or (not is_same and stretch_digest(data, key, _DIGEST_BYTES) != before):
                    found[unit] = data
        number += 1
    return found


@dataclass(frozen=True, slots=True)
class LoggedPage:
    """One page in a write-ahead log. `ends_commit`: a transaction ends with it."""

    number: int
    data: bytes
    ends_commit: bool


def logged_pages(stream: BinaryIO) -> Iterator[LoggedPage]:
    """Tell the pages of a write-ahead log. Nothing is checked: what is told too much is only looked at once more."""
    head = stream.read(_LOG_HEADER_BYTES)
    if len(head) < _LOG_HEADER_BYTES or int.from_bytes(head[:4], "big") not in _LOG_MAGICS:
        return
    page_size = int.from_bytes(head[8:12], "big")
    if not 512 <= page_size <= 65536:
        return
    while len(frame := stream.read(_FRAME_HEADER_BYTES + page_size)) == _FRAME_HEADER_BYTES + page_size:
        if frame[8:16] == head[16:24]:
            is_commit = frame[4:8] != bytes(4)
            yield LoggedPage(int.from_bytes(frame[:4], "big"), frame[_FRAME_HEADER_BYTES:], is_commit)


def page_size_of(head: bytes) -> int:
    """Return the page size that a database's header names."""
    size = int.from_bytes(head[16:18], "big")
    return 65536 if size == 1 else size


def rowids_on(pages: Iterable[tuple[int, bytes]]) -> set[int]:
    """Return the numbers of all rows on table leaves among the pages."""
    return {rowid for number, data in pages for rowid in leaf_rowids(data, number)}
