"""Which snapshots stay: a pure decision on what is known of each of them.

Snapshots of the same sources by the same writer are one series, in the order of the log. Within a series the newest stays, the
newest verified one stays, and then the newest of so many days, weeks, months and years. A time is a claim. What this
machine has seen itself bounds it, and a snapshot whose time still contradicts the order of the log is kept: it neither goes
nor takes the place of another.
"""

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from backupkit.chats.counting.shrink import Held, shrink_between
from backupkit.ids import SnapshotId

_PERIODS: Final[dict[str, Callable[[datetime], Hashable]]] = {
    "daily": lambda at: at.date(),
    "weekly": lambda at: at.isocalendar()[:2],
    "monthly": lambda at: (at.year, at.month),
    "yearly": lambda at: at.year,
}


@dataclass(frozen=True, slots=True)
class KeepRules:
    """How many snapshots stay in each series: the newest of all, and the newest of so many days, weeks, months and years."""

    last: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether no rule keeps anything."""
        return not (self.last or self.daily or self.weekly or self.monthly or self.yearly)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A snapshot to decide on. `at` is when it counts as taken, `is_whole` whether it lacks nothing and is not damaged.

    `held` is what each of its sources held, in an order that all snapshots of a series share.
    """

    id: SnapshotId
    series: Hashable
    at: datetime
    is_whole: bool
    is_verified: bool
    is_damaged: bool
    held: tuple[Held, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """A snapshot, and the rules that keep it.

    These are newest, verified, last, daily, weekly, monthly, yearly, unfinished, damaged, clock.
    """

    candidate: Candidate
    rules: tuple[str, ...]

    @property
    def stays(self) -> bool:
        """Whether any rule keeps it."""
        return bool(self.rules)


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The newest snapshot that stays of a series holds sharply less of a source than one that would go: `now` and `then`."""

    newest: Candidate
    going: Candidate
    now: Held
    then: Held


def decide(candidates: Sequence[Candidate], rules: KeepRules) -> list[Decision]:
    """Say of every snapshot, in the order of the log, whether it stays, and why."""
    kept: dict[SnapshotId, list[str]] = {one.id: [] for one in candidates}
    series: dict[Hashable, list[Candidate]] = {}
    for one in candidates:
        series.setdefault(one.series, []).append(one)
    for members in series.values():
        for snapshot, rule in _kept_in(members, rules):
            kept[snapshot].append(rule)
    return [Decision(one, tuple(kept[one.id])) for one in candidates]


def _kept_in(series: Sequence[Candidate], rules: KeepRules) -> Iterable[tuple[SnapshotId, str]]:
    whole = [one for one in series if one.is_whole]
    yield (whole or series)[-1].id, "newest"
    yield from ((one.id, "verified") for one in [one for one in series if one.is_verified][-1:])
    # What an interrupted run left is superseded by the next whole snapshot, and only by that.
    after = series.index(whole[-1]) + 1 if whole else 0
    yield from ((one.id, "unfinished") for one in series[after:] if not one.is_damaged)
    # A repair may bring it back, and it may hold what no other does: only its owner lets it go.
    yield from ((one.id, "damaged") for one in series if one.is_damaged)
    in_order = _longest_in_order(whole)
    yield from ((one.id, "clock") for one in whole if one not in in_order)
    newest_first = in_order[::-1]
    yield from ((one.id, "last") for one in newest_first[: rules.last])
    for rule, period_of in _PERIODS.items():
        taken: set[Hashable] = set()
        for one in newest_first:
            period = period_of(one.at)
            if period not in taken and len(taken) < getattr(rules, rule):
                taken.add(period)
                yield one.id, rule


def _longest_in_order(series: Sequence[Candidate]) -> list[Candidate]:
    """Return the longest run, with gaps, in which time does not go backwards: whoever is outside contradicts the many."""
    ends: list[datetime] = []
    last: list[int] = []
    before: list[int | None] = []
    for number, one in enumerate(series):
        length = bisect_right(ends, one.at)
        before.append(last[length - 1] if length else None)
        ends[length : length + 1] = [one.at]
        last[length : length + 1] = [number]
    found = []
    number_or_none = last[-1] if last else None
    while number_or_none is not None:
        found.append(series[number_or_none])
        number_or_none = before[number_or_none]
    return found[::-1]


def shrunk(candidates: Sequence[Candidate], going: Iterable[SnapshotId]) -> Shrunk | None:
    """Return the first snapshot that goes although the newest one that stays of its series holds sharply less."""
    leaving = set(going)
    newest: dict[Hashable, Candidate] = {}
    for one in candidates:
        if one.id not in leaving and (one.is_whole or one.series not in newest):
            newest[one.series] = one
    for one in candidates:
        now = newest.get(one.series)
        if one.id not in leaving or now is None:
            continue
        for held_then, held_now in zip(one.held, now.held, strict=False):
            if _is_sharp(held_then, held_now):
                return Shrunk(now, one, held_now, held_then)
    return None


def _is_sharp(then: Held, now: Held) -> bool:
    # Bytes count by themselves too: pictures can go while every message stays.
    return (shrink_between(then, now) or shrink_between(Held(then.bytes), Held(now.bytes))) is not None


def newest_verified(candidates: Iterable[Candidate]) -> set[SnapshotId]:
    """Return the newest verified snapshot of each series."""
    found = {one.series: one.id for one in candidates if one.is_verified}
    return set(found.values())
