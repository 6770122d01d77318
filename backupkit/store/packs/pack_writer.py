"""Fills a pack: entries in, records of equal size out."""

import hashlib
import mmap
import secrets
from dataclasses import dataclass
from typing import NamedTuple

from backupkit.crypto.recipients import Recipient
from backupkit.crypto.sealing import SALT_SIZE, TAG_SIZE, RecordCipher
from backupkit.ids import ChunkId, PackName
from backupkit.store.packs.pack_format import (
    ENTRY_HEAD,
    FIRST_ENTRY,
    FOOTER,
    NO_ENTRY,
    PACK_TARGET,
    PAD,
    PAYLOAD_SIZE,
    SECRET_SIZE,
    STREAM,
    TABLE,
    Address,
    PackHeader,
    Row,
    encode_table,
    entry_head,
    footer,
    parse_header,
    record_commitment,
    record_head,
    record_key,
    unwrapped_header,
)

_BESIDE_THE_STREAM = 3 << 19
"""Heads and tags of records, and the table: about 1 MiB for as many entries as are written."""

MOST_WRITTEN = 8_192
"""Entries at which a pack is closed, an eighth of what the format allows: their rows are in memory until it is published."""


class EncodedChunk(NamedTuple):
    """A chunk ready to be laid into a pack: `stored` gives `plain` bytes under `codec`."""

    chunk: ChunkId
    kind: int
    codec: int
    plain: int
    stored: bytes


@dataclass(frozen=True, slots=True, repr=False)
class FinishedPack:
    """All bytes of a pack, and what is needed to check them once more before they get their name."""

    name: PackName
    data: memoryview
    header: PackHeader
    cipher: RecordCipher
    rows: tuple[Row, ...]


class PackBuilder:
    """A pack being filled. Its secret lives as long as this object and is sealed to the recipient alone.

    One thread at a time. `payload_size` is smaller than `PAYLOAD_SIZE` in tests only. The pack is laid into `buffer`: memory
    of the system's own, of which only what is written takes room, and which is given back whole. Using it again for the
    next pack saves the system from clearing 16 MiB of fresh memory each time.
    """

    def __init__(
        self,
        address: Address,
        recipient: Recipient,
        *,
        target: int = PACK_TARGET,
        payload_size: int = PAYLOAD_SIZE,
        buffer: mmap.mmap | None = None,
    ) -> None:
        secret, salt = secrets.token_bytes(SECRET_SIZE), secrets.token_bytes(SALT_SIZE)
        head = unwrapped_header(address, salt, record_commitment(secret, salt, address), payload_size)
        self._header = parse_header(head + recipient.wrap(secret, head))
        self._cipher = RecordCipher(record_key(secret, salt, address))
        self._target = target
        self._payload_size = payload_size
        self.buffer = mmap.mmap(-1, max(target, PACK_TARGET) + _BESIDE_THE_STREAM) if buffer is None else buffer
        self._size = 0
        # The pack's name, computed while it is filled: whoever fills has time, whoever publishes has not.
        self._name = hashlib.sha256()
        self._write(self._header.raw)
        self._rows: list[Row] = []
        self._records = 0
        # The plain bytes of the record being filled: where its first entry begins, then stream bytes.
        self._plain = memoryview(bytearray(FIRST_ENTRY.size + payload_size))
        self._filled = 0
        self._first_entry = NO_ENTRY

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added yet."""
        return not self._rows

    def has_room_for(self, chunk: EncodedChunk) -> bool:
        """Tell whether a chunk still belongs into this pack. An empty pack takes any chunk."""
        end = self._stream_size() + ENTRY_HEAD.size + len(chunk.stored)
        return self.is_empty or (end <= self._target and len(self._rows) < MOST_WRITTEN)

    def add(self, chunk: EncodedChunk) -> None:
        """Append one chunk's entry to the stream, sealing every record that becomes full."""
        if self._first_entry == NO_ENTRY:
            self._first_entry = self._filled
        self._rows.append(
            Row(chunk.chunk, chunk.kind, chunk.codec, self._stream_size(), len(chunk.stored), chunk.plain),
        )
        self._append(entry_head(chunk.kind, chunk.codec, chunk.plain, len(chunk.stored), chunk.chunk))
        self._append(chunk.stored)

    def finish(self) -> FinishedPack:
        """Close the pack: last record, table, copy of the header, footer. Name it by the SHA-256 of its bytes."""
        if self._filled:
            padded = self._filled + -self._filled % PAD
            self._plain[FIRST_ENTRY.size + self._filled : FIRST_ENTRY.size + padded] = bytes(padded - self._filled)
            self._filled = padded
            self._seal_stream_record()
        table_offset = self._size
        self._seal(TABLE, encode_table(self._rows))
        self._write(self._header.raw)
        self._write(footer(table_offset, self._records, self._size + FOOTER.size))
        data = memoryview(self.buffer)[: self._size]
        return FinishedPack(PackName(self._name.hexdigest()), data, self._header, self._cipher, tuple(self._rows))

    def _stream_size(self) -> int:
        return self._records * self._payload_size + self._filled

    def _append(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            start = FIRST_ENTRY.size + self._filled
            piece = left[: self._payload_size - self._filled]
            self._plain[start : start + len(piece)] = piece
            self._filled += len(piece)
            left = left[len(piece) :]
            if self._filled == self._payload_size:
                self._seal_stream_record()

    def _seal_stream_record(self) -> None:
        FIRST_ENTRY.pack_into(self._plain, 0, self._first_entry)
        self._seal(STREAM, self._plain[: FIRST_ENTRY.size + self._filled])
        self._filled = 0
        self._first_entry = NO_ENTRY

    def _seal(self, kind: int, plaintext: bytes | memoryview) -> None:
        sealed_size = len(plaintext) + TAG_SIZE
        head = record_head(kind, self._records, sealed_size)
        self._write(head)
        self._reserve(sealed_size)
        with memoryview(self.buffer) as buffer:
            out = buffer[self._size : self._size + sealed_size]
            self._cipher.seal_into(self._records, plaintext, self._header.raw + head[:20], out)
            self._name.update(out)
            out.release()
        self._size += sealed_size
        self._records += 1

    def _write(self, data: bytes) -> None:
        self._reserve(len(data))
        self.buffer[self._size : self._size + len(data)] = data
        self._name.update(data)
        self._size += len(data)

    def _reserve(self, size: int) -> None:
        wanted = self._size + size
        if wanted <= len(self.buffer):
            return
        # A single chunk as large as a pack, or one that holds more entries than most.
        larger = mmap.mmap(-1, 2 * wanted)
        larger[: self._size] = self.buffer[: self._size]
        self.buffer = larger
