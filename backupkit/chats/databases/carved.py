"""What is left of a damaged database, in a sound one that readers can ask as they would have asked the other.

SQLite gives up at the first page that it cannot read, so one lost page would cost every message of a sorted query. All pages are
read without it, and the rows that were not in their place are known afterwards.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import BinaryIO

from backupkit.chats.carve.carving import Carving
from backupkit.chats.carve.filling import LABELS, fill
from backupkit.chats.carve.pages import Pages, guess_shape, shape_of
from backupkit.chats.carve.table import Table, quoted
from backupkit.chats.databases.nameless import nameless_database
from backupkit.chats.databases.sqlite_copy import FAILURES, guarded

_MOST_JOINING = 4


def carved(file: BinaryIO, stack: ExitStack) -> sqlite3.Connection | None:
    """Return a sound database with every row of a file that can still be read; None where there is none. Deleted rows stay deleted."""
    size = file.seek(0, 2)
    file.seek(0)
    shape = shape_of(file.read(100), size) or guess_shape(file.fileno())
    if shape is None:
        return None
    sound, _file = nameless_database(stack)
    sound.isolation_level = None
    carving = Carving(Pages(file.fileno(), shape))
    filled = fill(sound, carving)
    if not any(table.rows for table in filled.tables):
        return None
    for table in carving.tables:
        _index_joining(sound, table)
    return guarded(sound)


def recovered_rows(sound: sqlite3.Connection) -> Mapping[str, set[int]]:
    """Return the rows of each table that were not in their place, or of which a part is lost."""
    found: dict[str, set[int]] = {}
    for table, row in sound.execute(f"select in_table, row from {LABELS}"):  # noqa: S608  a name of our own
        found.setdefault(str(table), set()).add(int(row))
    return found


def _index_joining(sound: sqlite3.Connection, table: Table) -> None:
    """Index what joins other tables: readers look it up for every message, and the app's own indexes are gone."""
    joining = [column.name for column in table.columns if column.name.lower().endswith("_id")]
    if len(table.columns) > _MOST_JOINING or len(joining) < 2:
        return
    for number, name in enumerate(joining):
        index = quoted(f"backupkit_{table.name}_{number}")
        with suppress(*FAILURES):
            sound.execute(f"create index {index} on {quoted(table.name)} ({quoted(name)})")
