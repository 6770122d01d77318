"""What happened to messages between two exports of the same chats.

Nothing is ever taken as deleted lightly: a beginning, an end or a whole conversation that vanished is a smaller export, and most
of everything gone at once is a wiped app. Both must stop retention, because the older snapshot is then the only one
that holds the messages.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise

from backupkit.chats.history.align import align
from backupkit.chats.history.identity import Identifier
from backupkit.chats.model import UNKNOWN_ZONE, DeletionState, Locator, Message, Precision

SHRUNK_SHARE = 0.3
WIPED_SHARE = 0.5
FEWEST_VANISHED = 10
_MINUTE_US = 60_000_000
_DAY_US = 24 * 60 * _MINUTE_US
_MOST_TRIED = 200


class ChangeKind(Enum):
    """What happened to a message."""

    NEW = "new"
    EDITED = "edited"
    RECALLED = "recalled"
    DELETED = "deleted"
    OUT_OF_SCOPE = "out-of-scope"


@dataclass(frozen=True, slots=True)
class MessageChange:
    """One message that is not the same on both sides; a locator is None on the side where it is absent."""

    kind: ChangeKind
    ts_us: int | None
    old: Locator | None
    new: Locator | None


@dataclass(frozen=True, slots=True)
class ConversationChange:
    """One conversation on both sides. `is_shrunk`: more of it vanished in one piece than somebody deletes by hand."""

    conversation: str
    old_messages: int
    new_messages: int
    same: int
    changes: tuple[MessageChange, ...]
    is_shrunk: bool

    def count(self, kind: ChangeKind) -> int:
        """Count the changes of a kind."""
        return sum(change.kind is kind for change in self.changes)

    @property
    def by_day(self) -> Mapping[int | None, Counter[ChangeKind]]:
        """Count the changes by days since 1970; None is "no time"."""
        days: dict[int | None, Counter[ChangeKind]] = {}
        for change in self.changes:
            day = None if change.ts_us is None else change.ts_us // _DAY_US
            days.setdefault(day, Counter())[change.kind] += 1
        return days


@dataclass(frozen=True, slots=True)
class HistoryChange:
    """All conversations on both sides. `is_wiped`: most of what was there is gone at once."""

    conversations: tuple[ConversationChange, ...]
    is_wiped: bool

    def count(self, kind: ChangeKind) -> int:
        """Count the changes of a kind over all conversations."""
        return sum(conversation.count(kind) for conversation in self.conversations)

    @property
    def suspends_retention(self) -> bool:
        """Whether the older side must be kept because the newer one holds sharply less."""
        return self.is_wiped or any(conversation.is_shrunk for conversation in self.conversations)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a comparison needs of a message: far less than the message."""

    digest: bytes
    content: bytes
    has_native_id: bool
    sender: str
    ts_us: int | None
    precision: Precision
    deletion: DeletionState
    locator: Locator
    is_wall_time: bool = False


def seen_of(identifier: Identifier, message: Message) -> Seen:
    """Reduce one message to what a comparison needs."""
    identity = identifier.identify(message)
    return Seen(
        identity.digest,
        identity.content,
        message.native_id is not None,
        message.sender_id or message.sender_name or "",
        message.ts_utc_us,
        message.ts_precision,
        message.deletion,
        message.locator,
        message.ts_zone == UNKNOWN_ZONE,
    )


def see(app: str, messages: Iterable[Message]) -> dict[str, list[Seen]]:
    """Reduce messages of one app to what a comparison needs, by conversation."""
    identifier = Identifier(app)
    seen: dict[str, list[Seen]] = {}
    for message in messages:
        seen.setdefault(message.conversation, []).append(seen_of(identifier, message))
    return seen


