"""Two parities over bytes: P, the XOR of all, and Q, a Reed-Solomon sum over GF(256).

The field is that of RAID-6 (polynomial 0x11d, generator 2; H. P. Anvin, "The mathematics of RAID-6"): from P and Q any two
missing blocks are computed. With numpy it runs on arrays, without it on Python's long integers: both give the same bits.
Blocks of 64 KiB stay in the processor's cache, where long integers are quick; larger ones are not faster.
"""

import importlib
from collections.abc import Sequence
from functools import cache
from typing import Any

from backupkit.errors import BackupkitError, ExitCode

_POLYNOMIAL = 0x11D


class TooManyLost(BackupkitError):
    """More blocks are missing than there are parities. Facts: `lost`, `parities`."""

    code = "too-many-lost"
    exit_code = ExitCode.DAMAGED


def encode(blocks: Sequence[bytes | memoryview], size: int) -> tuple[bytes, bytes]:
    """Return P and Q of some blocks, each `size` bytes. A shorter block counts as filled up with zeros."""
    if not size:
        return b"", b""
    numpy = _numpy()
    return _encode_integers(blocks, size) if numpy is None else _encode_arrays(numpy, blocks, size)


def solve(blocks: Sequence[bytes | memoryview | None], size: int, p: bytes | None, q: bytes | None) -> list[bytes]:
    """Return the blocks that are None, in order, each `size` bytes. `p` and `q` are None where they are lost, too.

    Raises:
        TooManyLost: there is no way to compute them.
    """
    lost = [at for at, block in enumerate(blocks) if block is None]
    parities = (p is not None) + (q is not None)
    if len(lost) > parities:
        raise TooManyLost(lost=len(lost), parities=parities)
    if not lost:
        return []
    known_p, known_q = encode([b"" if block is None else block for block in blocks], size)
    if len(lost) == 1 and p is not None:
        return [_xor(p, known_p)]
    assert q is not None
    # g^i is what block i was multiplied with in Q.
    first, rest_q = lost[0], _xor(q, known_q)
    if len(lost) == 1:
        return [scale(rest_q, _inverse(_power(first)))]
    assert p is not None
    rest_p = _xor(p, known_p)
    ratio = _power(lost[1] - first)
    denominator = _inverse(ratio ^ 1)
    one = _xor(
        scale(rest_p, multiply(ratio, denominator)),
        scale(rest_q, multiply(_inverse(_power(first)), denominator)),
    )
    return [one, _xor(rest_p, one)]


def scale(block: bytes, factor: int) -> bytes:
    """Multiply each byte of a block with a factor."""
    return block.translate(_table(factor))


def multiply(first: int, second: int) -> int:
    """Multiply two numbers of the field."""
    product = 0
    while second:
        if second & 1:
            product ^= first
        first <<= 1
        if first & 0x100:
            first ^= _POLYNOMIAL
        second >>= 1
    return product


def _power(exponent: int) -> int:
    value = 1
    for _ in range(exponent % 255):
        value = multiply(value, 2)
    return value


@cache
def _inverse(value: int) -> int:
    return next(other for other in range(1, 256) if multiply(value, other) == 1)


@cache
def _table(factor: int) -> bytes:
    return bytes(multiply(factor, value) for value in range(256))


def _xor(first: bytes, second: bytes) -> bytes:
    return (int.from_bytes(first, "little") ^ int.from_bytes(second, "little")).to_bytes(len(first), "little")


@cache
def _masks(size: int) -> tuple[int, int]:
    return int.from_bytes(b"\x7f" * size, "little"), int.from_bytes(b"\x01" * size, "little")


def _encode_integers(blocks: Sequence[bytes | memoryview], size: int) -> tuple[bytes, bytes]:
    low, ones = _masks(size)
    p = q = 0
    # Horner's rule: twice the sum so far, plus the next block. Doubling is a shift of every byte in one go.
    for block in reversed(blocks):
        value = int.from_bytes(block, "little")
        p ^= value
        q = ((q & low) << 1) ^ (((q >> 7) & ones) * (_POLYNOMIAL & 0xFF)) ^ value
    return p.to_bytes(size, "little"), q.to_bytes(size, "little")


def _encode_arrays(numpy: Any, blocks: Sequence[bytes | memoryview], size: int) -> tuple[bytes, bytes]:
    words = -(-size // 8)
    low, ones = numpy.uint64(0x7F7F7F7F7F7F7F7F), numpy.uint64(0x0101010101010101)
    one, seven, reduce = numpy.uint64(1), numpy.uint64(7), numpy.uint64(_POLYNOMIAL & 0xFF)
    p, q = numpy.zeros(words, numpy.uint64), numpy.zeros(words, numpy.uint64)
    high = numpy.empty(words, numpy.uint64)
    for block in reversed(blocks):
        if len(block) != words * 8:
            block = bytes(block) + bytes(words * 8 - len(block))  # noqa: PLW2901 - the same block, filled up
        value = numpy.frombuffer(block, numpy.uint64)
        numpy.bitwise_xor(p, value, out=p)
        numpy.right_shift(q, seven, out=high)
        numpy.bitwise_and(high, ones, out=high)
        numpy.multiply(high, reduce, out=high)
        numpy.bitwise_and(q, low, out=q)
        numpy.left_shift(q, one, out=q)
        numpy.bitwise_xor(q, high, out=q)
        numpy.bitwise_xor(q, value, out=q)
    return p.tobytes()[:size], q.tobytes()[:size]


@cache
def _numpy() -> Any:
    """Return numpy if it is installed. It is never required."""
    try:
        return importlib.import_module("numpy")
    except ImportError:
        return None
