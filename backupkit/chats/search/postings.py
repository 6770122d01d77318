"""Lists of document numbers, small on disk and quick to read.

list       width u8 (1, 2 or 4) | count u32 | the differences of the sorted numbers, `width` bytes each, little endian
block      length of the names u32 | the names of the terms in UTF-8, a line each | each list's length u32 | the lists
"""

import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from operator import sub

from backupkit.codec.malformed import MalformedObject

_HEAD = struct.Struct("<BI")
_ONE_BYTE, _ONE_SHORT, _ONE = struct.Struct("<BIB"), struct.Struct("<BIH"), struct.Struct("<BII")
_TYPES = {1: "B", 2: "H", 4: "I"}
_LENGTH = struct.Struct("<I")
_WHAT = "search-index"


def encode_postings(numbers: Sequence[int]) -> bytes:
    """Write sorted numbers."""
    if len(numbers) == 1:
        # Most terms are in one text only.
        (number,) = numbers
        return (_ONE_BYTE if number < 1 << 8 else _ONE_SHORT if number < 1 << 16 else _ONE).pack(
            1 if number < 1 << 8 else 2 if number < 1 << 16 else 4, 1, number
        )
    differences = [numbers[0], *map(sub, numbers[1:], numbers)] if numbers else []
    most = max(differences, default=0)
    width = 1 if most < 1 << 8 else 2 if most < 1 << 16 else 4
    return _HEAD.pack(width, len(differences)) + _packed(_TYPES[width], differences)


def decode_postings(data: bytes | memoryview, most: int) -> list[int]:
    """Read numbers, each below `most`.

    Raises:
        MalformedObject: it is no such list.
    """
    if len(data) < _HEAD.size:
        raise MalformedObject(what=_WHAT, reason="cut-postings")
    width, count = _HEAD.unpack_from(data)
    if width not in _TYPES or len(data) - _HEAD.size != count * width:
        raise MalformedObject(what=_WHAT, reason="wrong-postings")
    numbers = list(accumulate(_unpacked(_TYPES[width], data[_HEAD.size :])))
    if numbers and numbers[-1] >= most:
        raise MalformedObject(what=_WHAT, reason="posting-out-of-range")
    return numbers


def encode_terms(rows: Iterable[tuple[str, bytes]]) -> bytes:
    """Write a block of terms with their lists. No term holds a line's end."""
    names, lists = [], []
    for term, postings in rows:
        names.append(term)
        lists.append(postings)
    said = "\n".join(names).encode("utf-8", "surrogatepass")
    return b"".join((_LENGTH.pack(len(said)), said, _packed("I", map(len, lists)), *lists))


def decode_terms(data: bytes) -> Iterator[tuple[str, memoryview]]:
    """Read a block of terms.

    Raises:
        MalformedObject: it is no such block.
    """
    view = memoryview(data)
    if len(view) < _LENGTH.size:
        raise MalformedObject(what=_WHAT, reason="cut-terms")
    (size,) = _LENGTH.unpack_from(view)
    try:
        names = str(view[_LENGTH.size : _LENGTH.size + size], "utf-8", "surrogatepass").split("\n")
    except UnicodeDecodeError as error:
        raise MalformedObject(what=_WHAT, reason="wrong-term") from error
    start = _LENGTH.size + size + 4 * len(names)
    if start > len(view):
        raise MalformedObject(what=_WHAT, reason="cut-terms")
    ends = list(accumulate(_unpacked("I", view[start - 4 * len(names) : start]), initial=start))
    if ends[-1] != len(view):
        raise MalformedObject(what=_WHAT, reason="cut-terms")
    return ((name, view[begin:end]) for name, (begin, end) in zip(names, pairwise(ends), strict=True))


def _packed(kind: str, numbers: Iterable[int]) -> bytes:
    packed = array(kind, numbers)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def _unpacked(kind: str, data: bytes | memoryview) -> "array[int]":
    packed = array(kind)
    packed.frombytes(data)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed
