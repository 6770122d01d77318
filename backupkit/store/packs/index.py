"""Where each chunk lies.

An index is a hint: it can always be rebuilt from the packs, so losing it costs time, never messages. What it says is
checked by opening the chunk; a row that is wrong is a row that is not there.
"""

import hashlib
import os
import struct
import tempfile
import threading
from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import IO, NamedTuple, TypeAlias

from backupkit.codec.framing import Mark, frame, unframe
from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.crypto.failures import OpenFailed
from backupkit.crypto.sealing import open_blob, seal_blob
from backupkit.ids import ChunkId, PackName
from backupkit.store import layout
from backupkit.store.backend import Backend, BackendError, Written, holds_same
from backupkit.store.finding import Finding, cause
from backupkit.store.packs.pack_format import PAD, Address, Row

Tell: TypeAlias = Callable[[Finding], None]

MAX_INDEX = 256 << 20
"""Most bytes of an index file that is read: about five million rows."""

_ROW = struct.Struct(">32sIBBQII")
_COUNT = struct.Struct(">I")
_DIGEST_SIZE = 32
_RECENT = 8_192
_MOST_RUNS = 10
_MOST_IN_MEMORY = 32 << 20
"""Bytes of rows in memory; with more, they go into a temporary file."""

_ROWS_PER_FILE = 25_000
_PACKS_PER_FILE = 64
"""A crash costs at most one GiB of work: the next run finds the rest by the index files."""

_FEW_ROWS = 32_768
_MOST_NUMBER_WIDTH = 3

_Table: TypeAlias = tuple[PackName, bytes]
"""A pack and its rows, one after another, in which the number of the pack is left open."""


class Location(NamedTuple):
    """A place where a chunk lies: the pack, and the row of its table."""

    pack: PackName
    row: Row


