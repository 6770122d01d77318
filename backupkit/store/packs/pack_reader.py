"""Reads a pack: from its table, from a known place in its stream, or by walking it when it is damaged.

Damage costs the entries that touch it and nothing else. Nothing is believed before it was authenticated, and no chunk is
handed out whose id was not computed again from its bytes.
"""

import hmac
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.crypto.failures import OpenFailed
from backupkit.crypto.recipients import Identity
from backupkit.crypto.sealing import TAG_SIZE, RecordCipher
from backupkit.errors import BackupkitError
from backupkit.ids import ChunkId
from backupkit.store.backend import Backend, BackendError
from backupkit.store.chunk_id import KINDS, ChunkType, chunk_id, plain_sha256
from backupkit.store.finding import Finding, cause
from backupkit.store.layout import PackRef
from backupkit.store.packs.compression import decompress
from backupkit.store.packs.pack_format import (
    ENTRY_HEAD,
    FIRST_ENTRY,
    FOOTER,
    HEADER_SIZE,
    MAX_ENTRIES,
    MAX_PACK,
    NO_ENTRY,
    PAD,
    RECORD_HEAD,
    RECORD_MARKER,
    ROW,
    STREAM,
    TABLE,
    TAIL_SIZE,
    UNWRAPPED_HEADER_SIZE,
    Address,
    Footer,
    PackHeader,
    Row,
    decode_table,
    entry_head,
    parse_entry_head,
    parse_footer,
    parse_header,
    parse_record_head,
    record_commitment,
    record_head,
    record_key,
    require_plausible,
)

ReadRange: TypeAlias = Callable[[int, int], "bytes | memoryview"]
"""Returns exactly so many bytes (second) from an offset (first)."""

_WALK_AHEAD = 1 << 20
_CLEAR = 20
"""Bytes of a record's head that its seal covers: all but their own check sum."""

# A hostile file could be all markers, and each costs an attempt. A damaged one has few more than it has records.
_MOST_FAILURES = 2048
UNREADABLE = (MalformedObject, NewerFormat, OpenFailed, BackendError)
"""What opening anything of a pack may raise for damage."""

MAX_TABLE = MAX_ENTRIES * ROW.size + 2 * PAD


class Opened(NamedTuple):
    """A chunk's plain bytes, authenticated, with its id computed again. `sha256` is that of the plain bytes."""

    chunk: ChunkId
    kind: ChunkType
    plaintext: bytes
    sha256: bytes


class StoredEntry(NamedTuple):
    """An entry as it lies in the stream: authenticated by its record's seal, not yet decompressed."""

    row: Row
    stored: bytes


class Record(NamedTuple):
    """One record, opened."""

    kind: int
    ordinal: int
    plaintext: bytes


class RecordCache:
    """The records opened last, so that small chunks lying together cost one opening. 128 KiB each; safe for threads."""

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, pack: str, ordinal: int) -> bytes | None:
        """Return a record's plaintext if it is kept."""
        with self._lock:
            plaintext = self._kept.get((pack, ordinal))
            if plaintext is not None:
                self._kept.move_to_end((pack, ordinal))
            return plaintext

    def put(self, pack: str, ordinal: int, plaintext: bytes) -> None:
        """Keep a record's plaintext, and drop the one used longest ago."""
        with self._lock:
            self._kept[pack, ordinal] = plaintext
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)


class _Window:
    """A part of a pack read in one go, so that records lying together do not cost a read each."""

    def __init__(self, read: ReadRange, size: int, ahead: int) -> None:
        self._read = read
        self._size = size
        self._ahead = ahead
        self._start = 0
        self._data = memoryview(b"")

    def read(self, offset: int, length: int) -> memoryview:
        """Return exactly `length` bytes from `offset`."""
        within = offset - self._start
        if within < 0 or within + length > len(self._data):
            more = max(length, min(self._ahead, self._size - offset))
            self._start, self._data, within = offset, memoryview(self._read(offset, more)), 0
        return self._data[within : within + length]


