"""Databases as pages: which chunk holds each page, so that a day's few changed pages are all that a day costs.

A run's changed pages are bundled into extents of up to 256 pages, one chunk each. A map is short rows (pages in a row, extent,
where in it) in leaves of 16,384 pages, so that a page costs no index entry and an unchanged leaf costs nothing.
"""

import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, TypeAlias, TypeVar

from backupkit.codec.cursor import Cursor
from backupkit.codec.framing import Mark, frame, unframe
from backupkit.codec.malformed import MalformedObject
from backupkit.ids import ChunkId
from backupkit.store.chunk_id import ID_SIZE, ChunkType
from backupkit.store.trees.tree import ReadsChunks, StoresChunks

EXTENT_PAGES = 256
LEAF_PAGES = 16_384
MAX_PAGE = 65_536

_MAP, _LEAF = 1, 2
_HEAD = struct.Struct(">BIQIII")
_ROW = struct.Struct(">IIII")
_COUNT = struct.Struct(">I")
_WHAT = "page-map"
_STRETCH = 16 << 20

_Bytes = TypeVar("_Bytes", bytes, memoryview)

Extent: TypeAlias = tuple[Sequence[tuple[int, int]], bytes]
"""Up to 256 changed pages: rows of them (the first, and how many follow in a row), and their bytes one after another."""


class PageRun(NamedTuple):
    """Pages in a row that lie in a row in one extent."""

    first: int
    pages: int
    extent: ChunkId
    first_in_extent: int


@dataclass(frozen=True, slots=True)
class PageMap:
    """Where the pages of one file are. Sizes in bytes; the file is `page_count` whole pages and then `tail_size` bytes.

    `runs` cover every page once, in order. A tail counts as page number `page_count`.
    """

    page_size: int
    page_count: int
    tail_size: int
    runs: tuple[PageRun, ...]

    def __post_init__(self) -> None:
        if not 0 < self.page_size <= MAX_PAGE or not 0 <= self.tail_size < self.page_size:
            raise MalformedObject(what=_WHAT, reason="page-size")
        at = 0
        for run in self.runs:
            if run.first != at or run.pages <= 0:
                raise MalformedObject(what=_WHAT, reason="not-covered")
            at += run.pages
        if at != self.pages:
            raise MalformedObject(what=_WHAT, reason="not-covered")

    @property
    def pages(self) -> int:
        """Whole pages, and one more for a tail."""
        return self.page_count + (self.tail_size > 0)

    @property
    def size(self) -> int:
        """The file's size in bytes."""
        return self.page_count * self.page_size + self.tail_size

    def extents(self) -> list[ChunkId]:
        """Return the extents that hold the pages, each once."""
        return list(dict.fromkeys(run.extent for run in self.runs))

    def encode(self) -> bytes:
        """Write the whole map into one object, for a local cache."""
        return _encode_map(self, [_encode_leaf(self.runs, 0)], leaf_pages=0)


def decode_page_map(data: bytes) -> PageMap:
    """Read what `PageMap.encode` wrote.

    Raises:
        MalformedObject: it is anything else.
    """
    head, leaf = _decode_head(data)
    return PageMap(head.page_size, head.page_count, head.tail_size, tuple(_decode_leaf(bytes(leaf), 0)))


def store_extents(
    writer: StoresChunks,
    previous: PageMap | None,
    *,
    page_size: int,
    file_size: int,
    extents: Iterable[Extent],
    compress: bool = True,
) -> PageMap:
    """Store the changed pages of a file, bundled in rising order, and return its new map.

    The extents hold the pages that differ from `previous`, every page that is new, and the tail if it is another; all pages where
    there is no `previous`.

    Raises:
        MalformedObject: the extents leave out a page that `previous` does not know.
    """
    page_count, tail_size = divmod(file_size, page_size)
    fresh: list[PageRun] = []
    for ranges, data in extents:
        chunk = writer.store(ChunkType.PAGE_EXTENT, data, compress=compress).id
        at = 0
        for first, pages in ranges:
            fresh.append(PageRun(first, pages, chunk, at))
            at += pages
    kept: Sequence[PageRun] = ()
    if previous is not None and previous.page_size == page_size:
        # A tail is kept only as what it was: a tail of the same length at the same place.
        same_end = (previous.page_count, previous.tail_size) == (page_count, tail_size)
        kept = _up_to(previous.runs, previous.pages if same_end else min(previous.page_count, page_count))
    return PageMap(page_size, page_count, tail_size, tuple(_join(_overlay(kept, fresh))))


