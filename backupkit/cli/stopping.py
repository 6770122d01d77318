"""What happens when somebody wants the work to stop.

The first Ctrl-C lets a use case that asks finish its chunk and keep what is stored; the second one, or the first where
nobody asks, stops at once. Both leave a usable repository: the store commits in one step.
"""

import _thread
import os
import signal
import sys
import time
from contextlib import suppress
from types import FrameType

from backupkit.errors import BackupkitError, ExitCode

_MOMENT = 0.01
"""Seconds until a stop that Python dropped is said again: whatever swallowed it has returned by then."""


ONE_PRESS = 0.05
"""Seconds in which signals are one stop. `timeout` and shells send one to the process and again to its group; nobody presses twice so
fast; and the way out of the first must not be torn by the others."""


_HANG_UP: int | None = getattr(signal, "SIGHUP", None)
"""The terminal was closed. Windows has no such signal."""


class Interrupted(BackupkitError):
    """Somebody pressed Ctrl-C."""

    code = "interrupted"
    exit_code = ExitCode.INTERRUPTED


class TerminatedBySignal(BackupkitError):
    """The system, or somebody, asked the process to end."""

    code = "terminated"
    exit_code = ExitCode.TERMINATED


class Terminated(BaseException):
    """SIGTERM or a closed terminal, raised wherever the process is. Not an `Exception`, so that no handler for errors takes it for one."""


class Stop:
    """A flag that use cases poll by calling it. `at_once` is true once the work was broken off wherever it was."""

    def __init__(self) -> None:
        self.asked: int | None = None
        self.polled = False
        self.at_once = False
        self.listening = False
        self.farewell = b""
        self._main = 0
        self._heard_at = -ONE_PRESS

    def __call__(self) -> bool:
        """Tell whether the work should come to an end soon."""
        self.polled = True
        return self.asked is not None

    def listen(self) -> None:
        """Take over Ctrl-C, SIGTERM and the end of the terminal from here on."""
        self.listening = True
        self._main = _thread.get_ident()
        for number in self._signals():
            signal.signal(number, self._heard)
        sys.unraisablehook = self._swallowed

    def rest(self) -> None:
        """Leave the signals to the system again: all that is left to do is to say how it ended, and to end."""
        if self.listening:
            self.listening = False
            for number in self._signals():
                signal.signal(number, signal.SIG_DFL)

    @staticmethod
    def _signals() -> list[int]:
        # `nohup` lets a command outlive its terminal by having it ignore the hang-up: that stays.
        if _HANG_UP is None or signal.getsignal(_HANG_UP) is signal.SIG_IGN:
            return [signal.SIGINT, signal.SIGTERM]
        return [signal.SIGINT, signal.SIGTERM, _HANG_UP]

    def error(self) -> BackupkitError:
        """Return the error that says how the work came to an end."""
        return Interrupted() if self.asked == signal.SIGINT else TerminatedBySignal()

    def _heard(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._heard_at < ONE_PRESS:
            return
        self._heard_at = now
        if self.polled and self.asked is None:
            self.asked = number
            if self.farewell:
                # Not through the printer: it may be in the middle of a line itself. And the terminal may be gone.
                with suppress(OSError):
                    os.write(2, self.farewell)
            return
        self.asked, self.at_once = number, True
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise Terminated

    def _swallowed(self, unraisable: "sys.UnraisableHookArgs") -> None:
        """Say again what Python dropped: a handler that ran inside a finalizer or a callback cannot raise out of it."""
        if unraisable.exc_type in {KeyboardInterrupt, Terminated} and self.asked is not None:
            # Not from here: it would be raised in this very function, and be dropped once more.
            _thread.start_new_thread(self._say_again, (self.asked,))
        else:
            sys.__unraisablehook__(unraisable)

    def _say_again(self, number: int) -> None:
        time.sleep(_MOMENT)
        # A true signal, to the thread that minds them: it is woken even where it waits for the system.
        # Once nobody listens any more it would end the process in the middle of its last words.
        if self.listening:
            self._heard_at = -ONE_PRESS
            signal.pthread_kill(self._main, number)