class PackReader:
    """One pack whose key is known. `name` is used in findings and errors."""

    def __init__(
        self,
        name: str,
        read: ReadRange,
        size: int,
        header: PackHeader,
        cipher: RecordCipher,
        *,
        cache: RecordCache | None = None,
    ) -> None:
        self.name = name
        self.header = header
        self._read_range = read
        self._size = size
        self._cipher = cipher
        self._cache = cache or RecordCache(2)
        # Records that a walk found elsewhere than where they were written: bytes were lost or put in before them.
        self._moved: dict[int, int] = {}

    @classmethod
    def open(
        cls,
        backend: Backend,
        ref: PackRef,
        address: Address,
        identity: Identity,
        cache: RecordCache | None = None,
    ) -> "PackReader":
        """Open a pack of a backend with the domain's identity.

        Raises:
            MalformedObject: neither its header nor the copy of it can be read, or it belongs elsewhere.
            OpenFailed: the secret was sealed to somebody else, or it is damaged in both headers.
            NewerFormat: a pack of a newer version.
            ObjectMissing, ObjectUnreadable: the backend has it not.
        """
        size = backend.size(ref.name)
        if size > MAX_PACK:
            raise MalformedObject(what=ref.name, reason="too-large")

        def read(offset: int, length: int) -> bytes:
            return backend.read(ref.name, offset, length)

        header, cipher = _open_header(read, size, address, identity, ref.name)
        return cls(ref.name, read, size, header, cipher, cache=cache)

    def chunk(self, row: Row, id_key: bytes) -> Opened:
        """Return the chunk that a row points at.

        Raises:
            MalformedObject: what lies there is something else.
            OpenFailed: a record that it lies in is damaged.
        """
        require_plausible(row)
        head = entry_head(row.kind, row.codec, row.plain, row.stored, row.chunk)
        ordinal, within = divmod(row.offset, self.header.payload_size)
        if within + len(head) + row.stored <= self.header.payload_size:
            # Most chunks lie in one record.
            plaintext = self._stream_record(self._read_range, ordinal, keep=True)
            start = FIRST_ENTRY.size + within + len(head)
            found, stored = plaintext[start - len(head) : start], plaintext[start : start + row.stored]
        else:
            found = self._stream(row.offset, len(head))
            stored = self._stream(row.offset + len(head), row.stored)
        if found != head or len(stored) != row.stored:
            raise MalformedObject(what=self.name, reason="wrong-entry")
        return open_entry(StoredEntry(row, stored), id_key)

    def stream_into(self, first: int, last: int, out: memoryview) -> int:
        """Open records that lie in a row, and return how many bytes of the stream they hold.

        These begin after the first four bytes of `out`, which are another's to keep.

        Raises:
            MalformedObject, OpenFailed, BackendError: one of them is not whole, or not in its place.
        """
        stride, position = self.header.stride, self.header.record_offset(first)
        data = memoryview(self._read_range(position, min((last - first + 1) * stride, self._size - position)))
        end = 0
        for ordinal in range(first, last + 1):
            start = (ordinal - first) * stride
            head = parse_record_head(data[start : start + RECORD_HEAD.size])
            if head is None or head[:2] != (STREAM, ordinal) or start + RECORD_HEAD.size + head[2] > len(data):
                raise MalformedObject(what=self.name, reason="wrong-record")
            sealed_size = head[2]
            size = sealed_size - TAG_SIZE - FIRST_ENTRY.size
            if size <= 0 or size > self.header.payload_size or (size < self.header.payload_size and ordinal < last):
                raise MalformedObject(what=self.name, reason="wrong-record")
            sealed = data[start + RECORD_HEAD.size : start + RECORD_HEAD.size + sealed_size]
            associated = self.header.raw + data[start : start + _CLEAR]
            # What stands in front of a record's bytes covers the last of the record before it for a moment.
            kept = bytes(out[end : end + FIRST_ENTRY.size])
            self._cipher.open_into(ordinal, sealed, associated, out[end : end + FIRST_ENTRY.size + size])
            out[end : end + FIRST_ENTRY.size] = kept
            end += size
        return end

    def table(self) -> list[Row]:
        """Return the rows of the pack's own table.

        Raises:
            MalformedObject, OpenFailed: footer or table are damaged; `walk` still finds the entries.
        """
        end = self._footer()
        if end is None:
            raise MalformedObject(what=self.name, reason="no-footer")
        sealed_size = self._size - TAIL_SIZE - RECORD_HEAD.size - end.table_offset
        if not TAG_SIZE < sealed_size <= MAX_TABLE + TAG_SIZE or end.table_offset < HEADER_SIZE:
            raise MalformedObject(what=self.name, reason="wrong-footer")
        sealed = self._read_range(end.table_offset + RECORD_HEAD.size, sealed_size)
        return decode_table(self._open(TABLE, end.records - 1, sealed))

    def walk(self) -> Iterator[StoredEntry | Finding]:
        """Go through the whole pack, giving every entry that is whole and a finding for everything that is not."""
        buffer = bytearray()
        base = -1  # where the buffer begins in the stream; negative while no entry's beginning is known
        for item in self.records():
            if isinstance(item, Finding):
                yield item
                base = -1
                continue
            if item.kind != STREAM:
                continue
            offset = item.ordinal * self.header.payload_size
            (first,) = FIRST_ENTRY.unpack_from(item.plaintext)
            if base < 0 or base + len(buffer) != offset:
                if first == NO_ENTRY or first > len(item.plaintext) - FIRST_ENTRY.size:
                    continue
                buffer[:] = item.plaintext[FIRST_ENTRY.size + first :]
                base = offset + first
            else:
                buffer += memoryview(item.plaintext)[FIRST_ENTRY.size :]
            try:
                taken = 0
                while (entry := _take_entry(buffer, taken, base + taken)) is not None:
                    taken = entry.row.end - base
                    yield entry
            except MalformedObject as error:
                yield Finding("pack-entry-malformed", self.name, cause(error), item.ordinal)
                base = -1
                continue
            del buffer[:taken]
            base += taken
        if base >= 0 and any(buffer):
            yield Finding("pack-entry-malformed", self.name, "truncated")

    def records(self) -> Iterator[Record | Finding]:
        """Go through the records in order, finding the next one after each damaged place by its marker."""
        position, expected, failures = HEADER_SIZE, 0, 0
        read = _Window(self._read_range, self._size, _WALK_AHEAD).read
        finder = _LossNamer(self)
        limit = self._size - FOOTER.size
        while position + RECORD_HEAD.size + TAG_SIZE < limit:
            found = self._record_at(read, position, expected)
            if found is not None:
                record, following = found
                for ordinal in range(expected, record.ordinal):
                    yield finder.lost(ordinal)
                if position != self.header.record_offset(record.ordinal) and record.kind == STREAM:
                    self._moved[record.ordinal] = position
                yield record
                if record.kind == TABLE:
                    return
                position, expected = following, record.ordinal + 1
                continue
            failures += 1
            position = self._next_marker(read, position + 1)
            if position < 0 or failures > _MOST_FAILURES:
                break
        for ordinal in finder.missing_after(expected):
            yield finder.lost(ordinal)

    def _record_at(self, read: ReadRange, position: int, expected: int) -> tuple[Record, int] | None:
        """Open the record at a place. Its clear head may be damaged: what stood there can be computed."""
        head = parse_record_head(read(position, RECORD_HEAD.size))
        if head is not None and (head[1] >= expected):
            kind, ordinal, sealed_size = head
            return self._try_record(read, position, kind, ordinal, sealed_size)
        full = self.header.stride - RECORD_HEAD.size
        found = self._try_record(read, position, STREAM, expected, full)
        if found is None and (following := self._next_marker(read, position + 1)) > 0:
            found = self._try_record(read, position, STREAM, expected, following - position - RECORD_HEAD.size)
        return found

    def _try_record(
        self, read: ReadRange, position: int, kind: int, ordinal: int, sealed_size: int
    ) -> tuple[Record, int] | None:
        start = position + RECORD_HEAD.size
        most = MAX_TABLE + TAG_SIZE if kind == TABLE else self.header.stride - RECORD_HEAD.size
        if not TAG_SIZE + FIRST_ENTRY.size <= sealed_size <= min(most, self._size - start):
            return None
        try:
            plaintext = self._open(kind, ordinal, read(start, sealed_size))
        except OpenFailed:
            return None
        return Record(kind, ordinal, plaintext), start + sealed_size

    def _next_marker(self, read: ReadRange, position: int) -> int:
        """Return where the next record marker lies, or -1."""
        overlap = len(RECORD_MARKER) - 1
        while (length := min(self.header.stride + overlap, self._size - position)) > overlap:
            found = bytes(read(position, length)).find(RECORD_MARKER)
            if found >= 0:
                return position + found
            position += length - overlap
        return -1

    def _stream(self, offset: int, length: int) -> bytes:
        """Return bytes of the stream, from all the records they lie in."""
        payload_size = self.header.payload_size
        first, last = offset // payload_size, max(offset, offset + length - 1) // payload_size
        # One read for all the records of a large chunk. The first and last are likely to be asked for again.
        read = _Window(self._read_range, self._size, (last - first + 1) * self.header.stride).read
        pieces = []
        for ordinal in range(first, last + 1):
            start = max(offset - ordinal * payload_size, 0)
            end = min(offset + length - ordinal * payload_size, payload_size)
            plaintext = self._stream_record(read, ordinal, keep=ordinal in {first, last})
            pieces.append(memoryview(plaintext)[FIRST_ENTRY.size + start : FIRST_ENTRY.size + end])
        data = b"".join(pieces)
        if len(data) != length:
            raise MalformedObject(what=self.name, reason="stream-too-short")
        return data

    def _stream_record(self, read: ReadRange, ordinal: int, *, keep: bool) -> bytes:
        plaintext = self._cache.get(self.name, ordinal)
        if plaintext is None:
            plaintext = self._open_stream_record(read, ordinal)
            if keep:
                self._cache.put(self.name, ordinal, plaintext)
        return plaintext

    def _open_stream_record(self, read: ReadRange, ordinal: int) -> bytes:
        position = self._moved.get(ordinal, self.header.record_offset(ordinal))
        length = min(self.header.stride, self._size - position)
        if length <= RECORD_HEAD.size + TAG_SIZE:
            raise MalformedObject(what=self.name, reason="truncated")
        data = memoryview(read(position, length))
        head = parse_record_head(data)
        if head is not None and head[:2] == (STREAM, ordinal) and head[2] <= length - RECORD_HEAD.size:
            return self._open(STREAM, ordinal, data[RECORD_HEAD.size : RECORD_HEAD.size + head[2]])
        found = self._record_at(read, position, ordinal)
        if found is None or found[0][:2] != (STREAM, ordinal):
            raise OpenFailed(what=self.name)
        return found[0].plaintext

    def _open(self, kind: int, ordinal: int, sealed: bytes | memoryview) -> bytes:
        clear = record_head(kind, ordinal, len(sealed))[:_CLEAR]
        return self._cipher.open(ordinal, sealed, self.header.raw + clear)

    def _footer(self) -> Footer | None:
        if self._size < HEADER_SIZE + TAIL_SIZE:
            return None
        end = parse_footer(self._read_range(self._size - FOOTER.size, FOOTER.size))
        return end if end is not None and end.file_size == self._size and end.records > 0 else None


