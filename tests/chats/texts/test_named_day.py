"""Days whose month is named."""

import pytest

from backupkit.chats.texts.named_day import day_in
from backupkit.chats.texts.wall_time import seconds_of_day


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Wednesday, 30 October 2024", 20026),
        ("sri, 30. lis 2024.", 20026),
        ("30. listopada 2024.", 20026),
        ("śr., 30 lis 2024", 20057),
        ("30 listopada 2024", 20057),
        ("dc., 30 d’oct. 2024", 20026),
        ("30 thg 10, 2024", 20026),
        ("lis 2024", None),
    ],
)
def test_a_month_is_that_of_its_language(text: str, expected: int | None) -> None:
    assert day_in(text) == expected


@pytest.mark.parametrize(
    ("hour", "half", "expected"),
    [(0, "午後", 12), (0, "pm", 12), (12, "pm", 12), (0, "am", 0), (12, "am", 0), (0, None, 0)],
)
def test_the_hour_behind_noon_is_counted_as_nought_or_as_twelve(hour: int, half: str | None, expected: int) -> None:
    assert seconds_of_day(hour, 10, 0, half) == expected * 3600 + 600