class Index:
    """The chunks of one domain that are in published packs, by id. Safe for threads.

    Rows of 56 bytes lie sorted in immutable runs; what was added lately lies in a dictionary until it is large enough for a
    run. Half a million rows are in memory, the others in temporary files, of which each look-up reads a few kilobytes.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._runs: list[_Run] = []
        self._recent: dict[ChunkId, list[Location]] = {}
        self._packs: dict[PackName, PackName] = {}
        self._absent: set[PackName] = set()
        self._unsaved: list[_Table] = []
        self._lock = threading.Lock()
        self._has_no_room = False

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
        if any(run.is_spilled for run in index._runs):
            # One more file of rows costs a look-up less than some runs in memory, and the writer needs the memory.
            index._spill(0)
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
                self._unsaved.append((pack, _packed(rows)))
            if len(self._recent) >= _RECENT:
                self._settle_recent()

    def save_new(self, backend: Backend, index_key: bytes) -> None:
        """Write what was added since the last time as new index files: one, unless there is very much of it."""
        with self._lock:
            unsaved, self._unsaved = self._unsaved, []
        try:
            while unsaved:
                count = _enough(unsaved)
                data = _encode(unsaved[:count], self.address, index_key)
                name = layout.index(self.address.domain, hashlib.sha256(data).hexdigest())
                # A wrong index would be found out and read around, but only by the reader: the writer would trust it.
                backend.create(name, data, check=partial(_require_same, data=data, name=name))
                del unsaved[:count]
        except BaseException:
            with self._lock:
                self._unsaved[:0] = unsaved
            raise

    @property
    def is_save_due(self) -> bool:
        """Whether so much was added that it should be written down now, and not be kept in memory."""
        return len(self._unsaved) >= _PACKS_PER_FILE or _enough(self._unsaved) < len(self._unsaved)

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
            if pack is not None:
                self._packs.setdefault(pack, pack)
        self._runs.append(run)
        self._spill()

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
        self._spill()
        for spilled in (False, True):
            # Beyond 65,536 packs in a run there is no end to the numbers that its merging would leave out.
            runs = [run for run in self._runs if run.is_spilled is spilled and _number_width(run) < _MOST_NUMBER_WIDTH]
            if len(runs) > _MOST_RUNS:
                self._replace(runs, _merge(runs, spilled=spilled))

    def _spill(self, most: int | None = None) -> None:
        """Put the runs that are in memory into a temporary file when they are larger than `most` bytes together."""
        runs = [run for run in self._runs if not run.is_spilled]
        most = _MOST_IN_MEMORY if most is None else most
        if not self._has_no_room and sum(run.size for run in runs) > most:
            try:
                self._replace(runs, _merge(runs, spilled=True))
            except OSError:
                # A full disk is no reason not to read from it: then the rows stay in memory.
                self._has_no_room = True

    def _replace(self, runs: "list[_Run]", by: "_Run") -> None:
        self._runs = [by, *(run for run in self._runs if run not in runs)]


def packs_named_by(backend: Backend, name: str, address: Address, index_key: bytes) -> set[PackName]:
    """Return the packs that one index file names; raises for one that cannot be read."""
    if backend.size(name) > MAX_INDEX:
        raise MalformedObject(what=name, reason="too-large")
    packs = _decode(backend.read(name), address, index_key).packs
    return {pack for pack in packs if pack is not None}


class _Run:
    """Rows sorted by id, looked up without unpacking any: a table of first bytes, then a search in a few hundred bytes.

    `packs` are the packs that rows name by number; None stands for a number that means none.
    """

    is_spilled = False

    def __init__(self, packs: "tuple[PackName | None, ...]", rows: bytes) -> None:
        self.packs = packs
        self.size = len(rows)
        self._rows = rows
        first = rows[0 :: _ROW.size]
        if first != bytes(sorted(first)):
            raise MalformedObject(what="index", reason="not-sorted")
        self._starts = array("I", [*(bisect_left(first, byte) for byte in range(256)), len(first)])
        # One byte decides among 256 places, two among 65,536: never more than some hundred rows to search.
        self._wide = array("I")

    def find(self, chunk: ChunkId) -> Iterator[Location]:
        rows, position, end = self._window(chunk)
        while (position := rows.find(chunk, position, end)) >= 0:
            if position % _ROW.size == 0:
                location = self._location(rows, position)
                if location is not None:
                    yield location
            position += 1

    def first(self, chunk: ChunkId) -> Location | None:
        rows, start, end = self._window(chunk)
        position = rows.find(chunk, start, end)
        if position < 0:
            return None
        if position % _ROW.size:
            return next(self.find(chunk), None)
        return self._location(rows, position)

    def chunks_in(self, pack: PackName) -> Iterator[ChunkId]:
        numbers = {number for number, name in enumerate(self.packs) if name == pack}
        for byte in range(256) if numbers else ():
            for row in _ROW.iter_unpack(self.bucket(byte)):
                if row[1] in numbers:
                    yield ChunkId(row[0])

    def bucket(self, byte: int) -> bytes:
        """Return the rows whose ids begin with a byte."""
        return self._rows[self._starts[byte] * _ROW.size : self._starts[byte + 1] * _ROW.size]

    def _window(self, chunk: ChunkId) -> tuple[bytes, int, int]:
        """Return bytes, and from where to where in them the rows of a chunk may lie."""
        if self.size <= _FEW_ROWS * _ROW.size:
            starts, bucket = self._starts, chunk[0]
        else:
            starts, bucket = self._wide or self._widened(), chunk[0] << 8 | chunk[1]
        return self._rows, starts[bucket] * _ROW.size, starts[bucket + 1] * _ROW.size

    def _widened(self) -> "array[int]":
        edges = array("I")
        for byte in range(256):
            edges.extend(_second_edges(self.bucket(byte), self._starts[byte]))
        edges.append(self.size // _ROW.size)
        self._wide = edges
        return edges

    def _location(self, rows: bytes, position: int) -> Location | None:
        chunk, number, kind, codec, offset, stored, plain = _ROW.unpack_from(rows, position)
        pack = self.packs[number] if number < len(self.packs) else None
        return None if pack is None else Location(pack, Row(ChunkId(chunk), kind, codec, offset, stored, plain))


class _SpilledRun(_Run):
    """A run in a temporary file without a name: the rows that begin with the same two bytes are read at a time."""

    is_spilled = True

    def __init__(self, packs: "tuple[PackName | None, ...]", file: IO[bytes], wide: "array[int]") -> None:
        self.packs = packs
        self.size = wide[-1] * _ROW.size
        self._file = file
        self._wide = wide

    def __del__(self) -> None:
        self._file.close()

    def bucket(self, byte: int) -> bytes:
        return self._read(byte << 8, (byte + 1) << 8)

    def _window(self, chunk: ChunkId) -> tuple[bytes, int, int]:
        bucket = chunk[0] << 8 | chunk[1]
        rows = self._read(bucket, bucket + 1)
        return rows, 0, len(rows)

    def _read(self, first: int, end: int) -> bytes:
        start = self._wide[first] * _ROW.size
        return os.pread(self._file.fileno(), self._wide[end] * _ROW.size - start, start)


def _second_edges(rows: bytes, first_row: int) -> list[int]:
    """Return where the rows of each second byte begin among rows of one first byte, counted on from `first_row`."""
    second = rows[1 :: _ROW.size]
    return [first_row + bisect_left(second, byte) for byte in range(256)]


def _merge(runs: Sequence[_Run], *, spilled: bool) -> _Run:
    """Merge runs by the first byte of their ids, so that only a 256th of the rows is in memory as objects."""
    if not spilled:
        names, buckets = _merged(runs)
        return _Run(names, b"".join(buckets))
    # Its ids are keyed and confirm nothing. It ends with the process, however that ends.
    file = tempfile.TemporaryFile(prefix="backupkit-index-", buffering=1 << 20)  # noqa: SIM115 - as long as the run
    wide = array("I")
    count = 0
    names, buckets = _merged(runs)
    for rows in buckets:
        wide.extend(_second_edges(rows, count))
        count += len(rows) // _ROW.size
        file.write(rows)
    file.flush()
    wide.append(count)
    return _SpilledRun(names, file, wide)


def _merged(runs: Sequence[_Run]) -> "tuple[tuple[PackName | None, ...], Iterator[bytes]]":
    """Return the packs of all runs, and for each first byte the rows of all runs, sorted."""
    names: list[PackName | None] = []
    bases = []
    for run in runs:
        # Each run's packs begin at a number whose last bytes are zero: then only the others need to be put in.
        room = 256 ** _number_width(run)
        names += [None] * (-len(names) % room)
        bases.append(len(names))
        names += run.packs

    def buckets() -> Iterator[bytes]:
        for byte in range(256):
            rows: list[bytes] = []
            for run, base in zip(runs, bases, strict=True):
                rows += _rows_of(_renumbered(run.bucket(byte), base, _number_width(run)))
            rows.sort()
            yield b"".join(rows)

    return tuple(names), buckets()


def _number_width(run: _Run) -> int:
    """Return in how many bytes the numbers of a run's packs are."""
    return max(((len(run.packs) - 1).bit_length() + 7) // 8, 1)


def _renumbered(rows: bytes, base: int, width: int) -> bytes:
    """Put a base into the numbers of packs, column by column. Rows whose number means no pack are left out."""
    columns = [32 + column for column in range(4 - width)]
    count = len(rows) // _ROW.size
    if any(rows[column :: _ROW.size].count(0) != count for column in columns):
        rows = b"".join(row for row in _rows_of(rows) if not any(row[32 : 36 - width]))
        count = len(rows) // _ROW.size
    numbered = bytearray(rows)
    for column, value in zip(columns, base.to_bytes(4, "big"), strict=False):
        numbered[column :: _ROW.size] = bytes([value]) * count
    return bytes(numbered)


def _rows_of(rows: bytes) -> list[bytes]:
    return [rows[at : at + _ROW.size] for at in range(0, len(rows), _ROW.size)]


def _pack_row(number: int, row: Row) -> bytes:
    return _ROW.pack(row.chunk, number, row.kind, row.codec, row.offset, row.stored, row.plain)


def _packed(rows: Iterable[Row]) -> bytes:
    return b"".join([_pack_row(0, row) for row in rows])


def _enough(tables: Sequence[_Table]) -> int:
    """Return how many of some packs fill an index file: one at least."""
    size = 0
    for count, (_, rows) in enumerate(tables, start=1):
        size += len(rows)
        if size >= _ROWS_PER_FILE * _ROW.size:
            return count
    return len(tables)


def _encode(tables: Sequence[_Table], address: Address, index_key: bytes) -> bytes:
    rows: list[bytes] = []
    for number, (_, table) in enumerate(tables):
        numbered = number.to_bytes(4, "big")
        rows += [row[:32] + numbered + row[36:] for row in _rows_of(table)]
    rows.sort()
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


def _require_same(written: Written, data: bytes, name: str) -> None:
    if not holds_same(written, data):
        raise MalformedObject(what=name, reason="read-back-differs")
