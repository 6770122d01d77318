"""The fields of a protobuf message, without its description."""

from collections.abc import Iterator


def varint(data: bytes, at: int) -> tuple[int | None, int]:
    """Read a number of at most five bytes. Returns None where there is none, and where it ends."""
    value = 0
    for place in range(5):
        if at >= len(data):
            return None, at
        value |= (data[at] & 0x7F) << (7 * place)
        at += 1
        if not data[at - 1] & 0x80:
            return value, at
    return None, at


def bytes_fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tell the fields of a protobuf that hold bytes, up to the first that is none."""
    for number, value in fields_of(data):
        if isinstance(value, bytes):
            yield number, value


def fields_of(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Tell the fields that hold numbers or bytes, up to the first that is neither."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag is None:
            return
        if tag & 7 == 0:
            value, at = varint(data, at)
            if value is None:
                return
            yield tag >> 3, value
        elif tag & 7 == 2:
            length, at = varint(data, at)
            if length is None or at + length > len(data):
                return
            yield tag >> 3, data[at : at + length]
            at += length
        else:
            return
