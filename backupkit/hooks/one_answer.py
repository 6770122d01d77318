"""Exactly one answer, in time.

A guard that hangs must not leave the shop waiting, and must not answer twice. A watchdog thread gives "undecided" when
the deadline passes; behind it the kernel's alarm ends a process in which not even that thread runs any more, and a
process ended by a signal means hold.
"""

import os
import signal
import threading
import time
from typing import NoReturn

from backupkit.hooks.protocol import UNDECIDED_EXIT, undecided_line

_GRACE_SECONDS = 1.0


class OneAnswer:
    """The one chance to answer. Whoever comes second is never heard."""

    def __init__(self, descriptor: int, *, started: float, late: bytes = undecided_line("timed-out")) -> None:
        """`started` is the `time.monotonic()` that deadlines count from, `late` what is said when one has passed."""
        self._descriptor = descriptor
        self._late = late
        self._started = started
        self._spoken = threading.Lock()
        self._changed = threading.Condition()
        self._deadline = float("inf")

    def give(self, line: bytes) -> None:
        """Write the answer. Does not return if another was given already: the process is about to end.

        Raises:
            OSError: nobody listens.
        """
        if not self._spoken.acquire(blocking=False):
            while True:
                time.sleep(1)
        self._write(line)

    def expect_within(self, seconds: float) -> None:
        """Start or move the deadline, counted from the start of the process' work."""
        with self._changed:
            is_first = self._deadline == float("inf")
            self._deadline = self._started + seconds
            self._changed.notify()
        # Whoever started us may have had it ignored or blocked, and both are inherited.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
        signal.setitimer(signal.ITIMER_REAL, max(self._deadline - time.monotonic(), 0.001) + _GRACE_SECONDS)
        if is_first:
            threading.Thread(target=self._watch, name="deadline", daemon=True).start()

    def _watch(self) -> NoReturn:
        with self._changed:
            while (left := self._deadline - time.monotonic()) > 0:
                self._changed.wait(left)
        if not self._spoken.acquire(blocking=False):
            while True:
                time.sleep(1)
        try:
            self._write(self._late)
        finally:
            # Without clean-up: whatever hangs would hang the clean-up as well. And also where nobody listens.
            os._exit(UNDECIDED_EXIT)

    def _write(self, line: bytes) -> None:
        while line:
            line = line[os.write(self._descriptor, line) :]
