"""Where in a file its messages begin, so that stretches without any news can be left unread later.

Records are looked for in the file's own bytes in the order in which they were told. Where a record is not found, because its
reader keeps it in another form, the file is read whole again once it changes: slower, never wrong.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, TypeAlias

from backupkit.chats.losing.ledger import BREAK, CHUNK, stretch_digest
from backupkit.chats.malformed import MalformedExport

Cutter: TypeAlias = Callable[[Iterable[bytes]], Iterator[bytes]]
"""Cuts a stream where its content says so. The same bytes are cut alike wherever they stand."""

READ_BYTES = 1 << 20
LEAST_RECORD_BYTES = 8
MOST_BETWEEN_BYTES = 1 << 20
MOST_RECORD_BYTES = 8 << 20
_NOTHING_BETWEEN = re.compile(rb"[\s,]*")


def pieces(stream: BinaryIO) -> Iterator[bytes]:
    """Read a stream in pieces; a failure ends it, as the end does."""
    try:
        while piece := stream.read(READ_BYTES):
            yield piece
    except (MalformedExport, OSError):
        return


class Placing:
    """Places the messages of one file while they are told, and digests its stretches on the way."""

    def __init__(self, stream: BinaryIO, cut: Cutter, key: bytes) -> None:
        self.is_placed = True
        self._stream = stream
        self._chunks = cut(pieces(stream))
        self._key = key
        self._window = b""
        self._window_start = 0
        self._after = 0
        self._previous = -1
        self._count = 0
        self._told: list[tuple[bytes, int]] = []
        self._chunk_end = 0
        self._starts: list[int] = []
        self._written = bytearray()
        self._breaks = bytearray()

    def place(self, raw: bytes) -> None:
        """Place the next message."""
        if not self.is_placed:
            return
        start = self._find(raw) if len(raw) >= LEAST_RECORD_BYTES else None
        if start is None:
            self.is_placed = False
            self._window = b""
            return
        if self._previous >= 0:
            between = self._window[self._after - self._window_start : start - self._window_start]
            if _NOTHING_BETWEEN.fullmatch(between) is None:
                self._breaks += BREAK.pack(self._count, self._previous, start)
        self._starts.append(start)
        self._previous = start
        self._count += 1
        self._after = start + len(raw)

    def _find(self, raw: bytes) -> int | None:
        """Look for a record behind the one before."""
        if len(raw) > MOST_RECORD_BYTES:
            return None
        looked = self._after
        while True:
            found = self._window.find(raw, looked - self._window_start)
            if found >= 0:
                return self._window_start + found
            looked = max(self._after, self._window_start + len(self._window) - len(raw) + 1)
            if looked - self._after > MOST_BETWEEN_BYTES or not self._more():
                return None

    def _more(self) -> bool:
        chunk = next(self._chunks, None)
        if chunk is None:
            return False
        # What lies before the last record's end is needed no more.
        drop = max(0, self._after - self._window_start)
        self._window = self._window[drop:] + chunk
        self._window_start += drop
        self._told.append((stretch_digest(chunk, self._key), len(chunk)))
        self._settle(self._after)
        return True

    def _settle(self, reached: int) -> None:
        """Write the chunks in which no further message can begin."""
        while self._told and self._chunk_end + self._told[0][1] <= reached:
            self._write()

    def _write(self) -> None:
        digest, size = self._told.pop(0)
        begin, self._chunk_end = self._chunk_end, self._chunk_end + size
        inside = 0
        while inside < len(self._starts) and self._starts[inside] < self._chunk_end:
            inside += 1
        first, last = (self._starts[0] - begin, self._starts[inside - 1] - begin) if inside else (0, 0)
        del self._starts[:inside]
        self._written += CHUNK.pack(digest, size, inside, first, last)

    def finish(self) -> tuple[bytes, bytes]:
        """Read the file to its end; return its chunks and breaks as a ledger keeps them."""
        with self._stream:
            for chunk in self._chunks:
                self._told.append((stretch_digest(chunk, self._key), len(chunk)))
        while self._told:
            self._write()
        return bytes(self._written), bytes(self._breaks)
