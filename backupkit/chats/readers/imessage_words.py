"""What imessage-exporter writes alike into its text and its pages: times, its owner's name, and notes."""

import re
from calendar import month_abbr
from datetime import UTC, datetime

from backupkit.chats.model import Direction

TIME = (
    r"(?P<time>(?P<month>[A-Z][a-z]{2}) (?P<day>\d{1,2}), (?P<year>\d{4})  ?"
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2}):(?P<second>\d{2}) (?P<half>[AP]M))"
)
OWNER = "Me"
ANSWERED = "This message responded to an earlier message."
RECALLED = re.compile(
    r"^(?:\S.{0,60} )?(?:unsent|deleted) (?:a|this) message(?: part)?(?:\.|!| \S.{0,40} after sending!?)$"
)


def time_of(found: re.Match[str]) -> int | None:
    """Return the wall time of a `TIME` in microseconds, None where there is no such time."""
    names = list(month_abbr)
    if found["month"] not in names:
        return None
    hour = int(found["hour"]) % 12 + (12 if found["half"] == "PM" else 0)
    try:
        moment = datetime(
            int(found["year"]),
            names.index(found["month"]),
            int(found["day"]),
            hour,
            int(found["minute"]),
            int(found["second"]),
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return int(moment.timestamp()) * 1_000_000


def direction_of(sender: str | None) -> Direction:
    """Say which way a message went by its sender's name."""
    return Direction.UNKNOWN if sender is None else Direction.OUT if sender == OWNER else Direction.IN
