"""Writes a ledger while a source is read for its summary."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol

from backupkit.chats.archives.members import LOG_ENDINGS
from backupkit.chats.losing.ledger import ROW_BYTES, Ledger, LedgerFile, name_digest
from backupkit.chats.losing.ledger_rows import LedgerRows
from backupkit.chats.losing.page_digests import digest_pages, logged_pages
from backupkit.chats.losing.placing import Cutter, Placing
from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Message
from backupkit.chats.readers.registry import Recognised
from backupkit.chats.readers.sealed import Sealed
from backupkit.chats.reading.database import database_in
from backupkit.chats.sources.source import Content, SourceFiles, content_of

RACY_NS = 2_000_000_000
"""Two writes within the tick of a coarse file system's clock leave the same time."""

TICK_NS = 50_000_000
"""File times lag behind the clock by up to a tick of the system."""


class _Rows(Protocol):
    @property
    def messages(self) -> int: ...

    def add(self, row: bytes, message: Message) -> None: ...

    def close(self) -> None: ...

    def finish(self, base: LedgerFile) -> LedgerFile: ...


class LedgerBuilder:
    """Collects what a ledger needs of each message.

    `started_ns` is when saving the source began: a file that was written to later may hold what the snapshot does not, so
    that nothing in it counts as covered. `archive` is the stamp of the archive that the files are in, if they are.
    """

    def __init__(
        self, source: SourceFiles, key: bytes, cut: Cutter, *, started_ns: int, archive: tuple[int, ...] = ()
    ) -> None:
        self._source = source
        self._archive = archive
        self._key = key
        self._cut = cut
        self._started_ns = started_ns
        self._files: dict[str, _Rows] = {}
        self._current = ""
        self._add: Callable[[bytes, Message], None] = _pass
        self._digests = LedgerRows(key)
        self._conversations: defaultdict[tuple[str, str], int] = defaultdict(int)

    def message(self, app: str, message: Message) -> None:
        """Note the next message."""
        name = message.locator.file
        if name != self._current:
            self._turn_to(name)
        self._add(self._digests.row(app, message), message)
        self._conversations[app, message.conversation] += 1

    def _turn_to(self, name: str) -> None:
        # One file at a time is open, however many there are.
        if self._current:
            self._files[self._current].close()
        self._current = name
        if name in self._files:
            # Told in turns with another: its order is not the file's.
            self._files[name].close()
        elif content_of(self._source.head(name)) is Content.SQLITE:
            self._files[name] = _DatabaseRows(self._source, name, self._key)
        else:
            self._files[name] = _FileRows(self._source, name, self._cut, self._key)
        self._add = self._files[name].add

    def finish(self, recognised: Recognised) -> Ledger:
        """Return the ledger of all that was noted."""
        if self._current:
            self._files[self._current].close()
        files = []
        sealed = {reader.format for reader, _told in recognised.parts if isinstance(reader, Sealed)}
        claimed = {
            name: (reader.format, sure) for reader, told in recognised.parts for name, sure in told.claims.items()
        }
        for name in dict.fromkeys([*claimed, *self._files]):
            form, certainty = claimed.get(name, ("", 0))
            base = LedgerFile(
                name_digest(name, self._key),
                form,
                certainty,
                self._stamp(name),
                self._messages_in(name),
                sealed=form in sealed,
                settled=self._is_settled(name),
            )
            rows = self._files.get(name)
            if rows is not None:
                files.append(rows.finish(base))
            elif base.sealed:
                files.append(_sealed(self._source, name, base, self._key))
            else:
                files.append(base)
        others = [name for name in candidates(self._source) if name not in claimed and name not in self._files]
        files += [LedgerFile(name_digest(name, self._key), "", 0, self._stamp(name), 0) for name in others]
        conversations = {
            conversation_digest(app, conversation, self._key): count
            for (app, conversation), count in self._conversations.items()
        }
        return Ledger(tuple(files), sum(map(self._messages_in, self._files)), conversations)

    def _messages_in(self, name: str) -> int:
        return self._files[name].messages if name in self._files else 0

    def _stamp(self, name: str) -> tuple[int, ...]:
        """Stamp a file, not at all where it was written to so shortly before that a second write might leave the same times."""
        stamp = stamp_of(self._source, name)
        return stamp if self._newest(name) < self._started_ns - RACY_NS else ()

    def _is_settled(self, name: str) -> bool:
        return self._newest(name) < self._started_ns - TICK_NS

    def _newest(self, name: str) -> int:
        # Of the log too: an app that writes now has changed the log and not the database.
        stamp = stamp_of(self._source, name) or self._archive
        return max((*stamp[1::5], *stamp[2::5]), default=0)


