import struct

import pytest
from hypothesis import given, strategies as st

from backupkit.codec.cursor import Cursor
from backupkit.codec.malformed import MalformedObject


@given(st.integers(0, 255), st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
def test_numbers_are_read_in_either_byte_order(one: int, two: int, four: int, eight: int) -> None:
    big = Cursor(struct.pack(">BHIQ", one, two, four, eight), what="thing")
    little = Cursor(struct.pack("<BHIQ", one, two, four, eight), what="thing", order="little")

    for cursor in (big, little):
        assert (cursor.u8(), cursor.u16(), cursor.u32(), cursor.u64()) == (one, two, four, eight)
        cursor.finish()


def test_a_length_that_lies_costs_an_error_and_no_memory() -> None:
    cursor = Cursor(b"\xff\xff\xff\xffabc", what="thing")

    with pytest.raises(MalformedObject) as caught:
        cursor.sized(most=2**32)

    assert caught.value.facts == {"what": "thing", "reason": "truncated"}


def test_a_length_over_the_bound_is_refused_although_the_bytes_are_there() -> None:
    cursor = Cursor(b"\x00\x00\x00\x03abc", what="thing")

    with pytest.raises(MalformedObject) as caught:
        cursor.sized(most=2)

    assert caught.value.facts["reason"] == "length-too-large"
    assert bytes(Cursor(b"\x00\x00\x00\x03abc", what="thing").sized(most=3)) == b"abc"


@pytest.mark.parametrize("size", [-1, 4])
def test_nothing_is_taken_beyond_the_end_or_backwards(size: int) -> None:
    cursor = Cursor(b"abc", what="thing")

    with pytest.raises(MalformedObject):
        cursor.take(size)

    assert (cursor.position, cursor.remaining) == (0, 3)


def test_bytes_left_over_are_an_error() -> None:
    cursor = Cursor(b"abc", what="thing")
    cursor.take(2)

    with pytest.raises(MalformedObject) as caught:
        cursor.finish()

    assert caught.value.facts["reason"] == "trailing-bytes"
