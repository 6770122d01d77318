"""Where each chunk lies.

An index is a hint: it can always be rebuilt from the packs, so losing it costs time, never messages. What it says is
checked by opening the chunk; a row that is wrong is a row that is not there.
"""

import hashlib
import struct
import threading
from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from backupkit.codec.framing import Mark, frame, unframe
from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.crypto.failures import OpenFailed
from backupkit.crypto.sealing import open_blob, seal_blob
from backupkit.ids import ChunkId, PackName
from backupkit.store import layout
from backupkit.store.backend import Backend, BackendError, same_bytes
from backupkit.store.finding import Finding, cause
from backupkit.store.pack_format import PAD, Address, Row

Tell: TypeAlias = Callable[[Finding], None]

MAX_INDEX = 256 << 20
"""Most bytes of an index file that is read: about five million rows."""

_ROW = struct.Struct(">32sIBBQII")
_COUNT = struct.Struct(">I")
_DIGEST_SIZE = 32
_RECENT = 16_384
_MOST_RUNS = 24


class Location(NamedTuple):
    """A place where a chunk lies: the pack, and the row of its table."""

    pack: PackName
    row: Row


class Index:
    """The chunks of one domain that are in published packs, by id. About 56 bytes a chunk; safe for threads.

    Rows lie sorted in immutable runs; what was added lately lies in a dictionary until it is large enough for a run.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._runs: list[_Run] = []
        self._recent: dict[ChunkId, list[Location]] = {}
        self._packs: dict[PackName, PackName] = {}
        self._absent: set[PackName] = set()
        self._unsaved: list[tuple[PackName, Sequence[Row]]] = []
        self._lock = threading.Lock()

    @classmethod
    def load(
        cls,
        backend: Backend,
        address: Address,
        index_key: bytes,
        tell: Tell,
        *,
        damaged: Collection[PackName] = (),
    ) -> "Index":
        """Read every index file of a domain that can be read; `tell` is called with a finding for each that cannot.

        Rows of packs that are not there, or are known to be damaged, count as not there, so that a writer stores such
        chunks again.
        """
        index = cls(address)
        prefix = layout.packs(address.domain)
        present = {ref.pack for name in backend.names(prefix) if (ref := layout.pack_of(name))}
        for name in backend.names(layout.indexes(address.domain)):
            try:
                if backend.size(name) > MAX_INDEX:
                    raise MalformedObject(what=name, reason="too-large")  # noqa: TRY301 - one place says what is skipped
                index._take(_decode(backend.read(name), address, index_key))
            except (MalformedObject, NewerFormat, OpenFailed, BackendError) as error:
                tell(Finding("index-unreadable", name, cause(error)))
        index._absent = index._packs.keys() - (present - set(damaged))
        index._settle()
        return index

    def find(self, chunk: ChunkId) -> Location | None:
        """Return a place where a chunk lies, in a pack that was there when the index was loaded."""
        recent = self._recent.get(chunk)
        if recent is not None:
            return recent[0]
        for run in self._runs:
            location = run.first(chunk)
            if location is not None and location.pack not in self._absent:
                return location
        # It may be in a pack that is gone and in another that is not, side by side.
        return next(self.locations(chunk), None) if self._absent else None

    def locations(self, chunk: ChunkId) -> Iterator[Location]:
        """Give every place where a chunk lies, the newest first."""
        yield from self._recent.get(chunk, ())
        for run in self._runs:
            for location in run.find(chunk):
                if location.pack not in self._absent:
                    yield location

    def add(self, pack: PackName, rows: Sequence[Row], *, saved: bool = False) -> None:
        """Take in the table of a published pack. Unless `saved`, `save_new` will write it down.

        `saved` also says that some of it may be known already.
        """
        with self._lock:
            pack = self._packs.setdefault(pack, pack)
            self._absent.discard(pack)
            for row in rows:
                place = Location(pack, row)
                if not saved or place not in self.locations(row.chunk):
                    self._recent.setdefault(row.chunk, []).insert(0, place)
            if not saved:
                self._unsaved.append((pack, rows))
            if len(self._recent) >= _RECENT:
                self._settle_recent()

    def disregard(self, pack: PackName) -> None:
        """Count a pack as not there, so that a writer stores what it holds again."""
        with self._lock:
            self._settle_recent()
            self._absent.add(pack)

    def save_new(self, backend: Backend, index_key: bytes) -> None:
        """Write what was added since the last time as one new index file."""
        with self._lock:
            unsaved, self._unsaved = self._unsaved, []
        if not unsaved:
            return
        data = _encode(unsaved, self.address, index_key)
        name = layout.index(self.address.domain, hashlib.sha256(data).hexdigest())
        try:
            # A wrong index would be found out and read around, but only by the reader: the writer would trust it.
            backend.create(name, data, check=lambda back: _require_same(back, data, name))
        except BaseException:
            with self._lock:
                self._unsaved[:0] = unsaved
            raise

    @property
    def unsaved_packs(self) -> int:
        """How many packs were added that no index file names yet."""
        return len(self._unsaved)

    def packs(self) -> set[PackName]:
        """Return the packs that some row names and that are there."""
        with self._lock:
            return self._packs.keys() - self._absent

    def absent_packs(self) -> set[PackName]:
        """Return the packs that index files name and that are not there."""
        return set(self._absent)

    def chunks_in(self, pack: PackName) -> Iterator[ChunkId]:
        """Give the chunks that lie in a pack, present or not. It looks at every row: for reports only."""
        for chunk, places in list(self._recent.items()):
            if any(place.pack == pack for place in places):
                yield chunk
        for run in self._runs:
            yield from run.chunks_in(pack)

    def _take(self, run: "_Run") -> None:
        for pack in run.packs:
            self._packs.setdefault(pack, pack)
        self._runs.append(run)

    def _settle_recent(self) -> None:
        names: list[PackName] = []
        numbers: dict[PackName, int] = {}
        rows = []
        for places in self._recent.values():
            for place in places:
                number = numbers.setdefault(place.pack, len(numbers))
                if number == len(names):
                    names.append(place.pack)
                rows.append(_pack_row(number, place.row))
        rows.sort()
        # The run is there before the dictionary is empty: a reader in another thread finds each chunk in one of them.
        self._runs = [_Run(tuple(names), b"".join(rows)), *self._runs]
        self._recent = {}
        self._settle()

    def _settle(self) -> None:
        """Merge the runs when there are many, so that looking up stays quick."""
        if len(self._runs) > _MOST_RUNS:
            self._runs = [_merge(self._runs)]


def packs_named_by(backend: Backend, name: str, address: Address, index_key: bytes) -> set[PackName]:
    """Return the packs that one index file names; raises for one that cannot be read."""
    if backend.size(name) > MAX_INDEX:
        raise MalformedObject(what=name, reason="too-large")
    return set(_decode(backend.read(name), address, index_key).packs)


class _Run:
    """Rows sorted by id, looked up without unpacking any: a table of first bytes, then a search in a few hundred bytes."""

    __slots__ = ("_rows", "_starts", "_wide", "packs")

    def __init__(self, packs: tuple[PackName, ...], rows: bytes) -> None:
        self.packs = packs
        self._rows = rows
        count = len(rows) // _ROW.size
        first = rows[0 :: _ROW.size]
        if first != bytes(sorted(first)):
            raise MalformedObject(what="index", reason="not-sorted")
        # One byte decides among 256 places, two among 65,536: never more than some hundred rows to search.
        self._wide = count > 32_768
        edges = [bisect_left(first, byte) for byte in range(256)] + [count]
        if self._wide:
            edges = _wide_edges(rows, edges)
        self._starts = array("I", edges)

    def find(self, chunk: ChunkId) -> Iterator[Location]:
        bucket = chunk[0] << 8 | chunk[1] if self._wide else chunk[0]
        position, end = self._starts[bucket] * _ROW.size, self._starts[bucket + 1] * _ROW.size
        while (position := self._rows.find(chunk, position, end)) >= 0:
            if position % _ROW.size == 0:
                location = self._location(position)
                if location is not None:
                    yield location
            position += 1

    def first(self, chunk: ChunkId) -> Location | None:
        bucket = chunk[0] << 8 | chunk[1] if self._wide else chunk[0]
        start, end = self._starts[bucket] * _ROW.size, self._starts[bucket + 1] * _ROW.size
        position = self._rows.find(chunk, start, end)
        if position < 0:
            return None
        if position % _ROW.size:
            return next(self.find(chunk), None)
        return self._location(position)

    def chunks_in(self, pack: PackName) -> Iterator[ChunkId]:
        if pack in self.packs:
            number = self.packs.index(pack)
            for row in _ROW.iter_unpack(self._rows):
                if row[1] == number:
                    yield ChunkId(row[0])

    def bucket(self, byte: int) -> bytes:
        """Return the rows whose ids begin with a byte."""
        low = byte << 8 if self._wide else byte
        high = (byte + 1) << 8 if self._wide else byte + 1
        return self._rows[self._starts[low] * _ROW.size : self._starts[high] * _ROW.size]

    def _location(self, position: int) -> Location | None:
        chunk, number, kind, codec, offset, stored, plain = _ROW.unpack_from(self._rows, position)
        if number >= len(self.packs):
            return None
        return Location(self.packs[number], Row(ChunkId(chunk), kind, codec, offset, stored, plain))


def _wide_edges(rows: bytes, edges: list[int]) -> list[int]:
    wide = []
    for low, high in pairwise(edges):
        second = rows[low * _ROW.size + 1 : high * _ROW.size : _ROW.size]
        wide += [low + bisect_left(second, byte) for byte in range(256)]
    return [*wide, edges[-1]]


def _merge(runs: Sequence[_Run]) -> _Run:
    """Merge runs by the first byte of their ids, so that only a 256th of the rows is in memory as objects."""
    names = list(dict.fromkeys(pack for run in runs for pack in run.packs))
    numbers = {name: number for number, name in enumerate(names)}
    renumbered = [[numbers[pack].to_bytes(4, "big") for pack in run.packs] for run in runs]
    merged = bytearray()
    for byte in range(256):
        rows = []
        for run, pack_numbers in zip(runs, renumbered, strict=True):
            data = run.bucket(byte)
            for at in range(0, len(data), _ROW.size):
                number = int.from_bytes(data[at + 32 : at + 36], "big")
                with suppress(IndexError):
                    rows.append(data[at : at + 32] + pack_numbers[number] + data[at + 36 : at + _ROW.size])
        rows.sort()
        merged += b"".join(rows)
    return _Run(tuple(names), bytes(merged))


def _pack_row(number: int, row: Row) -> bytes:
    return _ROW.pack(row.chunk, number, row.kind, row.codec, row.offset, row.stored, row.plain)


def _encode(tables: Iterable[tuple[PackName, Sequence[Row]]], address: Address, index_key: bytes) -> bytes:
    tables = list(tables)
    rows = sorted(_pack_row(number, row) for number, (_, table) in enumerate(tables) for row in table)
    plain = b"".join(
        (
            _COUNT.pack(len(tables)),
            *(bytes.fromhex(pack) for pack, _ in tables),
            _COUNT.pack(len(rows)),
            *rows,
        ),
    )
    # Padded, so that the file's size does not count the chunks exactly.
    padded = plain + bytes(-len(plain) % PAD)
    sealed = seal_blob(index_key, padded, purpose="index", associated=address.context)
    return frame(Mark.INDEX, address.domain + sealed)


def _decode(data: bytes, address: Address, index_key: bytes) -> _Run:
    payload = unframe(Mark.INDEX, data)
    if bytes(payload[: len(address.domain)]) != address.domain:
        raise MalformedObject(what="index", reason="belongs-elsewhere")
    sealed = payload[len(address.domain) :]
    plain = open_blob(index_key, sealed, purpose="index", associated=address.context)
    try:
        (pack_count,) = _COUNT.unpack_from(plain)
        names_end = _COUNT.size + pack_count * _DIGEST_SIZE
        (row_count,) = _COUNT.unpack_from(plain, names_end)
    except struct.error as error:
        raise MalformedObject(what="index", reason="truncated") from error
    rows_start = names_end + _COUNT.size
    rows_end = rows_start + row_count * _ROW.size
    if rows_end > len(plain) or any(plain[rows_end:]):
        raise MalformedObject(what="index", reason="wrong-count")
    names = tuple(PackName(plain[at : at + _DIGEST_SIZE].hex()) for at in range(_COUNT.size, names_end, _DIGEST_SIZE))
    return _Run(names, plain[rows_start:rows_end])


def _require_same(read_back: bytes | memoryview, data: bytes, name: str) -> None:
    if not same_bytes(read_back, data):
        raise MalformedObject(what=name, reason="read-back-differs")
