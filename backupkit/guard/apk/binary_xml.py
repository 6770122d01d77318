"""Android's binary XML, as far as a manifest needs it: elements, and attributes named by their resource number.

A chunk is u16 type, u16 header size, u32 size. The document holds a string pool, a map from string index to resource number, and element
chunks. Packers write odd sizes on purpose, so chunks are found by the sizes they declare and unknown ones are skipped, as the phone
does. Sources: AOSP `ResourceTypes.h` (ResChunk_header, ResStringPool_header, ResXMLTree_attrExt); apksig `AndroidBinXmlParser`.
"""

import struct
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

_XML, _STRING_POOL, _RESOURCE_MAP, _START, _END = 0x0003, 0x0001, 0x0180, 0x0102, 0x0103
_CHUNK = struct.Struct("<HHI")
_POOL = struct.Struct("<IIIII")
_ELEMENT = struct.Struct("<IIHHHHHH")
_ATTRIBUTE = struct.Struct("<IIIHBBI")
_UTF8 = 0x100
_NONE = 0xFFFFFFFF

TYPE_REFERENCE, TYPE_STRING, TYPE_INT_DEC, TYPE_INT_HEX, TYPE_BOOLEAN = 0x01, 0x03, 0x10, 0x11, 0x12

_MOST_STRINGS = 1_000_000
_MOST_ELEMENTS = 200_000
_MOST_ATTRIBUTES = 20_000
_MOST_DEPTH = 512


class XmlMalformed(ValueError):
    """The bytes are no binary XML that a phone would read."""


class Attribute(NamedTuple):
    """One attribute. `resource` is 0 where it has no number, as with `package`."""

    name: str
    resource: int
    kind: int
    data: int
    text: str | None
    has_namespace: bool = False
    written: Callable[[], str | None] = lambda: None
    """Gives the text as it was written, where that was kept beside the value."""

    @property
    def is_number(self) -> bool:
        """Whether it is written as a number, and neither a text nor a reference to a resource."""
        return self.kind in {TYPE_INT_DEC, TYPE_INT_HEX}

    def integer(self) -> int | None:
        """Return a whole number, or None where the value is none."""
        if self.kind in {TYPE_INT_DEC, TYPE_INT_HEX, TYPE_BOOLEAN}:
            return self.data - (1 << 32) if self.data >= 1 << 31 else self.data
        if self.kind == TYPE_STRING and self.text is not None and self.text.isascii():
            digits = self.text.removeprefix("-")
            if digits.isdigit() and len(digits) < 12:
                return int(self.text)
        return None

    def boolean(self) -> bool | None:
        """Return a truth value, or None where the value is none (a reference to a resource, for example)."""
        if self.kind in {TYPE_INT_DEC, TYPE_INT_HEX, TYPE_BOOLEAN}:
            return self.data != 0
        if self.kind == TYPE_STRING and self.text is not None:
            return {"true": True, "TRUE": True, "1": True, "false": False, "FALSE": False, "0": False}.get(self.text)
        return None


class Element(NamedTuple):
    """The start of an element, with the names of the elements around it: `path[-1]` is its own name."""

    path: tuple[str, ...]
    attributes: tuple[Attribute, ...]

    def by_resource(self, resource: int) -> Attribute | None:
        """Return the first attribute with this resource number."""
        for attribute in self.attributes:
            if attribute.resource == resource:
                return attribute
        return None

    def by_name(self, name: str) -> Attribute | None:
        """Return the attribute with this name and no namespace, as the phone looks up `package`.

        Raises:
            XmlMalformed: there are several, or it was written otherwise than its value says. The phone takes the first as it was written (AOSP
                `ResXMLParser.indexOfAttribute`, `XmlBlock.getAttributeValue`), and other readers another: to one it would be an update of
                an app, to the other a second app beside it.
        """
        found = [one for one in self.attributes if one.name == name and not one.has_namespace]
        if len(found) > 1 or any(one.written() not in {None, one.text} for one in found):
            raise XmlMalformed
        return found[0] if found else None


def read_elements(data: bytes) -> Iterator[Element]:
    """Yield every element start, in document order.

    Raises:
        XmlMalformed: the bytes are not binary XML.
    """
    try:
        yield from _elements(data)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise XmlMalformed from error


