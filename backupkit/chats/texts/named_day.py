"""Days whose month is named, or whose parts carry the signs of their language: `Monday, August 25, 2014`, `2014年8月25日`."""

import re

from backupkit.chats.texts.month_names import month_of
from backupkit.chats.texts.wall_time import DateOrder

_NUMBERED = re.compile(r"(\d{4})[年년] ?(\d{1,2})[月월] ?(\d{1,2})[日일]")
_VIETNAMESE_MONTH = re.compile(r"(?:tháng|thg) (\d{1,2})")
# Catalan joins a word to months that begin with a vowel: `d’abril`.
_WORD = re.compile(r"(?<!\w)(?:d[’'])?([^\W\d_][^\s\d,]*)|(\d+)")
# Months that have the names of others in Polish and Czech. Croatian dates have a point behind the year.
_CROATIAN = re.compile(r"(?<!\d)(\d{1,2})\. ?([^\W\d_]{3,10})\.? (\d{4})\.")
_CROATIAN_MONTHS = "siječnja veljače ožujka travnja svibnja lipnja srpnja kolovoza rujna listopada studenoga prosinca"
_BY_NAME = {
    name[:length]: month for month, name in enumerate(_CROATIAN_MONTHS.split(), 1) for length in (3, 4, len(name))
}


def day_in(text: str) -> int | None:
    """Return the day since 1970 that is named, month by its name, in whatever order."""
    numbered = _NUMBERED.search(text)
    if numbered:
        year, month, day = map(int, numbered.groups())
        return DateOrder.YEAR_MONTH_DAY.day_number((year, month, day))
    croatian = _CROATIAN.search(text)
    if croatian and croatian[2].casefold() in _BY_NAME:
        return DateOrder.YEAR_MONTH_DAY.day_number(
            (int(croatian[3]), _BY_NAME[croatian[2].casefold()], int(croatian[1]))
        )
    months = [int(month) for month in _VIETNAMESE_MONTH.findall(text)]
    words = [word or number for word, number in _WORD.findall(_VIETNAMESE_MONTH.sub("", text))]
    months += [found for word in words if (found := month_of(word)) is not None]
    numbers = [int(word) for word in words if word.isdecimal()]
    years = [number for number in numbers if number > 31]
    days = [number for number in numbers if number <= 31]
    if (len(months), len(years), len(days)) != (1, 1, 1):
        return None
    return DateOrder.YEAR_MONTH_DAY.day_number((years[0], months[0], days[0]))
