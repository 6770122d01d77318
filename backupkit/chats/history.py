"""Many exports of one conversation, of different days, phones and languages, as one history.

Nothing that any export holds is ever left out: what a later one lacks is marked, not removed. What somebody said twice in
a minute stays two messages, and one message in ten exports stays one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from backupkit.chats.diff import Seen, change_between, in_time, match
from backupkit.chats.model import DeletionState


@dataclass(slots=True)
class Remembered:
    """One message of a history. `versions` are what the exports say of it, by the number of the export, unchanged ones left out."""

    versions: list[tuple[int, Seen]]
    first: int
    last: int

    @property
    def newest(self) -> Seen:
        """What the last export that holds it says."""
        return self.versions[-1][1]

    @property
    def is_recalled(self) -> bool:
        """Whether somebody took it back; the versions before still have its words."""
        return self.newest.deletion is not DeletionState.NONE


@dataclass(slots=True)
class ConversationHistory:
    """One conversation over several exports, oldest message first. `exports` is how many were added."""

    messages: list[Remembered] = field(default_factory=list)
    exports: int = 0

    def add(self, export: Sequence[Seen]) -> None:
        """Add the next export of the conversation."""
        export = in_time(export)
        known = [remembered.newest for remembered in self.messages]
        pairs = match(known, export)
        matched = {at_new for _at_old, at_new in pairs}
        number = self.exports
        found: list[Remembered] = []
        old_at = new_at = 0
        for at_old, at_new in [*sorted(pairs), (len(known), len(export))]:
            # What only the older exports hold stays before what only this one holds: both came after the same message.
            found.extend(self.messages[old_at:at_old])
            # With ids two exports may order what shares a time differently, so that a later one is matched already.
            found.extend(
                Remembered([(number, export[place])], number, number)
                for place in range(new_at, at_new)
                if place not in matched
            )
            old_at, new_at = at_old + 1, max(at_new + 1, new_at)
            if at_old < len(known):
                remembered = self.messages[at_old]
                remembered.last = number
                if change_between(remembered.newest, export[at_new]) is not None:
                    remembered.versions.append((number, export[at_new]))
                found.append(remembered)
        self.messages = found
        self.exports += 1

    def absent(self) -> list[Remembered]:
        """Return the messages that the last export no longer holds."""
        return [remembered for remembered in self.messages if remembered.last < self.exports - 1]


def merge(exports: Sequence[Sequence[Seen]]) -> ConversationHistory:
    """Make one history of several exports of one conversation, the earliest export first."""
    history = ConversationHistory()
    for export in exports:
        history.add(export)
    return history
