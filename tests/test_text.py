import unicodedata

import pytest
from hypothesis import given, strategies as st

from backupkit.text import human_size, printable, width


@given(st.text())
def test_nothing_that_moves_the_cursor_or_the_reading_direction_is_left(text: str) -> None:
    shown = printable(text)

    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(shown) & set("\u200b\u200e\u200f\u202a\u202e\u2066\u2069\ufeff\u061c")
    shown.encode("utf-8")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("妈妈 Mum", "妈妈 Mum"),
        ("red \x1b[31m", "red \\x1b[31m"),
        ("two\nlines", "two\\x0alines"),
        ("photo\u202egpj.exe", "photo\\u202egpj.exe"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("half \ud83d", "half \\ud83d"),
        ("no-utf8-\udcff", "no-utf8-\\xff"),
    ],
)
def test_what_is_shown_says_what_is_there(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_long_text_ends_in_an_ellipsis_within_the_limit() -> None:
    assert printable("abcdef", limit=4) == "abc…"
    assert printable("abcd", limit=4) == "abcd"


def test_chinese_takes_two_columns_and_combining_marks_none() -> None:
    assert width("ab") == 2
    assert width("妈妈，") == 6
    assert width("e\u0301") == 1


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (6_200_000_000, "6.2 GB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (10**13, "10.0 TB"),
        (10**16, "10000.0 TB"),
    ],
)
def test_sizes_are_decimal_with_one_digit_after_the_point(size: int, shown: str) -> None:
    assert human_size(size) == shown
