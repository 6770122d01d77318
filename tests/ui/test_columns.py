"""Columns and line breaks with wide characters."""

from hypothesis import given, strategies as st

from backupkit.text import width
from backupkit.ui.columns import aligned, wrapped


def test_columns_line_up_where_chinese_is_wide() -> None:
    lines = aligned([["微信", "1", "a"], ["WhatsApp", "22", "b"]])

    assert [width(line) for line in lines] == [width(lines[0])] * 2
    assert lines == ["微信      1   a", "WhatsApp  22  b"]


def test_english_breaks_at_spaces_and_chinese_between_characters() -> None:
    assert wrapped("one two three four five", 24, indent=4, first="Why") == ["Why one two three four", "    five"]
    assert wrapped("备份库与聊天数据在同一块磁盘上。", 20) == ["备份库与聊天数据在同", "一块磁盘上。"]


def test_no_chinese_line_begins_with_a_full_stop() -> None:
    assert wrapped("一二三四五六七八九十。后面", 20) == ["一二三四五六七八九", "十。后面"]


@given(st.text(alphabet=st.sampled_from("ab 中文，。()"), max_size=200), st.integers(20, 60))
def test_wrapping_loses_no_character(text: str, columns: int) -> None:
    joined = "".join(wrapped(text, columns)).replace(" ", "")

    assert joined == text.replace(" ", "")


def test_a_new_line_of_the_text_begins_a_new_line() -> None:
    assert wrapped("one two\nthree", 40, indent=6, first="  Try") == ["  Try one two", "      three"]


def test_a_number_and_its_unit_stay_on_one_line() -> None:
    assert wrapped("已原样保存（127.0 kB）", 20) == ["已原样保存", "（127.0 kB）"]
    assert wrapped("it takes only 12.5 MB of it", 20) == ["it takes only", "12.5 MB of it"]
