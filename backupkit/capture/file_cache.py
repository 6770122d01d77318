"""What is known of files from the last time, so that unchanged ones need not be read.

A cache in the strict sense: it may be lost, truncated or overwritten at any time, and all that costs is reading again.
A row counts only where its checksum is right and the file's stamp is the same in size, times, inode and device. A file
that was written within two seconds of the scan's start gets no stamp at all: a second write in the same tick of the
file system's clock would leave the first one's time (the accident that git calls "racy").
"""

import contextlib
import hashlib
import os
import sqlite3
import struct
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, NewType, Self

from backupkit.capture.scan import EntryKind, RelativePath, ScannedEntry

Stamp = NewType("Stamp", bytes)
"""What a file, or a database with its companions, looks like from outside: 40 bytes for each file. Empty: never trusted."""

RACY_NS: Final = 2_000_000_000
_STAMP: Final = struct.Struct(">qqqQQ")
_FOLDER_ROW: Final = struct.Struct(">cIqqqQQI")
_VERSION: Final = 1
_BATCH: Final = 500
_U64: Final = 2**64 - 1
_OTHERS_FAULT: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN}
"""Errors in which the cache is not damaged: it is another process's turn, or not ours to open."""

_DAMAGE: Final = (sqlite3.Error, UnicodeDecodeError)
"""What a damaged cache may answer: Python decodes the names that SQLite puts into its complaint, whatever bytes they are."""

NEVER: Final = Stamp(b"")
"""The stamp of a file that must be read again the next time."""

_ITSELF: Final = b"/"
"""Stands for the folder among the names in it: no file can be called that."""

_SCHEMA: Final = (
    """CREATE TABLE file (
        source TEXT NOT NULL, folder BLOB NOT NULL, name BLOB NOT NULL,
        stamp BLOB NOT NULL, value BLOB NOT NULL, checksum INTEGER NOT NULL,
        PRIMARY KEY (source, folder, name)) WITHOUT ROWID""",
    """CREATE TABLE pages (
        source TEXT NOT NULL, folder BLOB NOT NULL, name BLOB NOT NULL, hashes BLOB NOT NULL, checksum INTEGER NOT NULL,
        PRIMARY KEY (source, folder, name))""",
)


class CachedFile(NamedTuple):
    """A row: `value` is whatever the caller gave when it was remembered."""

    stamp: Stamp
    value: bytes


def stamp_of(*entries: ScannedEntry, scan_started_ns: int) -> Stamp:
    """Stamp a file, or a database followed by its companions, as scanned.

    `scan_started_ns` is the wall clock in nanoseconds when the scan began. The stamp is empty, and so never trusted,
    where one of the files was written so shortly before that (or after) that its times prove nothing.
    """
    packed = []
    for entry in entries:
        if entry.mtime_ns > scan_started_ns - RACY_NS or entry.ctime_ns > scan_started_ns - RACY_NS:
            return NEVER
        packed.append(_STAMP.pack(entry.size, entry.mtime_ns, entry.ctime_ns, entry.inode & _U64, entry.device & _U64))
    return Stamp(b"".join(packed))


def folder_stamp(entries: Iterable[ScannedEntry], told: bytes, *, scan_started_ns: int) -> Stamp:
    """Stamp a folder by all that is in it, as scanned: a hash of names, kinds and status of the files and links.

    Of a folder in it only name, mode and time count; what lies in that is said by `told`, which the caller makes of
    whatever the value depends on beside. The stamp is empty where some file's times prove nothing, or where there is
    something else than files, folders and links.
    """
    limit = scan_started_ns - RACY_NS
    packed = [told]
    for entry in entries:
        name, kind, mode, size, mtime_ns, ctime_ns, inode, device, target, unreadable = entry
        if kind is EntryKind.FILE:
            if mtime_ns > limit or ctime_ns > limit:
                return NEVER
            status = _FOLDER_ROW.pack(b"f", mode, size, mtime_ns, ctime_ns, inode & _U64, device & _U64, len(name))
            packed += (status, name)
        elif unreadable is not None or kind is EntryKind.OTHER:
            return NEVER
        else:
            rest = target if target is not None else b""
            status = _FOLDER_ROW.pack(
                b"l" if kind is EntryKind.LINK else b"d", mode, len(rest), mtime_ns, 0, 0, 0, len(name)
            )
            packed += (status, name, rest)
    return Stamp(hashlib.sha256(b"".join(packed)).digest())