class _LossNamer:
    """Says which chunks are lost with a record, as far as the pack's own table can tell."""

    def __init__(self, reader: PackReader) -> None:
        self._reader = reader
        self._rows: list[Row] | None = None

    def lost(self, ordinal: int) -> Finding:
        size = self._reader.header.payload_size
        start, end = ordinal * size, (ordinal + 1) * size
        chunks = tuple(row.chunk for row in self._table() if row.offset < end and row.end > start)
        return Finding("pack-record-damaged", self._reader.name, "open-failed", ordinal, chunks)

    def missing_after(self, expected: int) -> range:
        """Return the ordinals that the table knows of and the walk did not come to."""
        most = max((row.end for row in self._table()), default=0)
        return range(expected, max(expected, -(-most // self._reader.header.payload_size)))

    def _table(self) -> list[Row]:
        if self._rows is None:
            try:
                self._rows = self._reader.table()
            except BackupkitError:
                self._rows = []
        return self._rows


def open_entry(entry: StoredEntry, id_key: bytes) -> Opened:
    """Decompress an entry and compute its id again.

    Raises:
        MalformedObject: the bytes are not the chunk that the entry names.
    """
    row = entry.row
    plaintext = decompress(row.codec, entry.stored, row.plain)
    kind = KINDS[row.kind]
    sha256 = plain_sha256(plaintext)
    # The name that something has proves nothing about it; only this does.
    if not hmac.compare_digest(chunk_id(id_key, kind, sha256), row.chunk):
        raise MalformedObject(what="chunk", reason="wrong-id")
    return Opened(row.chunk, kind, plaintext, sha256)


def _open_header(
    read: ReadRange,
    size: int,
    address: Address,
    identity: Identity,
    name: str,
) -> tuple[PackHeader, RecordCipher]:
    """Open the pack's secret from the header or, where that is damaged, from its copy at the end."""
    failure: BackupkitError = MalformedObject(what=name, reason="truncated")
    for offset in (0, size - TAIL_SIZE):
        if offset < 0 or offset + HEADER_SIZE > size:
            continue
        try:
            header = parse_header(read(offset, HEADER_SIZE))
            return header, _cipher(header, address, identity, name)
        except (MalformedObject, OpenFailed, NewerFormat) as error:
            # A header that says it is newer is believed only if its copy says no better.
            failure = error if offset == 0 else failure
    raise failure


def _cipher(header: PackHeader, address: Address, identity: Identity, name: str) -> RecordCipher:
    if header.address != address:
        raise MalformedObject(what=name, reason="belongs-elsewhere")
    secret = identity.unwrap(header.wrapped, header.raw[:UNWRAPPED_HEADER_SIZE])
    if not hmac.compare_digest(record_commitment(secret, header.salt, address), header.commitment):
        raise OpenFailed(what=name)
    return RecordCipher(record_key(secret, header.salt, address))


def _take_entry(buffer: bytearray, position: int, offset: int) -> StoredEntry | None:
    """Return the entry at `position`, or None when it is not whole yet or only padding follows."""
    left = len(buffer) - position
    if left < ENTRY_HEAD.size or not buffer[position]:
        return None
    row = parse_entry_head(buffer, position, offset)
    start = position + ENTRY_HEAD.size
    if left < ENTRY_HEAD.size + row.stored:
        return None
    return StoredEntry(row, bytes(memoryview(buffer)[start : start + row.stored]))
