"""How a message begins in WhatsApp's text exports: `date, time - `, `[date, time] `, and how old iPhones wrote it.

The date, the clock and what joins them follow the phone's language and region, so the patterns are wide; what is no date or no
time is not a head, whatever its shape.
"""

import re
from dataclasses import dataclass

from backupkit.chats.texts.month_names import month_of
from backupkit.chats.texts.wall_time import HALF_DAY, SPACE, DateOrder, seconds_of_day

_MARK = r"[\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]*"
_DATE = (
    rf"(?P<first>\d{{1,4}}){_MARK}(?:{SPACE}?[./\-]|年|년){_MARK}{SPACE}?(?P<middle>\d{{1,2}}){_MARK}(?:{SPACE}?[./\-]|月|월){_MARK}{SPACE}?"
    rf"(?P<last>\d{{1,4}})(?:\.|日|일|{SPACE}г\.|{SPACE}?(?:BE|พ\.ศ\.|AP|AH|هـ|ه\.ش\.))?{_MARK}"
)
_AT = r"um|à|às|at|a las|a les|alle|om|o|ob|la|klo|kl\.?|u|w|в|у|kell|pukul|jam|lúc|saat"
# Basque puts the time in brackets.
_JOIN = rf"(?:[,،]?{_MARK}{SPACE}{{1,2}}(?:(?:{_AT}){SPACE}|\()?|[,،])"
_TIME = (
    rf"(?:(?P<before>{HALF_DAY}){SPACE}?)?(?P<hour>\d{{1,2}})(?:[:.]|{SPACE}?h{SPACE}?)(?P<minute>\d{{2}})"
    rf"(?:(?:[:.]|{SPACE}min{SPACE})(?P<second>\d{{2}})(?:{SPACE}s)?)?"
    rf"(?:{SPACE}(?:Uhr|ч\.|น\.))?(?:{SPACE}?(?P<after>{HALF_DAY}))?\)?{_MARK}"
)
_LEAD = rf"{_MARK}"
BRACKET = re.compile(rf"{_LEAD}\[{_MARK}{_DATE}{_JOIN}{_MARK}{_TIME}\]{SPACE}?")
DASH = re.compile(rf"{_LEAD}{_DATE}{_JOIN}{_MARK}{_TIME}{SPACE}[-\u2013]{SPACE}")
# Vietnamese phones write the time first.
BRACKET_TIME_FIRST = re.compile(rf"{_LEAD}\[{_MARK}{_TIME}(?:,?{SPACE}|,){_MARK}{_DATE}\]{SPACE}?")
TIME_FIRST = re.compile(rf"{_LEAD}{_TIME}(?:,?{SPACE}|,){_MARK}{_DATE}{SPACE}[-\u2013]{SPACE}")
# iPhones until 2016.
COLON = re.compile(rf"{_LEAD}{_DATE}{_JOIN}{_MARK}{_TIME}:{SPACE}")
# Androids of before 2016 named the month.
_WORD = r"[^\W\d_]{2,14}"
_NAMED_DATE = (
    rf"(?:{_WORD}\.?,?{SPACE})?(?:(?P<day>\d{{1,2}})\.?{SPACE}(?:de{SPACE})?(?P<month>{_WORD})\.?{SPACE}?(?:de{SPACE})?,?{SPACE}?"
    rf"|(?P<month_first>{_WORD})\.?{SPACE}(?P<day_second>\d{{1,2}}),?{SPACE})(?P<year>\d{{4}})(?:{SPACE}г\.)?"
)
NAMED = re.compile(rf"{_LEAD}{_NAMED_DATE}{_JOIN}{_MARK}{_TIME}{SPACE}[-\u2013]{SPACE}")
_STYLES = (BRACKET, BRACKET_TIME_FIRST, DASH, TIME_FIRST, COLON, NAMED)
_MAY_BEGIN = re.compile(rf"{_MARK}[\[\d]")


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a message: its date as written, its second of the day, and where its text starts."""

    parts: tuple[int, int, int]
    second: int
    has_seconds: bool
    has_half_day: bool
    end: int


def head_of(line: str, style: re.Pattern[str]) -> Head | None:
    """Return how a line begins a message in a style, None where it does not."""
    if style is not NAMED and not _MAY_BEGIN.match(line):
        return None
    match = style.match(line)
    if match is None:
        return None
    before, hour, minute, second, after = match.group("before", "hour", "minute", "second", "after")
    if style is COLON and second is None:
        return None
    half_day = before or after
    second_of_day = seconds_of_day(int(hour), int(minute), int(second or 0), half_day)
    parts = _named_parts(match) if style is NAMED else (int(match["first"]), int(match["middle"]), int(match["last"]))
    if second_of_day is None or parts is None or not DateOrder.is_any_date(parts):
        return None
    return Head(parts, second_of_day, second is not None, half_day is not None, match.end())


def _named_parts(match: re.Match[str]) -> tuple[int, int, int] | None:
    """Return year, month and day: an order that no other date with such a year can be read in."""
    month = month_of(match["month"] or match["month_first"])
    return None if month is None else (int(match["year"]), month, int(match["day"] or match["day_second"]))


def style_of(line: str) -> re.Pattern[str] | None:
    """Return the style in which a line begins a message."""
    return next((style for style in _STYLES if head_of(line, style)), None)
