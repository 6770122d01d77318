"""The field, both ways of computing in it, and every way of losing two blocks."""

import random
from itertools import combinations

import pytest
from hypothesis import given, settings, strategies as st

from backupkit.store.parity import gf256
from backupkit.store.parity.gf256 import TooManyLost, encode, multiply, scale, solve


def by_hand(blocks: list[bytes], size: int) -> tuple[bytes, bytes]:
    """P and Q as the definition says, byte by byte."""
    p, q = bytearray(size), bytearray(size)
    factor = 1
    for block in blocks:
        for at, byte in enumerate(block):
            p[at] ^= byte
            q[at] ^= multiply(factor, byte)
        factor = multiply(factor, 2)
    return bytes(p), bytes(q)


def test_the_field_is_that_of_raid_6() -> None:
    # Powers of the generator, from "The mathematics of RAID-6": 2^8 = 1d, and the order is 255.
    value, seen = 1, []
    for _ in range(255):
        seen.append(value)
        value = multiply(value, 2)

    assert seen[:11] == [1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0x1D, 0x3A, 0x74]
    assert value == 1
    assert len(set(seen)) == 255


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_multiplying_obeys_the_rules_of_a_field(a: int, b: int, c: int) -> None:
    assert multiply(a, b) == multiply(b, a)
    assert multiply(a, multiply(b, c)) == multiply(multiply(a, b), c)
    assert multiply(a, b ^ c) == multiply(a, b) ^ multiply(a, c)
    assert scale(bytes([a, b]), c) == bytes([multiply(a, c), multiply(b, c)])


@settings(deadline=None)
@given(st.lists(st.binary(max_size=70), min_size=1, max_size=20))
def test_both_parities_are_what_the_definition_says(blocks: list[bytes]) -> None:
    size = max(len(block) for block in blocks)

    assert encode(blocks, size) == by_hand(blocks, size)


@pytest.mark.parametrize("count", [1, 2, 3, 16])
@pytest.mark.parametrize("size", [1, 7, 8, 100])
def test_any_two_lost_blocks_come_back(count: int, size: int) -> None:
    source = random.Random(count * size)
    blocks = [source.randbytes(size) for _ in range(count)]
    p, q = encode(blocks, size)
    everything = [*blocks, p, q]
    for lost in [(), *combinations(range(count + 2), 1), *combinations(range(count + 2), 2)]:
        left = [None if at in lost else block for at, block in enumerate(everything)]

        found = solve(left[:count], size, left[count], left[count + 1])

        assert found == [blocks[at] for at in lost if at < count], lost


def test_three_lost_blocks_are_too_many() -> None:
    blocks = [bytes([n]) for n in range(5)]
    p, q = encode(blocks, 1)

    for left, parities in (([None] * 3, (p, q)), ([None, None], (p, None)), ([None], (None, None))):
        with pytest.raises(TooManyLost):
            solve([*left, *blocks], 1, *parities)


def test_numpy_gives_the_same_bits() -> None:
    numpy = pytest.importorskip("numpy", reason="numpy is not installed, so its way was not compared with the other")
    source = random.Random(7)
    for size in (1, 7, 8, 9, 1000, 65_536):
        blocks = [source.randbytes(source.choice([size, size, size // 2, 0])) for _ in range(16)]

        assert gf256._encode_arrays(numpy, blocks, size) == gf256._encode_integers(blocks, size)
