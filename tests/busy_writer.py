"""A chat app that never rests: commits one message after another, and times how long it was kept waiting.

    busy_writer.py DATABASE JOURNAL_MODE PROGRESS [KEY [ROWS]]

PROGRESS is a file of 32 bytes, shared with whoever watches: transactions committed u64, longest transaction in
nanoseconds u64, the watcher's wish u64 (0 go on, 1 stop, 2 rest), how often SQLite answered SQLITE_BUSY u64. The app has no busy
time-out, so that it sees every lock that is in its way, and tries again at once. Each transaction adds message n, changes an old one, and sets the
counter to n, so that a copy shows whether it holds exactly the first n transactions. With KEY (64 hexadecimal digits, or
"-" for none) the app uses SQLCipher, where that is installed. ROWS messages are written in one transaction at the start.
"""

import importlib
import mmap
import os
import random
import sqlite3
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

PROGRESS = struct.Struct("=QQQQ")
GO_ON, STOP, REST = range(3)


def connect(database: str | Path, key: str | None = None) -> sqlite3.Connection:
    """Connect to a database, a sealed one with its key."""
    if key is None:
        return sqlite3.connect(database, isolation_level=None, timeout=60)
    cipher = importlib.import_module("sqlcipher3.dbapi2")
    connection: sqlite3.Connection = cipher.connect(str(database), isolation_level=None, timeout=60)
    connection.execute(f"PRAGMA key = \"x'{key}'\"")
    return connection


def insistently(do: Callable[[], object]) -> int:
    """Do it until no lock is in the way, and return how often one was."""
    busy = 0
    while True:
        try:
            do()
        except Exception as error:
            # SQLCipher has exceptions of its own.
            if "locked" not in str(error):
                raise
            busy += 1
            time.sleep(0.0001)
        else:
            return busy


def main(database: str, journal_mode: str, progress: str, key: str = "-", rows: str = "0") -> None:
    chance = random.Random(1)
    connection = connect(database, None if key == "-" else key)
    connection.execute(f"PRAGMA journal_mode = {journal_mode}")
    # Waiting for the disk at each commit would only make the app less busy.
    connection.execute(f"PRAGMA synchronous = {'NORMAL' if journal_mode == 'wal' else 'OFF'}")
    connection.execute("PRAGMA wal_autocheckpoint = 100")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS message (n INTEGER PRIMARY KEY, talker INTEGER, body BLOB, state INTEGER)"
    )
    connection.execute("CREATE INDEX IF NOT EXISTS by_talker ON message (talker, n)")
    connection.execute("CREATE TABLE IF NOT EXISTS counter (n INTEGER)")
    if connection.execute("SELECT count(*) FROM counter").fetchone() == (0,):
        connection.execute("INSERT INTO counter VALUES (0)")
    (n,) = connection.execute("SELECT n FROM counter").fetchone()
    if n < int(rows):
        connection.execute("BEGIN")
        for number in range(n + 1, int(rows) + 1):
            body = chance.randbytes(chance.randrange(20, 900))
            connection.execute("INSERT INTO message VALUES (?, ?, ?, 1)", (number, chance.randrange(300), body))
        connection.execute("UPDATE counter SET n = ?", (int(rows),))
        connection.execute("COMMIT")
    parent = os.getppid()
    with Path(progress).open("r+b") as file, mmap.mmap(file.fileno(), PROGRESS.size) as shared:
        (n,) = connection.execute("SELECT n FROM counter").fetchone()
        longest = busy = 0
        connection.execute("PRAGMA busy_timeout = 0")
        while os.getppid() == parent:
            started = time.monotonic_ns()
            busy += insistently(lambda: connection.execute("BEGIN IMMEDIATE"))
            n += 1
            body = chance.randbytes(chance.randrange(20, 900))
            connection.execute("INSERT INTO message VALUES (?, ?, ?, 0)", (n, chance.randrange(300), body))
            connection.execute("UPDATE message SET state = state + 1 WHERE n = ?", (chance.randrange(1, n + 1),))
            connection.execute("UPDATE counter SET n = ?", (n,))
            busy += insistently(lambda: connection.execute("COMMIT"))
            longest = max(longest, time.monotonic_ns() - started)
            wish = PROGRESS.unpack(shared[:])[2]
            if wish == STOP:
                break
            while wish == REST and os.getppid() == parent:
                time.sleep(0.001)
                wish = PROGRESS.unpack(shared[:])[2]
            shared[:16] = struct.pack("=QQ", n, longest)
            shared[24:32] = struct.pack("=Q", busy)
    connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
