"""Progress for people: a bar that is drawn over again on a terminal, or plain lines now and then anywhere else.

Time comes in as a function, so that tests need no waiting.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Protocol, TextIO

from backupkit.i18n import Catalogue
from backupkit.ops.events import Progress
from backupkit.text import width
from backupkit.ui.columns import padded
from backupkit.ui.terminal import Terminal

MOST_FRAMES_PER_SECOND = 10
SECONDS_BEFORE_A_GUESS = 2.0
SECONDS_BETWEEN_LINES = 15.0
BAR_CELLS = 20


class ProgressView(Protocol):
    """Shows progress, and steps aside while something else is printed."""

    def show(self, progress: Progress) -> None:
        """Show how far it is, if it is time to."""
        ...

    def step_aside(self) -> None:
        """Make room for another line."""
        ...

    def close(self) -> None:
        """End the phase that is shown."""
        ...


class NoProgress:
    """Shows nothing."""

    def show(self, progress: Progress) -> None:
        """Drop it."""

    def step_aside(self) -> None:
        """Nothing is in the way."""

    def close(self) -> None:
        """Nothing is half drawn."""


class Pace:
    """How fast a phase goes, and when it will be done. A phase that starts half done is not credited for that half."""

    def __init__(self, first: Progress, now: float) -> None:
        self._since = now
        self._base = first.done_bytes

    def left(self, progress: Progress, now: float) -> timedelta | None:
        """Guess the time left from the average pace; None while it is too early or the total is unknown."""
        spent = now - self._since
        done = progress.done_bytes - self._base
        if progress.total_bytes is None or done <= 0 or spent < SECONDS_BEFORE_A_GUESS:
            return None
        return timedelta(seconds=max(progress.total_bytes - progress.done_bytes, 0) * spent / done)


def describe(progress: Progress, left: timedelta | None, catalogue: Catalogue, *, cells: int) -> str:
    """Write one line of progress: phase, bar of `cells` places (0 for none), per cent, amounts, time left."""
    pieces = [padded(catalogue.say(f"progress.phase.{progress.phase.value}"), 9)]
    if progress.total_bytes:
        share = min(progress.done_bytes / progress.total_bytes, 1.0)
        if cells:
            full = int(share * cells)
            pieces.append("█" * full + "░" * (cells - full))
        done, total = catalogue.size(progress.done_bytes), catalogue.size(progress.total_bytes)
        if done.split()[-1] == total.split()[-1]:
            done = done.split()[0]
        pieces.append(f"{int(share * 100):3d}%")
        pieces.append(catalogue.say("progress.bytes", done=done, total=total))
    elif progress.done_bytes:
        pieces.append(catalogue.size(progress.done_bytes))
    if progress.done_files:
        pieces.append(catalogue.say("progress.files", files=progress.done_files))
    if left is not None:
        pieces.append(catalogue.say("progress.left", span=catalogue.span(left)))
    return "  ".join(pieces)


class ProgressBar:
    """One line on a terminal, drawn over again at most `frames` times a second."""

    def __init__(
        self, stream: TextIO, terminal: Terminal, catalogue: Catalogue, now: Callable[[], float], frames: int = 10
    ) -> None:
        self._stream = stream
        self._columns = terminal.columns
        self._catalogue = catalogue
        self._now = now
        self._interval = 1 / min(max(frames, 1), MOST_FRAMES_PER_SECOND)
        self._latest: Progress | None = None
        self._pace: Pace | None = None
        self._drawn_at: float | None = None
        self._on_screen = False

    def show(self, progress: Progress) -> None:
        """Draw the bar if it is time to."""
        now = self._now()
        if self._latest is None or self._latest.phase is not progress.phase:
            self._end_phase()
            self._pace = Pace(progress, now)
            self._drawn_at = None
        self._latest = progress
        if self._drawn_at is None or now - self._drawn_at >= self._interval:
            self._draw(now)

    def _end_phase(self) -> None:
        # What needed no reading is no longer waited for: a bar that is left at 83 % looks as if something had stopped.
        if self._latest is not None and self._latest.done_bytes < (self._latest.total_bytes or 0):
            self._latest = replace(self._latest, total_bytes=None)
        self.close()

    def step_aside(self) -> None:
        """Take the line off the screen."""
        if self._on_screen:
            self._write("\r\x1b[K")
            self._on_screen = False

    def close(self) -> None:
        """Leave the last state of the phase behind as a line of its own."""
        if self._latest is not None:
            self._draw(self._now(), last=True)
            self._write("\n")
        self._latest = None
        self._on_screen = False

    def _draw(self, now: float, *, last: bool = False) -> None:
        assert self._latest is not None
        assert self._pace is not None
        left = None if last else self._pace.left(self._latest, now)
        line = describe(self._latest, left, self._catalogue, cells=BAR_CELLS)
        if width(line) >= self._columns:
            line = describe(self._latest, left, self._catalogue, cells=0)
        # A line that wraps could not be drawn over again.
        while width(line) >= self._columns:
            line = line[:-1]
        self._write(f"\r{line}\x1b[K")
        self._drawn_at = now
        self._on_screen = True

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            # Nobody watches any more; the work goes on.
            return


class ProgressLines:
    """A line when a phase begins, at every quarter, every 15 seconds, and when it ends."""

    def __init__(self, stream: TextIO, catalogue: Catalogue, now: Callable[[], float]) -> None:
        self._stream = stream
        self._catalogue = catalogue
        self._now = now
        self._latest: Progress | None = None
        self._printed: Progress | None = None
        self._pace: Pace | None = None
        self._printed_at = 0.0

    def show(self, progress: Progress) -> None:
        """Print a line if there is something new to say."""
        now = self._now()
        if self._latest is None or self._latest.phase is not progress.phase:
            self.close()
            self._pace = Pace(progress, now)
            self._latest = progress
            self._print(now)
            return
        self._latest = progress
        new_quarter = self._printed is None or _quarter(progress) > _quarter(self._printed)
        if new_quarter or now - self._printed_at >= SECONDS_BETWEEN_LINES:
            self._print(now)

    def step_aside(self) -> None:
        """Lines are never in the way."""

    def close(self) -> None:
        """Print the last state of the phase, if it was not printed yet."""
        if self._latest is not None and self._latest != self._printed:
            self._print(self._now())
        self._latest = self._printed = None

    def _print(self, now: float) -> None:
        assert self._latest is not None
        assert self._pace is not None
        line = describe(self._latest, self._pace.left(self._latest, now), self._catalogue, cells=0)
        self._printed, self._printed_at = self._latest, now
        try:
            self._stream.write(line.rstrip() + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            # Nobody watches any more; the work goes on.
            return


def _quarter(progress: Progress) -> int:
    return int(4 * progress.done_bytes / progress.total_bytes) if progress.total_bytes else 0
