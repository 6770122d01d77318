"""Google Hangouts from Takeout: `Hangouts.json`, every conversation with its events in one file, in two generations.

The service is gone. An event is a message, a call, or somebody who came, left or gave the conversation a name.
"""

from collections.abc import Iterator
from typing import Any

from backupkit.chats.model import (
    UTC_ZONE,
    Conversation,
    ConversationKind,
    Direction,
    Finding,
    Locator,
    Media,
    MediaState,
    Message,
    MessageKind,
    Participant,
    Precision,
    Severity,
)
from backupkit.chats.reading.json_records import Record, claim_json, elements_of
from backupkit.chats.reading.media_files import role_of_name
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import dict_of, int_of, list_of, name_of, text_of, within_time
from backupkit.chats.records.json_stream import JsonStream
from backupkit.chats.sources.source import SourceFiles

_MAX_PEOPLE = 20_000
_LISTS = ("conversations", "conversation_state")


class HangoutsJson:
    """Reads `Hangouts.json`."""

    format = "hangouts-json"
    app = "google-hangouts"
    package = "com.google.android.talk"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for conversations with the ids and events that only Hangouts has."""
        return claim_json(source, _certainty)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the conversations of every claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _certainty(sample: Any) -> int:
    root = dict_of(sample)
    newer = [dict_of(one) for one in list_of(root.get("conversations"))]
    older = [dict_of(dict_of(one).get("conversation_state")) for one in list_of(root.get("conversation_state"))]
    is_newer = any("conversation_id" in dict_of(one.get("conversation")) and "events" in one for one in newer)
    return 95 if is_newer or any("conversation" in one and "event" in one for one in older) else 0


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    with source.open(name) as opened:
        stream = JsonStream(opened, name)
        for key in stream.members():
            if key not in _LISTS or stream.peek() != "[":
                stream.skip()
                continue
            for number in stream.elements():
                pointer = f"/{key}/{number}"
                if stream.peek() == "{":
                    yield from _Reading(name, pointer).read(stream)
                else:
                    stream.skip()
                    yield Finding("record-not-understood", Severity.WARNING, Locator(name, pointer))
        stream.finish()


class _Reading:
    """One conversation while it is read."""

    def __init__(self, file: str, pointer: str) -> None:
        self._file = file
        self._pointer = pointer
        self._key = pointer
        self._about: dict[str, Any] = {}
        self._names: dict[str, str | None] = {}
        self._owner: str | None = None
        self._is_settled = False

    def read(self, stream: JsonStream) -> Iterator[Told]:
        yield from self._members(stream)
        yield self._conversation()

    def _members(self, stream: JsonStream) -> Iterator[Told]:
        for key in stream.members():
            if key in {"events", "event"} and stream.peek() == "[":
                yield self._conversation()
                self._is_settled = True
                for found in elements_of(stream, self._file, f"{self._pointer}/{key}"):
                    yield self._message(found) if isinstance(found, Record) else found
            elif key == "conversation_state" and stream.peek() == "{":
                yield from self._members(stream)
            elif key == "conversation":
                self._take(dict_of(stream.take()))
            else:
                stream.skip()

    def _take(self, about: dict[str, Any]) -> None:
        # The newer generation wraps the facts once more.
        identity = name_of(dict_of(about.get("conversation_id")).get("id")) or name_of(
            dict_of(about.get("id")).get("id")
        )
        self._about = dict_of(about.get("conversation")) or about
        if identity and not self._is_settled:
            self._key = identity
        for person in map(dict_of, list_of(self._about.get("participant_data"))[:_MAX_PEOPLE]):
            number = _person(person.get("id"))
            if number:
                self._names[number] = text_of(person.get("fallback_name"))
        own = dict_of(dict_of(self._about.get("self_conversation_state")).get("self_read_state"))
        self._owner = _person(own.get("participant_id"))

    def _conversation(self) -> Conversation:
        kinds = {"GROUP": ConversationKind.GROUP, "STICKY_ONE_TO_ONE": ConversationKind.PRIVATE}
        others = [name for number, name in self._names.items() if name and number != self._owner]
        title = text_of(self._about.get("name")) or ", ".join(others[:10]) or None
        people = tuple(Participant(number, name, number == self._owner) for number, name in self._names.items())
        kind = kinds.get(text_of(self._about.get("type")) or "", ConversationKind.UNKNOWN)
        return Conversation(self._key, title, kind, people, locator=Locator(self._file, self._pointer))

    def _message(self, record: Record) -> Message:
        value = record.value
        content = dict_of(dict_of(value.get("chat_message")).get("message_content"))
        sender = _person(value.get("sender_id"))
        ts_us = int_of(value.get("timestamp"))
        media = tuple(_media(content))
        native_kind = text_of(value.get("event_type")) or ""
        is_said = "chat_message" in value
        kind = MessageKind.CALL if "hangout_event" in value else MessageKind.SYSTEM
        direction = Direction.UNKNOWN
        if self._owner is not None and sender is not None:
            direction = Direction.OUT if sender == self._owner else Direction.IN
        return Message(
            conversation=self._key,
            locator=record.locator,
            raw=record.raw,
            ts_utc_us=None if ts_us is None else within_time(ts_us),
            ts_precision=Precision.MICROSECOND,
            ts_zone=UTC_ZONE,
            ts_raw=str(value.get("timestamp", "")),
            native_id=name_of(value.get("event_id")),
            sender_id=sender,
            sender_name=self._names.get(sender or ""),
            direction=Direction.SYSTEM if kind is MessageKind.SYSTEM and not is_said else direction,
            kind=(media[0].role if media else MessageKind.TEXT) if is_said else kind,
            native_kind=native_kind,
            text=_text(content) or text_of(dict_of(value.get("conversation_rename")).get("new_name")) or "",
            media=media,
        )


def _person(value: Any) -> str | None:
    return name_of(dict_of(value).get("gaia_id")) or name_of(dict_of(value).get("chat_id"))


def _text(content: dict[str, Any]) -> str:
    parts = []
    for segment in map(dict_of, list_of(content.get("segment"))):
        text = text_of(segment.get("text")) or ""
        parts.append("\n" if segment.get("type") == "LINE_BREAK" and not text.strip(" ") else text)
    return "".join(parts)


def _media(content: dict[str, Any]) -> Iterator[Media]:
    for attachment in map(dict_of, list_of(content.get("attachment"))[:1000]):
        item = dict_of(attachment.get("embed_item"))
        photo = next(
            (
                dict_of(value)
                for key, value in item.items()
                if key.startswith("plus_photo") or key.endswith(".plus_photo")
            ),
            {},
        )
        link = text_of(photo.get("url")) or text_of(dict_of(photo.get("thumbnail")).get("image_url"))
        if link:
            is_video = text_of(photo.get("media_type")) == "VIDEO"
            guessed = role_of_name(link)
            role = MessageKind.VIDEO if is_video else MessageKind.IMAGE if guessed is MessageKind.FILE else guessed
            yield Media(link, MediaState.OMITTED, role)
