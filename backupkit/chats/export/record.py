"""One conversation and one message as plain JSON values, the shape that all forms of export are made of.

`docs/reference/json-output.md` lists the fields; their schemas ship with the program. A time without a zone is written
without one: it is what the phone's clock showed, and nobody knows where.
"""

import json
import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import NotRequired, TypedDict

from backupkit.chats.model import UNKNOWN_ZONE, Conversation, Message, Precision

VERSION = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Person(TypedDict):
    """Who wrote it."""

    id: str | None
    name: str | None


class MediaRecord(TypedDict):
    """A file of a message. `file` is where the export put it, null where it did not."""

    name: str
    state: str
    role: str
    mime: str | None
    size_bytes: int | None
    declared_digest: str | None
    file: str | None


class HistoryRecord(TypedDict):
    """What many exports say of one message: `state` is present, deleted, out-of-scope or app-wiped, by the newest of each source.

    `export` is good while an export is being written only.
    """

    state: str
    first_seen: str
    last_seen: str
    gone_in: str | None
    versions: int
    export: NotRequired[int | None]


class MessageRecord(TypedDict, total=False):
    """One message. `raw`, or `raw_b64` where it is no UTF-8, is the app's own record."""

    type: str
    v: int
    conversation: str
    number: int
    id: str | None
    seq: int | None
    time: str | None
    time_us: int | None
    time_precision: str
    time_zone: str
    time_raw: str
    sender: Person
    direction: str
    kind: str
    native_kind: str
    text: str
    text_raw: str | None
    reply_to: str | None
    forward_of: str | None
    edits: list[dict[str, object]]
    deletion: str
    reactions: list[dict[str, object]]
    media: list[MediaRecord]
    recovered: bool
    file: str
    place: str
    raw: str
    raw_b64: str
    history: HistoryRecord


class ParticipantRecord(TypedDict):
    """Somebody in a conversation."""

    id: str | None
    name: str | None
    is_owner: bool


class ConversationRecord(TypedDict):
    """One conversation. `id` is good inside one export only; `key` is the app's own."""

    type: str
    v: int
    id: str
    key: str
    title: str | None
    kind: str
    app: str | None
    format: str
    source: str
    participants: list[ParticipantRecord]
    declared_messages: int | None
    messages: int
    oldest: str | None
    newest: str | None


def time_text(ts_us: int | None, zone: str, precision: str = Precision.SECOND.value) -> str | None:
    """Write a time as RFC 3339, with `Z` only where the zone is known; None for a time that no calendar has."""
    if ts_us is None:
        return None
    try:
        moment = _EPOCH + timedelta(microseconds=ts_us)
    except OverflowError:
        return None
    if precision == Precision.DAY.value:
        return moment.date().isoformat()
    text = moment.replace(tzinfo=None).isoformat(timespec=_PLACES.get(precision, "seconds"))
    return text if zone == UNKNOWN_ZONE else text + "Z"


# What JSON may hold as it is, but a terminal would obey, and lone surrogates, which have no UTF-8.
_UNSAFE = re.compile("[\x7f-\x9f\u061c\u180e\u200e\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff\ufff9-\ufffb]")


def json_line(record: ConversationRecord | MessageRecord) -> str:
    """Write a record as one line of JSON that is safe to show in a terminal."""
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


_PLACES = {"us": "microseconds", "ms": "milliseconds"}


def message_record(message: Message, conversation: str, *, with_raw: bool) -> MessageRecord:
    """Return a message as JSON values. Where media went is filled in by whoever copies them."""
    precision = message.ts_precision.value
    record: MessageRecord = {
        "type": "message",
        "v": VERSION,
        "conversation": conversation,
        "number": 0,
        "id": message.native_id,
        "seq": message.native_seq,
        "time": time_text(message.ts_utc_us, message.ts_zone, precision),
        "time_us": message.ts_utc_us,
        "time_precision": precision,
        "time_zone": message.ts_zone,
        "time_raw": message.ts_raw,
        "sender": {"id": message.sender_id, "name": message.sender_name},
        "direction": message.direction.value,
        "kind": message.kind.value,
        "native_kind": message.native_kind,
        "text": message.text,
        "text_raw": message.text_raw,
        "reply_to": message.reply_to,
        "forward_of": message.forward_of,
        "edits": [{"time": time_text(edit.ts_utc_us, message.ts_zone), "text": edit.text} for edit in message.edits],
        "deletion": message.deletion.value,
        "reactions": [
            {"symbol": reaction.symbol, "sender": reaction.sender, "count": reaction.count}
            for reaction in message.reactions
        ],
        "media": [
            {
                "name": media.name,
                "state": media.state.value,
                "role": media.role.value,
                "mime": media.mime,
                "size_bytes": media.size_bytes,
                "declared_digest": media.declared_digest,
                "file": None,
            }
            for media in message.media
        ],
        "recovered": message.recovered,
        "file": message.locator.file,
        "place": message.locator.place,
    }
    if with_raw:
        try:
            record["raw"] = message.raw.decode("utf-8")
        except UnicodeDecodeError:
            record["raw_b64"] = b64encode(message.raw).decode("ascii")
    return record


def conversation_record(
    conversation: Conversation, number: str, *, app: str | None, format_name: str, source: str
) -> ConversationRecord:
    """Return a conversation as JSON values; what is counted comes later."""
    return {
        "type": "conversation",
        "v": VERSION,
        "id": number,
        "key": conversation.key,
        "title": conversation.title,
        "kind": conversation.kind.value,
        "app": app,
        "format": format_name,
        "source": source,
        "participants": [
            {"id": one.id, "name": one.name, "is_owner": one.is_owner} for one in conversation.participants
        ],
        "declared_messages": conversation.declared_messages,
        "messages": 0,
        "oldest": None,
        "newest": None,
    }


def title_of(conversation: ConversationRecord) -> str:
    """Return what to call a conversation: its title, the people in it, or its key."""
    if conversation["title"]:
        return conversation["title"]
    names = [one["name"] for one in conversation["participants"] if one["name"] and not one["is_owner"]]
    return ", ".join(names[:5]) or conversation["key"]


def sender_of(message: MessageRecord) -> str:
    """Return who wrote a message, as a person would say it; empty where nobody is named."""
    sender = message["sender"]
    return sender["name"] or sender["id"] or ""


def is_own(message: MessageRecord, owners: frozenset[str]) -> bool:
    """Say whether the owner of the export wrote it, where the export tells."""
    if message["direction"] == "unknown":
        return message["sender"]["id"] in owners
    return message["direction"] == "out"


def owners_of(conversation: ConversationRecord) -> frozenset[str]:
    """Return the ids that the export's owner has in a conversation."""
    return frozenset(one["id"] for one in conversation["participants"] if one["is_owner"] and one["id"])
