"""Where the resident server's questions are answered: by the guard of the fast program, a few at a time.

Every question gets one answer in bounded time. Too many at once, too slow, or too late while the server is leaving: the
answer is "undecided", and an "allow" that comes after its deadline is thrown away.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple

from backupkit.hooks.asking import decide, places_in
from backupkit.hooks.protocol import DEFAULT_DEADLINE_SECONDS, UNDECIDED_EXIT, undecided_line


class Answer(NamedTuple):
    """The one line of JSON, with its newline, and the exit code in it."""

    line: bytes
    exit_code: int


def undecided(reason: str) -> Answer:
    """The answer of a server that can say nothing else."""
    return Answer(undecided_line(reason), UNDECIDED_EXIT)


class Limits(NamedTuple):
    """How much is worked on at once, and how much may wait for that."""

    at_once: int = 3
    waiting: int = 64


class Counter:
    """One guard, many askers. Lives on one event loop; the work is done in threads, for files are read and flushed."""

    def __init__(self, environment: Mapping[str, str], limits: Limits | None = None) -> None:
        self._places = places_in(environment)
        self._limits = limits or Limits()
        self._threads = ThreadPoolExecutor(self._limits.at_once, thread_name_prefix="question")
        self._in_work = 0
        self._is_leaving = False
        self._idle = asyncio.Event()
        self._idle.set()

    async def ask(self, data: bytes) -> Answer:
        """Answer one question."""
        if self._is_leaving:
            return undecided("server-stopping")
        # A question whose asker went away still counts until its thread is free again: a stuck disk fills the counter,
        # and then the answer is "overloaded" and not silence.
        if self._in_work >= self._limits.at_once + self._limits.waiting:
            return undecided("overloaded")
        loop = asyncio.get_running_loop()
        started = loop.time()
        deadline = started + DEFAULT_DEADLINE_SECONDS
        try:
            async with asyncio.timeout_at(deadline) as limit:

                def move() -> None:
                    # Whoever asked may have been answered, or gone, before the work began.
                    with suppress(RuntimeError):
                        limit.reschedule(deadline)

                def expect_within(seconds: float) -> None:
                    nonlocal deadline
                    if seconds != DEFAULT_DEADLINE_SECONDS:
                        deadline = started + seconds
                        loop.call_soon_threadsafe(move)

                answer = await asyncio.wrap_future(self._start(data, expect_within))
        except TimeoutError:
            return undecided("timed-out")
        except Exception:  # noqa: BLE001 - a guard that crashes must hold, and say so
            return undecided("guard-failed")
        # On a busy machine the work may end before the loop hears that its time is up.
        return answer if loop.time() <= deadline else undecided("timed-out")

    async def leave(self, within: float) -> None:
        """Take no more questions, and wait for those in work."""
        self._is_leaving = True
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), within)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _start(self, data: bytes, expect_within: Callable[[float], None]) -> "Future[Answer]":
        loop = asyncio.get_running_loop()
        future = self._threads.submit(self._decide, data, expect_within)
        self._in_work += 1
        self._idle.clear()
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._is_done))
        return future

    def _is_done(self) -> None:
        self._in_work -= 1
        if not self._in_work:
            self._idle.set()

    def _decide(self, data: bytes, expect_within: Callable[[float], None]) -> Answer:
        return Answer(*decide(data, self._places, expect_within))
