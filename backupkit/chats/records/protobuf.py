"""The fields of a protobuf message, without its description."""

from collections.abc import Iterator


def varint(data: bytes, at: int, most: int = 5) -> tuple[int | None, int]:
    """Read a number of at most `most` bytes. Returns None where there is none, and where it ends."""
    value = 0
    for place in range(most):
        if at >= len(data):
            return None, at
        value |= (data[at] & 0x7F) << (7 * place)
        at += 1
        if not data[at - 1] & 0x80:
            return value, at
    return None, at


def bytes_fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tell the fields of a protobuf that hold bytes, up to the first that is none."""
    for number, value in all_fields(data, most=5, fixed=False):
        if isinstance(value, bytes):
            yield number, value


def all_fields(data: bytes, *, most: int = 10, fixed: bool = True) -> Iterator[tuple[int, int | bytes]]:
    """Tell the fields, up to the first that is none. Fixed numbers come as their bits."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag is None:
            return
        width = {1: 8, 5: 4}.get(tag & 7)
        if tag & 7 == 0:
            value, at = varint(data, at, most)
            if value is None:
                return
            yield tag >> 3, value
        elif tag & 7 == 2:
            length, at = varint(data, at)
            if length is None or at + length > len(data):
                return
            yield tag >> 3, data[at : at + length]
            at += length
        elif width is not None and fixed and at + width <= len(data):
            yield tag >> 3, int.from_bytes(data[at : at + width], "little")
            at += width
        else:
            return