class FileCache:
    """The cache of one repository on this machine, open for one run: use it as a context.

    Only one process writes; a second one reads what the last run left and keeps its own news to itself. Nothing is kept
    until `commit`: call it when what the values point to is safely stored.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection, self._is_writer = _connect(path)
        self._folder: tuple[str, bytes] | None = None
        self._rows: dict[bytes, tuple[bytes, bytes, int]] = {}
        self._place = 0
        self._unseen: dict[tuple[str, bytes], set[bytes]] = {}
        self._kept: set[tuple[str, bytes]] = set()
        self._new_files: list[_FileRow] = []
        self._new_pages: list[_PagesRow] = []

    @classmethod
    def open(cls, path: Path) -> "FileCache":
        """Open the cache at `path`, making it where it is missing and making it anew where it is damaged.

        Where neither works (no room, no right, another process is just writing), it lives in memory for this run.
        """
        return cls(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def lookup(self, source: str, relative: RelativePath) -> CachedFile | None:
        """What was remembered of a file, whether or not it has changed since.

        `relative` are the names from the source's root down, the file's own last. Ask folder by folder: one folder's
        rows are held at a time.
        """
        name = relative[-1]
        folder = b"/".join(relative[:-1])
        if self._folder != (source, folder):
            self._load(source, folder)
        self._unseen[source, folder].discard(name)
        row = self._rows.get(name)
        if row is None or row[2] != _checksum_at(self._place, name, row[0], row[1]):
            return None
        return CachedFile(Stamp(row[0]), row[1])

    def unchanged(self, source: str, relative: RelativePath, stamp: Stamp) -> bytes | None:
        """The value of a file that is as it was when it was remembered, or None."""
        found = self.lookup(source, relative)
        return found.value if found is not None and stamp and found.stamp == stamp else None

    def remember(
        self, source: str, relative: RelativePath, stamp: Stamp, value: bytes, *, pages: bytes | None = None
    ) -> None:
        """Keep a file's value, and for a database its page hashes, until the next run."""
        name = relative[-1]
        folder = b"/".join(relative[:-1])
        if (source, folder) not in self._unseen:
            self._load(source, folder)
        self._unseen[source, folder].discard(name)
        if not self._is_writer:
            return
        place = self._place if self._folder == (source, folder) else _checksum_of(source, folder)
        self._new_files.append((source, folder, name, stamp, value, _checksum_at(place, name, stamp, value)))
        if pages is not None:
            self._new_pages.append((source, folder, name, pages, _checksum(source, folder, name, b"", pages)))
        if len(self._new_files) >= _BATCH:
            self._write()

    def unchanged_folder(self, source: str, relative: RelativePath, stamp: Stamp) -> bytes | None:
        """The value of a folder that is as it was when it was remembered, or None; no row of its files is read."""
        folder = b"/".join(relative)
        rows = self._ask(
            "SELECT stamp, value, checksum FROM file WHERE source = ? AND folder = ? AND name = ?",
            (source, folder, _ITSELF),
        )
        if not rows or not stamp:
            return None
        found, value, checksum = rows[0]
        is_whole = checksum == _checksum(source, folder, _ITSELF, found, value)
        return value if is_whole and found == stamp else None

    def keep_folder(self, source: str, relative: RelativePath) -> None:
        """Say that a folder is used as it was remembered, so that what is known of its files stays."""
        self._kept.add((source, b"/".join(relative)))

    def remember_folder(self, source: str, relative: RelativePath, stamp: Stamp, value: bytes) -> None:
        """Keep a value for a whole folder until the next run. What lies in folders below it is not meant."""
        self.remember(source, (*relative, _ITSELF), stamp, value)

    def pages(self, source: str, relative: RelativePath) -> bytes | None:
        """The page hashes that were remembered with a database, or None."""
        key = (source, b"/".join(relative[:-1]), relative[-1])
        rows = self._ask("SELECT hashes, checksum FROM pages WHERE source = ? AND folder = ? AND name = ?", key)
        # The checksum covers the key too: a damaged tree can lead one key to another key's row.
        if not rows or rows[0][1] != _checksum(*key, b"", rows[0][0]):
            return None
        return bytes(rows[0][0])

    def finish(self, source: str) -> None:
        """Say that a whole source was gone through: what was not asked for is not there any more, and is forgotten."""
        seen = {folder for name, folder in (*self._unseen, *self._kept) if name == source}
        for (folder,) in self._ask("SELECT DISTINCT folder FROM file WHERE source = ?", (source,)):
            if folder not in seen:
                self._change("DELETE FROM file WHERE source = ? AND folder = ?", [(source, folder)])
                self._change("DELETE FROM pages WHERE source = ? AND folder = ?", [(source, folder)])
        for (name, folder), unseen in self._unseen.items():
            if name == source:
                gone = [(source, folder, file) for file in unseen]
                self._change("DELETE FROM file WHERE source = ? AND folder = ? AND name = ?", gone)
                self._change("DELETE FROM pages WHERE source = ? AND folder = ? AND name = ?", gone)

    def commit(self) -> None:
        """Keep what was remembered. A failure costs the cache, not the run."""
        if not self._is_writer:
            return
        self._write()
        try:
            self._connection.execute("COMMIT")
            self._connection.execute("BEGIN IMMEDIATE")
        except _DAMAGE:
            self._start_anew()

    def _load(self, source: str, folder: bytes) -> None:
        rows = self._ask(
            "SELECT name, stamp, value, checksum FROM file WHERE source = ? AND folder = ?", (source, folder)
        )
        self._rows = {name: (stamp, value, checksum) for name, stamp, value, checksum in rows}
        self._folder = (source, folder)
        self._place = _checksum_of(source, folder)
        if self._folder not in self._unseen:
            self._unseen[self._folder] = set(self._rows)

    def _write(self) -> None:
        self._change("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?)", self._new_files)
        self._change("INSERT OR REPLACE INTO pages VALUES (?, ?, ?, ?, ?)", self._new_pages)
        self._new_files, self._new_pages = [], []

    def _ask(self, question: str, values: tuple[str | bytes, ...]) -> list[Any]:
        try:
            return self._connection.execute(question, values).fetchall()
        except _DAMAGE:
            self._start_anew()
            return []

    def _change(self, statement: str, rows: Sequence[tuple[str | bytes | int, ...]]) -> None:
        if not self._is_writer or not rows:
            return
        try:
            self._connection.executemany(statement, rows)
        except _DAMAGE:
            self._start_anew()

    def _start_anew(self) -> None:
        """Throw away a cache that turned out to be damaged, or that has no room, and go on with an empty one."""
        self._connection.close()
        if self._is_writer:
            discard(self._path)
        self._connection, self._is_writer = _connect(self._path)
        self._folder, self._rows = None, {}