def write_page_map(writer: StoresChunks, page_map: PageMap) -> ChunkId:
    """Store a map and its leaves, and return the chunk that names all of it."""
    leaves = []
    for start in range(0, page_map.pages, LEAF_PAGES):
        runs = list(_between(page_map.runs, start, start + LEAF_PAGES))
        leaves.append(writer.store(ChunkType.PAGE_MAP, _encode_leaf(runs, start)).id)
    return writer.store(ChunkType.PAGE_MAP, _encode_map(page_map, leaves, leaf_pages=LEAF_PAGES)).id


def read_page_map(reader: ReadsChunks, chunk: ChunkId) -> PageMap:
    """Read a map with its leaves.

    Raises:
        ChunkLost: the map or a leaf cannot be read.
        MalformedObject: it is no page map.
    """
    head, leaves = _decode_map(reader.read(chunk, ChunkType.PAGE_MAP))
    runs: list[PageRun] = []
    for number, leaf in enumerate(leaves):
        runs += _decode_leaf(reader.read(leaf, ChunkType.PAGE_MAP), number * head.leaf_pages)
    return PageMap(head.page_size, head.page_count, head.tail_size, tuple(_join(runs)))


def leaf_chunks(reader: ReadsChunks, chunk: ChunkId) -> list[ChunkId]:
    """Return the chunks that a map's leaves are."""
    return _decode_map(reader.read(chunk, ChunkType.PAGE_MAP))[1]


