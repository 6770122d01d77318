"""Asking a person, at the terminal and nowhere else.

Questions go to the terminal itself, not to the standard streams, so that pipes and redirections stay clean. Where
there is no terminal, or `--no-input` was given, nobody is asked and the caller fails with a typed error.
"""

import errno
import locale
import os
import select
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from typing import NamedTuple, NoReturn, Protocol

from backupkit.cli.stopping import Terminated
from backupkit.text import printable

_AT_ONCE_SECONDS = 0.05
"""Lines that are so close behind one another were pasted, not typed."""
_HEARD_SECONDS = 0.3
_MOST_AT_ONCE = 4096
_MOST_TYPED = 65_536


class Person(Protocol):
    """Somebody who can be asked."""

    def secret(self, question: str) -> str:
        """Ask for something that is not shown while it is typed."""
        ...

    def line(self, question: str) -> str:
        """Ask for a line of text."""
        ...


class AtTheTerminal(NamedTuple):
    """The person at the controlling terminal. End of input counts as Ctrl-C, and a terminal that was closed as its signal.

    What was typed before a question is no answer to it, so that nobody consents by pasting. Several lines that come at once were
    pasted and are one answer, which an empty line ends: recovery words stand one to a line on the sheet, and the rest of them must
    not end up in the shell. `about_pasting` says so while the empty line is waited for.
    """

    about_pasting: str

    def secret(self, question: str) -> str:
        """Ask for something that is not shown while it is typed."""
        return self._asked(question, is_hidden=True)

    def line(self, question: str) -> str:
        """Ask for a line of text."""
        return self._asked(question, is_hidden=False).strip()

    def _asked(self, question: str, *, is_hidden: bool) -> str:
        # A terminal that was set to GBK sends and shows GBK.
        encoding = locale.getpreferredencoding(do_setlocale=False)
        try:
            # A device, unbuffered.
            with open("/dev/tty", "r+b", buffering=0) as terminal, _quiet(terminal, is_hidden=is_hidden):  # noqa: PTH123
                terminal.write((printable(question) + " ").encode(encoding, "replace"))
                hint = f"\n{self.about_pasting} ".encode(encoding, "replace")
                typed = _typed(terminal, hint)
        except (OSError, termios.error) as problem:
            raise _closed(problem) from None
        return " ".join(typed.rstrip(b"\n").decode(encoding, "replace").split("\n"))


def _typed(terminal: FileIO, hint: bytes) -> bytes:
    typed = b""
    while not typed.endswith(b"\n") or _goes_on(terminal, typed):
        if b"\n" in typed and hint and not _has_more(terminal):
            terminal.write(hint)
            hint = b""
        _wait(terminal)
        typed += terminal.read(_MOST_AT_ONCE) or _stopped()
        if len(typed) > _MOST_TYPED:
            # Somebody pasted a book: the rest of it is thrown away.
            break
    return typed


def _goes_on(terminal: FileIO, typed: bytes) -> bool:
    """Whether more of an answer is to come. The last line that is pasted often lacks its end, and the terminal holds it back until Enter."""
    is_pasted = b"\n" in typed[:-1]
    if is_pasted and not typed.endswith(b"\n\n"):
        return True
    return _has_more(terminal)


def _has_more(terminal: FileIO, seconds: float = _AT_ONCE_SECONDS) -> bool:
    return bool(select.select([terminal], [], [], seconds)[0])


def _wait(terminal: FileIO) -> None:
    # A signal that comes in the moment before a read is heard behind it only, and would wait for the person to type something.
    while not _has_more(terminal, _HEARD_SECONDS):
        pass


@contextmanager
def _quiet(terminal: FileIO, *, is_hidden: bool) -> Iterator[None]:
    """Throw away what was typed before and after an answer; show nothing of what is typed if it `is_hidden`."""
    before = termios.tcgetattr(terminal)
    during = [*before]
    if is_hidden:
        during[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSAFLUSH, during)
    is_answered = False
    try:
        yield
        is_answered = True
    finally:
        with suppress(OSError, termios.error):
            termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
            if is_hidden or not is_answered:
                # The line with the question was not ended, or what is said next would begin in the middle of it.
                terminal.write(b"\n")


def _closed(problem: Exception) -> BaseException:
    """Return what a closed terminal is answered with. Its signal may come later than the failure to read from it."""
    return Terminated() if problem.args[0] == errno.EIO else problem


def _stopped() -> NoReturn:
    raise KeyboardInterrupt


def somebody(*, no_input: bool, about_pasting: str) -> Person | None:
    """Return the person to ask, or None where nobody can be. `about_pasting` is as in `AtTheTerminal`."""
    if no_input:
        return None
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return None
    return AtTheTerminal(about_pasting)