def _elements(data: bytes) -> Iterator[Element]:
    kind, header, size = _CHUNK.unpack_from(data)
    # Bytes behind it are nobody's; one that claims more than is there is none to the phone (`ResXMLTree::setTo`).
    if kind != _XML or header < _CHUNK.size or size > len(data):
        raise XmlMalformed
    end = size
    strings = _Strings(b"")
    resources: tuple[int, ...] = ()
    path: list[str] = []
    seen: set[int] = set()
    count = 0
    at = header
    while at + _CHUNK.size <= end:
        kind, header, size = _CHUNK.unpack_from(data, at)
        if size < _CHUNK.size or at + size > end:
            raise XmlMalformed
        chunk = data[at : at + size]
        at += size
        if kind in {_STRING_POOL, _RESOURCE_MAP}:
            # Of two, the phone takes the last that stands before the elements, and others the first: two readers would read two manifests.
            if kind in seen:
                raise XmlMalformed
            seen.add(kind)
        if kind == _STRING_POOL:
            strings = _Strings(chunk)
        elif kind == _RESOURCE_MAP:
            resources = struct.unpack_from(f"<{(size - header) // 4}I", chunk, header)
        elif kind == _START:
            count += 1
            if count > _MOST_ELEMENTS or len(path) >= _MOST_DEPTH:
                raise XmlMalformed
            name, attributes = _start(chunk, header, strings, resources)
            path.append(name)
            yield Element(tuple(path), attributes)
        elif kind == _END:
            if not path:
                raise XmlMalformed
            path.pop()


def _start(
    chunk: bytes, header: int, strings: "_Strings", resources: tuple[int, ...]
) -> tuple[str, tuple[Attribute, ...]]:
    _, name, first, each, count, _, _, _ = _ELEMENT.unpack_from(chunk, header)
    if count > _MOST_ATTRIBUTES or each < _ATTRIBUTE.size:
        if count:
            raise XmlMalformed
        return strings.at(name), ()
    attributes = []
    for index in range(count):
        space, name_index, raw, _, _, kind, value = _ATTRIBUTE.unpack_from(chunk, header + first + index * each)
        written = partial(strings.find, raw)
        text = strings.at(value) if kind == TYPE_STRING else written()
        resource = resources[name_index] if name_index < len(resources) else 0
        # A namespace that no string names is none (`ResStringPool::stringAt`).
        has_namespace = space < strings.count
        attributes.append(Attribute(strings.at(name_index), resource, kind, value, text, has_namespace, written))
    return strings.at(name), tuple(attributes)


class _Strings:
    """A string pool, decoded when asked."""

    def __init__(self, chunk: bytes) -> None:
        self._chunk = chunk
        self.count = 0
        self._known: dict[int, str] = {}
        if not chunk:
            return
        _, header, _ = _CHUNK.unpack_from(chunk)
        self.count, _, flags, self._start, _ = _POOL.unpack_from(chunk, _CHUNK.size)
        if self.count > _MOST_STRINGS or header + 4 * self.count > len(chunk):
            raise XmlMalformed
        self._is_utf8 = bool(flags & _UTF8)
        self._offsets: tuple[int, ...] = struct.unpack_from(f"<{self.count}I", chunk, header)

    def at(self, index: int) -> str:
        """Return a string; the number that means "none" gives an empty one."""
        if index == _NONE:
            return ""
        if index >= self.count:
            raise XmlMalformed
        if index not in self._known:
            at = self._start + self._offsets[index]
            self._known[index] = self._utf8(at) if self._is_utf8 else self._utf16(at)
        return self._known[index]

    def find(self, index: int) -> str | None:
        """Return a string; None where there is none of that number."""
        return self.at(index) if index < self.count else None

    def _utf8(self, at: int) -> str:
        at += 2 if self._chunk[at] & 0x80 else 1  # length in characters
        size = self._chunk[at]
        at += 1
        if size & 0x80:
            size = (size & 0x7F) << 8 | self._chunk[at]
            at += 1
        return self._ended(at, size, 1).decode("utf-8", "replace")

    def _utf16(self, at: int) -> str:
        (size,) = struct.unpack_from("<H", self._chunk, at)
        at += 2
        if size & 0x8000:
            (low,) = struct.unpack_from("<H", self._chunk, at)
            size = (size & 0x7FFF) << 16 | low
            at += 2
        return self._ended(at, 2 * size, 2).decode("utf-16-le", "replace")

    def _ended(self, at: int, size: int, width: int) -> bytes:
        """Take a string that a zero of so many bytes ends. To the phone any other has no text (`ResStringPool::stringAt`)."""
        end = at + size
        return self._chunk[at:end] if self._chunk[end : end + width] == bytes(width) else b""
