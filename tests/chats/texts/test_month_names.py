"""Months by their names: certain, or not taken."""

import pytest

from backupkit.chats.texts.month_names import month_of


@pytest.mark.parametrize(
    ("month", "written"),
    [
        (1, "January Jan JAN. janv. enero ene. gennaio gen stycznia sty ledna Ocak января янв. Ιαν"),
        (3, "March mar. März mars marzo março maart mrt Mart maaliskuuta марта Μαρτίου"),
        (5, "May mai maj mei mayo maggio mag. mayıs мая май Μαΐου"),
        (6, "June jun. juin giugno giu cze haziran июня июн. Ιουν"),
        (7, "July jul. juil. luglio lug lipca temmuz июля июл. Ιουλ"),
        (8, "août ago. agosto Ağustos srpna sierpnia авг. ส.ค."),
        (10, "Oct. Okt out. ott. října października Ekim окт."),
        (12, "Dec. Dez. déc. dic. des. prosince grudnia Aralık дек. ธ.ค. ديسمبر"),
    ],
)
def test_a_month_is_known_whole_and_short(month: int, written: str) -> None:
    assert [(word, month_of(word)) for word in written.split()] == [(word, month) for word in written.split()]


@pytest.mark.parametrize("word", ["", "ju", "jui", "Monday", "mercredi", "червен", "um", "at", "UTC", "\u0130"])
def test_what_names_no_month_or_two_is_none(word: str) -> None:
    assert month_of(word) is None
