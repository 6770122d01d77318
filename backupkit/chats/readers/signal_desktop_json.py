"""Signal's messages as sigtop writes them to JSON: a list of what Signal Desktop keeps of each, a file for each conversation."""

import posixpath
import re
from collections.abc import Iterator
from typing import Any

from backupkit.chats.model import (
    UTC_ZONE,
    Conversation,
    DeletionState,
    Direction,
    Edit,
    Finding,
    Locator,
    Media,
    MediaState,
    Message,
    MessageKind,
    Precision,
    Reaction,
)
from backupkit.chats.people import People
from backupkit.chats.reading.json_records import Record, claim_json, records_in
from backupkit.chats.reading.media_files import role_of_name
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import dict_of, int_of, list_of, milliseconds_to_us, name_of, text_of
from backupkit.chats.sources.source import SourceFiles

_DIRECTIONS = {"incoming": Direction.IN, "outgoing": Direction.OUT}
_ADDRESS = re.compile(r" \((?:\+?\d{5,16}|[0-9a-fA-F-]{8,40}|group)\)$")


class SignalDesktopJson:
    """Reads sigtop's JSON."""

    format = "signal-desktop-json"
    app = "signal"
    package = "org.thoughtcrime.securesms"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for a list of messages with the fields of Signal Desktop."""
        return claim_json(source, _certainty)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream one conversation for each claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _certainty(sample: Any) -> int:
    messages = [dict_of(message) for message in list_of(sample)]
    is_signals = all({"id", "conversationId", "type"} <= one.keys() for one in messages)
    is_timed = any({"sent_at", "received_at"} & one.keys() for one in messages)
    return 90 if messages and is_signals and is_timed else 0


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    title = _ADDRESS.sub("", posixpath.splitext(posixpath.basename(name))[0])
    people: dict[str, People] = {}
    for found in records_in(source, name, None):
        if isinstance(found, Finding):
            yield found
        elif isinstance(found, Record):
            message = _message(found)
            if message.conversation not in people and len(people) < 10_000:
                people[message.conversation] = People()
                yield Conversation(message.conversation, title, locator=Locator(name))
            if message.conversation in people and message.direction is not Direction.SYSTEM:
                is_own = message.direction is Direction.OUT
                people[message.conversation].saw(message.sender_id, None, is_owner=is_own)
            yield message
    for key, known in people.items():
        yield Conversation(key, title, participants=known.participants(), locator=Locator(name))


def _message(record: Record) -> Message:
    value = record.value
    native_kind = text_of(value.get("type")) or ""
    direction = _DIRECTIONS.get(native_kind, Direction.SYSTEM)
    media = tuple(_media(value))
    is_deleted = value.get("deletedForEveryone") is True
    kind = media[0].role if media else MessageKind.STICKER if value.get("sticker") else MessageKind.TEXT
    if direction is Direction.SYSTEM:
        kind = MessageKind.CALL if native_kind == "call-history" else MessageKind.SYSTEM
    ts_us = milliseconds_to_us(value.get("sent_at")) or milliseconds_to_us(value.get("timestamp"))
    sender = next(
        (found for field in ("sourceServiceId", "sourceUuid", "source") if (found := name_of(value.get(field)))), None
    )
    return Message(
        conversation=name_of(value.get("conversationId")) or "unknown",
        locator=record.locator,
        raw=record.raw,
        ts_utc_us=ts_us or milliseconds_to_us(value.get("received_at_ms")),
        ts_precision=Precision.MILLISECOND,
        ts_zone=UTC_ZONE,
        ts_raw=str(value.get("sent_at") or value.get("timestamp") or ""),
        native_id=name_of(value.get("id")),
        sender_id=sender,
        direction=direction,
        kind=MessageKind.RECALL if is_deleted else kind,
        native_kind=native_kind,
        text=text_of(value.get("body")) or "",
        reply_to=name_of(dict_of(value.get("quote")).get("id")),
        edits=tuple(
            Edit(milliseconds_to_us(dict_of(one).get("timestamp"))) for one in list_of(value.get("editHistory"))[:1000]
        ),
        deletion=DeletionState.TOMBSTONE if is_deleted else DeletionState.NONE,
        reactions=tuple(
            Reaction(text_of(one.get("emoji")) or "", name_of(one.get("fromId")))
            for one in map(dict_of, list_of(value.get("reactions"))[:1000])
        ),
        media=media,
    )


def _media(value: dict[str, Any]) -> Iterator[Media]:
    for item in map(dict_of, list_of(value.get("attachments"))[:1000]):
        mime = text_of(item.get("contentType"))
        shown = text_of(item.get("fileName")) or mime or "attachment"
        family = (mime or "").partition("/")[0]
        guessed = {"image": MessageKind.IMAGE, "video": MessageKind.VIDEO, "audio": MessageKind.VOICE}.get(family)
        yield Media(shown, MediaState.OMITTED, guessed or role_of_name(shown), mime, int_of(item.get("size")))
