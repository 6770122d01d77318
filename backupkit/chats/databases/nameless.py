"""Private files that no name leads to, so that nothing of them is left when this program is killed.

On systems where an open file cannot lose its name, it lies in a private folder and goes with the source.
"""

import io
import os
import sqlite3
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


def nameless_file(stack: ExitStack) -> BinaryIO:
    """Return an empty file to write into; it lasts as long as the stack."""
    return cast("BinaryIO", stack.enter_context(tempfile.TemporaryFile()))


def nameless_database(stack: ExitStack) -> tuple[sqlite3.Connection, BinaryIO]:
    """Return a connection to an empty file, and that file, into which a whole database may be written before the first query.

    What SQLite sorts outside memory goes into files that have lost their names as well: it unlinks them as soon as they are open.
    """
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="backupkit-", ignore_cleanup_errors=True))
    path = Path(folder, "database")
    file = stack.enter_context(os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b"))
    # SQLite opens the file here and reads it only when it is asked something, by one thread at a time.
    connection = stack.enter_context(closing(sqlite3.connect(path, check_same_thread=False)))
    if os.name == "posix":
        path.unlink()
    return connection, file


def reading(file: BinaryIO) -> BinaryIO:
    """Open a file without a name for reading from the start. Each opening has its own place."""
    return cast("BinaryIO", io.BufferedReader(_Window(file), 1 << 16))


class _Window(io.RawIOBase):
    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        base = (0, self._at, os.fstat(self._file.fileno()).st_size)[whence]
        self._at = max(base + offset, 0)
        return self._at

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer).cast("B")
        if hasattr(os, "pread"):
            block = os.pread(self._file.fileno(), len(view), self._at)
        else:
            self._file.seek(self._at)
            block = self._file.read(len(view))
        view[: len(block)] = block
        self._at += len(block)
        return len(block)
