"""The order of a date's parts, proved by the weekdays beside the dates."""

from datetime import date, timedelta

import pytest

from backupkit.chats.texts.wall_time import DateOrder
from backupkit.chats.texts.weekdays import WeekdayEvidence

WEEK = [date(2026, 4, 6) + timedelta(days=number) for number in range(7)]
"""No part of these dates is above 12 but the year."""

NAMES = {
    "es": "lun mar mié jue vie sáb dom",
    "ru": "пн вт ср чт пт сб вс",
    "zh": "週一 週二 週三 週四 週五 週六 週日",
    "en": "Mon Tue Wed Thu Fri Sat Sun",
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("order", [DateOrder.DAY_MONTH_YEAR, DateOrder.MONTH_DAY_YEAR, DateOrder.YEAR_MONTH_DAY])
def test_a_week_of_names_proves_the_order_in_any_language(names: str, order: DateOrder) -> None:
    evidence = WeekdayEvidence()

    for day, name in zip(WEEK, names.split(), strict=True):
        parts = [0, 0, 0]
        for place, part in zip(order.value, (day.year, day.month, day.day), strict=True):
            parts[place] = part
        evidence.saw((parts[0], parts[1], parts[2]), name)

    assert evidence.order() is order


def test_one_date_of_an_unknown_language_proves_nothing() -> None:
    evidence = WeekdayEvidence()

    evidence.saw((6, 4, 2026), "lun")

    assert evidence.order() is None


def test_a_damaged_date_among_many_does_not_turn_the_order_around() -> None:
    evidence = WeekdayEvidence()
    for day, name in zip(WEEK, NAMES["es"].split(), strict=True):
        evidence.saw((day.day, day.month, day.year), name)

    evidence.saw((7, 4, 2026), "lun")

    assert evidence.order() is DateOrder.DAY_MONTH_YEAR
