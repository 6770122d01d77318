"""Asking a person, at the terminal and nowhere else.

Questions go to the terminal itself, not to the standard streams, so that pipes and redirections stay clean. Where
there is no terminal, or `--no-input` was given, nobody is asked and the caller fails with a typed error.
"""

import errno
import getpass
import locale
import os
from contextlib import suppress
from typing import NoReturn, Protocol

from backupkit.cli.stopping import Terminated
from backupkit.text import printable


class Person(Protocol):
    """Somebody who can be asked."""

    def secret(self, question: str) -> str:
        """Ask for something that is not shown while it is typed."""
        ...

    def line(self, question: str) -> str:
        """Ask for a line of text."""
        ...


class AtTheTerminal:
    """The person at the controlling terminal. End of input counts as Ctrl-C, and a terminal that was closed as its signal."""

    def secret(self, question: str) -> str:
        """Ask for something that is not shown while it is typed."""
        try:
            return getpass.getpass(printable(question) + " ")
        except EOFError:
            _end_line()
            raise KeyboardInterrupt from None
        except KeyboardInterrupt:
            _end_line()
            raise
        except OSError as problem:
            raise _closed(problem) from None

    def line(self, question: str) -> str:
        """Ask for a line of text."""
        with open("/dev/tty", "r+b", buffering=0) as terminal:  # noqa: PTH123  -- a device, unbuffered
            # A terminal that was set to GBK sends and shows GBK.
            encoding = locale.getpreferredencoding(do_setlocale=False)
            terminal.write((printable(question) + " ").encode(encoding, "replace"))
            typed = b""
            try:
                while not typed.endswith(b"\n"):
                    typed += terminal.read(1024) or _stopped()
            except KeyboardInterrupt:
                _end_line()
                raise
            except OSError as problem:
                raise _closed(problem) from None
        return typed.decode(encoding, "replace").strip()


def _closed(problem: OSError) -> BaseException:
    """Return what a closed terminal is answered with. Its signal may come later than the failure to read from it."""
    return Terminated() if problem.errno == errno.EIO else problem


def _stopped() -> NoReturn:
    raise KeyboardInterrupt


def _end_line() -> None:
    """Leave the line with the question, or what is said next begins in the middle of it."""
    with suppress(OSError), open("/dev/tty", "wb", buffering=0) as terminal:  # noqa: PTH123  -- a device, unbuffered
        terminal.write(b"\n")


def somebody(*, no_input: bool) -> Person | None:
    """Return the person to ask, or None where nobody can be."""
    if no_input:
        return None
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return None
    return AtTheTerminal()
