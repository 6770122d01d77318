"""Conversations and messages, one shape for every app.

Why each field is there: `docs/explanation/message-model.md`. Values are plain and frozen; a reader builds them once and
nobody checks them again. The raw record is always kept, so that a better reader can derive everything anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from backupkit.errors import Fact


class ConversationKind(Enum):
    """Who can read along."""

    PRIVATE = "private"
    GROUP = "group"
    CHANNEL = "channel"
    SELF = "self"
    BROADCAST = "broadcast"
    UNKNOWN = "unknown"


class Direction(Enum):
    """Which way a message went, seen from the owner of the export."""

    IN = "in"
    OUT = "out"
    SYSTEM = "system"
    UNKNOWN = "unknown"


class Precision(Enum):
    """The finest part of the time that the export holds."""

    MICROSECOND = "us"
    MILLISECOND = "ms"
    SECOND = "s"
    MINUTE = "min"
    DAY = "day"


class MessageKind(Enum):
    """What a message is, whatever its app calls it."""

    TEXT = "text"
    IMAGE = "image"
    VOICE = "voice"
    VIDEO = "video"
    FILE = "file"
    STICKER = "sticker"
    LINK = "link"
    LOCATION = "location"
    CONTACT = "contact"
    CALL = "call"
    PAYMENT = "payment"
    POLL = "poll"
    FORWARD = "forward"
    SYSTEM = "system"
    RECALL = "recall"
    OTHER = "other"


class DeletionState(Enum):
    """What is left of a message that somebody took back. Absence is never seen by a reader, only between snapshots."""

    NONE = "none"
    RECALLED = "recalled"
    TOMBSTONE = "tombstone"


class MediaState(Enum):
    """Whether a media file's bytes are in the source, and if not, why."""

    PRESENT = "present"
    MISSING = "missing"
    OMITTED = "omitted"
    PLACEHOLDER = "placeholder"
    EXPIRED = "expired"
    CORRUPT = "corrupt"


@dataclass(frozen=True, slots=True)
class Locator:
    """Where in the source something lies: the file's name inside it, and `line 7`, `byte 90`, `/messages/3` or `table#rowid`."""

    file: str
    place: str = ""

    def __str__(self) -> str:
        return f"{self.file} {self.place}".rstrip()


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody in a conversation. `id` is the app's own id; a name alone never identifies anybody."""

    id: str | None
    name: str | None
    is_owner: bool = False


@dataclass(frozen=True, slots=True)
class Conversation:
    """A thread of messages.

    `key` is the app's id, or the title where the format has none. A reader may tell the same key again when it learns
    more; the later one holds. `declared_messages` is what the export itself claims to hold.
    """

    key: str
    title: str | None = None
    kind: ConversationKind = ConversationKind.UNKNOWN
    participants: tuple[Participant, ...] = ()
    declared_messages: int | None = None
    locator: Locator | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """A known change of a message. The time and the earlier text are None where the export does not tell them."""

    ts_utc_us: int | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Reaction:
    """Somebody's reaction, or how many gave it where the export names nobody."""

    symbol: str
    sender: str | None = None
    count: int = 1


@dataclass(frozen=True, slots=True)
class Media:
    """A file that belongs to a message. `name` is its name inside the source, or what the export calls it."""

    name: str
    state: MediaState
    role: MessageKind = MessageKind.FILE
    mime: str | None = None
    size_bytes: int | None = None
    declared_digest: str | None = None


UTC_ZONE = "utc"
OFFSET_ZONE = "offset"
UNKNOWN_ZONE = "unknown"


@dataclass(frozen=True, slots=True)
class Message:
    """One message, service lines included.

    `ts_utc_us` is microseconds since 1970 in UTC. Where `ts_zone` is `unknown` the export holds wall time only, and the
    value is that wall time counted as if it were UTC: right for order and days, not for comparing with other clocks.
    `ts_zone` is `utc`, `offset`, `assumed:<zone>` or `unknown`. `text` is what the app would show; `text_raw` is kept
    where it had to be repaired.
    """

    conversation: str
    locator: Locator
    raw: bytes
    ts_utc_us: int | None = None
    ts_precision: Precision = Precision.SECOND
    ts_zone: str = UNKNOWN_ZONE
    ts_raw: str = ""
    native_id: str | None = None
    native_seq: int | None = None
    sender_id: str | None = None
    sender_name: str | None = None
    direction: Direction = Direction.UNKNOWN
    kind: MessageKind = MessageKind.TEXT
    native_kind: str = ""
    text: str = ""
    text_raw: str | None = None
    reply_to: str | None = None
    forward_of: str | None = None
    edits: tuple[Edit, ...] = ()
    deletion: DeletionState = DeletionState.NONE
    reactions: tuple[Reaction, ...] = ()
    media: tuple[Media, ...] = ()
    recovered: bool = False


class Severity(Enum):
    """How much a finding matters: `info` is worth knowing, `warning` wants a look, `error` means something was lost."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about an export that its owner should know; the sentence is `finding.<code>` in the catalogues."""

    code: str
    severity: Severity = Severity.WARNING
    locator: Locator | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)

    @property
    def sentence_facts(self) -> dict[str, Fact]:
        """The facts with `file` and `place` from the locator, as the sentence needs them."""
        file, place = ("", "") if self.locator is None else (self.locator.file, self.locator.place)
        return {"file": file, "place": place, **self.facts}
