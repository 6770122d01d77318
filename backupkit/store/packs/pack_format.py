"""The bytes of a pack, version 1. `docs/format/pack.md` is the specification.

    header | stream record 0 | ... | stream record n-1 | table record n | copy of the header | footer

The entries lie one behind the other in a stream that is cut into records of equal size, so that no chunk's length can be
seen from outside (ADR 0001). Every position can be computed, so a damaged field costs the bytes it stands for and no more.
"""

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from backupkit.codec.framing import FRAME_SIZE, Mark, frame, unframe
from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.derive import derive
from backupkit.crypto.recipients import WRAP_OVERHEAD
from backupkit.crypto.sealing import TAG_SIZE
from backupkit.ids import ChunkId, DomainId, RepositoryId
from backupkit.store.chunk_id import KINDS

PAYLOAD_SIZE = 131_072
"""Stream bytes in every record but the last."""

PAD = 4096
PACK_TARGET = 16 << 20
"""Stream bytes at which a pack is closed."""

MAX_PLAIN = 16 << 20
"""Most plain bytes of one chunk."""

MAX_ENTRIES = 65_536
MAX_PACK = 64 << 20
"""Most bytes of a pack file that is read."""

SECRET_SIZE = 32
WRAPPED_SIZE = SECRET_SIZE + WRAP_OVERHEAD
NO_ENTRY = 0xFFFFFFFF

RECORD_MARKER = b"\xb1kitrec\n"
FOOTER_MARKER = b"\xb1kitend\n"
ENTRY_MARKER = b"EN"
STREAM, TABLE = 1, 2

_HEADER = struct.Struct(">16s16s32s32sIH")
RECORD_HEAD = struct.Struct(">8sB3sIII")
ENTRY_HEAD = struct.Struct(">2sBBII32s")
ROW = struct.Struct(">32sBBQII")
FOOTER = struct.Struct(">8sQIQI")
FIRST_ENTRY = struct.Struct(">I")

UNWRAPPED_HEADER_SIZE = FRAME_SIZE + _HEADER.size
HEADER_SIZE = UNWRAPPED_HEADER_SIZE + WRAPPED_SIZE
TAIL_SIZE = HEADER_SIZE + FOOTER.size
_COUNT = struct.Struct(">I")
_ZEROS = bytes(3)


@dataclass(frozen=True, slots=True)
class Address:
    """Which repository and which erasure domain an object belongs to. It is bound into every seal."""

    repository: RepositoryId
    domain: DomainId

    @property
    def context(self) -> bytes:
        """Both ids, 32 bytes."""
        return self.repository + self.domain


class Row(NamedTuple):
    """Where a chunk lies in a pack's stream. `offset` is that of its entry head; sizes are in bytes."""

    chunk: ChunkId
    kind: int
    codec: int
    offset: int
    stored: int
    plain: int

    @property
    def end(self) -> int:
        """Where the next entry begins."""
        return self.offset + ENTRY_HEAD.size + self.stored


@dataclass(frozen=True, slots=True)
class PackHeader:
    """A pack's first bytes, parsed. `raw` is all of them: they are associated data of every record."""

    address: Address
    salt: bytes
    commitment: bytes
    payload_size: int
    wrapped: bytes
    raw: bytes

    @property
    def stride(self) -> int:
        """Bytes from one stream record to the next."""
        return RECORD_HEAD.size + FIRST_ENTRY.size + self.payload_size + TAG_SIZE

    def record_offset(self, ordinal: int) -> int:
        """Where a stream record begins in the file."""
        return HEADER_SIZE + ordinal * self.stride


@dataclass(frozen=True, slots=True)
class Footer:
    """A pack's last 32 bytes, parsed. `records` counts the table too."""

    table_offset: int
    records: int
    file_size: int


def unwrapped_header(address: Address, salt: bytes, commitment: bytes, payload_size: int) -> bytes:
    """Write the part of the header that is the context of the wrapped secret."""
    return frame(
        Mark.PACK,
        _HEADER.pack(address.repository, address.domain, salt, commitment, payload_size, WRAPPED_SIZE),
    )


def parse_header(data: bytes | memoryview) -> PackHeader:
    """Read a header off a pack's first bytes.

    Raises:
        MalformedObject: it is none.
        NewerFormat: a pack of a newer version.
    """
    payload = unframe(Mark.PACK, data)
    if len(data) < HEADER_SIZE:
        raise MalformedObject(what="pack", reason="truncated")
    repository, domain, salt, commitment, payload_size, wrapped_size = _HEADER.unpack_from(payload)
    if wrapped_size != WRAPPED_SIZE:
        raise MalformedObject(what="pack", reason="wrapped-size")
    if payload_size % PAD or not PAD <= payload_size <= 1 << 20:
        raise MalformedObject(what="pack", reason="record-size")
    return PackHeader(
        address=Address(RepositoryId(repository), DomainId(domain)),
        salt=salt,
        commitment=commitment,
        payload_size=payload_size,
        wrapped=bytes(data[UNWRAPPED_HEADER_SIZE:HEADER_SIZE]),
        raw=bytes(data[:HEADER_SIZE]),
    )


