"""Reading what a person or a program hands over: a file, a pipe or a device, never more than was asked for, never for ever."""

import errno
import os
import select
import time
from pathlib import Path

SECONDS = 120
"""How long a pipe or a device may take. Whoever fills it may have to ask somebody first."""


def open_handed(path: Path) -> int:
    """Open a file for reading and return its descriptor. A pipe that nobody fills is opened too, instead of waited for.

    Raises:
        OSError: it cannot be opened.
    """
    flags = ("O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY", "O_BINARY")
    return os.open(path, os.O_RDONLY | sum(getattr(os, name, 0) for name in flags))


def read_handed(descriptor: int, most: int) -> bytes:
    """Read to the end, or to `most` bytes.

    Raises:
        OSError: it cannot be read.
        TimeoutError: it did not come to its end in time.
    """
    # As soon as one writer came and went a pipe has an end; before that it has none.
    end, met = time.monotonic() + SECONDS, b""
    while len(met) < most:
        _wait(descriptor, end)
        try:
            read = os.read(descriptor, most - len(met))
        except BlockingIOError:
            # Somebody else was quicker.
            continue
        if not read:
            break
        met += read
    return met


def _wait(descriptor: int, end: float) -> None:
    if not hasattr(select, "poll"):
        return
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    if not waiting.poll(max(end - time.monotonic(), 0) * 1000):
        raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
