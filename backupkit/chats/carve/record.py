"""The record format of SQLite: what values a cell's bytes are. Format: the SQLite file format, section 2.1.

header size varint, one serial type varint for each column, then the values: 0 null, 1 to 6 whole numbers of 1, 2, 3, 4, 6, 8
bytes, 7 a float, 8 and 9 the numbers 0 and 1, from 12 on bytes (even) or text (odd) of (n - 12) / 2 bytes
"""

import struct
from typing import Final, NamedTuple, TypeAlias

from backupkit.chats.carve.leaf import read_varint

Value: TypeAlias = int | float | str | bytes | None
MAX_COLUMNS: Final = 2000
_SIZES: Final = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)
_SHORT: Final = tuple(_SIZES[serial] if serial < len(_SIZES) else max((serial - 12) // 2, 0) for serial in range(256))
_whole_number = int.from_bytes


class Header(NamedTuple):
    """A record's columns as serial types, and where its values begin and end."""

    types: tuple[int, ...]
    begin: int
    end: int


def header_of(data: bytes, size: int) -> Header | None:
    """Read a record's header; None where its parts do not add up to the record's size."""
    try:
        header_size, at = (data[0], 1) if data[0] < 0x80 else read_varint(data, 0)
    except IndexError:
        return None
    if not at <= header_size <= len(data) or header_size > size:
        return None
    head = data[at:header_size]
    types = head if head.isascii() else _long_types(head)
    if types is None or len(types) > MAX_COLUMNS or (10 in types) or (11 in types):
        return None
    try:
        end = header_size + sum(map(_SHORT.__getitem__, types))
    except IndexError:
        end = header_size + sum(map(size_of, types))
    return Header(tuple(types), header_size, end) if end == size else None


def _long_types(head: bytes) -> list[int] | None:
    """Read serial types of which some are larger than a byte holds; None where the last one is cut off."""
    types: list[int] = []
    at, length = 0, len(head)
    while at < length:
        byte = head[at]
        if byte < 0x80:
            types.append(byte)
            at += 1
            continue
        try:
            serial, at = read_varint(head, at)
        except IndexError:
            return None
        if serial < 0:
            return None
        types.append(serial)
    return types


def size_of(serial: int) -> int:
    """Return how many bytes a value of a serial type takes."""
    return _SIZES[serial] if serial < 12 else (serial - 12) // 2


def values_of(data: bytes, header: Header, encoding: str) -> tuple[Value, ...]:
    """Read a record's values. Where the data ends too early, text and bytes are cut and the rest is null."""
    values: list[Value] = []
    put = values.append
    at = header.begin
    is_whole = header.end <= len(data)
    for serial in header.types:
        if serial == 0:
            put(None)
        elif serial >= 12:
            size = (serial - 12) >> 1
            part = data[at : at + size]
            at += size
            if not is_whole and len(part) < size and not part:
                put(None)
            else:
                put(part.decode(encoding, "replace") if serial & 1 else part)
        elif serial <= 6:
            size = _SHORT[serial]
            part = data[at : at + size]
            at += size
            put(_whole_number(part, "big", signed=True) if len(part) == size else None)
        elif serial >= 8:
            put(serial - 8)
        else:
            part = data[at : at + 8]
            at += 8
            put(_float(part) if len(part) == 8 else None)
    return tuple(values)


def _float(part: bytes) -> float | None:
    number: float = struct.unpack(">d", part)[0]
    return number if number == number else None  # noqa: PLR0124  not a number is stored as null