def record_key(secret: bytes, salt: bytes, address: Address) -> bytes:
    """Derive the key of a pack's records."""
    return derive(secret, "pack-record", salt=salt, context=address.context)


def record_commitment(secret: bytes, salt: bytes, address: Address) -> bytes:
    """Derive what the header holds so that a pack opens under one secret only."""
    return derive(secret, "pack-commit", salt=salt, context=address.context)


def record_head(kind: int, ordinal: int, sealed_size: int) -> bytes:
    """Write the clear head of a record: 24 bytes, the last four a CRC-32 of the others."""
    clear = RECORD_HEAD.pack(RECORD_MARKER, kind, _ZEROS, ordinal, sealed_size, 0)[:20]
    return clear + zlib.crc32(clear).to_bytes(4, "big")


def parse_record_head(head: bytes | memoryview) -> tuple[int, int, int] | None:
    """Return kind, ordinal and sealed size; None if these bytes are no whole record head."""
    if len(head) < RECORD_HEAD.size:
        return None
    marker, kind, zeros, ordinal, sealed_size, crc = RECORD_HEAD.unpack_from(head)
    if marker != RECORD_MARKER or zeros != _ZEROS or crc != zlib.crc32(head[:20]):
        return None
    return kind, ordinal, sealed_size


def footer(table_offset: int, records: int, file_size: int) -> bytes:
    """Write the footer."""
    clear = FOOTER.pack(FOOTER_MARKER, table_offset, records, file_size, 0)[:-4]
    return clear + zlib.crc32(clear).to_bytes(4, "big")


def parse_footer(data: bytes | memoryview) -> Footer | None:
    """Read a footer; None if these 32 bytes are none."""
    if len(data) != FOOTER.size:
        return None
    marker, table_offset, records, file_size, crc = FOOTER.unpack(data)
    if marker != FOOTER_MARKER or crc != zlib.crc32(data[:-4]):
        return None
    return Footer(table_offset, records, file_size)


def entry_head(kind: int, codec: int, plain: int, stored: int, chunk: ChunkId) -> bytes:
    """Write the head of an entry: 44 bytes."""
    return ENTRY_HEAD.pack(ENTRY_MARKER, kind, codec, plain, stored, chunk)


def parse_entry_head(data: bytes | bytearray | memoryview, position: int, offset: int) -> Row:
    """Read the entry head at `position` of `data`, which is at `offset` of the stream.

    Raises:
        MalformedObject: it is none, or sizes or types are out of bounds.
    """
    marker, kind, codec, plain, stored, chunk = ENTRY_HEAD.unpack_from(data, position)
    if marker != ENTRY_MARKER:
        raise MalformedObject(what="pack-entry", reason="wrong-mark")
    row = Row(ChunkId(chunk), kind, codec, offset, stored, plain)
    require_plausible(row)
    return row


def require_plausible(row: Row) -> None:
    """Refuse a row whose type or sizes no writer makes, before anything is allocated for it.

    Raises:
        MalformedObject: they are out of bounds.
    """
    if row.kind not in KINDS or row.plain > MAX_PLAIN or row.stored > row.plain or row.offset > MAX_PACK:
        raise MalformedObject(what="pack-entry", reason="out-of-bounds")


def encode_table(rows: Iterable[Row]) -> bytes:
    """Write the table: count, rows sorted by id, zeros up to a multiple of 4,096."""
    packed = sorted(ROW.pack(*row) for row in rows)
    size = _COUNT.size + len(packed) * ROW.size
    return b"".join((_COUNT.pack(len(packed)), *packed, bytes(-size % PAD)))


def decode_table(data: bytes) -> list[Row]:
    """Read a table.

    Raises:
        MalformedObject: counts, order or sizes are wrong.
    """
    if len(data) < _COUNT.size:
        raise MalformedObject(what="pack-table", reason="truncated")
    (count,) = _COUNT.unpack_from(data)
    end = _COUNT.size + count * ROW.size
    if count > MAX_ENTRIES or end > len(data) or any(data[end:]):
        raise MalformedObject(what="pack-table", reason="wrong-count")
    rows = [
        Row(ChunkId(chunk), kind, codec, offset, stored, plain)
        for chunk, kind, codec, offset, stored, plain in ROW.iter_unpack(data[_COUNT.size : end])
    ]
    for row in rows:
        require_plausible(row)
    if any(a.chunk > b.chunk for a, b in pairwise(rows)):
        raise MalformedObject(what="pack-table", reason="not-sorted")
    return rows
