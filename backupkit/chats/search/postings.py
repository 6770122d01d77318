"""Lists of document numbers, small on disk and quick to read.

list       width u8 (1, 2 or 4) | count u32 | the differences of the sorted numbers, `width` bytes each, little endian
"""

import struct
import sys
from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

from backupkit.codec.malformed import MalformedObject

_HEAD = struct.Struct("<BI")
_TYPES = {1: "B", 2: "H", 4: "I"}
_WHAT = "search-index"


def encode_postings(numbers: Sequence[int]) -> bytes:
    """Write sorted numbers."""
    differences = [numbers[0], *(later - earlier for earlier, later in pairwise(numbers))] if numbers else []
    most = max(differences, default=0)
    width = 1 if most < 1 << 8 else 2 if most < 1 << 16 else 4
    packed = array(_TYPES[width], differences)
    if sys.byteorder == "big":
        packed.byteswap()
    return _HEAD.pack(width, len(differences)) + packed.tobytes()


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
    packed = array(_TYPES[width])
    packed.frombytes(bytes(data[_HEAD.size :]))
    if sys.byteorder == "big":
        packed.byteswap()
    numbers = list(accumulate(packed))
    if numbers and numbers[-1] >= most:
        raise MalformedObject(what=_WHAT, reason="posting-out-of-range")
    return numbers


def encode_terms(rows: Iterable[tuple[str, bytes]]) -> bytes:
    """Write a block of terms with their lists: for each, two lengths u32, the term in UTF-8, the list."""
    pieces = []
    for term, postings in rows:
        name = term.encode("utf-8", "surrogatepass")
        pieces += [struct.pack("<II", len(name), len(postings)), name, postings]
    return b"".join(pieces)


def decode_terms(data: bytes) -> list[tuple[str, memoryview]]:
    """Read a block of terms.

    Raises:
        MalformedObject: it is no such block.
    """
    view, at, rows = memoryview(data), 0, []
    while at < len(view):
        if len(view) - at < 8:
            raise MalformedObject(what=_WHAT, reason="cut-terms")
        name_size, size = struct.unpack_from("<II", view, at)
        at += 8
        if name_size + size > len(view) - at:
            raise MalformedObject(what=_WHAT, reason="cut-terms")
        try:
            term = str(view[at : at + name_size], "utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise MalformedObject(what=_WHAT, reason="wrong-term") from error
        rows.append((term, view[at + name_size : at + name_size + size]))
        at += name_size + size
    return rows
