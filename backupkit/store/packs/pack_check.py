"""Opens a pack once more before it gets its name, from the bytes that the file system gives back.

A failing memory module or disk shows itself here and not years later: the writer cannot do this again, since only the recipient
can open a pack. ADR 0023 says what each step finds, and why none is left out.
"""

from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.failures import OpenFailed
from backupkit.crypto.sealing import TAG_SIZE
from backupkit.store.backend import WINDOW, Written
from backupkit.store.chunk_id import KINDS, chunk_id, plain_sha256
from backupkit.store.packs.compression import Codec, decompress
from backupkit.store.packs.pack_format import (
    ENTRY_HEAD,
    FIRST_ENTRY,
    HEADER_SIZE,
    RECORD_HEAD,
    STREAM,
    TABLE,
    TAIL_SIZE,
    encode_table,
    entry_head,
    footer,
    parse_record_head,
)
from backupkit.store.packs.pack_writer import FinishedPack


def check_finished_pack(finished: FinishedPack, written: Written, id_key: bytes) -> None:
    """Open everything in a pack that is about to be published.

    Raises:
        MalformedObject: the pack must not be published.
    """
    try:
        _check(finished, written, id_key)
    except OpenFailed as error:
        raise MalformedObject(what=finished.name, reason="read-back-differs") from error


def _check(finished: FinishedPack, written: Written, id_key: bytes) -> None:
    if written.size != len(finished.data) or bytes(written.read(0, HEADER_SIZE)) != finished.header.raw:
        raise MalformedObject(what=finished.name, reason="read-back-differs")
    stream = _StrictStream(finished, written)
    for row in finished.rows:
        data = stream.take(ENTRY_HEAD.size + row.stored)
        if bytes(data[: ENTRY_HEAD.size]) != entry_head(row.kind, row.codec, row.plain, row.stored, row.chunk):
            raise MalformedObject(what=finished.name, reason="wrong-entry")
        stored = data[ENTRY_HEAD.size :]
        is_raw = row.codec == Codec.RAW and len(stored) == row.plain
        plaintext = stored if is_raw else decompress(row.codec, stored, row.plain)
        # Computed again from what came back: what failed since the first time, in memory or in the processor, shows here.
        if chunk_id(id_key, KINDS[row.kind], plain_sha256(plaintext)) != row.chunk:
            raise MalformedObject(what="chunk", reason="wrong-id")
    if stream.table() != encode_table(finished.rows):
        raise MalformedObject(what=finished.name, reason="wrong-table")
    tail = finished.header.raw + footer(stream.table_offset, stream.opened, written.size)
    if bytes(written.read(written.size - TAIL_SIZE, TAIL_SIZE)) != tail:
        raise MalformedObject(what=finished.name, reason="wrong-footer")


class _StrictStream:
    """The stream of a pack as its writer laid it, opened record by record. Nothing is searched for and nothing forgiven.

    Every byte is covered: heads and tail are compared with what they must be, all else is authenticated with them.
    """

    def __init__(self, finished: FinishedPack, written: Written) -> None:
        self.opened = 0
        self.table_offset = 0
        self._finished = finished
        self._written = written
        self._position = HEADER_SIZE
        self._window = memoryview(b"")
        self._window_start = 0
        # The stream bytes that were opened and not taken yet lie from `start` to `end`.
        self._plain = bytearray(2 * WINDOW)
        self._start = self._end = FIRST_ENTRY.size

    def take(self, size: int) -> memoryview:
        """Return the next bytes of the stream. They hold until the next call."""
        if self._end - self._start < size:
            self._fill(size)
        data = memoryview(self._plain)[self._start : self._start + size]
        self._start += size
        return data

    def table(self) -> bytes:
        """Return the table, which is all that is left."""
        if any(self._plain[self._start : self._end]):
            raise MalformedObject(what=self._finished.name, reason="wrong-count")
        self.table_offset = self._position
        left = self._written.size - TAIL_SIZE - self._position - RECORD_HEAD.size
        sealed, associated = self._sealed(TABLE, left)
        return self._finished.cipher.open(self.opened - 1, sealed, associated)

    def _fill(self, size: int) -> None:
        """Open records until so many bytes lie there, one behind the other."""
        most = self._finished.header.stride - RECORD_HEAD.size
        rest = self._plain[self._start : self._end]
        front = FIRST_ENTRY.size
        if len(self._plain) < front + size + most:
            self._plain = bytearray(front + size + most)
        self._plain[front : front + len(rest)] = rest
        self._start, self._end = front, front + len(rest)
        while self._end - self._start < size:
            self._open(most)

    def _open(self, most: int) -> None:
        """Open the next record behind what lies there. The field in front of its bytes covers the last of those for a moment."""
        sealed, associated = self._sealed(STREAM, most)
        before = self._end - FIRST_ENTRY.size
        kept = self._plain[before : self._end]
        end = before + len(sealed) - TAG_SIZE
        with memoryview(self._plain) as plain, plain[before:end] as out:
            self._finished.cipher.open_into(self.opened - 1, sealed, associated, out)
        self._plain[before : self._end] = kept
        self._end = end

    def _sealed(self, kind: int, most: int) -> tuple[memoryview, bytes]:
        """Return the record at hand, of `most` bytes unless its own head, which must be right to the bit, says fewer."""
        start = RECORD_HEAD.size
        record = self._at_hand(start + most)
        head = bytes(record[:start])
        found = parse_record_head(head)
        if found is None or found[:2] != (kind, self.opened) or not TAG_SIZE + FIRST_ENTRY.size <= found[2] <= most:
            raise MalformedObject(what=self._finished.name, reason="wrong-record")
        sealed = record[start : start + found[2]]
        if len(sealed) < found[2]:
            raise MalformedObject(what=self._finished.name, reason="wrong-record")
        self._position += start + len(sealed)
        self.opened += 1
        return sealed, self._finished.header.raw + head[:20]

    def _at_hand(self, size: int) -> memoryview:
        """Return bytes of the file from here on, reading much at a time."""
        at = self._position - self._window_start
        if at + size > len(self._window):
            self._window_start, at = self._position, 0
            # Whole records, so that none is read twice.
            stride = self._finished.header.stride
            self._window = self._written.read(self._position, max(size, WINDOW - WINDOW % stride))
        return self._window[at : at + size]