_FileRow = tuple[str, bytes, bytes, bytes, bytes, int]
_PagesRow = tuple[str, bytes, bytes, bytes, int]


def discard(path: Path) -> None:
    """Remove a cache, whatever state it is in."""
    for name in (path, path.with_name(path.name + "-journal")):
        with contextlib.suppress(OSError):
            name.unlink()


def _connect(path: Path) -> tuple[sqlite3.Connection, bool]:
    """Open the cache and say whether this process may write it; at worst, an empty one in memory."""
    for _ in range(2):
        try:
            return _connect_to(path)
        except _DAMAGE as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _OTHERS_FAULT:
                break
            discard(path)
        except OSError:
            break
    memory = sqlite3.connect(":memory:", isolation_level=None)
    for statement in _SCHEMA:
        memory.execute(statement)
    return memory, False


def _connect_to(path: Path) -> tuple[sqlite3.Connection, bool]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Names of files and chats are nobody else's to read.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        # No waiting for the disk: after a power cut a row is either there with its checksum right, or it is not.
        connection.execute("PRAGMA synchronous = OFF")
        try:
            connection.execute("BEGIN IMMEDIATE")
            is_writer = True
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _OTHERS_FAULT:
                raise
            is_writer = False
        _lay_out(connection, is_writer=is_writer)
    except BaseException:
        connection.close()
        raise
    return connection, is_writer


def _lay_out(connection: sqlite3.Connection, *, is_writer: bool) -> None:
    """Make the tables of a new cache; refuse any other file."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if version == _VERSION:
        return
    error = sqlite3.DatabaseError("not a cache of this version")
    # An empty file that another process is just filling is none of our business; anything else can go.
    error.sqlite_errorcode = sqlite3.SQLITE_NOTADB if is_writer else sqlite3.SQLITE_BUSY
    if version or tables or not is_writer:
        raise error
    for statement in _SCHEMA:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {_VERSION}")


def _checksum(source: str, folder: bytes, name: bytes, stamp: bytes, value: bytes) -> int:
    return _checksum_at(_checksum_of(source, folder), name, stamp, value)


def _checksum_of(source: str, folder: bytes) -> int:
    return zlib.crc32(folder, zlib.crc32(source.encode("utf-8", "surrogateescape")))


def _checksum_at(place: int, name: bytes, stamp: bytes, value: bytes) -> int:
    """Continue the checksum of a source and folder: most rows of a run lie in the same one."""
    return zlib.crc32(value, zlib.crc32(stamp, zlib.crc32(name, place)))
