"""Every row that can still be read from a damaged database, with the table it belongs to and how it was found.

A row on a leaf that its table's tree leads to is told first; then rows on leaves whose tree is lost; and, only where that is asked
for, what lies in free pages and between rows: those were deleted, or are older versions. Nothing here raises over what
is on a page, and no chain of pages is followed twice.
"""

from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, NamedTuple

from backupkit.chats.carve.known_forms import MANY, missing_from
from backupkit.chats.carve.leaf import (
    INDEX_INTERIOR,
    INDEX_LEAF,
    TABLE_LEAF,
    Cell,
    cell_at,
    cell_places,
    header_at,
    index_cells,
    leaf_cells,
)
from backupkit.chats.carve.matching import Forms, fits
from backupkit.chats.carve.pages import INTERIOR, Pages, children_of, free_pages
from backupkit.chats.carve.record import Header, Value, header_of, values_of
from backupkit.chats.carve.table import Column, Table, table_from

MAX_ROW_BYTES: Final = 64 << 20
MAX_TABLES: Final = 20_000
_MAX_MATCHED: Final = 32
_MAX_DEPTH: Final = 24
_KINDS: Final = frozenset({TABLE_LEAF, INTERIOR, INDEX_LEAF, INDEX_INTERIOR})
_SCHEMA_COLUMNS: Final = 5
_SCHEMA_KINDS: Final = frozenset({"table", "index", "view", "trigger"})


class How(Enum):
    """How a row was found."""

    TREE = "tree"
    PAGE = "page"
    FREE = "free"
    BETWEEN = "between"


class CarvedRow(NamedTuple):
    """One row. `is_whole` is false where a part of it lay on a page that is lost."""

    table: Table
    rowid: int
    values: tuple[Value, ...]
    page: int
    how: How
    is_whole: bool


@dataclass(slots=True)
class Seen:
    """What the pages turned out to be. `lost` hold nothing, or noise where a tree leads to a page of its own; `orphans` are leaves that no tree leads to, `left` were of no table."""

    pages: int = 0
    lost: int = 0
    leaves: int = 0
    orphans: int = 0
    left: int = 0


