"""Where the time comes from: passed in, so that decisions can be tested and repeated."""

from datetime import UTC, datetime
from typing import NamedTuple, Protocol


class Clock(Protocol):
    """Tells the time. Every time in backupkit is timezone-aware UTC."""

    def now(self) -> datetime:
        """Return the current time in UTC."""
        ...


class SystemClock:
    """The computer's own clock: asserted by this machine, proved by nobody."""

    def now(self) -> datetime:
        """Return the current time in UTC."""
        return datetime.now(UTC)


class FixedClock(NamedTuple):
    """A clock that stands still."""

    at: datetime

    def now(self) -> datetime:
        """Return the time it was set to."""
        return self.at


def to_rfc3339(moment: datetime) -> str:
    """Write a time as RFC 3339 in UTC to the second: `2018-06-01T08:30:00Z`."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")[:19] + "Z"


def from_rfc3339(text: str) -> datetime:
    """Read a time written by `to_rfc3339`.

    Raises:
        ValueError: the text is anything else, local times without a zone and years before 1000 included.
    """
    if len(text) != 20 or text[0] == "0" or not text.endswith("Z") or not text.isascii():
        raise ValueError(text)
    # Not strptime: loading it takes longer than the hook takes to decide.
    moment = datetime.fromisoformat(text)
    if to_rfc3339(moment) != text:
        raise ValueError(text)
    return moment
