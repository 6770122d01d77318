"""Whether a source holds sharply less than it did, judged by counts alone.

Then the older snapshot may be the only one that still has the messages: it is pinned, and nothing may be dropped by
retention until the messages are back or the owner says that they are meant to be gone. What cannot be compared counts as less.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

SHRUNK_SHARE = 0.3
WIPED_SHARE = 0.9
FEWEST_MESSAGES = 10
FEWEST_BYTES = 1 << 20


class ShrinkKind(Enum):
    """How much less: part of it, or nearly all, as after a reinstall."""

    SHRUNK = "shrunk"
    WIPED = "wiped"


@dataclass(frozen=True, slots=True)
class Held:
    """What one snapshot holds of a source. Counts are None where the source does not tell them, as sealed ones do.

    `waits_for_a_key`: it was not counted because its owner's key was not there, which says nothing of what is in it.
    """

    bytes: int
    messages: int | None = None
    conversations: int | None = None
    waits_for_a_key: bool = False


@dataclass(frozen=True, slots=True)
class Shrink:
    """A source that shrank: the best that was there, and what is there now."""

    kind: ShrinkKind
    before: Held
    after: Held


def shrink_between(before: Held, after: Held) -> Shrink | None:
    """Judge two snapshots of one source; None where the later one does not hold sharply less."""
    if before.messages is not None and after.messages is not None:
        kind = _judge(before.messages, after.messages, FEWEST_MESSAGES)
        if kind is ShrinkKind.SHRUNK and _judge(before.conversations or 0, after.conversations or 0, 3) is not None:
            # Conversations that all go at once are no housekeeping either, but the numbers of messages decide how bad it is.
            kind = ShrinkKind.WIPED if after.messages * 2 < before.messages else kind
    elif before.messages is not None and before.messages >= FEWEST_MESSAGES and not after.waits_for_a_key:
        # Messages could be counted and now cannot: another format, a sealed file, or nothing at all.
        kind = _judge(before.bytes, after.bytes, 1) or ShrinkKind.SHRUNK
    else:
        kind = _judge(before.bytes, after.bytes, FEWEST_BYTES)
    return None if kind is None else Shrink(kind, before, after)


def _judge(before: int, after: int, fewest: int) -> ShrinkKind | None:
    lost = before - after
    if lost < fewest or lost < before * SHRUNK_SHARE:
        return None
    return ShrinkKind.WIPED if lost >= before * WIPED_SHARE else ShrinkKind.SHRUNK


@dataclass(frozen=True, slots=True)
class ShrinkJudgement:
    """A whole history of a source. `pinned` are places in it that must be kept; `open` is the shrink that lasts, if one does."""

    pinned: tuple[int, ...]
    open: Shrink | None

    @property
    def suspends_retention(self) -> bool:
        """Whether nothing of this source may be dropped now."""
        return self.open is not None


def judge_history(history: Sequence[Held]) -> ShrinkJudgement:
    """Judge all snapshots of one source, oldest first.

    Each is compared with the best before it, so that many small steps add up. The last good one before a shrink stays
    pinned until a later one holds about as much again.
    """
    pinned: list[int] = []
    best = good = -1
    last: Shrink | None = None
    for place, held in enumerate(history):
        last = None if best < 0 else shrink_between(history[best], held)
        if last is None:
            if best < 0 or _size(held) >= _size(history[best]):
                best = place
            good = place
            pinned = [kept for kept in pinned if shrink_between(history[kept], held) is not None]
        elif good not in pinned:
            pinned.append(good)
    return ShrinkJudgement(tuple(pinned), last)


def _size(held: Held) -> tuple[int, int]:
    return (-1 if held.messages is None else held.messages, held.bytes)
