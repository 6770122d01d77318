"""The cells of one page, as far as they can be believed. Format: the SQLite file format, section 1.6.

page header (8): type 0x0d, first freeblock u16, cells u16, content start u16, fragments u8        big endian
cell pointers: u16 each; a cell: payload length varint, rowid varint, payload, overflow page u32 where it goes on

A table without row numbers lies in the pages of an index: type 0x0a, and 0x02 with four more bytes in the header and a page's number
in front of each cell. Its cells have no rowid, and there is a row in each cell of every page.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

TABLE_LEAF: Final = 0x0D
INDEX_LEAF: Final = 0x0A
INDEX_INTERIOR: Final = 0x02
FILE_HEADER_SIZE: Final = 100


class Cell(NamedTuple):
    """One row on a page: its number, how long its record is, the part that lies here, and the page where it goes on or 0."""

    rowid: int
    size: int
    local: bytes
    overflow: int


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a varint as a signed number of 64 bits, and where it ends.

    Raises:
        IndexError: the data ends inside it.
    """
    value = 0
    for number in range(8):
        byte = data[at + number]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + number + 1
    value = value << 8 | data[at + 8]
    return (value - (1 << 64) if value >> 63 else value), at + 9


def cell_at(page: bytes, at: int, usable: int) -> Cell | None:
    """Read the cell that begins at a place; None where none can."""
    try:
        size, after = read_varint(page, at)
        rowid, after = read_varint(page, after)
    except IndexError:
        return None
    if size < 0:
        return None
    return _with_payload(page, after, usable, (rowid, size, usable - 35))


def _with_payload(page: bytes, after: int, usable: int, cell: tuple[int, int, int]) -> Cell | None:
    rowid, size, most = cell
    if size <= most:
        return Cell(rowid, size, page[after : after + size], 0) if after + size <= usable else None
    least = (usable - 12) * 32 // 255 - 23
    local = least + (size - least) % (usable - 4)
    local = local if local <= most else least
    if after + local + 4 > usable:
        return None
    overflow = int.from_bytes(page[after + local : after + local + 4], "big")
    return Cell(rowid, size, page[after : after + local], overflow)


def header_at(number: int) -> int:
    """Return where the header of a page stands; the first page begins with the file's own."""
    return FILE_HEADER_SIZE if number == 1 else 0


def cell_places(page: bytes, number: int) -> list[int]:
    """Return where the cells of a table leaf begin, none where it is no such page."""
    at = header_at(number)
    if len(page) < at + 8 or page[at] != TABLE_LEAF:
        return []
    return _places(page, at, at + 8)


def _places(page: bytes, at: int, begin: int) -> list[int]:
    count = int.from_bytes(page[at + 3 : at + 5], "big")
    end = begin + 2 * count
    if end > len(page):
        return []
    places = [int.from_bytes(page[place : place + 2], "big") for place in range(begin, end, 2)]
    return [place for place in places if end <= place < len(page)]


def index_cells(page: bytes, usable: int) -> Iterator[Cell]:
    """Tell the cells of a page of an index in their order; their rowid is 0."""
    if len(page) < 12 or page[0] not in {INDEX_LEAF, INDEX_INTERIOR}:
        return
    is_interior = page[0] == INDEX_INTERIOR
    for place in _places(page, 0, 12 if is_interior else 8):
        try:
            size, after = read_varint(page, place + 4 * is_interior)
        except IndexError:
            continue
        cell = None if size < 0 else _with_payload(page, after, usable, (0, size, (usable - 12) * 64 // 255 - 23))
        if cell is not None:
            yield cell


def leaf_cells(page: bytes, number: int, usable: int) -> Iterator[Cell]:
    """Tell the cells of a table leaf in their order."""
    for place in cell_places(page, number):
        cell = cell_at(page, place, usable)
        if cell is not None:
            yield cell


def leaf_rowids(page: bytes, number: int) -> Iterator[int]:
    """Tell the numbers of the rows on a table leaf, nothing where it is another page."""
    for place in cell_places(page, number):
        try:
            _size, after = read_varint(page, place)
            yield read_varint(page, after)[0]
        except IndexError:
            continue