class Carving:
    """Reads one database. `like` are tables of a sound copy, used where the database's own are lost; behind them, the chat apps' known forms."""

    def __init__(self, pages: Pages, like: Sequence[Table] = ()) -> None:
        self._pages = pages
        self._usable = pages.shape.usable
        # Pages of a chain may be read as often as there are bytes in the file, twice over; then a file lies about its chains.
        self._chain_budget = pages.count * 2 + 1024
        self.seen = Seen(pages=pages.count)
        self._own_roots: list[int] = []
        known = {table.name: table for table in like}
        own = {table.name: table for table in self._schema()}
        known.update(own)
        # An older copy's trees lead to pages that may be anything here; what they do not find is no loss.
        self._own_names = frozenset(own)
        # What is only known of other databases is made where a row of it is found.
        expected = list(missing_from(known))
        self.tables: list[Table] = list(known.values())[:MAX_TABLES]
        self._owners = array("H", bytes(2 * (pages.count + 1)))
        self._places = {table.name: place for place, table in enumerate(self.tables, 1)}
        self._forms = Forms([*self.tables, *expected])
        self._broken: set[str] = set()
        self._trees: dict[int, int] = {}
        self._many: dict[int, Table] = {}
        self._strangers: dict[tuple[Column, ...], Table] = {}
        self._is_own = bytearray(pages.count + 1)
        self._is_noise = bytearray(pages.count + 1)

    def rows(self, *, deleted: bool = False) -> Iterator[CarvedRow]:
        """Tell every row, the surest first."""
        free = set(free_pages(self._pages))
        for root in self._own_roots:
            for number in self._leaves_below(root):
                self._is_own[number] = 1
        for place, table in enumerate(self.tables, 1):
            if table.root and table.stored_order:
                yield from self._keyed_tree(table, place)
            elif table.root:
                yield from self._tree(table, place)
        orphans = []
        for number in self._pages.numbers():
            page = self._pages.read(number)
            # SQLite with `secure_delete` writes zeros over what it frees: such a page lost nothing.
            if self._is_noise[number] or (not any(page) and number not in free):
                self.seen.lost += 1
            elif self._is_orphan(number, page, free):
                orphans.append(number)
        self._trees = dict(self._lost_trees(orphans, free))
        for number in orphans:
            yield from self._page(number, How.PAGE)
        if deleted:
            for number in sorted(free):
                if self._pages.read(number)[0] == TABLE_LEAF:
                    yield from self._page(number, How.FREE)
            for number in self._pages.numbers():
                yield from self._between(number)

    def _is_orphan(self, number: int, page: bytes, free: Collection[int]) -> bool:
        is_taken = number in free or self._owners[number] or self._is_own[number]
        return not is_taken and page[header_at(number)] == TABLE_LEAF

    def _schema(self) -> Iterator[Table]:
        """Tell the tables that the database itself describes, wherever that page is."""
        met: set[str] = set()
        for number in self._schema_pages():
            for cell in leaf_cells(self._pages.read(number), number, self._usable):
                read = self._read(cell)
                if read is None or len(read[0]) != _SCHEMA_COLUMNS or read[0][0] != "table":
                    continue
                _kind, name, _of, root, sql = read[0]
                if str(name).startswith("sqlite_"):
                    # SQLite's own counts and statistics: a new database makes them anew.
                    if isinstance(root, int) and 1 < root <= self._pages.count:
                        self._own_roots.append(root)
                    continue
                table = (
                    table_from(sql, root if isinstance(root, int) and root > 0 else 0) if isinstance(sql, str) else None
                )
                if table is not None and table.name == name and name not in met:
                    met.add(table.name)
                    yield table

    def _schema_pages(self) -> Iterator[int]:
        reached = list(self._leaves_below(1))
        yield from reached
        if reached and any(cell_places(self._pages.read(number), number) for number in reached):
            return
        # The first page is lost: what was below it still looks like a schema.
        for number in self._pages.numbers():
            cells = leaf_cells(self._pages.read(number), number, self._usable)
            first = next(cells, None)
            read = self._read(first) if first is not None else None
            if read is not None and len(read[0]) == _SCHEMA_COLUMNS and read[0][0] in _SCHEMA_KINDS:
                yield number

    def _lost_trees(self, orphans: Collection[int], free: Collection[int]) -> Iterator[tuple[int, int]]:
        """Tell of each leaf that no table leads to which page is the root of what is left of its tree."""
        if not orphans:
            return
        above: dict[int, int] = {}
        for number in self._pages.numbers():
            if number in free or self._is_own[number]:
                continue
            for child in children_of(self._pages.read(number), number):
                if 1 < child <= self._pages.count:
                    above.setdefault(child, number)
        for leaf in orphans:
            root, steps = leaf, 0
            while root in above and steps < _MAX_DEPTH:
                root, steps = above[root], steps + 1
            yield leaf, root

    def _keyed_tree(self, table: Table, place: int) -> Iterator[CarvedRow]:
        """Tell the rows of a table without row numbers: they lie in all pages of an index."""
        todo, met = [table.root] if table.root <= self._pages.count else [], {table.root}
        order = table.stored_order
        while todo:
            number = todo.pop()
            page = self._pages.read(number)
            if page[0] not in {INDEX_LEAF, INDEX_INTERIOR} or self._owners[number]:
                self._is_noise[number] = table.name in self._own_names and page[0] not in _KINDS
                continue
            self._owners[number] = place
            self.seen.leaves += page[0] == INDEX_LEAF
            for cell in index_cells(page, self._usable):
                read = self._read(cell)
                if read is not None and 0 < len(read[0]) <= len(order):
                    values: list[Value] = [None] * len(order)
                    for at, value in zip(order, read[0], strict=False):
                        values[at] = value
                    yield CarvedRow(table, 0, tuple(values), number, How.TREE, read[1])
            below = [
                child
                for child in children_of(page, number, INDEX_INTERIOR)
                if 1 < child <= self._pages.count and child not in met
            ]
            met.update(below)
            todo += reversed(below)

    def _leaves_below(self, root: int, *, of: str = "") -> Iterator[int]:
        todo, met = [root], {root}
        if root > self._pages.count:
            # It was cut off with all that followed.
            self._broken.add(of)
            return
        while todo:
            number = todo.pop()
            page = self._pages.read(number)
            kind = page[header_at(number)]
            if kind == TABLE_LEAF:
                yield number
                continue
            if kind != INTERIOR and of:
                self._broken.add(of)
                self._is_noise[number] = of in self._own_names and kind not in _KINDS
            below = [
                child for child in children_of(page, number) if 1 < child <= self._pages.count and child not in met
            ]
            met.update(below)
            todo += reversed(below)

    def _tree(self, table: Table, place: int) -> Iterator[CarvedRow]:
        for number in self._leaves_below(table.root, of=table.name):
            if self._owners[number]:
                # Two trees cannot share a page: the first one keeps it.
                continue
            cells = list(leaf_cells(self._pages.read(number), number, self._usable))
            # Only a table without a row has an empty leaf, and that is its root.
            self._is_noise[number] = not cells and number != table.root and table.name in self._own_names
            headers = (header for cell in cells if (header := header_of(cell.local, cell.size)))
            if cells and not any(fits(header, table) for header in headers):
                # The tree leads to a page of somebody else: a stale pointer. It is looked at as an orphan.
                continue
            self._owners[number] = place
            self.seen.leaves += 1
            yield from self._told(table, number, cells, How.TREE)

    def _page(self, number: int, how: How) -> Iterator[CarvedRow]:
        cells = list(leaf_cells(self._pages.read(number), number, self._usable))
        headers = [header for cell in cells if (header := header_of(cell.local, cell.size))]
        if not headers or self._is_schema(cells):
            return
        around = range(max(1, number - 8), min(self._pages.count, number + 8) + 1)
        near = {self.tables[self._owners[place] - 1].name for place in around if self._owners[place]}
        alike = self._forms.best(headers[:_MAX_MATCHED], near)
        table = self._whose(number, headers, alike)
        if how is How.PAGE:
            self.seen.orphans += 1
            self._owners[number] = self._places.get(table.name, 0)
            self.seen.left += not self._owners[number]
        yield from self._told(table, number, cells, how)

    def _whose(self, number: int, headers: Sequence[Header], alike: Sequence[Table]) -> Table:
        """Choose between tables that look alike: the one whose tree has lost a page, where it is the only one."""
        root = self._trees.get(number, number)
        if len(alike) > 1:
            broken = [table for table in alike if table.name in self._broken]
            alike = broken if len(broken) == 1 else alike
        if alike and (len(alike) > 1 or alike[0].is_one_of_many) and MANY.fullmatch(alike[0].name):
            # One conversation of many, and nothing tells which: what is left of one tree stays together.
            if root not in self._many:
                self._many[root] = replace(alike[0], name=f"Chat_{root:032x}", root=0)
            return self._many[root]
        return alike[0] if len(alike) == 1 else self._stranger(headers, alike)

    def _is_schema(self, cells: Sequence[Cell]) -> bool:
        read = self._read(cells[0]) if cells else None
        return read is not None and len(read[0]) == _SCHEMA_COLUMNS and read[0][0] in _SCHEMA_KINDS

    def _stranger(self, headers: Sequence[Header], alike: Sequence[Table]) -> Table:
        """Return a table for rows of which nothing tells whose they are: no guess, but every value is kept."""
        width = max(len(header.types) for header in headers)
        columns = alike[0].columns if alike else tuple(Column(f"c{place}", "blob") for place in range(width))
        if columns not in self._strangers:
            self._strangers[columns] = Table(f"backupkit_lost_{len(self._strangers) + 1}", columns)
        return self._strangers[columns]

    def _told(self, table: Table, number: int, cells: Sequence[Cell], how: How) -> Iterator[CarvedRow]:
        for cell in cells:
            read = self._read(cell)
            if read is None:
                continue
            if len(read[0]) <= len(table.columns):
                yield CarvedRow(table, cell.rowid, read[0], number, how, read[1])

    def _between(self, number: int) -> Iterator[CarvedRow]:
        """Look for whole old rows in the gap of a leaf that is in use, where new rows will go."""
        place = self._owners[number]
        page = self._pages.read(number)
        at = header_at(number)
        if not place or page[at] != TABLE_LEAF:
            return
        table = self.tables[place - 1]
        begin = at + 8 + 2 * int.from_bytes(page[at + 3 : at + 5], "big")
        end = int.from_bytes(page[at + 5 : at + 7], "big") or len(page)
        offset = begin
        while offset < min(end, len(page)):
            cell = cell_at(page, offset, self._usable) if page[offset] else None
            header = (
                header_of(cell.local, cell.size) if cell is not None and not cell.overflow and cell.size > 2 else None
            )
            if cell is None or header is None or len(header.types) != len(table.columns) or not fits(header, table):
                offset += 1
                continue
            yield CarvedRow(
                table, cell.rowid, values_of(cell.local, header, self._pages.shape.encoding), number, How.BETWEEN, True
            )
            offset += cell.size + 2

    def _read(self, cell: Cell) -> tuple[tuple[Value, ...], bool] | None:
        """Return a cell's values and whether all of them are there."""
        header = header_of(cell.local, cell.size)
        if header is None or cell.size > MAX_ROW_BYTES:
            return None
        data, is_whole = cell.local, True
        if cell.overflow:
            data, is_whole = self._chained(cell)
        return values_of(data, header, self._pages.shape.encoding), is_whole

    def _chained(self, cell: Cell) -> tuple[bytes, bool]:
        parts, have, number = [cell.local], len(cell.local), cell.overflow
        while have < cell.size and 1 < number <= self._pages.count and self._chain_budget > 0:
            self._chain_budget -= 1
            page = self._pages.read(number)
            if not any(page[:8]) and not any(page):
                break
            part = page[4 : self._usable][: cell.size - have]
            parts.append(part)
            have += len(part)
            number = int.from_bytes(page[:4], "big")
        return b"".join(parts), have >= cell.size