def read_pages(reader: ReadsChunks, page_map: PageMap) -> Iterator[bytes]:
    """Give the file's bytes from beginning to end, at most 16 MiB of them at a time in memory.

    After many small changes the pages of one extent lie far apart. Within each stretch of 16 MiB an extent is opened once.

    Raises:
        ChunkLost: an extent cannot be read.
    """
    stretch = max(_STRETCH // page_map.page_size, 1)
    for start in range(0, page_map.pages, stretch):
        runs = list(_between(page_map.runs, start, start + stretch))
        pieces: list[bytes] = [b""] * len(runs)
        by_extent: dict[ChunkId, list[int]] = {}
        for at, run in enumerate(runs):
            by_extent.setdefault(run.extent, []).append(at)
        for extent, places in by_extent.items():
            data = reader.read(extent, ChunkType.PAGE_EXTENT)
            for at in places:
                pieces[at] = run_bytes(page_map, runs[at], data)
        yield from pieces


def runs_by_extent(page_map: PageMap) -> Iterable[tuple[ChunkId, list[PageRun]]]:
    """Give each extent once with the runs that lie in it, in the order in which the file begins in them.

    Who can write at any offset needs to open each only once.
    """
    by_extent: dict[ChunkId, list[PageRun]] = {}
    for run in page_map.runs:
        by_extent.setdefault(run.extent, []).append(run)
    return by_extent.items()


def run_bytes(page_map: PageMap, run: PageRun, extent: _Bytes) -> _Bytes:
    """Return the bytes of a run from its extent's plain bytes. They belong at `run.first * page_size`.

    Raises:
        MalformedObject: the extent is too short for it.
    """
    start = run.first_in_extent * page_map.page_size
    size = run.pages * page_map.page_size
    if run.first + run.pages > page_map.page_count:
        size += page_map.tail_size - page_map.page_size
    if start + size > len(extent):
        raise MalformedObject(what="page-extent", reason="truncated")
    return extent[start : start + size]


def _overlay(kept: Sequence[PageRun], fresh: Sequence[PageRun]) -> Iterator[PageRun]:
    """Lay fresh pages over the runs that were there. Both are sorted."""
    at = covered = 0
    for run in kept:
        start, end = max(run.first, covered), run.first + run.pages
        while at < len(fresh) and fresh[at].first < end:
            over = fresh[at]
            if over.first > start:
                yield _part(run, start, over.first)
            yield over
            start = covered = over.first + over.pages
            at += 1
        if start < end:
            yield _part(run, start, end)
    yield from fresh[at:]


def _join(runs: Iterable[PageRun]) -> Iterator[PageRun]:
    """Join runs that lie behind one another in the file and in their extent."""
    last: PageRun | None = None
    for run in runs:
        if (
            last is not None
            and run.extent == last.extent
            and run.first == last.first + last.pages
            and run.first_in_extent == last.first_in_extent + last.pages
        ):
            last = last._replace(pages=last.pages + run.pages)
            continue
        if last is not None:
            yield last
        last = run
    if last is not None:
        yield last


def _up_to(runs: Sequence[PageRun], pages: int) -> list[PageRun]:
    return list(_between(runs, 0, pages))


def _between(runs: Sequence[PageRun], start: int, end: int) -> Iterator[PageRun]:
    at = max(bisect_right(runs, start, key=lambda run: run.first) - 1, 0)
    for run in islice(runs, at, None):
        if run.first >= end:
            return
        if run.first + run.pages > start:
            yield _part(run, max(run.first, start), min(run.first + run.pages, end))


def _part(run: PageRun, start: int, end: int) -> PageRun:
    return PageRun(start, end - start, run.extent, run.first_in_extent + start - run.first)


class _Head(NamedTuple):
    """The fixed fields of a map. `leaf_pages` is how many pages each leaf stands for."""

    page_size: int
    page_count: int
    tail_size: int
    leaf_pages: int
    leaves: int


def _encode_map(page_map: PageMap, leaves: Sequence[bytes], *, leaf_pages: int) -> bytes:
    head = _HEAD.pack(
        _MAP, page_map.page_size, page_map.page_count, page_map.tail_size, leaf_pages, len(leaves)
    )  # fmt: skip
    return frame(Mark.PAGE_MAP, head + b"".join(leaves))


def _decode_head(data: bytes) -> tuple[_Head, memoryview]:
    cursor = Cursor(unframe(Mark.PAGE_MAP, data), what=_WHAT)
    kind, *fields = _HEAD.unpack(cursor.take(_HEAD.size))
    if kind != _MAP:
        raise MalformedObject(what=_WHAT, reason="not-a-map")
    return _Head(*fields), cursor.take(cursor.remaining)


def _decode_map(data: bytes) -> tuple[_Head, list[ChunkId]]:
    head, rest = _decode_head(data)
    if len(rest) != head.leaves * ID_SIZE:
        raise MalformedObject(what=_WHAT, reason="wrong-count")
    return head, [ChunkId(bytes(rest[at : at + ID_SIZE])) for at in range(0, len(rest), ID_SIZE)]


def _encode_leaf(runs: Sequence[PageRun], start: int) -> bytes:
    numbers: dict[ChunkId, int] = {}
    for run in runs:
        numbers.setdefault(run.extent, len(numbers))
    rows = [_ROW.pack(run.first - start, run.pages, numbers[run.extent], run.first_in_extent) for run in runs]
    parts = (bytes([_LEAF]), _COUNT.pack(len(numbers)), *numbers, _COUNT.pack(len(rows)), *rows)
    return frame(Mark.PAGE_MAP, b"".join(parts))


def _decode_leaf(data: bytes, start: int) -> list[PageRun]:
    cursor = Cursor(unframe(Mark.PAGE_MAP, data), what=_WHAT)
    if cursor.u8() != _LEAF:
        raise MalformedObject(what=_WHAT, reason="not-a-leaf")
    ids = bytes(cursor.take(cursor.u32() * ID_SIZE))
    extents = [ChunkId(ids[at : at + ID_SIZE]) for at in range(0, len(ids), ID_SIZE)]
    rows = cursor.take(cursor.u32() * _ROW.size)
    cursor.finish()
    runs = []
    for first, count, number, first_in_extent in _ROW.iter_unpack(rows):
        if number >= len(extents):
            raise MalformedObject(what=_WHAT, reason="unknown-extent")
        runs.append(PageRun(start + first, count, extents[number], first_in_extent))
    return runs
