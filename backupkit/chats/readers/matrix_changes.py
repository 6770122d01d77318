"""What later events of a Matrix room change about earlier ones: edits, reactions, and messages that were taken back.

They are gathered in a first passage, so that a message is told with all that became of it. What changes nothing that is here, or comes
before what it changes, stays an event of its own: nothing is dropped.
"""

from dataclasses import dataclass
from typing import Any

from backupkit.chats.model import Reaction
from backupkit.chats.records.json_fields import dict_of, milliseconds_to_us, name_of, text_of

_MOST_CHANGES = 200_000
_MOST_BYTES = 32 * 2**20
_EDITED = frozenset({"m.room.message", "m.sticker", "m.poll.start", "org.matrix.msc3381.poll.start"})


@dataclass(frozen=True, slots=True)
class _Change:
    event: str
    sender: str | None
    ts_us: int | None
    content: dict[str, Any] | None = None
    reaction: str | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """A message's content as it became, how it became so, who reacted, and whether it was taken back."""

    content: dict[str, Any]
    earlier: tuple[tuple[int | None, dict[str, Any] | None], ...] = ()
    reactions: tuple[Reaction, ...] = ()
    is_redacted: bool = False


class Changes:
    """The changes in one room. Bounded: what is too much stays events of its own."""

    def __init__(self) -> None:
        self._of: dict[str, list[_Change]] = {}
        self._count = self._bytes = 0
        self._folded: set[str] = set()
        self._own: set[str] = set()

    def saw(self, event: dict[str, Any], size_bytes: int) -> None:
        """Note an event of the first passage, where it changes another."""
        found = _change(event)
        if found is None or self._count >= _MOST_CHANGES or self._bytes + size_bytes > _MOST_BYTES:
            return
        target, change = found
        self._count += 1
        self._bytes += size_bytes
        self._of.setdefault(target, []).append(change)

    def is_told(self, event: dict[str, Any]) -> bool:
        """Say whether an event was told with the message that it changed. If not, it stays one of its own for good."""
        identity = name_of(event.get("event_id")) or ""
        if identity in self._folded:
            return True
        found = _change(event)
        if found is not None and found[0] in self._of:
            self._own.add(identity)
        return False

    def of(self, event: dict[str, Any]) -> Changed:
        """Return what became of an event."""
        # An edit of what is not here has its new words beside those for apps that know no edits.
        content = _new_content(event) or dict_of(event.get("content"))
        sender = name_of(event.get("sender"))
        changes = self._of.pop(name_of(event.get("event_id")) or "", [])
        earlier: list[tuple[int | None, dict[str, Any] | None]] = []
        reactions: list[Reaction] = []
        is_redacted = False
        for change in changes:
            if change.event in self._own:
                continue
            if change.content is not None:
                # Nobody can change what another wrote.
                if change.sender != sender or event.get("type") not in _EDITED:
                    continue
                earlier.append((change.ts_us, content))
                content = change.content
            elif change.reaction is not None:
                reactions.append(Reaction(change.reaction, change.sender))
            else:
                is_redacted = True
            self._folded.add(change.event)
        if not earlier:
            content, earlier = _edited_by_server(event, content, sender)
        return Changed(content, tuple(earlier), tuple(reactions), is_redacted)


def _change(event: dict[str, Any]) -> tuple[str, _Change] | None:
    """Return what an event changes, and how."""
    identity, content = name_of(event.get("event_id")), dict_of(event.get("content"))
    if identity is None:
        return None
    sender, ts_us = name_of(event.get("sender")), milliseconds_to_us(event.get("origin_server_ts"))
    if event.get("type") == "m.room.redaction":
        target = name_of(event.get("redacts")) or name_of(content.get("redacts"))
        return None if target is None else (target, _Change(identity, sender, ts_us))
    relates = dict_of(content.get("m.relates_to"))
    target = name_of(relates.get("event_id"))
    if target is None:
        return None
    new = _new_content(event)
    if new is not None:
        return target, _Change(identity, sender, ts_us, new)
    symbol = text_of(relates.get("key")) if event.get("type") == "m.reaction" else None
    return None if not symbol else (target, _Change(identity, sender, ts_us, reaction=symbol))


def _new_content(event: dict[str, Any]) -> dict[str, Any] | None:
    content = dict_of(event.get("content"))
    new = content.get("m.new_content")
    is_edit = dict_of(content.get("m.relates_to")).get("rel_type") == "m.replace"
    return new if is_edit and isinstance(new, dict) else None


def _last_edit(event: dict[str, Any]) -> dict[str, Any]:
    return dict_of(dict_of(dict_of(event.get("unsigned")).get("m.relations")).get("m.replace"))


def is_lost_in_edit(event: dict[str, Any]) -> bool:
    """Say whether a message has no words because the app had no key for its last edit."""
    return "ciphertext" in dict_of(_last_edit(event).get("content")) and not dict_of(event.get("content")).get("body")


def _edited_by_server(
    event: dict[str, Any], content: dict[str, Any], sender: str | None
) -> tuple[dict[str, Any], list[tuple[int | None, dict[str, Any] | None]]]:
    """Return what the last edit made of an event, where a server has put it beside the event."""
    last = _last_edit(event)
    if not last or (name_of(last.get("sender")) or sender) != sender:
        return content, []
    ts_us, new, shown = milliseconds_to_us(last.get("origin_server_ts")), _new_content(last), content.get("body")
    # The app writes the new words in the place of the old, which are nowhere then. Older servers did the same.
    if not new or not shown or new.get("body") == shown:
        return new or content, [(ts_us, None)]
    return new, [(ts_us, content)]
