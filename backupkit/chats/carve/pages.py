"""The pages of a damaged database, wherever they come from: its file, its log, an older copy of the same state."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from backupkit.chats.carve.leaf import TABLE_LEAF, cell_places

MAGIC: Final = b"SQLite format 3\0"
PAGE_SIZES: Final = (4096, 1024, 2048, 8192, 16384, 32768, 65536, 512)
INTERIOR: Final = 0x05
_ENCODINGS: Final = {1: "utf-8", 2: "utf-16-le", 3: "utf-16-be"}
_SAMPLE_PAGES: Final = 400
_LEAST_LEAVES: Final = 2
_LEAST_SHARE: Final = 5


@dataclass(frozen=True, slots=True)
class Shape:
    """What the header says, or what was guessed where it is lost."""

    page_size: int
    usable: int
    encoding: str
    change_counter: bytes
    first_free: int
    pages: int
    is_guessed: bool = False


class Pages:
    """One database file, read page by page. `present` pages are in the file; where it was cut, `count` is more."""

    def __init__(self, descriptor: int, shape: Shape) -> None:
        self.shape = shape
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size
        self.present = -(-self._size // shape.page_size)
        self.count = max(self.present, min(shape.pages, self.present * 4 + 1024))
        self._instead: dict[int, tuple[int, int]] = {}

    def read(self, number: int) -> bytes:
        """Return a page by its number from 1 on, as long as a page is; zeros where there is nothing."""
        size = self.shape.page_size
        descriptor, offset = self._instead.get(number, (self._descriptor, (number - 1) * size))
        if number < 1 or (number > self.present and number not in self._instead):
            return bytes(size)
        try:
            data = os.pread(descriptor, size, offset)
        except OSError:
            data = b""
        return data.ljust(size, b"\0")

    def is_lost(self, number: int) -> bool:
        """Say whether nothing is on a page: it was cut off, zeroed, or cannot be read."""
        return not any(self.read(number))

    def put(self, number: int, descriptor: int, offset: int) -> None:
        """Take a page from another open file from now on."""
        self._instead[number] = descriptor, offset
        self.count = max(self.count, number)

    def lend(self, number: int) -> tuple[int, int]:
        """Return where a page of this file lies, for another that lacks it."""
        return self._descriptor, (number - 1) * self.shape.page_size

    def numbers(self) -> range:
        """Return the numbers of all pages."""
        return range(1, self.count + 1)


def shape_of(head: bytes, size: int) -> Shape | None:
    """Read the header of a database; None where it is none."""
    page_size = int.from_bytes(head[16:18], "big")
    page_size = 65536 if page_size == 1 else page_size
    if head[:16] != MAGIC or page_size not in PAGE_SIZES or len(head) < 100:
        return None
    reserved = head[20]
    if page_size - reserved < 480:
        return None
    return Shape(
        page_size,
        page_size - reserved,
        _ENCODINGS.get(int.from_bytes(head[56:60], "big"), "utf-8"),
        head[24:28],
        int.from_bytes(head[32:36], "big"),
        int.from_bytes(head[28:32], "big") if head[24:28] == head[92:96] else -(-size // page_size),
    )


def guess_shape(descriptor: int) -> Shape | None:
    """Find the page size of a database whose header is lost, by where table leaves begin; None where none do."""
    size = os.fstat(descriptor).st_size
    best: tuple[int, int] | None = None
    for page_size in PAGE_SIZES:
        pages = size // page_size
        step = max(1, pages // _SAMPLE_PAGES)
        found = sum(
            _looks_like_leaf(os.pread(descriptor, page_size, number * page_size), number + 1)
            for number in range(1, pages, step)
        )
        # A true size finds a leaf at most places; a smaller one finds the same leaves and the rubbish between them.
        share = found * 1000 // max(1, len(range(1, pages, step)))
        if found and (best is None or share > best[0]):
            best = share, page_size
    if best is None:
        return None
    return Shape(best[1], best[1], "utf-8", b"", 0, -(-size // best[1]), is_guessed=True)


def has_pages(front: bytes) -> bool:
    """Say whether what follows a lost first page is a database's: table leaves where pages of one size begin."""
    for page_size in PAGE_SIZES:
        pages = len(front) // page_size
        found = sum(
            _looks_like_leaf(front[number * page_size : (number + 1) * page_size], number + 1)
            for number in range(1, pages)
        )
        if found >= _LEAST_LEAVES and found * _LEAST_SHARE >= pages:
            return True
    return False


def _looks_like_leaf(page: bytes, number: int) -> bool:
    if not page or page[0] != TABLE_LEAF:
        return False
    count = int.from_bytes(page[3:5], "big")
    places = cell_places(page, number)
    # Rows fill a page from its end: were they all in the first half, the page would be a smaller one.
    return 0 < count == len(places) and max(places) >= len(page) // 2


def children_of(page: bytes, number: int, kind: int = INTERIOR) -> Iterator[int]:
    """Tell the pages below an interior page of a table, or of an index where that is the `kind`."""
    at = 100 if number == 1 else 0
    if len(page) < at + 12 or page[at] != kind:
        return
    count = int.from_bytes(page[at + 3 : at + 5], "big")
    for place in range(at + 12, min(at + 12 + 2 * count, len(page) - 1), 2):
        cell = int.from_bytes(page[place : place + 2], "big")
        if cell + 4 <= len(page):
            yield int.from_bytes(page[cell : cell + 4], "big")
    yield int.from_bytes(page[at + 8 : at + 12], "big")


def free_pages(pages: Pages) -> Iterator[int]:
    """Tell the pages that hold nothing any more, as far as their list goes."""
    trunk, met = pages.shape.first_free, set()
    while 1 <= trunk <= pages.count and trunk not in met:
        met.add(trunk)
        yield trunk
        page = pages.read(trunk)
        count = min(int.from_bytes(page[4:8], "big"), len(page) // 4 - 2)
        for at in range(8, 8 + 4 * count, 4):
            number = int.from_bytes(page[at : at + 4], "big")
            if 1 <= number <= pages.count:
                yield number
        trunk = int.from_bytes(page[:4], "big")
