"""Dates and clocks as people's phones write them.

A date such as `03/04/2021` cannot be read alone. The order of its parts is settled once for a whole export: a part
above 12 or 31 excludes orders, and of those left the one holds in which time runs forward.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from functools import lru_cache

_EPOCH_DAY = date(1970, 1, 1).toordinal()

# Before noon and after noon, as clocks of twelve hours write it. Compared without dots, spaces and case.
_BEFORE_NOON = [
    "am",
    "vorm",
    "上午",
    "午前",
    "오전",
    "ص",
    "πμ",
    "SA",
    "PG",
    "ÖÖ",
    "fm",
    "de.",
    "vm.",
    "PD",
    "p.d.",
    "ap.",
    "dop.",
    "дп",
    "пр.об.",
    "凌晨",
    "早上",
    "清晨",
    "早晨",
    "পূর্বাহ্ণ",
    "पूर्वाह्न",
    "ق.ظ",
    "قبل\u200cازظهر",
    "म.पू.",
    "לפנה״צ",
    "முற்பகல்",
    "ಪೂರ್ವಾಹ್ನ",
    "ก่อนเที่ยง",
    "ກ່ອນທ່ຽງ",
    "ጥዋት",
    "priekšp.",
    "priešpiet",
    "pr.\u202fp.",
    "претпл.",
    "prijepodne",
    "e paradites",
    "f.h.",
    "r.n.",
    "နံနက်",
    "පෙ.ව.",
    "ү.ө.",
    "тң",
    "TO",
    "f.m.",
    "SF",
    "غ.م",
    "ب.ن",
    "পূৰ্বাহ্ন",
    "上晝",
    "上昼",
    "прије\u202fподне",
    "prije\u202fpodne",
]
_AFTER_NOON = [
    "pm",
    "nachm",
    "下午",
    "午後",
    "오후",
    "م",
    "μμ",
    "CH",
    "PTG",
    "ÖS",
    "em",
    "du.",
    "nm.",
    "MD",
    "m.d.",
    "ip.",
    "odp.",
    "pop.",
    "пп",
    "сл.об.",
    "中午",
    "晚上",
    "傍晚",
    "অপরাহ্ণ",
    "अपराह्न",
    "ب.ظ",
    "بعدازظهر",
    "म.उ.",
    "אחה״צ",
    "பிற்பகல்",
    "ಅಪರಾಹ್ನ",
    "หลังเที่ยง",
    "ຫຼັງທ່ຽງ",
    "ከሰዓት",
    "pēcp.",
    "popiet",
    "попл.",
    "popodne",
    "e pasdites",
    "e.h.",
    "i.n.",
    "ညနေ",
    "ප.ව.",
    "ү.х.",
    "тк",
    "TK",
    "e.m.",
    "YM",
    "غ.و",
    "د.ن",
    "অপৰাহ্ন",
    "下晝",
    "下昼",
    "по\u202fподне",
    "po\u202fpodne",
]


def _folded(token: str) -> str:
    return re.sub(r"[.\s\u00a0\u200c\u202f\u200e\u200f]", "", token).casefold()


_IS_AFTERNOON = {_folded(token): True for token in _AFTER_NOON} | {_folded(token): False for token in _BEFORE_NOON}
_HALF_DAYS = sorted({*_AFTER_NOON, *_BEFORE_NOON}, key=len, reverse=True)

SPACE = r"[ \t\u00a0\u2000-\u200a\u202f]"
"""A space as phones write it between a time and AM or PM: plain, no-break, narrow."""

HALF_DAY = rf"(?i:[apπμ]{SPACE}?\.?{SPACE}?[mμ]\.?|" + "|".join(re.escape(token) for token in _HALF_DAYS) + r")\.?"
"""The mark of a clock of twelve hours, in the languages known here."""


def is_afternoon(token: str) -> bool | None:
    """Say what a half-day mark means, None where it is not known."""
    return _IS_AFTERNOON.get(_folded(token))


def day_of(ts_us: int) -> str:
    """Return the day of a time in microseconds since 1970, as `YYYY-MM-DD` in UTC."""
    return date.fromordinal(_EPOCH_DAY + ts_us // 86_400_000_000).isoformat()


def seconds_of_day(hour: int, minute: int, second: int, half_day: str | None) -> int | None:
    """Return the second of the day, None where there is no such time."""
    if half_day:
        afternoon = is_afternoon(half_day)
        # Noon's own word covers the hour before it too.
        if half_day == "中午" and hour == 11:
            afternoon = False
        # Japanese clocks count from 0, so that noon is 午後0:00.
        if afternoon is not None and hour <= 12:
            hour = hour % 12 + (12 if afternoon else 0)
    # Some phones write midnight as 24:05.
    if hour == 24:
        hour = 0
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60):
        return None
    return hour * 3600 + minute * 60 + second


class DateOrder(Enum):
    """Which part of a date is which."""

    YEAR_MONTH_DAY = (0, 1, 2)
    DAY_MONTH_YEAR = (2, 1, 0)
    MONTH_DAY_YEAR = (2, 0, 1)

    @property
    def spelt(self) -> str:
        """The order as people write it in any language: `DD/MM/YYYY`."""
        return "/".join(part for _, part in sorted(zip(self.value, ("YYYY", "MM", "DD"), strict=True)))

    def day_number(self, parts: tuple[int, int, int]) -> int | None:
        """Return days since 1970, None where there is no such day."""
        return _day_number(self, parts)

    @staticmethod
    def is_any_date(parts: tuple[int, int, int]) -> bool:
        """Say whether the parts are a date in any order."""
        return _is_any_date(parts)


@lru_cache(maxsize=8192)
def _day_number(order: DateOrder, parts: tuple[int, int, int]) -> int | None:
    year, month, day = (parts[place] for place in order.value)
    if year < 100:
        # No chat is of 2052 yet: a two-digit year so high is one of the Buddhist calendar.
        year += 2000 if year < 52 else 1957
    elif 2400 <= year <= 2700:
        year -= 543  # the Buddhist calendar of Thai phones
    elif year in _PERSIAN_YEARS:
        return _persian_day_number(year, month, day)
    elif year in _HIJRI_YEARS:
        return None  # its months begin by decree, so that no rule tells the day
    try:
        return date(year, month, day).toordinal() - _EPOCH_DAY
    except ValueError:
        return None


# Chats of these years are of 2001 to 2050; the Hijri ones are of 2009 and later, so that the two never meet.
_PERSIAN_YEARS = range(1380, 1430)
_HIJRI_YEARS = range(1430, 1480)
_PERSIAN_LEAP_YEARS = {1383, 1387, 1391, 1395, 1399, 1403, 1408, 1412, 1416, 1420, 1424, 1428}
_PERSIAN_1380 = date(2001, 3, 21).toordinal() - _EPOCH_DAY


def _persian_day_number(year: int, month: int, day: int) -> int | None:
    """Six months of 31 days, five of 30, and a last one of 29 or 30."""
    leap_days = sum(leap < year for leap in _PERSIAN_LEAP_YEARS)
    days = 31 if month <= 6 else 30 if month <= 11 or year in _PERSIAN_LEAP_YEARS else 29
    if not (1 <= month <= 12 and 1 <= day <= days):
        return None
    before = 31 * min(month - 1, 6) + 30 * max(month - 7, 0)
    return _PERSIAN_1380 + 365 * (year - 1380) + leap_days + before + day - 1


@lru_cache(maxsize=8192)
def _is_any_date(parts: tuple[int, int, int]) -> bool:
    if any(_day_number(order, parts) is not None for order in DateOrder):
        return True
    # A day that the Hijri calendar has, though which day of ours it is stays unknown.
    return sum(part in _HIJRI_YEARS for part in parts) == 1 and sum(1 <= part <= 30 for part in parts) == 2


@dataclass(slots=True)
class OrderEvidence:
    """Watches the dates of one export and settles their order."""

    _impossible: dict[DateOrder, int] = field(default_factory=lambda: dict.fromkeys(DateOrder, 0))
    _backward: dict[DateOrder, int] = field(default_factory=lambda: dict.fromkeys(DateOrder, 0))
    _before: dict[DateOrder, int] = field(default_factory=dict)
    _last: tuple[int, int, int] | None = None
    _new: tuple[int, int, int] | None = None

    def saw(self, parts: tuple[int, int, int]) -> None:
        """Note the next date of the export, its parts as written.

        One that stands alone among others that are all the same is damaged or out of its place, and no evidence: a single digit
        would turn every date of a chat around.
        """
        if parts == self._last:
            self._new = None
        elif parts == self._new:
            self._count_new()
        else:
            self._count_new()
            self._new = parts

    def _count_new(self) -> None:
        parts, self._new = self._new, None
        if parts is None:
            return
        self._last = parts
        for order in DateOrder:
            day = order.day_number(parts)
            # A part above 31 can only be the year.
            if day is None or (max(parts) > 31 and parts[order.value[0]] != max(parts)):
                self._impossible[order] += 1
                continue
            if day < self._before.get(order, day):
                self._backward[order] += 1
            self._before[order] = day

    def settle(self, preferred: Iterable[DateOrder]) -> tuple[DateOrder, bool]:
        """Return the order, and whether the export proves it. `preferred` breaks a tie."""
        self._count_new()
        ranked = sorted(
            preferred, key=lambda order: self._impossible[order] * 1000 + self._backward[order]
        )  # stable, so that a tie keeps the preference
        first, second = ranked[0], ranked[1]
        cost = [self._impossible[order] * 1000 + self._backward[order] for order in (first, second)]
        return first, cost[0] < cost[1]
