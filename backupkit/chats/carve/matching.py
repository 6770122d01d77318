"""Whose rows are on a page that no tree leads to any more, told by what they look like."""

from collections.abc import Collection, Iterable, Sequence

from backupkit.chats.carve.record import Header
from backupkit.chats.carve.table import Column, Table

LEAST_SHARE = 0.8
MOST_COMPARED = 20_000_000
"""So many records are compared with tables; then a file with thousands of tables and orphans is kept without being sorted."""


def fits(header: Header, table: Table) -> int:
    """Say how well a record fits a table: 0 not at all, more is better."""
    columns = table.columns
    if not header.types or not table.least <= len(header.types) <= len(columns):
        return 0
    # Rows written before a column was added are shorter.
    score = 2 if len(header.types) == len(columns) else 1
    for place, serial in enumerate(header.types):
        column = columns[place]
        if place == table.rowid_column:
            if serial != 0:
                return 0
            score += 2
        elif serial == 0:
            if column.is_required:
                return 0
        elif column.affinity == "integer":
            if serial >= 13 and serial % 2:
                return 0
            score += serial <= 6 or serial in {8, 9}
        elif column.affinity == "text":
            if serial < 12:
                return 0
            score += serial % 2
        elif column.affinity == "real":
            score += serial == 7
    return score


class Forms:
    """The tables by what their rows look like."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self._budget = MOST_COMPARED
        self._tables: dict[tuple[tuple[Column, ...], int | None], list[Table]] = {}
        for table in tables:
            if not table.stored_order:
                self._tables.setdefault((table.columns, table.rowid_column), []).append(table)

    def best(self, headers: Sequence[Header], near: Collection[str]) -> Sequence[Table]:
        """Return the tables that nearly all rows of a page fit best: several where they look alike, since then nothing tells which.

        Between tables that look different and fit equally, the one that pages near by belong to is taken.
        """
        self._budget -= len(headers) * len(self._tables)
        if self._budget < 0:
            return ()
        best: tuple[int, int] = (0, 0)
        found: Sequence[Table] = ()
        for alike in self._tables.values():
            scores = [fits(header, alike[0]) for header in headers]
            if sum(score > 0 for score in scores) < len(scores) * LEAST_SHARE:
                continue
            rank = sum(scores), sum(table.name in near for table in alike)
            if rank > best:
                best, found = rank, alike
        return found
