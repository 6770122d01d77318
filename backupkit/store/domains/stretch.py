"""Opens chunks that lie one behind the other in a pack: one read for many, and no copy of what is not compressed.

Nothing is searched for here and nothing forgiven. What is not exactly where and what the index says is looked for by the way
that finds around damage. As there, no bytes are handed out whose id was not computed again from them.
"""

import hmac
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from backupkit.codec.malformed import MalformedObject
from backupkit.ids import ChunkId, PackName
from backupkit.store.chunk_id import KINDS, ChunkType, chunk_id, plain_sha256
from backupkit.store.failures import ChunkLost
from backupkit.store.packs.compression import Codec, decompress
from backupkit.store.packs.index import Location
from backupkit.store.packs.pack_format import ENTRY_HEAD, FIRST_ENTRY, Row, entry_head, require_plausible
from backupkit.store.packs.pack_reader import UNREADABLE, Opened, PackReader

_STRETCH = 1 << 20
"""Stream bytes that are opened in one go, and more only for a chunk that is larger."""

_GAP = 1 << 16
"""Bytes that nobody asked for and that are opened all the same, because that is cheaper than a read of its own."""

_FRONT = FIRST_ENTRY.size
_SPARE_MOST = 2 << 20


class Lent(NamedTuple):
    """A chunk's plain bytes, authenticated, with its id computed again. They hold until the next chunk is asked for."""

    chunk: ChunkId
    kind: ChunkType
    plaintext: bytes | memoryview
    sha256: bytes


Outcome: TypeAlias = Lent | ChunkLost


class Lender:
    """Lends the chunks of one domain. `find` is the way around damage. Safe for threads."""

    def __init__(
        self,
        id_key: bytes,
        *,
        where: Callable[[ChunkId], Location | None],
        pack_reader: Callable[[PackName], PackReader],
        find: Callable[[ChunkId], Opened],
    ) -> None:
        self._id_key = id_key
        self._where = where
        self._pack_reader = pack_reader
        self._find = find
        # Memory that was used before costs the system nothing to give out again. At most one for each thread that lends.
        self._spare: list[bytearray] = []

    def lend(self, chunks: Iterable[ChunkId]) -> Iterator[Outcome]:
        """Give chunks in the order in which they are asked for, quickly where that is the order in which they lie."""
        stream = _Stream(self._spare.pop() if self._spare else bytearray(_FRONT + _STRETCH))
        try:
            for stretch in self._stretches(chunks):
                if isinstance(stretch, tuple):
                    yield from self._open(stream, *stretch)
                else:
                    yield self._search(stretch)
        finally:
            if len(stream.memory) <= _SPARE_MOST:
                self._spare.append(stream.memory)

    def _stretches(self, chunks: Iterable[ChunkId]) -> Iterator[tuple[PackName, list[Row]] | ChunkId]:
        """Give rows of a pack that can be opened in one go, and by its id each chunk that no index knows."""
        pack, first, last = PackName(""), 0, 0
        rows: list[Row] = []
        for chunk in chunks:
            place = self._where(chunk)
            if place is not None:
                row = place.row
                is_near = place.pack == pack and 0 <= row.offset - last <= _GAP and row.end - first <= _STRETCH
                if rows and is_near:
                    rows.append(row)
                    last = row.end
                    continue
            if rows:
                yield pack, rows
            rows = []
            if place is None:
                yield chunk
                continue
            pack, rows, first, last = place.pack, [place.row], place.row.offset, place.row.end
        if rows:
            yield pack, rows

    def _open(self, stream: "_Stream", pack: PackName, rows: Sequence[Row]) -> Iterator[Outcome]:
        try:
            for row in rows:
                require_plausible(row)
            stream.open(self._pack_reader(pack), rows[0].offset, rows[-1].end)
        except UNREADABLE:
            # One damaged record among them: each on its own, so that it costs the others nothing.
            yield from (self._search(row.chunk) for row in rows)
            return
        for row in rows:
            lent = self._entry(stream, row)
            yield self._search(row.chunk) if lent is None else lent

    def _entry(self, stream: "_Stream", row: Row) -> Lent | None:
        """Return the chunk of a row, None if something else lies there."""
        chunk, kind, codec, offset, stored_size, plain_size = row
        data = stream.take(offset, ENTRY_HEAD.size + stored_size)
        if bytes(data[: ENTRY_HEAD.size]) != entry_head(kind, codec, plain_size, stored_size, chunk):
            return None
        plaintext: bytes | memoryview = data[ENTRY_HEAD.size :]
        if len(plaintext) != stored_size:
            return None
        if codec != Codec.RAW or stored_size != plain_size:
            try:
                plaintext = decompress(codec, plaintext, plain_size)
            except MalformedObject:
                return None
        known = KINDS[kind]
        sha256 = plain_sha256(plaintext)
        if not hmac.compare_digest(chunk_id(self._id_key, known, sha256), chunk):
            return None
        return Lent(chunk, known, plaintext, sha256)

    def _search(self, chunk: ChunkId) -> Outcome:
        try:
            return Lent(*self._find(chunk))
        except ChunkLost as error:
            return error


class _Stream:
    """Records of a pack, opened one behind the other into memory that is used again and again."""

    def __init__(self, memory: bytearray) -> None:
        self.memory = memory
        self._pack = ""
        # Of the stream, the bytes from `start` to `end` lie in memory, behind the front of the first record.
        self._start = self._end = 0

    def open(self, pack: PackReader, begin: int, end: int) -> None:
        """Open the records in which the stream's bytes from `begin` to `end` lie; raises as `PackReader.stream_into`."""
        size = pack.header.payload_size
        first, last = begin // size, (end - 1) // size
        start = first * size
        kept = b""
        if self._pack == pack.name and self._start <= start < self._end:
            # The next chunk begins in the record in which the last one ended.
            kept = bytes(self._view(start, self._end))
        self._pack = ""
        needed = _FRONT + (last + 1) * size - start
        if len(self.memory) < needed:
            self.memory = bytearray(needed)
        with memoryview(self.memory) as memory:
            memory[_FRONT : _FRONT + len(kept)] = kept
            missing = first + -(-len(kept) // size)
            filled = len(kept)
            if missing <= last:
                filled = missing * size - start
                filled += pack.stream_into(missing, last, memory[filled:])
        self._pack, self._start, self._end = pack.name, start, start + filled

    def take(self, offset: int, size: int) -> memoryview:
        """Return bytes of the stream, fewer where they are not there."""
        return self._view(offset, min(offset + size, self._end))

    def _view(self, begin: int, end: int) -> memoryview:
        return memoryview(self.memory)[_FRONT + begin - self._start : _FRONT + end - self._start]
