"""Fields of records that strangers wrote: a value of the wrong type counts as absent."""

from datetime import UTC, datetime
from typing import Any

# The last microsecond of the year 9999, the end of what `datetime` can hold.
MAX_TS_US = 253402300799_999999


def text_of(value: Any) -> str | None:
    """Return a string, or None."""
    return value if isinstance(value, str) else None


def name_of(value: Any) -> str | None:
    """Return a non-empty string, or the digits of a whole number, or None: how ids and names are written."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def int_of(value: Any) -> int | None:
    """Return a whole number, also where it is written as a string of digits, or None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, str) and 0 < len(value) < 20 and value.lstrip("-").isdecimal() and value.isascii():
        try:
            return int(value)
        except ValueError:
            return None
    return None


def dict_of(value: Any) -> dict[str, Any]:
    """Return an object, or an empty one."""
    return value if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    """Return an array, or an empty one."""
    return value if isinstance(value, list) else []


def seconds_to_us(value: Any) -> int | None:
    """Return the microseconds of a time in seconds since 1970, or None where it is no time of a chat."""
    seconds = int_of(value)
    return None if seconds is None else within_time(seconds * 1_000_000)


def milliseconds_to_us(value: Any) -> int | None:
    """Return the microseconds of a time in milliseconds since 1970, or None where it is no time of a chat."""
    milliseconds = int_of(value)
    return None if milliseconds is None else within_time(milliseconds * 1000)


def within_time(ts_us: int) -> int | None:
    """Return a time between 1970 and the year 9999; zero is how apps write "no time"."""
    return ts_us if 0 < ts_us <= MAX_TS_US else None


def iso_to_us(text: Any) -> tuple[int | None, bool]:
    """Read an ISO 8601 time. Returns microseconds (wall time where it names no zone) and whether it names one."""
    if not isinstance(text, str) or not 10 <= len(text) <= 40:
        return None, False
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None, False
    has_zone = moment.tzinfo is not None
    if not has_zone:
        moment = moment.replace(tzinfo=UTC)
    since = moment - _EPOCH
    return within_time((since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds), has_zone


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