def compare(old: Mapping[str, Sequence[Seen]], new: Mapping[str, Sequence[Seen]]) -> HistoryChange:
    """Tell what happened from `old` to `new`."""
    compared = [_compare_conversation(key, old.get(key, []), new.get(key, [])) for key in dict.fromkeys([*old, *new])]
    before = sum(map(len, old.values()))
    gone = sum(change.count(ChangeKind.DELETED) + change.count(ChangeKind.OUT_OF_SCOPE) for change in compared)
    emptied = sum(1 for key, messages in old.items() if messages and not new.get(key))
    is_wiped = (
        before > 0 and gone > before * WIPED_SHARE and (emptied > len(old) * WIPED_SHARE or not any(new.values()))
    )
    return HistoryChange(tuple(compared), is_wiped)


def _compare_conversation(key: str, old: Sequence[Seen], new: Sequence[Seen]) -> ConversationChange:
    old, new = in_time(old), in_time(new)
    pairs = match(old, new)
    matched_old = {before for before, _after in pairs}
    matched_new = {after for _before, after in pairs}
    changes = [change for before, after in pairs if (change := change_between(old[before], new[after]))]
    same = len(pairs) - len(changes)
    absent = [place for place in range(len(old)) if place not in matched_old]
    vanished = vanished_at_an_end(len(old), absent, has_new=bool(new))
    for place in absent:
        kind = ChangeKind.OUT_OF_SCOPE if place in vanished else ChangeKind.DELETED
        changes.append(MessageChange(kind, old[place].ts_us, old[place].locator, None))
    changes.extend(
        MessageChange(ChangeKind.NEW, seen.ts_us, None, seen.locator)
        for place, seen in enumerate(new)
        if place not in matched_new
    )
    return ConversationChange(key, len(old), len(new), same, tuple(changes), bool(vanished))


def in_time(messages: Sequence[Seen]) -> Sequence[Seen]:
    """Return one conversation's messages oldest first, whichever way the export has them.

    Where times are wall time they are not sorted by it: a clock that was put back would tear the conversation apart,
    while the order in the export is the app's own.
    """
    messages = _once(messages)
    if not any(seen.is_wall_time for seen in messages):
        # Sorting is stable, so what shares a time keeps its order.
        return sorted(messages, key=lambda seen: seen.ts_us or 0)
    times = [seen.ts_us for seen in messages if seen.ts_us is not None]
    falling = sum(one > other for one, other in pairwise(times))
    rising = sum(one < other for one, other in pairwise(times))
    return messages[::-1] if falling > rising else messages


def _once(messages: Sequence[Seen]) -> Sequence[Seen]:
    """Leave out what has the same native id as one before: parts of an export may overlap, or lie there twice."""
    met: set[bytes] = set()
    once = []
    for seen in messages:
        if seen.has_native_id:
            if seen.digest in met:
                continue
            met.add(seen.digest)
        once.append(seen)
    return once


def match(old: Sequence[Seen], new: Sequence[Seen]) -> list[tuple[int, int]]:
    """Return the places of the same messages in two exports of one conversation, both oldest first."""
    if all(seen.has_native_id for seen in (*old, *new)):
        return _match_by_id(old, new)
    return _match_by_order(old, new)


def change_between(before: Seen, after: Seen) -> MessageChange | None:
    """Tell how two versions of one message differ; None where they say the same."""
    if before.content == after.content:
        return None
    if not (before.has_native_id or before.sender or after.sender):
        # A line of the app itself, exported by a phone in another language.
        return None
    was_taken_back = after.deletion is not DeletionState.NONE and before.deletion is DeletionState.NONE
    kind = ChangeKind.RECALLED if was_taken_back else ChangeKind.EDITED
    return MessageChange(kind, after.ts_us, before.locator, after.locator)


def _match_by_id(old: Sequence[Seen], new: Sequence[Seen]) -> list[tuple[int, int]]:
    place_in_new = {seen.digest: place for place, seen in enumerate(new)}
    return [(place, place_in_new[seen.digest]) for place, seen in enumerate(old) if seen.digest in place_in_new]


