"""Reading around the damage of a SQLite database: what its whole pages hold is copied into a sound one.

SQLite gives up at the first page that it cannot read, so one lost page would cost every message of a sorted query. The rows
of each table are therefore read in the order of their numbers, and where that fails, on from the next number that works.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress

from backupkit.chats.sqlite_copy import FAILURES

MAX_STRETCHES = 5000
_BATCH = 500
_LAST = 2**63 - 2


def salvage(damaged: sqlite3.Connection, sound: sqlite3.Connection) -> bool:
    """Copy every row that can be read into a new database; False where not even the list of tables can."""
    try:
        tables = damaged.execute("select name, sql from sqlite_master where type = 'table'").fetchall()
    except FAILURES:
        return False
    sound.execute("pragma synchronous = off")
    sound.execute("pragma journal_mode = off")
    for name, sql in tables:
        if str(sql or "").lstrip().lower().startswith("create table") and not str(name).startswith("sqlite_"):
            with suppress(*FAILURES):
                _copy_table(damaged, sound, str(name))
    sound.commit()
    return True


def _copy_table(damaged: sqlite3.Connection, sound: sqlite3.Connection, table: str) -> None:
    columns = damaged.execute("select name, type, pk from pragma_table_info(?)", (table,)).fetchall()
    if not columns:
        return
    keys = [str(row[0]) for row in columns if row[2]]
    own = [f"{_quoted(str(row[0]))} integer primary key" if [str(row[0])] == keys and str(row[1]).lower() == "integer" else _quoted(str(row[0])) for row in columns]  # fmt: skip
    quoted = _quoted(table)
    sound.execute(f"create table {quoted} ({', '.join(own)})")
    insert = f"insert or ignore into {quoted} values ({', '.join('?' * len(columns))})"  # noqa: S608  every name is quoted
    after: int | None = -(2**63)
    for _stretch in range(MAX_STRETCHES):
        if after is None:
            return
        cursor = damaged.execute(f"select rowid, * from {quoted} where rowid > ? order by rowid", (after,))  # noqa: S608  every name is quoted
        try:
            while rows := cursor.fetchmany(_BATCH):
                sound.executemany(insert, [tuple(row)[1:] for row in rows])
                after = int(rows[-1][0])
        except FAILURES:
            after = _next_that_works(damaged, quoted, _single_rows(damaged, sound, (quoted, insert), after))
            continue
        finally:
            cursor.close()
        return


def _next_that_works(damaged: sqlite3.Connection, quoted: str, after: int) -> int | None:
    """Return the smallest number behind which rows can be read again: ever wider steps, and then back by halves."""
    low, leap = after, 1
    while not _works(damaged, quoted, high := min(after + leap, _LAST)):
        low, leap = high, leap * 2
        if high == _LAST or leap > 2**48:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if _works(damaged, quoted, middle):
            high = middle
        else:
            low = middle
    return high


def _works(damaged: sqlite3.Connection, quoted: str, after: int) -> bool:
    try:
        damaged.execute(f"select * from {quoted} where rowid > ? order by rowid limit 1", (after,)).fetchall()  # noqa: S608  every name is quoted
    except FAILURES:
        return False
    return True


def _single_rows(damaged: sqlite3.Connection, sound: sqlite3.Connection, names: Sequence[str], after: int) -> int:
    """Copy what is left of a batch before the damage, row by row. Returns the last number that was read."""
    quoted, insert = names
    with suppress(*FAILURES), closing(damaged.execute(f"select rowid, * from {quoted} where rowid > ? order by rowid", (after,))) as cursor:  # noqa: S608  every name is quoted  # fmt: skip
        while row := cursor.fetchone():
            sound.execute(insert, tuple(row)[1:])
            after = int(row[0])
    return after


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
