"""The bytes of a parity file, version 1. `docs/format/parity.md` is the specification."""

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from backupkit.codec.cursor import Cursor
from backupkit.codec.framing import FRAME_SIZE, Mark, frame, unframe
from backupkit.codec.malformed import MalformedObject
from backupkit.ids import DomainId, PackName
from backupkit.store.packs.pack_format import MAX_PACK

BLOCK_SIZE = 65_536
MOST_MEMBERS = 128
"""The field has 255 places; more packs than this in a group would be less safe than it looks."""

_HEAD = struct.Struct(">16sBIQH")
_MEMBER = struct.Struct(">32sQ")
_SIZE = struct.Struct(">I")
_MAX_HEADER = 1 << 20
MAX_PARITY = MAX_PACK + 2 * _MAX_HEADER
"""No parity file is longer."""
_WHAT = "parity"


class Parity(IntEnum):
    """Which of the two parities a file holds."""

    P = 0
    Q = 1


@dataclass(frozen=True, slots=True)
class Member:
    """A pack that a group protects, with its size in bytes and the CRC-32 of each of its blocks."""

    pack: PackName
    size: int
    crcs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ParityGroup:
    """Packs that are protected together. `crcs` are those of the blocks of P and of Q. Both files say all of it."""

    domain: DomainId
    block_size: int
    members: tuple[Member, ...]
    crcs: tuple[tuple[int, ...], tuple[int, ...]]

    @property
    def packs(self) -> frozenset[PackName]:
        """The packs' names."""
        return frozenset(member.pack for member in self.members)

    @property
    def data_size(self) -> int:
        """Bytes of parity in each file: as many as the largest pack has."""
        return max((member.size for member in self.members), default=0)


def blocks_in(size: int, block_size: int) -> int:
    """Count the blocks of so many bytes, the last of which may be shorter."""
    return -(-size // block_size)


def encode_header(group: ParityGroup, which: Parity) -> bytes:
    """Write what stands before the parity bytes."""
    header = b"".join(
        (
            _HEAD.pack(group.domain, which, group.block_size, group.data_size, len(group.members)),
            *(_MEMBER.pack(bytes.fromhex(member.pack), member.size) for member in group.members),
            *(_pack_crcs(member.crcs) for member in group.members),
            *(_pack_crcs(crcs) for crcs in group.crcs),
        ),
    )
    return frame(Mark.PARITY, _SIZE.pack(len(header)) + header + _SIZE.pack(zlib.crc32(header)))


def header_size_for(sizes: Iterable[int], block_size: int) -> int:
    """Return how many bytes the whole header will have for packs of these sizes."""
    sizes = list(sizes)
    crcs = sum(blocks_in(size, block_size) for size in sizes) + 2 * blocks_in(max(sizes), block_size)
    inner = _HEAD.size + len(sizes) * _MEMBER.size + crcs * _SIZE.size
    return FRAME_SIZE + _SIZE.size + inner + _SIZE.size


def header_size(start: bytes | memoryview) -> int:
    """Return how many bytes the whole header has, from the first 16 bytes of a file.

    Raises:
        MalformedObject: it is no parity file.
        NewerFormat: one of a newer version.
    """
    cursor = Cursor(unframe(Mark.PARITY, start), what=_WHAT)
    size = cursor.u32()
    if size > _MAX_HEADER:
        raise MalformedObject(what=_WHAT, reason="length-too-large")
    return FRAME_SIZE + _SIZE.size + size + _SIZE.size


def decode_header(data: bytes | memoryview) -> tuple[ParityGroup, Parity]:
    """Read a header, which must be all of `data`.

    Raises:
        MalformedObject: it is none, or it was changed.
        NewerFormat: of a newer version.
    """
    cursor = Cursor(unframe(Mark.PARITY, data), what=_WHAT)
    header = cursor.sized(most=_MAX_HEADER)
    if cursor.u32() != zlib.crc32(header):
        raise MalformedObject(what=_WHAT, reason="wrong-crc")
    cursor.finish()
    inner = Cursor(header, what=_WHAT)
    domain, which, block_size, data_size, count = _HEAD.unpack(inner.take(_HEAD.size))
    if which > 1 or not 1 <= count <= MOST_MEMBERS or not 512 <= block_size <= 1 << 20:
        raise MalformedObject(what=_WHAT, reason="out-of-bounds")
    named = [_MEMBER.unpack(inner.take(_MEMBER.size)) for _ in range(count)]
    if any(size > MAX_PACK for _, size in named) or max(size for _, size in named) != data_size:
        raise MalformedObject(what=_WHAT, reason="out-of-bounds")
    members = tuple(
        Member(PackName(pack.hex()), size, _take_crcs(inner, blocks_in(size, block_size))) for pack, size in named
    )
    blocks = blocks_in(data_size, block_size)
    crcs = (_take_crcs(inner, blocks), _take_crcs(inner, blocks))
    inner.finish()
    if len({member.pack for member in members}) != count:
        raise MalformedObject(what=_WHAT, reason="same-pack-twice")
    return ParityGroup(DomainId(domain), block_size, members, crcs), Parity(which)


def _pack_crcs(crcs: Sequence[int]) -> bytes:
    return struct.pack(f">{len(crcs)}I", *crcs)


def _take_crcs(cursor: Cursor, count: int) -> tuple[int, ...]:
    return struct.unpack(f">{count}I", cursor.take(count * _SIZE.size))
