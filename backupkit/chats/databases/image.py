"""One private copy of a database with its log worked in: what SQLite would show of it, in a file without a name.

The source is never opened by SQLite: that would write to it, and would drop the locks of the app that is using it. What is
committed in a write-ahead log is put over the pages, and what a rollback journal kept is put back, as SQLite would do.
"""

import struct
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO, Final

from backupkit.chats.carve.pages import MAGIC
from backupkit.chats.databases.nameless import nameless_file
from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.model import Locator
from backupkit.codec.sqlite_wal import committed_pages, most_pages

MAX_DATABASE_BYTES: Final = 64 * 2**30
_PIECE: Final = 1 << 20
_HEADER_BYTES: Final = 100
_JOURNAL_MAGIC: Final = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
_JOURNAL_HEADER: Final = struct.Struct(">8s5I")
_UNCOUNTED: Final = 0xFFFFFFFF

Part = Callable[[str], BinaryIO | None]
"""Opens what lies beside a database under its name with an ending, `""` for itself; None where there is nothing."""


@dataclass(frozen=True, slots=True)
class Image:
    """What was found on the way. `is_cut`: the file is shorter than its own header says; `lost_frames`: pages of the log behind a damage in it, a commit among them."""

    is_cut: bool = False
    lost_frames: int = 0


def fill_image(part: Part, file: BinaryIO, locator: Locator) -> Image:
    """Write the database as it stands with its logs into a file; what it held before is gone.

    Raises:
        TruncatedExport: there is not even a header.
        MalformedExport: it cannot be read, or is larger than any chat is.
    """
    file.seek(0)
    file.truncate()
    _copy(part, "", file, locator)
    if file.seek(0, 2) < _HEADER_BYTES:
        raise TruncatedExport(locator, "database-cut")
    with ExitStack() as stack:
        log, journal = nameless_file(stack), nameless_file(stack)
        has_log, lost = _lay_over(file, log) if _copy(part, "-wal", log, locator) else (False, 0)
        has_journal = _copy(part, "-journal", journal, locator) and _put_back(file, journal)
    file.seek(0)
    if file.read(16) != MAGIC:
        # The first page is lost. Nothing is written over what may still be there.
        return Image(lost_frames=lost)
    file.seek(18)
    file.write(b"\x01\x01")
    is_cut = not has_log and not has_journal and _end_where_it_ends(file)
    file.flush()
    return Image(is_cut, lost)


def _copy(part: Part, ending: str, out: BinaryIO, locator: Locator) -> bool:
    stream = part(ending)
    if stream is None:
        return False
    with stream:
        while piece := stream.read(_PIECE):
            out.write(piece)
            if out.tell() > MAX_DATABASE_BYTES:
                raise MalformedExport(locator, "database-too-large")
    out.flush()
    return out.tell() > 0


def _page_size(file: BinaryIO) -> int:
    file.seek(16)
    size = int.from_bytes(file.read(2), "big")
    return 65536 if size == 1 else size


def _lay_over(file: BinaryIO, log: BinaryIO) -> tuple[bool, int]:
    """Put what is committed in the write-ahead log over the pages. Say whether there was anything, and how much lies behind a damage."""
    summary, newest = committed_pages(log)
    lost = summary.total_frames - summary.frames if summary.damaged else 0
    if summary.header is None or summary.is_empty:
        return False, lost
    size = summary.header.page_size
    pages = min(summary.database_pages, _most_pages(file, size, len(newest)))
    for number, offset in newest.items():
        if number <= pages:
            log.seek(offset)
            file.seek((number - 1) * size)
            file.write(log.read(size))
    file.truncate(pages * size)
    return True, lost


def _put_back(file: BinaryIO, journal: BinaryIO) -> bool:
    """Undo the transaction that a rollback journal is of. Say whether there was one. Format: the SQLite file format, section 3."""
    length = journal.seek(0, 2)
    at, first_pages = 0, 0
    done: set[int] = set()
    while at + _JOURNAL_HEADER.size <= length:
        journal.seek(at)
        magic, records, nonce, pages, sector, size = _JOURNAL_HEADER.unpack(journal.read(_JOURNAL_HEADER.size))
        if magic != _JOURNAL_MAGIC or not 512 <= size <= 65536 or size & (size - 1) or not 32 <= sector <= 65536:
            break
        if at == 0:
            first_pages = min(pages, _most_pages(file, size, length // size))
            if size != _page_size(file):
                return False
        record = 8 + size
        at += sector
        # A count of none stands in a journal whose app never got to write it: then it holds what fits in.
        if records in {0, _UNCOUNTED}:
            records = max(length - at, 0) // record
        for _record in range(records):
            if at + record > length or not _put_page_back(file, journal, (at, nonce, size, first_pages), done):
                at = length
                break
            at += record
        at = -(-at // sector) * sector
    if not first_pages or not done:
        return False
    file.truncate(first_pages * _page_size(file))
    return True


def _put_page_back(file: BinaryIO, journal: BinaryIO, place: tuple[int, int, int, int], done: set[int]) -> bool:
    at, nonce, size, pages = place
    journal.seek(at)
    number = int.from_bytes(journal.read(4), "big")
    page = journal.read(size)
    total = (nonce + sum(page[place] for place in range(size - 200, 0, -200))) & 0xFFFFFFFF
    if number == 0 or total != int.from_bytes(journal.read(4), "big"):
        return False
    # What a page was before the transaction is what was kept first.
    if number not in done and number <= pages:
        done.add(number)
        file.seek((number - 1) * size)
        file.write(page)
    return True


def _end_where_it_ends(file: BinaryIO) -> bool:
    """Let the header of a cut file speak of the pages that are there, so that SQLite opens it. Say whether it was cut.

    The pages that are gone are not put there as zeros: the header may speak of billions, and the end of a long text would be made up.
    """
    file.seek(0)
    head = file.read(_HEADER_BYTES)
    page_size = _page_size(file)
    pages = int.from_bytes(head[28:32], "big")
    length = file.seek(0, 2)
    # The count is only kept by newer versions; they say so by repeating the change counter.
    if head[24:28] != head[92:96] or not page_size or length >= page_size * pages:
        return False
    there = -(-length // page_size)
    file.truncate(page_size * there)
    file.seek(28)
    file.write(there.to_bytes(4, "big"))
    return True


def _most_pages(file: BinaryIO, page_size: int, logged: int) -> int:
    return most_pages(file.seek(0, 2) // page_size, logged)
