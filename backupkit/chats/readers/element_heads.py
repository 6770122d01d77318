"""How a line of Element's text export begins: a date and a clock with seconds, and ` - `.

Until 2023 the date was written in numbers, as the system writes it; since then with its weekday and the month by name, as the app's language does:
`Fri, Apr 16, 2021, 17:20:00 - `, `2021年4月16日周五 17:20:00 - `.
"""

import re
from datetime import date
from functools import lru_cache

from backupkit.chats.readers.whatsapp_heads import DASH, Head, head_of
from backupkit.chats.texts.named_day import day_in
from backupkit.chats.texts.wall_time import HALF_DAY, SPACE, DateOrder, seconds_of_day

_BEGINNING = re.compile(rf"([^\n]{{12,60}}?){SPACE}-{SPACE}")
_CLOCK = re.compile(
    rf"(?<!\d)(?:(?P<before>{HALF_DAY}){SPACE}?)?(?P<hour>\d{{1,2}})[:.](?P<minute>\d{{2}})[:.](?P<second>\d{{2}})(?!\d)(?:{SPACE}?(?:ч\.{SPACE})?(?P<after>{HALF_DAY}))?"
)
_NUMBERS = re.compile(r"(\d{1,4})[.\-/] ?(\d{1,2})[.\-/] ?(\d{1,4})(?!\d)")
# A weekday may look like a month (`mar`, `Sze`), or have a number in it.
_WEEKDAY = re.compile(rf"^(?:Thứ{SPACE}\d|[^\W\d_]{{1,12}}\.?),?{SPACE}|(?<=\d\.),{SPACE}[^\W\d_]{{1,4}}$")
_DIGITS, _LETTERS = re.compile(r"\d+"), re.compile(r"[^\W\d_]+\.?")
_MOST_WORDS = 8
_MOST_BUILDS = 100


def element_head(line: str) -> Head | None:
    """Return how a line begins a message, None where it does not."""
    return head_of(line, DASH) or _named(line)


class ElementHeads:
    """Knows the heads of one file. One that is built like those before it, and whose month is in no language known here, has no day."""

    def __init__(self) -> None:
        self._built: set[str] = set()

    def of(self, line: str) -> Head | None:
        """Return how a line begins a message, None where it does not."""
        found = element_head(line)
        beginning = _BEGINNING.match(line)
        if beginning is None:
            return found
        built = _LETTERS.sub("A", _DIGITS.sub("0", beginning[1]))
        if found is not None and len(self._built) < _MOST_BUILDS:
            self._built.add(built)
        elif found is None and built in self._built and (clock := _second(beginning[1])):
            return Head((0, 0, 0), clock[1], has_seconds=True, has_half_day=False, end=beginning.end())
        return found


def _named(line: str) -> Head | None:
    beginning = _BEGINNING.match(line)
    found = None if beginning is None else _second(beginning[1])
    if beginning is None or found is None:
        return None
    clock, second = found
    rest = beginning[1][clock.end() :].strip(" )")
    # Behind the clock stands nothing, or else the date: a word that is not known may be one for the afternoon.
    if rest and clock.start():
        return None
    parts = _parts(beginning[1][: clock.start()].strip(" ,،(") or rest)
    if parts is None:
        return None
    return Head(parts, second, has_seconds=True, has_half_day=False, end=beginning.end())


def _second(text: str) -> tuple[re.Match[str], int] | None:
    """Return the clock, which dates with dots in them look like, and its second of the day."""
    clock = next(reversed(list(_CLOCK.finditer(text))), None)
    if clock is None:
        return None
    hour, minute, second = int(clock["hour"]), int(clock["minute"]), int(clock["second"])
    of_day = seconds_of_day(hour, minute, second, clock["before"] or clock["after"])
    return None if of_day is None else (clock, of_day)


@lru_cache(maxsize=4096)
def _parts(text: str) -> tuple[int, int, int] | None:
    """Return year, month and day: an order that no other date with such a year can be read in."""
    if len(text.split()) > _MOST_WORDS:
        return None
    bare = _WEEKDAY.sub("", text)
    numbers = _NUMBERS.search(bare)
    day = None
    if numbers is not None:
        parts = int(numbers[1]), int(numbers[2]), int(numbers[3])
        order = DateOrder.YEAR_MONTH_DAY if parts[0] > 31 else DateOrder.DAY_MONTH_YEAR
        day = order.day_number(parts) if max(parts) > 31 else None
    day = day_in(bare) if day is None else day
    if day is None:
        return None
    found = date.fromordinal(_EPOCH_DAY + day)
    return found.year, found.month, found.day


_EPOCH_DAY = date(1970, 1, 1).toordinal()


def element_day(text: str) -> int | None:
    """Return the day since 1970 that stands above the messages of a day, in the words of the app's language."""
    parts = _parts(text.strip(" ,،"))
    return None if parts is None else DateOrder.YEAR_MONTH_DAY.day_number(parts)
