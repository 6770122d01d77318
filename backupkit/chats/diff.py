"""What happened to messages between two exports of the same chats.

Nothing is ever taken as deleted lightly: a prefix that vanished is a smaller export, and most conversations gone at once is a
wiped app. Both must stop retention, because the older snapshot is then the only one that holds the messages.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from backupkit.chats.align import align
from backupkit.chats.identity import Identifier
from backupkit.chats.model import DeletionState, Locator, Message, Precision

SHRUNK_SHARE = 0.3
WIPED_SHARE = 0.5
_MINUTE_US = 60_000_000


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
    """One conversation on both sides. `is_shrunk`: its oldest part vanished, as when an export is cut or capped."""

    conversation: str
    old_messages: int
    new_messages: int
    same: int
    changes: tuple[MessageChange, ...]
    is_shrunk: bool

    def count(self, kind: ChangeKind) -> int:
        """Count the changes of a kind."""
        return sum(change.kind is kind for change in self.changes)


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


def see(app: str, messages: Iterable[Message]) -> dict[str, list[Seen]]:
    """Reduce messages of one app to what a comparison needs, by conversation."""
    identifier = Identifier(app)
    seen: dict[str, list[Seen]] = {}
    for message in messages:
        identity = identifier.identify(message)
        seen.setdefault(message.conversation, []).append(
            Seen(
                identity.digest,
                identity.content,
                message.native_id is not None,
                message.sender_id or message.sender_name or "",
                message.ts_utc_us,
                message.ts_precision,
                message.deletion,
                message.locator,
            )
        )
    return seen


def compare(old: dict[str, list[Seen]], new: dict[str, list[Seen]]) -> HistoryChange:
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
    # Some apps export the newest first. Sorting is stable, so what shares a minute keeps its order.
    old, new = sorted(old, key=_when), sorted(new, key=_when)
    has_ids = all(seen.has_native_id for seen in (*old, *new))
    pairs = _match_by_id(old, new) if has_ids else _match_by_order(old, new)
    matched_old = {before for before, _after in pairs}
    matched_new = {after for _before, after in pairs}
    changes = [change for before, after in pairs if (change := _change(old[before], new[after]))]
    absent = [place for place in range(len(old)) if place not in matched_old]
    prefix = _vanished_prefix(len(old), absent, has_new=bool(new))
    for place in absent:
        kind = ChangeKind.OUT_OF_SCOPE if place < prefix else ChangeKind.DELETED
        changes.append(MessageChange(kind, old[place].ts_us, old[place].locator, None))
    changes.extend(
        MessageChange(ChangeKind.NEW, seen.ts_us, None, seen.locator)
        for place, seen in enumerate(new)
        if place not in matched_new
    )
    same = len(pairs) - sum(change.old is not None and change.new is not None for change in changes)
    return ConversationChange(key, len(old), len(new), same, tuple(changes), prefix > 0)


def _when(seen: Seen) -> int:
    return seen.ts_us or 0


def _change(before: Seen, after: Seen) -> MessageChange | None:
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
    pairs = align([(seen.sender, seen.content) for seen in old], [(seen.sender, seen.content) for seen in new])
    changed = []
    before_old, before_new = 0, 0
    for at_old, at_new in [*pairs, (len(old), len(new))]:
        changed.extend(_match_changed(old, new, range(before_old, at_old), range(before_new, at_new)))
        before_old, before_new = at_old + 1, at_new + 1
    return sorted([*pairs, *changed])


def _match_changed(old: Sequence[Seen], new: Sequence[Seen], olds: range, news: range) -> list[tuple[int, int]]:
    matched = []
    start = news.start
    for place in olds:
        for candidate in range(start, min(news.stop, start + 200)):
            if _may_be_edit(old[place], new[candidate]):
                matched.append((place, candidate))
                start = candidate + 1
                break
    return matched


def _may_be_edit(before: Seen, after: Seen) -> bool:
    if before.sender != after.sender or before.ts_us is None or after.ts_us is None:
        return False
    if Precision.MINUTE in {before.precision, after.precision}:
        return before.ts_us // _MINUTE_US == after.ts_us // _MINUTE_US
    return before.ts_us == after.ts_us


def _vanished_prefix(total: int, absent: list[int], *, has_new: bool) -> int:
    """Return how long the vanished beginning is where it is too long for somebody to have deleted it by hand."""
    length = 0
    while length < len(absent) and absent[length] == length:
        length += 1
    return length if has_new and length >= 10 and length >= total * SHRUNK_SHARE else 0
