"""Walking BER and DER."""

import pytest
from apk_factory import der, oid
from hypothesis import given, strategies as st

from backupkit.guard.apk.der import INTEGER, SEQUENCE, NotAsn1, encode, encode_unsigned, parse


@given(st.integers(min_value=0))
def test_numbers_come_back_as_they_went(number: int) -> None:
    encoded = encode_unsigned(number)

    assert parse(encoded).integer() == number
    assert parse(encoded).raw == encoded


@given(st.binary(max_size=70_000))
def test_content_of_any_length_comes_back(content: bytes) -> None:
    value = parse(encode(0x04, content) + b"behind")

    assert (value.octets(), value.raw) == (content, der(0x04, content))


@pytest.mark.parametrize("dotted", ["1.2.840.113549.1.7.2", "2.5.29.15", "2.16.840.1.101.3.4.2.1", "0.9.2342"])
def test_object_identifiers_are_written_in_dots(dotted: str) -> None:
    assert parse(oid(dotted)).oid() == dotted


def test_values_without_a_length_end_at_two_zeros() -> None:
    value = parse(b"\x30\x80\x02\x01\x05\x24\x80\x04\x01a\x04\x01b\x00\x00\x00\x00tail")

    number, text = value.children()
    assert (number.integer(), text.octets()) == (5, b"ab")
    assert value.raw.endswith(b"\0\0\0\0")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        b"\x30\x05\x02",
        b"\x1f\x01\x00",
        b"\x30\x89" + bytes(9),
        b"\x02\x80\0\0",
        b"\x30\x80" * 40,
        b"\x30\x84\xff\xff\xff\xff",
    ],
)
def test_what_is_no_value_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(NotAsn1):
        parse(data)


def test_a_value_of_another_kind_is_not_read() -> None:
    value = parse(b"\x04\x01a")

    for read in (value.integer, value.unsigned, value.oid, lambda: value.expect(SEQUENCE)):
        with pytest.raises(NotAsn1):
            read()
    with pytest.raises(NotAsn1):
        parse(encode(SEQUENCE, encode(INTEGER, b"\1") * 3)).children(most=2)


@given(st.binary(max_size=200))
def test_any_bytes_are_values_or_not(data: bytes) -> None:
    try:
        for child in parse(data).children():
            child.children()
    except NotAsn1:
        pass
