"""An export without the messages that a snapshot is known to hold: what is left is still an export of its format.

Only whole messages are left out, between two others of the same list; whatever stands between lists, and the beginning
that a reader judges the format by, stays.
"""

import io
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

from backupkit.chats.archives.members import Member
from backupkit.chats.losing.ledger import Stretch


@dataclass(frozen=True, slots=True)
class Elision:
    """Bytes of the live file to pass over, and the messages of the saved one that are in them."""

    start: int
    end: int
    first: int
    after: int


@dataclass(frozen=True, slots=True)
class Run:
    """Stretches `first` to `last` of the saved file, found in a row in the live one at `start`."""

    first: int
    last: int
    start: int


def runs_of(live: Iterable[tuple[bytes, int]], places: Mapping[bytes, int], saved: Sequence[Stretch]) -> Iterator[Run]:
    """Find runs of saved stretches among the live ones, which are digest and length."""
    offset = 0
    run: Run | None = None
    for digest, size in live:
        place = places.get(digest)
        if run is not None and run.last + 1 < len(saved) and saved[run.last + 1].digest == digest:
            run = Run(run.first, run.last + 1, run.start)
        else:
            if run is not None:
                yield run
            run = None if place is None else Run(place, place, offset)
        offset += size
    if run is not None:
        yield run


def elisions(saved: Sequence[Stretch], gaps: Sequence[tuple[int, int, int]], runs: Iterable[Run]) -> Iterator[Elision]:
    """Say what of the live file need not be read, in order. The first stretch of every run always is."""
    begins, counts = [0], [0]
    for stretch in saved:
        begins.append(begins[-1] + stretch.size)
        counts.append(counts[-1] + stretch.starts)
    numbers = [number for number, _before, _start in gaps]
    for run in runs:
        inner = [place for place in range(run.first + 1, run.last + 1) if saved[place].starts]
        if not inner:
            continue
        shift = run.start - begins[run.first]
        low, low_at = counts[inner[0]], begins[inner[0]] + saved[inner[0]].first
        high, high_at = counts[inner[-1] + 1] - 1, begins[inner[-1]] + saved[inner[-1]].last
        for at in range(bisect_right(numbers, low), bisect_right(numbers, high)):
            number, before, start = gaps[at]
            if number - 1 > low:
                yield Elision(low_at + shift, before + shift, low, number - 1)
            low, low_at = number, start
        if high > low:
            yield Elision(low_at + shift, high_at + shift, low, high)


def witnesses(saved: Sequence[Stretch], runs: Iterable[Run]) -> Iterator[int]:
    """Say which saved messages must be met again when what is left is read: else it was not read as it was then."""
    counts = [0]
    for stretch in saved:
        counts.append(counts[-1] + stretch.starts)
    for run in runs:
        if run.last > run.first:
            yield from range(counts[run.first], counts[run.first + 1] - 1)


@dataclass(frozen=True, slots=True)
class ElidedMember:
    """A file of a source with stretches left out."""

    whole: Member
    left_out: tuple[Elision, ...]

    @property
    def size_bytes(self) -> int:
        """The length of what is left."""
        return self.whole.size_bytes - sum(one.end - one.start for one in self.left_out)

    def open(self) -> BinaryIO:
        """Open what is left for reading from the start."""
        return cast("BinaryIO", io.BufferedReader(_Elided(self.whole.open(), self.left_out), 1 << 16))


class _Elided(io.RawIOBase):
    def __init__(self, stream: BinaryIO, left_out: Sequence[Elision]) -> None:
        super().__init__()
        self._stream = stream
        self._left_out = list(left_out)[::-1]
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]  # any buffer that is handed in is one
        while self._left_out and self._at >= self._left_out[-1].start:
            self._pass_over(self._left_out.pop().end)
        room = len(buffer)
        if self._left_out:
            room = min(room, self._left_out[-1].start - self._at)
        data = self._stream.read(room)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _pass_over(self, end: int) -> None:
        if self._stream.seekable():
            self._stream.seek(end)
            self._at = end
            return
        while self._at < end and (data := self._stream.read(min(1 << 20, end - self._at))):
            self._at += len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()
