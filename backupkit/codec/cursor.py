"""Reading binary fields off bytes that nobody may be trusted to have written.

Every read is bounds-checked before it is made, so a length that lies costs an error and no memory.
"""

import struct
from typing import Literal

from backupkit.codec.malformed import MalformedObject

_FORMATS = {
    ("big", 1): struct.Struct(">B"),
    ("big", 2): struct.Struct(">H"),
    ("big", 4): struct.Struct(">I"),
    ("big", 8): struct.Struct(">Q"),
    ("little", 1): struct.Struct("<B"),
    ("little", 2): struct.Struct("<H"),
    ("little", 4): struct.Struct("<I"),
    ("little", 8): struct.Struct("<Q"),
}


class Cursor:
    """A place in a buffer that moves forward as fields are read."""

    __slots__ = ("_data", "_order", "_what", "position")

    def __init__(self, data: bytes | memoryview, *, what: str, order: Literal["big", "little"] = "big") -> None:
        self._data = memoryview(data)
        self._what = what
        self._order = order
        self.position = 0

    @property
    def remaining(self) -> int:
        """Bytes that are left."""
        return len(self._data) - self.position

    def take(self, size: int) -> memoryview:
        """Return the next `size` bytes without copying.

        Raises:
            MalformedObject: fewer are left, or the size is negative.
        """
        if size < 0 or size > self.remaining:
            raise MalformedObject(what=self._what, reason="truncated")
        start = self.position
        self.position += size
        return self._data[start : self.position]

    def u8(self) -> int:
        """Read an unsigned 8-bit number."""
        return self._number(1)

    def u16(self) -> int:
        """Read an unsigned 16-bit number."""
        return self._number(2)

    def u32(self) -> int:
        """Read an unsigned 32-bit number."""
        return self._number(4)

    def u64(self) -> int:
        """Read an unsigned 64-bit number."""
        return self._number(8)

    def sized(self, *, most: int) -> memoryview:
        """Read a 32-bit length and that many bytes, `most` at the most.

        Raises:
            MalformedObject: the length is over `most` or over what is left.
        """
        size = self.u32()
        if size > most:
            raise MalformedObject(what=self._what, reason="length-too-large")
        return self.take(size)

    def finish(self) -> None:
        """Say that nothing may be left.

        Raises:
            MalformedObject: bytes are left over.
        """
        if self.remaining:
            raise MalformedObject(what=self._what, reason="trailing-bytes")

    def _number(self, size: int) -> int:
        (value,) = _FORMATS[self._order, size].unpack(self.take(size))
        assert isinstance(value, int)
        return value
