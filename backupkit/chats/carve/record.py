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


class Header(NamedTuple):
    """A record's columns as serial types, and where its values begin and end."""

    types: tuple[int, ...]
    begin: int
    end: int


def header_of(data: bytes, size: int) -> Header | None:
    """Read a record's header; None where its parts do not add up to the record's size."""
    try:
        header_size, at = read_varint(data, 0)
        if not at <= header_size <= len(data) or header_size > size:
            return None
        types: list[int] = []
        end = header_size
        while at < header_size:
            serial, at = read_varint(data, at)
            if serial < 0 or serial in {10, 11} or len(types) >= MAX_COLUMNS:
                return None
            types.append(serial)
            end += size_of(serial)
    except IndexError:
        return None
    return Header(tuple(types), header_size, end) if at == header_size and end == size else None


def size_of(serial: int) -> int:
    """Return how many bytes a value of a serial type takes."""
    return _SIZES[serial] if serial < 12 else (serial - 12) // 2


def values_of(data: bytes, header: Header, encoding: str) -> tuple[Value, ...]:
    """Read a record's values. Where the data ends too early, text and bytes are cut and the rest is null."""
    values: list[Value] = []
    at = header.begin
    for serial in header.types:
        size = size_of(serial)
        part = data[at : at + size]
        at += size
        if len(part) < size and (serial < 12 or not part):
            values.append(None)
        else:
            values.append(_value(serial, part, encoding))
    return tuple(values)


def _value(serial: int, part: bytes, encoding: str) -> Value:
    if serial == 0:
        return None
    if serial <= 6:
        return int.from_bytes(part, "big", signed=True)
    if serial == 7:
        number: float = struct.unpack(">d", part)[0]
        return number if number == number else None  # noqa: PLR0124  not a number is stored as null
    if serial in {8, 9}:
        return serial - 8
    return part if serial % 2 == 0 else part.decode(encoding, "replace")
