"""Whether the chats have settled, so that a snapshot now would catch them whole.

An app writes in bursts; a snapshot in the middle of one is a snapshot too early. So a source is saved when it has been
quiet for a while, and after the longest wait in any case: a chat that never rests must be saved too. All times are
seconds of one clock that never goes back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient the watcher is.

    `quiet` is how long a source must rest before it is saved, `patience` the longest that an unsaved change waits,
    `scan_every` how often everything is looked at whatever the events said, `first_retry` and `longest_retry` the waits
    after saves that failed.
    """

    quiet: timedelta = timedelta(seconds=90)
    patience: timedelta = timedelta(minutes=15)
    scan_every: timedelta = timedelta(minutes=30)
    first_retry: timedelta = timedelta(minutes=1)
    longest_retry: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Unsaved:
    """The time of the first and of the last change that is in no snapshot yet."""

    first: float
    last: float

    def joined(self, other: "Unsaved | None") -> "Unsaved":
        """Return both as one."""
        if other is None:
            return self
        return Unsaved(min(self.first, other.first), max(self.last, other.last))


def due_at(unsaved: Unsaved, pace: Pace) -> float:
    """Say when these changes are to be saved, if none comes after them."""
    return min(unsaved.last + pace.quiet.total_seconds(), unsaved.first + pace.patience.total_seconds())


def settled(unsaved: Mapping[str, Unsaved], now: float, pace: Pace) -> tuple[str, ...]:
    """Return the sources to save now, in order of their names."""
    return tuple(sorted(name for name, changes in unsaved.items() if due_at(changes, pace) <= now))


def back_off(failures: int, pace: Pace) -> timedelta:
    """Say how long to wait after the `failures`th failed save in a row: doubling, up to the longest."""
    # 2^30 minutes are 2,000 years; a larger exponent would not fit a timedelta.
    return min(pace.first_retry * (1 << min(max(failures, 1) - 1, 30)), pace.longest_retry)
