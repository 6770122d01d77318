"""What happened to messages between two snapshots, conversation by conversation."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from backupkit.chats.history.diff import ChangeKind, ConversationChange, HistoryChange, Seen, compare, seen_of
from backupkit.chats.history.identity import Identifier
from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Conversation, Finding, Message, Severity
from backupkit.chats.owner_keys import KeysOf, no_keys
from backupkit.chats.readers.registry import read_all
from backupkit.errors import BackupkitError
from backupkit.ids import SnapshotId
from backupkit.ops.chats.chat_facts import chat_finding, export_damaged
from backupkit.ops.chats.snapshot_chats import OpenedChats, open_chats
from backupkit.ops.events import Losses, Notice, Phase, Progress, Tell, tell_nobody
from backupkit.ops.places import Places
from backupkit.ops.restoring.lookup import Chosen, Lookup, open_lookup
from backupkit.ops.unlock import AskSecret


@dataclass(frozen=True, slots=True)
class ConversationDifference:
    """One conversation of one source. `change` has the numbers and every single change."""

    source: str
    app: str
    title: str
    change: ConversationChange


@dataclass(frozen=True, slots=True)
class MessageDifferences:
    """All conversations that are on either side, the ones without a change too.

    `wiped` names sources that lost most of their messages at once, `absent` those that only the first holds: nobody named them
    when the second was taken. `is_damaged`: a part of a side could not be read, so that what seems deleted may only be unread.
    `distrust` says why the log could not be believed.
    """

    first: SnapshotId
    second: SnapshotId
    conversations: tuple[ConversationDifference, ...]
    wiped: tuple[str, ...]
    absent: tuple[str, ...]
    is_damaged: bool
    distrust: BackupkitError | None = None

    def count(self, kind: ChangeKind) -> int:
        """Count the changes of a kind."""
        return sum(one.change.count(kind) for one in self.conversations)

    @property
    def same(self) -> int:
        """Count the messages that say the same on both sides."""
        return sum(one.change.same for one in self.conversations)

    @property
    def is_empty(self) -> bool:
        """Whether nothing happened to any message."""
        return not any(one.change.changes for one in self.conversations)

    @property
    def suspends_retention(self) -> bool:
        """Whether the first must be kept because the second holds sharply less."""
        return bool(self.wiped) or any(one.change.is_shrunk for one in self.conversations)


def diff_messages(
    places: Places,
    first: str,
    second: str,
    *,
    secret: AskSecret,
    tell: Tell = tell_nobody,
    keys: KeysOf = no_keys,
) -> MessageDifferences:
    """Compare the messages of two snapshots.

    Raises:
        NoRepository, SnapshotNotFound: one of them is not there.
        CannotUnlock: the secret opens nothing.
        ChatKeyWrong: a sealed backup is opened by none of its `keys`.
    """
    lookup = open_lookup(places, secret, tell)
    one, other = lookup.choose(first), lookup.choose(second)
    before, after = _Side(Losses(tell), keys), _Side(Losses(tell), keys)
    before.read(lookup, one)
    after.read(lookup, other)
    found: list[ConversationDifference] = []
    wiped = []
    for place in sorted(before.seen.keys() | after.seen.keys()):
        change = compare(before.seen.get(place, {}), after.seen.get(place, {}))
        source, app = place
        titles: Mapping[str, str] = before.titles.get(place, {}) | after.titles.get(place, {})
        found += _of_source(source, app, titles, change)
        # A source that the second snapshot was never asked to hold says nothing about its app.
        if change.is_wiped and source in after.names:
            wiped.append(source)
    absent = dict.fromkeys(source for source, _ in sorted(before.seen) if source not in after.names)
    return MessageDifferences(
        first=one.known.id,
        second=other.known.id,
        conversations=tuple(found),
        wiped=tuple(dict.fromkeys(wiped)),
        absent=tuple(absent),
        is_damaged=before.is_damaged or after.is_damaged,
        distrust=other.distrust or one.distrust,
    )


def _of_source(source: str, app: str, titles: Mapping[str, str], change: HistoryChange) -> list[ConversationDifference]:
    return [
        ConversationDifference(source, app, titles.get(one.conversation, one.conversation), one)
        for one in change.conversations
    ]


@dataclass(slots=True)
class _Side:
    """The messages of one snapshot, by source and app."""

    losses: Losses
    keys: KeysOf
    seen: dict[tuple[str, str], dict[str, list[Seen]]] = field(default_factory=dict)
    titles: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    is_half_open: bool = False

    @property
    def is_damaged(self) -> bool:
        """Whether a part could not be read: what is missing may only be unread."""
        return self.is_half_open or bool(self.losses.found)

    def read(self, lookup: Lookup, chosen: Chosen) -> None:
        tell = self.losses.tell
        self.losses.found += chosen.lost
        loose = [source for _, source in chosen.loose]
        for reader, source in lookup.sources(chosen, chosen.known, tell):
            self.names.add(source.name)
            own = self.keys(source.name)
            if source in loose or (source.chat is not None and (source.chat.messages is not None or own)):
                tell(Progress(Phase.READ))
                try:
                    with open_chats(reader, source, lookup.repository.cache / "scratch", tell, own) as opened:
                        self._read_source(source.name, opened)
                except MalformedExport as error:
                    tell(export_damaged(error))

    def _read_source(self, name: str, opened: OpenedChats) -> None:
        identifiers: dict[str, Identifier] = {}
        if opened.recognised.waits_for_a_key:
            # What only one side was opened of would seem new or deleted.
            self.is_half_open = True
            self.losses.tell(Notice("sealed-left-out", {"name": name}))
        for reader, told in read_all(opened.files, opened.recognised):
            app = reader.app or reader.format
            place = (name, app)
            match told:
                case Message():
                    seen = seen_of(identifiers.setdefault(app, Identifier(app)), told)
                    self.seen.setdefault(place, {}).setdefault(told.conversation, []).append(seen)
                case Conversation():
                    self.seen.setdefault(place, {}).setdefault(told.key, [])
                    if told.title:
                        self.titles.setdefault(place, {})[told.key] = told.title
                case Finding(severity=Severity.ERROR):
                    self.losses.tell(chat_finding(told))
