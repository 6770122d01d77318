"""Which pages of a database changed since the last time, found in one reading.

Every page has a short hash in the local cache. Losing those costs one full store of the databases and nothing else, so
they are a hint, and what they say is unchanged must be unchanged: 16 bytes of SHA-256 meet by chance once in 2^64 pages
or more. SHA-256 is used since processors compute it in hardware: 1,158 MB/s by pages against 692 MB/s for BLAKE2b.
"""

import hashlib
import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from backupkit.capture.stable_read import PIECE_SIZE, open_for_reading
from backupkit.codec.malformed import MalformedObject

HASH_SIZE: Final = 16
EXTENT_PAGES: Final = 256
"""Changed pages that are bundled and compressed together, at the most."""

_HEAD: Final = struct.Struct(">4sIQ")
_MAGIC: Final = b"pgs1"

PageRange = tuple[int, int]
"""First page (from 0) and how many follow in a row."""


@dataclass(frozen=True, slots=True)
class PageHashes:
    """The hashes of all pages of a file, one after another. `size` is the file's, in bytes."""

    page_size: int
    size: int
    hashes: bytes

    @property
    def pages(self) -> int:
        """Pages, a short last one included."""
        return len(self.hashes) // HASH_SIZE

    def encode(self) -> bytes:
        """Write: magic, page size u32, file size u64, 16 bytes for each page."""
        return _HEAD.pack(_MAGIC, self.page_size, self.size) + self.hashes

    @staticmethod
    def decode(data: bytes) -> "PageHashes":
        """Read what `encode` wrote.

        Raises:
            MalformedObject: the bytes are anything else.
        """
        if len(data) < _HEAD.size:
            raise MalformedObject(what="page-hashes", reason="too-short")
        magic, page_size, size = _HEAD.unpack_from(data)
        if magic != _MAGIC or page_size == 0:
            raise MalformedObject(what="page-hashes", reason="wrong-mark")
        hashes = data[_HEAD.size :]
        if len(hashes) != -(-size // page_size) * HASH_SIZE:
            raise MalformedObject(what="page-hashes", reason="wrong-size")
        return PageHashes(page_size, size, hashes)


class ChangedExtent(NamedTuple):
    """Up to 256 changed pages: `data` holds the pages of `ranges` one after another."""

    ranges: tuple[PageRange, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class PagesRead:
    """A file read to its end: its plain SHA-256, and the hashes to know it by the next time."""

    sha256: bytes
    size: int
    changed_pages: int
    hashes: PageHashes


@dataclass(frozen=True, slots=True)
class PageChanges:
    """What changed in a file, told by pages."""

    read: PagesRead
    ranges: tuple[PageRange, ...]


class PageReading:
    """One reading of an image: first its changed pages in extents, then `result`.

    With `known` None, or made for another page size, every page counts as changed.
    """

    def __init__(self, image: Path, page_size: int, known: PageHashes | None) -> None:
        self._image = image
        self._page_size = page_size
        self._known = known.hashes if known is not None and known.page_size == page_size else b""
        self._result: PagesRead | None = None

    @property
    def result(self) -> PagesRead:
        """What was read. Asking before the last extent was taken is a mistake of the caller."""
        assert self._result is not None, "the image was not read to its end"
        return self._result

    def extents(self) -> Iterator[ChangedExtent]:
        """Read the image once and give its changed pages in order, bundled.

        Raises:
            SourceUnreadable, OSError: the image cannot be opened, or not read to its end.
        """
        page_size = self._page_size
        whole = hashlib.sha256()
        # The buffer becomes the result without a copy: a 10 GB database has 40 MB of hashes.
        hashes = io.BytesIO()
        bundle = _Bundle()
        first = size = 0
        with io.FileIO(open_for_reading(self._image)) as file:
            block = bytearray(max(PIECE_SIZE // page_size, 1) * page_size)
            while count := _fill(file, block):
                view = memoryview(block)[:count]
                whole.update(view)
                size += count
                found = _page_hashes(view, page_size)
                hashes.write(found)
                for page, pages in self._changed(first, found):
                    yield from bundle.add(
                        first + page, pages, view[page * page_size : (page + pages) * page_size], page_size
                    )
                first += len(found) // HASH_SIZE
        if bundle.pages:
            yield bundle.take()
        self._result = PagesRead(whole.digest(), size, bundle.total, PageHashes(page_size, size, hashes.getvalue()))

    def _changed(self, first: int, found: bytes) -> Iterator[PageRange]:
        """Give the pages of a block that changed, in rows, counted from the block's first."""
        known = self._known[first * HASH_SIZE : first * HASH_SIZE + len(found)]
        if known == found:
            return
        pages = len(found) // HASH_SIZE
        if not known:
            yield 0, pages
            return
        start = None
        for page in range(pages):
            at = page * HASH_SIZE
            if known[at : at + HASH_SIZE] != found[at : at + HASH_SIZE]:
                start = page if start is None else start
            elif start is not None:
                yield start, page - start
                start = None
        if start is not None:
            yield start, pages - start


def changed_pages(image: Path, page_size: int, known: PageHashes | None) -> PageChanges:
    """Say which pages of an image changed, without keeping them.

    Raises:
        OSError: the image cannot be read.
    """
    reading = PageReading(image, page_size, known)
    ranges: list[PageRange] = []
    for extent in reading.extents():
        for first, count in extent.ranges:
            if ranges and sum(ranges[-1]) == first:
                ranges[-1] = (ranges[-1][0], ranges[-1][1] + count)
            else:
                ranges.append((first, count))
    return PageChanges(reading.result, tuple(ranges))


class _Bundle:
    """Changed pages on their way to becoming an extent."""

    __slots__ = ("_data", "_ranges", "pages", "total")

    def __init__(self) -> None:
        self._ranges: list[PageRange] = []
        self._data = bytearray()
        self.pages = 0
        self.total = 0

    def add(self, page: int, count: int, data: memoryview, page_size: int) -> Iterator[ChangedExtent]:
        """Add pages in a row, and give each extent that becomes full."""
        at = 0
        if not self.pages and count == EXTENT_PAGES:
            # Most of a first store is this: no need to collect what is an extent already.
            self.total += count
            yield ChangedExtent(((page, count),), bytes(data))
            return
        while count:
            taken = min(count, EXTENT_PAGES - self.pages)
            if self._ranges and sum(self._ranges[-1]) == page:
                first, before = self._ranges[-1]
                self._ranges[-1] = (first, before + taken)
            else:
                self._ranges.append((page, taken))
            self._data += data[at : at + taken * page_size]
            at += taken * page_size
            self.pages += taken
            self.total += taken
            page += taken
            count -= taken
            if self.pages == EXTENT_PAGES:
                yield self.take()

    def take(self) -> ChangedExtent:
        extent = ChangedExtent(tuple(self._ranges), bytes(self._data))
        self._ranges, self._data, self.pages = [], bytearray(), 0
        return extent


def _page_hashes(view: memoryview, page_size: int) -> bytes:
    sha256 = hashlib.sha256
    return b"".join(
        [sha256(view[start : start + page_size]).digest()[:HASH_SIZE] for start in range(0, len(view), page_size)]
    )


def _fill(file: io.FileIO, block: bytearray) -> int:
    """Fill a block from a file; less than the block only at the end."""
    view = memoryview(block)
    done = 0
    while done < len(block) and (count := file.readinto(view[done:])):
        done += count
    return done
