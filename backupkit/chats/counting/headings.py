"""Where a heading between two chats of one file may be missing.

Some exports name a chat once, above its messages. A stretch that was taken out with such a heading in it leaves a file that is whole by all
its signs, and the second chat's messages stand in the first. What shows it: the clock goes back by days, or somebody is replaced by
another, and of all who speak before the place at most one, the owner, speaks after it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from backupkit.chats.model import Conversation, ConversationKind, Direction, Finding, Locator, Message, Severity

NAMED_ONCE = frozenset({"qq-text", "qq-mht", "skype-json", "telegram-json", "whatsapp-exporter"})
"""The formats that name a chat above its messages, in a file with others."""

_DAY_US = 86_400_000_000
_OWNER = ""
_MOST_PEOPLE = 1000
_MOST_FOUND = 1000
_LEAST_SAID = 3
_PEOPLE_OF_TWO_CHATS = 3


@dataclass(slots=True)
class _Presence:
    """When somebody spoke in a chat, by the number of the message."""

    first: int
    last: int
    place: Locator
    said: int = 1


@dataclass(slots=True)
class _Chat:
    kind: ConversationKind = ConversationKind.UNKNOWN
    messages: int = 0
    last_us: int | None = None
    jumps: list[tuple[int, Locator]] = field(default_factory=list)
    people: dict[str, _Presence] = field(default_factory=dict)


class LostHeadings:
    """Looks at the messages of formats that name a chat once, and remembers the people of one chat at a time."""

    def __init__(self) -> None:
        self._key = ("", "", "")
        self._chat = _Chat()
        self._found: list[Finding] = []

    def conversation(self, format_name: str, told: Conversation) -> None:
        """Note what kind a chat is."""
        if format_name in NAMED_ONCE and told.locator is not None:
            self._turn_to((format_name, told.locator.file, told.key))
            self._chat.kind = told.kind

    def message(self, format_name: str, message: Message) -> None:
        """Look at the next message."""
        if format_name not in NAMED_ONCE:
            return
        self._turn_to((format_name, message.locator.file, message.conversation))
        chat = self._chat
        chat.messages += 1
        ts_us = message.ts_utc_us
        if ts_us is not None:
            if chat.last_us is not None and ts_us <= chat.last_us - _DAY_US and len(chat.jumps) < _PEOPLE_OF_TWO_CHATS:
                chat.jumps.append((chat.messages, message.locator))
            chat.last_us = ts_us
        who = message.sender_id or message.sender_name or (_OWNER if message.direction is Direction.OUT else None)
        if who is None or message.direction is Direction.SYSTEM:
            return
        known = chat.people.get(who)
        if known is not None:
            known.last, known.said = chat.messages, known.said + 1
        elif len(chat.people) < _MOST_PEOPLE:
            chat.people[who] = _Presence(chat.messages, chat.messages, message.locator)

    def findings(self) -> Iterator[Finding]:
        """Tell the places, once everything was seen."""
        self._turn_to(("", "", ""))
        yield from self._found

    def _turn_to(self, key: tuple[str, str, str]) -> None:
        if key == self._key:
            return
        place = _behind_a_jump(self._chat) or _behind_a_person(self._chat)
        if place is not None and len(self._found) < _MOST_FOUND:
            self._found.append(Finding("chats-run-together", Severity.WARNING, place, {"conversation": self._key[2]}))
        self._key, self._chat = key, _Chat()


def _behind_a_jump(chat: _Chat) -> Locator | None:
    if len(chat.jumps) != 1:
        return None
    number, place = chat.jumps[0]
    before = {who for who, seen in chat.people.items() if seen.first < number}
    after = {who for who, seen in chat.people.items() if seen.last >= number}
    both = before & after
    return place if len(both) <= 1 and before - both and after - both else None


def _behind_a_person(chat: _Chat) -> Locator | None:
    """Look for a chat of two in which the other one is replaced for good."""
    if chat.kind in {ConversationKind.GROUP, ConversationKind.CHANNEL} or len(chat.people) != _PEOPLE_OF_TWO_CHATS:
        return None
    seen = sorted(chat.people.values(), key=lambda presence: presence.first)
    newest = seen[-1]
    replaced = [one for one in seen[:-1] if one.last < newest.first]
    is_sure = all(one.said >= _LEAST_SAID for one in seen)
    return newest.place if len(replaced) == 1 and is_sure else None
