"""Many exports of one conversation, of different days, phones and languages, as one history.

Nothing that any export holds is ever left out: what a later one lacks is marked, not removed. What somebody said twice in
a minute stays two messages, and one message in ten exports stays one. A message is gone when no source that had it has it
any more: another phone that never had it says nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from backupkit.chats.history.diff import ChangeKind, Seen, change_between, in_time, match, vanished_at_an_end
from backupkit.chats.model import DeletionState


@dataclass(frozen=True, slots=True)
class Gone:
    """How a message went from a source, and with which export."""

    kind: ChangeKind
    source: int
    export: int


@dataclass(slots=True)
class Remembered:
    """One message of a history. `versions` are what the exports say of it, by the number of the export, unchanged ones left out.

    `held` are the sources that have or had it, each with the last of its exports that does; `gone` those that lost it.
    """

    versions: list[tuple[int, Seen]]
    first: int
    last: int
    held: dict[int, int] = field(default_factory=dict)
    gone: dict[int, Gone] = field(default_factory=dict)

    @property
    def newest(self) -> Seen:
        """What the last export that holds it says."""
        return self.versions[-1][1]

    @property
    def is_recalled(self) -> bool:
        """Whether somebody took it back; the versions before still have its words."""
        return self.newest.deletion is not DeletionState.NONE

    @property
    def fate(self) -> Gone | None:
        """How it went from the last source that had it; None where one still has it."""
        if self.held.keys() - self.gone.keys():
            return None
        return max(self.gone.values(), key=lambda gone: gone.export, default=None)


@dataclass(frozen=True, slots=True)
class Overlap:
    """What two exports of a conversation say of the time that both cover: what is in both, and what only one of them has."""

    shared: int
    only_before: int
    only_now: int


@dataclass(slots=True)
class ConversationHistory:
    """One conversation over several exports, oldest message first. `exports` is how many were added."""

    messages: list[Remembered] = field(default_factory=list)
    exports: int = 0

    def add(
        self, export: Sequence[Seen], *, source: int = 0, number: int | None = None, is_whole: bool = True
    ) -> Overlap:
        """Add the next export of the conversation, and tell how it agrees with what was known.

        `number` is what the export is called, one more than the last by default. What an export lacks that is not whole
        is not gone.
        """
        number = self.exports if number is None else number
        export = in_time(export)
        known = [remembered.newest for remembered in self.messages]
        pairs = sorted(match(known, export))
        matched = {at_new for _at_old, at_new in pairs}
        if is_whole:
            self._note_absent({at_old for at_old, _at_new in pairs}, source, number, has_new=bool(export))
        overlap = self._overlap(pairs, source)
        found: list[Remembered] = []
        old_at = new_at = 0
        for at_old, at_new in [*pairs, (len(known), len(export))]:
            # What only the older exports hold stays before what only this one holds: both came after the same message.
            found.extend(self.messages[old_at:at_old])
            # With ids two exports may order what shares a time differently, so that a later one is matched already.
            found.extend(
                Remembered([(number, export[place])], number, number, {source: number})
                for place in range(new_at, at_new)
                if place not in matched
            )
            old_at, new_at = at_old + 1, max(at_new + 1, new_at)
            if at_old < len(known):
                remembered = self.messages[at_old]
                remembered.last = remembered.held[source] = number
                remembered.gone.pop(source, None)
                if change_between(remembered.newest, export[at_new]) is not None:
                    remembered.versions.append((number, export[at_new]))
                found.append(remembered)
        self.messages = found
        self.exports = max(self.exports, number) + 1
        return overlap

    def _note_absent(self, matched: set[int], source: int, number: int, *, has_new: bool) -> None:
        """Mark what the source had and has no more: deleted one by one, or left out in one piece."""
        held = [place for place, one in enumerate(self.messages) if source in one.held and source not in one.gone]
        absent = [at for at, place in enumerate(held) if place not in matched]
        vanished = vanished_at_an_end(len(held), absent, has_new=has_new)
        for at in absent:
            kind = ChangeKind.OUT_OF_SCOPE if at in vanished else ChangeKind.DELETED
            self.messages[held[at]].gone[source] = Gone(kind, source, number)

    def _overlap(self, pairs: list[tuple[int, int]], source: int) -> Overlap:
        if not pairs:
            return Overlap(0, 0, 0)
        # What a source had and lost was marked above; what another one has and this one lacks is a contradiction.
        between = self.messages[pairs[0][0] : pairs[-1][0] + 1]
        others = sum(1 for one in between if source not in one.held) - sum(
            1 for place, _ in pairs if source not in self.messages[place].held
        )
        news = [at_new for _at_old, at_new in pairs]
        return Overlap(len(pairs), max(others, 0), max(news) - min(news) + 1 - len(pairs))

    def absent(self) -> list[Remembered]:
        """Return the messages that the last export no longer holds."""
        return [remembered for remembered in self.messages if remembered.last < self.exports - 1]


def merge(exports: Sequence[Sequence[Seen]]) -> ConversationHistory:
    """Make one history of several exports of one conversation, the earliest export first."""
    history = ConversationHistory()
    for export in exports:
        history.add(export)
    return history