def _match_by_order(old: Sequence[Seen], new: Sequence[Seen]) -> list[tuple[int, int]]:
    """Match what is said in the same order; then, between two matches, what one person wrote at the same minute."""
    # Minutes are no identity: two phones' exports differ in zone and precision, but not in who said what after what.
    new = _with_names_of(old, new)
    pairs = align([(seen.sender, seen.content) for seen in old], [(seen.sender, seen.content) for seen in new])
    changed = []
    before_old, before_new = 0, 0
    shift = _first_shift(old, new, pairs)
    for at_old, at_new in [*pairs, (len(old), len(new))]:
        changed.extend(_match_changed(old, new, range(before_old, at_old), range(before_new, at_new), shift))
        before_old, before_new = at_old + 1, at_new + 1
        if at_old < len(old):
            shift = _shift(old[at_old], new[at_new], shift)
    return sorted([*pairs, *changed])


def _with_names_of(old: Sequence[Seen], new: Sequence[Seen]) -> Sequence[Seen]:
    """Give people the names that they have in `old`: two phones may keep one person under two names, or call the owner "You"."""
    strangers = {seen.sender for seen in new} - {seen.sender for seen in old}
    missing = {seen.sender for seen in old} - {seen.sender for seen in new}
    if not (strangers - {""} and missing - {""}):
        return new
    votes: dict[str, Counter[str]] = {}
    for at_old, at_new in align([seen.content for seen in old], [seen.content for seen in new]):
        if new[at_new].sender in strangers:
            votes.setdefault(new[at_new].sender, Counter())[old[at_old].sender] += 1
    names = {}
    for stranger, known in votes.items():
        name, count = known.most_common(1)[0]
        if stranger and name in missing and count >= 3 and count >= known.total() * 0.8:
            names[stranger] = name
    if len(set(names.values())) < len(names):
        # Two people under one name: then nobody is renamed.
        return new
    return [replace(seen, sender=names[seen.sender]) if seen.sender in names else seen for seen in new]


def _first_shift(old: Sequence[Seen], new: Sequence[Seen], pairs: list[tuple[int, int]]) -> int:
    return _shift(old[pairs[0][0]], new[pairs[0][1]], 0) if pairs else 0


def _shift(before: Seen, after: Seen, known: int) -> int:
    """Return by how much the other export's clock is ahead here, in whole minutes."""
    if before.ts_us is None or after.ts_us is None:
        return known
    return (after.ts_us // _MINUTE_US - before.ts_us // _MINUTE_US) * _MINUTE_US


def _match_changed(
    old: Sequence[Seen], new: Sequence[Seen], olds: range, news: range, shift: int
) -> list[tuple[int, int]]:
    matched = []
    start = news.start
    for place in olds:
        for candidate in range(start, min(news.stop, start + _MOST_TRIED)):
            if _may_be_edit(old[place], new[candidate], shift):
                matched.append((place, candidate))
                start = candidate + 1
                break
    return matched


def _may_be_edit(before: Seen, after: Seen, shift: int) -> bool:
    if before.sender != after.sender or before.ts_us is None or after.ts_us is None:
        return False
    if shift or Precision.MINUTE in {before.precision, after.precision}:
        return (before.ts_us + shift) // _MINUTE_US == after.ts_us // _MINUTE_US
    return before.ts_us == after.ts_us


def vanished_at_an_end(total: int, absent: list[int], *, has_new: bool) -> frozenset[int]:
    """Return the places of a vanished beginning or end, or of all, where it is too long for somebody to have deleted it by hand."""
    if not has_new:
        return frozenset(absent) if total >= FEWEST_VANISHED else frozenset()
    first = 0
    while first < len(absent) and absent[first] == first:
        first += 1
    last = 0
    while last < len(absent) and absent[-1 - last] == total - 1 - last:
        last += 1
    gone: list[int] = []
    for length, places in ((first, absent[:first]), (last, absent[len(absent) - last :])):
        if length >= FEWEST_VANISHED and length >= total * SHRUNK_SHARE:
            gone += places
    return frozenset(gone)
