"""Length-prefixed records, the grammar of signature schemes 2 and 3: little-endian, each field after its u32 length."""

import struct

_U32 = struct.Struct("<I")
_MOST_ITEMS = 10_000


class RecordMalformed(ValueError):
    """A length does not fit what is there."""


class Record:
    """Bytes that are read from the front."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def u32(self) -> int:
        """Read a number."""
        if len(self._data) - self._at < 4:
            raise RecordMalformed
        (value,) = _U32.unpack_from(self._data, self._at)
        self._at += 4
        assert isinstance(value, int)
        return value

    def byte(self) -> int:
        """Read a single byte."""
        if not self:
            raise RecordMalformed
        self._at += 1
        return self._data[self._at - 1]

    def sdk(self) -> int:
        """Read an API level, which Java holds in a signed number: a large one is negative there."""
        value = self.u32()
        return value - (1 << 32) if value >= 1 << 31 else value

    def sized(self) -> bytes:
        """Read a length and the bytes it announces."""
        size = self.u32()
        if size > len(self._data) - self._at:
            raise RecordMalformed
        self._at += size
        return self._data[self._at - size : self._at]

    def rest(self) -> bytes:
        """Return what is left."""
        return self._data[self._at :]

    def __bool__(self) -> bool:
        return self._at < len(self._data)


def items(data: bytes) -> list[bytes]:
    """Split a sequence of length-prefixed items.

    Raises:
        RecordMalformed: they do not fill the sequence exactly.
    """
    record = Record(data)
    found = []
    while record:
        found.append(record.sized())
        if len(found) > _MOST_ITEMS:
            raise RecordMalformed
    return found


def numbered(data: bytes) -> list[tuple[int, bytes]]:
    """Split a sequence of items that each begin with a number followed by one length-prefixed field."""
    found = []
    for item in items(data):
        record = Record(item)
        number = record.u32()
        found.append((number, record.sized()))
    return found
