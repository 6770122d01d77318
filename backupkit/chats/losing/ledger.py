"""What a snapshot holds of a source, written so that nobody can read it: the loss preview's memory.

For each message a keyed digest of its identity and its version; for each file keyed digests of its stretches and where
in them messages begin, so that what did not change need not be read again. No word, no name and no time is in it. It is
a cache: where it is lost or damaged, what would be lost is unknown until the next snapshot. Layout: `docs/adr/0021`.
"""

import hashlib
import hmac
import json
import struct
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

ROW_BYTES = 16
ID_BYTES = 12
_MAGIC = b"backupkit message ledger 2\n"
_CHECK_BYTES = 32
MAX_BYTES = 4 << 30
CHUNK = struct.Struct("<16sIIII")
"""Digest, length, how many messages begin in it, where the first and where the last of them begins."""
BREAK = struct.Struct("<QQQ")
"""The number of a message before which something stands that must be read, where the one before begins, and where it begins."""


def stretch_digest(data: bytes | memoryview, key: bytes, size: int = 16) -> bytes:
    """Digest a stretch of a file under the writer's key."""
    # SHA-256 is what processors do fastest; the key goes in behind it.
    return hmac.digest(key, hashlib.sha256(data).digest(), "sha256")[:size]


def name_digest(name: str, key: bytes) -> str:
    """Digest a file's name under the writer's key."""
    return hmac.digest(key, b"name\0" + name.encode("utf-8", "surrogatepass"), "sha256")[:16].hex()


@dataclass(frozen=True, slots=True)
class Stretch:
    """One stretch of a file, as `CHUNK` keeps it."""

    digest: bytes
    size: int
    starts: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class LedgerFile:
    """One file of a source that holds messages.

    `stamp` is what the file system says of it; not `settled`: it was written to while the snapshot was taken; `placed`: `chunks` and `breaks` say where messages begin. Else it is read
    whole when it changed. For databases `table` is the table of messages and `table_rows` how many rows it had.
    """

    name: str
    format: str
    certainty: int
    stamp: tuple[int, ...]
    messages: int
    sealed: bool = False
    settled: bool = True
    placed: bool = False
    table: str | None = None
    table_rows: int = 0
    rows: memoryview = field(default=memoryview(b""), repr=False)
    chunks: memoryview = field(default=memoryview(b""), repr=False)
    breaks: memoryview = field(default=memoryview(b""), repr=False)
    pages: memoryview = field(default=memoryview(b""), repr=False)
    log_pages: memoryview = field(default=memoryview(b""), repr=False)

    def stretches(self) -> list[Stretch]:
        """Return the file's stretches in order."""
        return [Stretch(*fields) for fields in CHUNK.iter_unpack(self.chunks)]

    def gaps(self) -> list[tuple[int, int, int]]:
        """Return the breaks in order."""
        return list(BREAK.iter_unpack(self.breaks))

    def row(self, number: int) -> bytes:
        """Return the row of a message, by its place in the file."""
        return bytes(self.rows[number * ROW_BYTES : (number + 1) * ROW_BYTES])


_ARRAYS = ("rows", "chunks", "breaks", "pages", "log_pages")
_UNITS = {"rows": ROW_BYTES, "chunks": CHUNK.size, "breaks": BREAK.size, "pages": 8, "log_pages": 4}


@dataclass(frozen=True, slots=True)
class Ledger:
    """All files of a source that might hold messages, and how many are in each conversation, by its keyed digest in hex."""

    files: tuple[LedgerFile, ...]
    messages: int
    conversations: Mapping[str, int]

    def encode(self, key: bytes) -> bytes:
        """Write it down; the check says later whether every byte is as it was."""
        metas = []
        parts: list[bytes | memoryview] = []
        for one in self.files:
            plain = {name: value for name, value in _plain(one).items() if name not in _ARRAYS}
            arrays = [getattr(one, name) for name in _ARRAYS]
            metas.append({**plain, "lengths": [len(array) for array in arrays]})
            parts += arrays
        head = json.dumps(
            {"messages": self.messages, "conversations": dict(self.conversations), "files": metas}
        ).encode("ascii")
        body = b"".join([len(head).to_bytes(4, "big"), head, *parts])
        return _MAGIC + _check(body, key) + body

    @classmethod
    def decode(cls, data: bytes, key: bytes) -> Self:
        """Read what `encode` wrote.

        Raises:
            ValueError: it is damaged, or was written with another key. What it covered is then unknown.
        """
        start = len(_MAGIC) + _CHECK_BYTES
        body = memoryview(data)[start:]
        if data[: len(_MAGIC)] != _MAGIC or not hmac.compare_digest(data[len(_MAGIC) : start], _check(body, key)):
            raise ValueError("not a ledger of this writer")
        # Past the check these are our own bytes.
        size = int.from_bytes(body[:4], "big")
        head: dict[str, Any] = json.loads(bytes(body[4 : 4 + size]))
        files = []
        at = 4 + size
        for meta in head["files"]:
            arrays: dict[str, Any] = {}
            for name, length in zip(_ARRAYS, meta.pop("lengths"), strict=True):
                arrays[name] = body[at : at + length]
                if len(arrays[name]) != length or length % _UNITS[name]:
                    raise ValueError("not whole rows")
                at += length
            files.append(LedgerFile(**{**meta, "stamp": tuple(meta["stamp"])}, **arrays))
        return cls(tuple(files), head["messages"], head["conversations"])


def _plain(one: LedgerFile) -> dict[str, Any]:
    # Memory views cannot be copied, so they are left out before.
    names = [name for name in LedgerFile.__dataclass_fields__ if name not in _ARRAYS]
    return {name: getattr(one, name) for name in names}


def _check(body: bytes | memoryview, key: bytes) -> bytes:
    return hmac.digest(key, hashlib.sha256(body).digest(), "sha256")


def find_sorted(rows: memoryview, which: bytes) -> bytes | None:
    """Return the row of a message in rows that are sorted, None where it is not among them."""
    place = bisect_left(
        range(len(rows) // ROW_BYTES), which, key=lambda at: bytes(rows[at * ROW_BYTES : at * ROW_BYTES + ID_BYTES])
    )
    row = bytes(rows[place * ROW_BYTES : (place + 1) * ROW_BYTES])
    return row if row[:ID_BYTES] == which else None
