"""When a message was written, as the reader's own clock says it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

from backupkit.chats.export.record import MessageRecord
from backupkit.chats.model import UNKNOWN_ZONE, Precision

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Say = Callable[..., str]
"""Gives the sentence for a key and its facts."""


def local_time(message: MessageRecord, zone: tzinfo | None) -> datetime | None:
    """Return a message's time in `zone` (None: this computer's), or as its phone showed it where its zone is unknown."""
    ts_us = message["time_us"]
    if ts_us is None:
        return None
    try:
        moment = _EPOCH + timedelta(microseconds=ts_us)
        return moment if message["time_zone"] == UNKNOWN_ZONE else moment.astimezone(zone)
    except (OverflowError, ValueError, OSError):
        return None


def clock_time(message: MessageRecord, moment: datetime | None) -> str:
    """Write the time of day, empty where the export holds only days or no time at all."""
    if moment is None or message["time_precision"] == Precision.DAY.value:
        return ""
    return moment.isoformat(timespec="minutes")[11:16]


def day_in_words(day: str, say: Say) -> str:
    """Write a day, `2024-03-04`, as a heading."""
    moment = datetime.fromisoformat(day)
    return say(
        "export.day",
        year=moment.year,
        month=say(f"export.month.{moment.month}"),
        day=moment.day,
        weekday=say(f"export.weekday.{moment.isoweekday()}"),
    )
