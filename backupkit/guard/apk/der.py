"""Walking ASN.1 in BER or DER, without ever re-encoding it.

Certificates are identity, and identity is their bytes as they lie in the file. Many that sign real apps are not DER, or hold numbers that strict
parsers refuse, so nothing here depends on an X.509 parser. Source: ITU-T X.690; apksig `Asn1BerParser`.
"""

from collections.abc import Iterator
from typing import NamedTuple

INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06
SEQUENCE = 0x30
SET = 0x31
_MOST_DEPTH = 32
"""How deep values may lie in each other where the length is not given; real ones stay under ten."""


class NotAsn1(ValueError):
    """The bytes are not the ASN.1 value that is expected here."""


class Value(NamedTuple):
    """One value: its tag byte, all its bytes, and the content within. Tags above 30 do not occur in what is read here."""

    tag: int
    raw: bytes
    content: bytes

    def expect(self, tag: int) -> "Value":
        """Return the value itself if it has this tag.

        Raises:
            NotAsn1: it has another one.
        """
        if self.tag != tag:
            raise NotAsn1
        return self

    def children(self, *, at_least: int = 0, most: int = 10_000) -> list["Value"]:
        """Return the values within.

        Raises:
            NotAsn1: they do not fill the content exactly, or there are fewer than `at_least` or more than `most`.
        """
        found = []
        for child in _values(self.content):
            found.append(child)
            if len(found) > most:
                raise NotAsn1
        if len(found) < at_least:
            raise NotAsn1
        return found

    def pair(self) -> tuple["Value", "Value"]:
        """Return the two values within.

        Raises:
            NotAsn1: there are not exactly two.
        """
        first, second = self.children(at_least=2, most=2)
        return first, second

    def first(self) -> "Value":
        """Return the first value within.

        Raises:
            NotAsn1: there is none.
        """
        return self.children(at_least=1)[0]

    def integer(self) -> int:
        """Read a signed INTEGER."""
        if self.tag != INTEGER or not self.content:
            raise NotAsn1
        return int.from_bytes(self.content, "big", signed=True)

    def unsigned(self) -> int:
        """Read an INTEGER as if it could not be negative: old tools forgot the leading zero (Android bug 30148997)."""
        if self.tag != INTEGER or not self.content:
            raise NotAsn1
        return int.from_bytes(self.content, "big")

    def oid(self) -> str:
        """Read an OBJECT IDENTIFIER in dotted form."""
        if self.tag != OBJECT_IDENTIFIER or not self.content or self.content[-1] & 0x80 or len(self.content) > 128:
            raise NotAsn1
        numbers = []
        number = 0
        for byte in self.content:
            number = number << 7 | byte & 0x7F
            if not byte & 0x80:
                numbers.append(number)
                number = 0
        first = min(numbers[0] // 40, 2)
        return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))

    def octets(self, *, depth: int = 0) -> bytes:
        """Read an OCTET STRING, put together from its parts where BER split it."""
        if self.tag == OCTET_STRING:
            return self.content
        if self.tag != OCTET_STRING | 0x20 or depth > _MOST_DEPTH:
            raise NotAsn1
        return b"".join(part.octets(depth=depth + 1) for part in self.children())

    def primitive_octets(self) -> bytes:
        """Read an OCTET STRING that lies in one piece: in a JAR signature apksig takes no other."""
        return self.expect(OCTET_STRING).content


def parse(data: bytes) -> Value:
    """Read the first value; bytes behind it are left alone.

    Raises:
        NotAsn1: there is none.
    """
    value, _ = _value(data, 0, 0)
    return value


def encode(tag: int, content: bytes) -> bytes:
    """Write one value in DER."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def encode_unsigned(number: int) -> bytes:
    """Write a number that is not negative as a DER INTEGER."""
    return encode(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _values(data: bytes) -> Iterator[Value]:
    at = 0
    while at < len(data):
        value, at = _value(data, at, 0)
        yield value


def _value(data: bytes, start: int, depth: int) -> tuple[Value, int]:
    """Read the value at `start`; return it and the offset behind it."""
    if depth > _MOST_DEPTH or start + 2 > len(data):
        raise NotAsn1
    tag, length = data[start], data[start + 1]
    if tag & 0x1F == 0x1F:
        raise NotAsn1
    at = start + 2
    if length == 0x80:
        return _indefinite(data, start, at, depth)
    if length > 0x80:
        size = length & 0x7F
        if size > 8 or at + size > len(data):
            raise NotAsn1
        length = int.from_bytes(data[at : at + size], "big")
        at += size
    end = at + length
    if end > len(data):
        raise NotAsn1
    return Value(tag, data[start:end], data[at:end]), end


def _indefinite(data: bytes, start: int, at: int, depth: int) -> tuple[Value, int]:
    """Read a value without a length: it ends where two zero bytes stand in place of the next value."""
    tag = data[start]
    if not tag & 0x20:
        raise NotAsn1
    first = at
    while data[at : at + 2] != b"\0\0":
        _, at = _value(data, at, depth + 1)
    return Value(tag, data[start : at + 2], data[first:at]), at + 2
