"""A real app that writes while we copy, and ways to look at what was copied."""

import contextlib
import mmap
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from busy_writer import GO_ON, PROGRESS, REST, STOP, connect

from backupkit.capture.databases import DatabaseKind
from backupkit.capture.live_database import Captured

PLAIN = DatabaseKind(sealed=False, page_size=4096)
AS_IF_SEALED = DatabaseKind(sealed=True, page_size=4096)
PROGRAM = Path(__file__).with_name("busy_writer.py")


class BusyWriter:
    """The running app."""

    def __init__(self, process: "subprocess.Popen[bytes]", progress: mmap.mmap) -> None:
        self.process = process
        self._progress = progress

    @property
    def committed(self) -> int:
        return int.from_bytes(self._progress[0:8], sys.byteorder)

    @property
    def longest_seconds(self) -> float:
        return int.from_bytes(self._progress[8:16], sys.byteorder) / 1e9

    @property
    def busy(self) -> int:
        """How often SQLite told the app that a lock was in its way."""
        return int.from_bytes(self._progress[24:32], sys.byteorder)

    def wait_for(self, committed: int) -> None:
        deadline = time.monotonic() + 60
        while self.committed < committed:
            assert self.process.poll() is None, "the writer stopped"
            assert time.monotonic() < deadline, "the writer makes no progress"
            time.sleep(0.001)

    @contextlib.contextmanager
    def resting(self) -> Iterator[None]:
        """Let the app rest for as long as the context lasts, so that checking a copy does not let the database grow."""
        self._wish(REST)
        yield
        self._wish(GO_ON)

    def _wish(self, wish: int) -> None:
        self._progress[16:24] = wish.to_bytes(8, sys.byteorder)

    def finish(self) -> None:
        self._wish(STOP)
        assert self.process.wait(60) == 0

    def crash(self) -> None:
        self.process.kill()
        self.process.wait(60)


StartWriter = Callable[..., BusyWriter]


@contextlib.contextmanager
def busy_apps(folder: Path) -> Iterator[StartWriter]:
    """Start apps on databases, `start(path, "wal")`, and stop them at the end; `folder` takes their progress files."""
    with contextlib.ExitStack() as running:

        def start(database: Path, journal_mode: str, *more: str) -> BusyWriter:
            progress = folder / f"progress-{database.name}"
            progress.write_bytes(bytes(PROGRESS.size))
            file = running.enter_context(progress.open("r+b"))
            shared = running.enter_context(mmap.mmap(file.fileno(), PROGRESS.size))
            program = [sys.executable, str(PROGRAM), str(database), journal_mode, str(progress), *more]
            process = subprocess.Popen(program)
            running.callback(process.wait, 60)
            running.callback(process.kill)
            return BusyWriter(process, shared)

        yield start


def crash_with_log(database: Path) -> None:
    """Leave a database whose app died after 130 transactions, all of them still in its write-ahead log."""
    program = f"""
import os, sqlite3
connection = sqlite3.connect({str(database)!r}, isolation_level=None)
connection.execute("PRAGMA journal_mode = wal")
connection.execute("PRAGMA wal_autocheckpoint = 0")
connection.execute("CREATE TABLE message (n INTEGER PRIMARY KEY, body BLOB, state INTEGER)")
connection.execute("CREATE TABLE counter (n INTEGER)")
connection.execute("INSERT INTO counter VALUES (0)")
for n in range(1, 131):
    connection.execute("BEGIN")
    connection.execute("INSERT INTO message VALUES (?, zeroblob(500), 1)", (n,))
    connection.execute("UPDATE counter SET n = ?", (n,))
    connection.execute("COMMIT")
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def transactions_in(image: Path, *companions: tuple[str, Path], key: str | None = None) -> int:
    """Assert that a copy is sound and holds exactly the first n transactions; return n. The copy is copied first.

    With `key`, the raw key in hexadecimal digits, the copy is opened by SQLCipher.
    """
    opened = image.with_name("opened.db")
    shutil.copyfile(image, opened)
    for ending, path in companions:
        shutil.copyfile(path, opened.with_name(opened.name + ending))
    connection = connect(opened, key)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (counter,) = connection.execute("SELECT n FROM counter").fetchone()
        (rows, last, changes) = connection.execute("SELECT count(*), max(n), sum(state) FROM message").fetchone()
    finally:
        connection.close()
        for path in opened.parent.glob("opened.db*"):
            path.unlink()
    assert (rows, last, changes) == (counter, counter, counter)
    return int(counter)


def fingerprint(folder: Path) -> dict[str, tuple[bytes, int, int, int]]:
    """Every file of a folder: bytes, modification time, inode and mode."""
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino, path.stat().st_mode)
        for path in folder.iterdir()
        if path.is_file()
    }


def companions_of(captured: Captured) -> list[tuple[str, Path]]:
    """Return what is kept beside a copied database: each file's ending and where it lies."""
    return [(companion.ending.decode(), companion.path) for companion in captured.companions]
