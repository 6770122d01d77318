"""Asking a stranger's SQLite database that has already been copied to a private place."""

import sqlite3

from backupkit.codec.sqlite_soundness import FAILURES

__all__ = ["FAILURES", "MAX_CELL_BYTES", "guarded"]

MAX_CELL_BYTES = 64 * 2**20


def guarded(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Make sure that nothing in the schema of a private copy is trusted and no cell fills the memory. May raise `FAILURES`."""
    connection.row_factory = sqlite3.Row
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_CELL_BYTES)
    connection.execute("pragma trusted_schema = off")
    connection.execute("pragma cell_size_check = on")
    connection.execute("pragma query_only = on")
    return connection