def _pass(_row: bytes, _message: Message) -> None:
    """No file is open yet."""


def candidates(source: SourceFiles) -> Iterable[str]:
    """Tell the files that may hold an export."""
    return source.of(*Content)


def conversation_digest(app: str, conversation: str, key: bytes) -> str:
    """Digest a conversation's key under the writer's key."""
    return name_digest(f"{app}\0{conversation}", key)[:16]


def stamp_of(source: SourceFiles, name: str) -> tuple[int, ...]:
    """Return what the file system says of a file and of its log: size, times, inode, device of each; nothing inside archives."""
    said: list[int] = []
    for part in (name, *(name + ending for ending in LOG_ENDINGS if ending != "-shm")):
        path = source.path(part)
        if path is None:
            if part == name:
                return ()
            continue
        try:
            status = path.stat()
        except OSError:
            return ()
        said += (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev)
    return tuple(said)


class _FileRows:
    """The messages of a file that is read from its beginning to its end."""

    def __init__(self, source: SourceFiles, name: str, cut: Cutter, key: bytes) -> None:
        self._rows = bytearray()
        self._closed: tuple[bytes, bytes] | None = None
        self._is_placed = False
        self._placing: Placing | None = None
        if source.size(name) is not None:
            with suppress(MalformedExport):
                self._placing = Placing(source.open(name), cut, key)

    @property
    def messages(self) -> int:
        return len(self._rows) // ROW_BYTES

    def add(self, row: bytes, message: Message) -> None:
        self._rows += row
        if self._closed is not None:
            self._is_placed = False
        elif self._placing is not None:
            self._placing.place(message.raw)

    def close(self) -> None:
        if self._placing is not None and self._closed is None:
            self._closed = self._placing.finish()
            self._is_placed = self._placing.is_placed

    def finish(self, base: LedgerFile) -> LedgerFile:
        chunks, breaks = self._closed or (b"", b"")
        is_placed = self._is_placed and len(breaks) // 24 <= base.messages // 4 + 100
        return _with(
            base,
            placed=is_placed,
            rows=self._rows if is_placed else _sorted(self._rows),
            chunks=chunks,
            breaks=breaks if is_placed else b"",
        )


class _DatabaseRows:
    """The messages of a database: which rows they are, and what its pages hold."""

    def __init__(self, source: SourceFiles, name: str, key: bytes) -> None:
        self._source = source
        self._name = name
        self._key = key
        self._rows = bytearray()
        self._tables: set[str] = set()
        self._has_ids = True

    @property
    def messages(self) -> int:
        return len(self._rows) // ROW_BYTES

    def add(self, row: bytes, message: Message) -> None:
        self._rows += row
        self._tables.add(message.locator.place.rpartition("#")[0])
        self._has_ids = self._has_ids and message.native_id is not None

    def close(self) -> None:
        """There is nothing to close: its pages are digested at the end."""

    def finish(self, base: LedgerFile) -> LedgerFile:
        rows = _sorted(self._rows)
        with self._source.open(self._name) as stream:
            chunks, pages = digest_pages(stream, self._key)
        table, count = None, 0
        if len(self._tables) == 1 and self._has_ids:
            try:
                count = database_in(self._source, self._name).count(next(iter(self._tables)))
                (table,) = self._tables
            except MalformedExport:
                table = None
        logged = b"".join(number.to_bytes(4, "little") for number in logged_numbers(self._source, self._name))
        return _with(base, table=table, table_rows=count, rows=rows, chunks=chunks, pages=pages, log_pages=logged)


def logged_numbers(source: SourceFiles, name: str) -> list[int]:
    """Return the numbers of the pages in a database's log."""
    if not source.size(name + "-wal"):
        return []
    with source.open(name + "-wal") as log:
        return sorted({page.number for page in logged_pages(log)})


def _sealed(source: SourceFiles, name: str, base: LedgerFile, key: bytes) -> LedgerFile:
    with source.open(name) as stream:
        chunks, pages = digest_pages(stream, key)
    return _with(base, chunks=chunks, pages=pages)


def _sorted(rows: bytearray) -> bytes:
    return b"".join(sorted(bytes(rows[at : at + ROW_BYTES]) for at in range(0, len(rows), ROW_BYTES)))


def _with(base: LedgerFile, **fields: object) -> LedgerFile:
    plain = {name: getattr(base, name) for name in LedgerFile.__dataclass_fields__}
    arrays = {
        name: memoryview(value) if isinstance(value, bytes | bytearray) else value for name, value in fields.items()
    }
    return LedgerFile(**{**plain, **arrays})
