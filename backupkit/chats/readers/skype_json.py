"""Skype's export: `messages.json`, in a tar archive or alone. The service is gone, so these files are all there is."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

from backupkit.chats.model import (
    OFFSET_ZONE,
    UNKNOWN_ZONE,
    Conversation,
    ConversationKind,
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
    Severity,
)
from backupkit.chats.people import People
from backupkit.chats.reading.json_records import Record, claim_json, elements_of
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import dict_of, iso_to_us, list_of, milliseconds_to_us, name_of, text_of
from backupkit.chats.records.json_stream import JsonStream
from backupkit.chats.sources.source import SourceFiles

_TAG = re.compile(r"<[^<>]{0,2000}>")
_ATTRIBUTE = re.compile(
    r"""(?:originalname|OriginalName)[^>]{0,20}?v?=["']([^"'<>]{1,300})["']|<OriginalName v="([^"]{1,300})\""""
)
_KINDS = {
    "RichText/UriObject": MessageKind.IMAGE,
    "RichText/Media_GenericFile": MessageKind.FILE,
    "RichText/Media_Video": MessageKind.VIDEO,
    "RichText/Media_AudioMsg": MessageKind.VOICE,
    "RichText/Media_Album": MessageKind.IMAGE,
    "RichText/Contacts": MessageKind.CONTACT,
    "RichText/Location": MessageKind.LOCATION,
    "Event/Call": MessageKind.CALL,
    "Poll": MessageKind.POLL,
}
_IS_MEDIA = {"RichText/UriObject", "RichText/Media_GenericFile", "RichText/Media_Video", "RichText/Media_AudioMsg"}


class SkypeJson:
    """Reads the `messages.json` of a Skype export."""

    format = "skype-json"
    app = "skype"
    package = "com.skype.raider"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for a user, conversations and their lists of messages."""
        return claim_json(source, _certainty)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the conversations of every claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _certainty(sample: Any) -> int:
    root = dict_of(sample)
    conversations = root.get("conversations")
    if not isinstance(conversations, list) or "userId" not in root:
        return 0
    return 95 if any("MessageList" in dict_of(one) for one in conversations) else 75 if "exportDate" in root else 0


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    with source.open(name) as opened:
        stream = JsonStream(opened, name)
        owner: str | None = None
        for key in stream.members():
            if key == "userId" and stream.peek() not in {"{", "["}:
                owner = name_of(stream.take())
            elif key == "conversations" and stream.peek() == "[":
                for number in stream.elements():
                    pointer = f"/conversations/{number}"
                    if stream.peek() == "{":
                        yield from _read_conversation(stream, name, pointer, owner)
                    else:
                        yield Finding("record-not-understood", Severity.WARNING, Locator(name, pointer))
        stream.finish()


def _read_conversation(stream: JsonStream, name: str, pointer: str, owner: str | None) -> Iterator[Told]:
    facts: dict[str, Any] = {}
    people = People()
    key = pointer
    is_told = False
    for field in stream.members():
        if field == "MessageList" and stream.peek() == "[":
            key = name_of(facts.get("id")) or pointer
            is_told = True
            yield _conversation(name, pointer, key, facts, people)
            for found in elements_of(stream, name, f"{pointer}/MessageList"):
                if isinstance(found, Finding):
                    yield found
                    continue
                message = _message(found, key, owner)
                people.saw(message.sender_id, message.sender_name, is_owner=message.direction is Direction.OUT)
                yield message
        else:
            facts[field] = stream.take()
    yield _conversation(name, pointer, key if is_told else name_of(facts.get("id")) or pointer, facts, people)


def _conversation(name: str, pointer: str, key: str, facts: dict[str, Any], people: People) -> Conversation:
    kind = ConversationKind.GROUP if key.startswith("19:") else ConversationKind.PRIVATE
    return Conversation(
        key, text_of(facts.get("displayName")), kind, people.participants(), locator=Locator(name, pointer)
    )


def _message(record: Record, key: str, owner: str | None) -> Message:
    value = record.value
    properties = dict_of(value.get("properties"))
    native_kind = text_of(value.get("messagetype")) or ""
    content = text_of(value.get("content")) or ""
    ts_us, has_zone = iso_to_us(value.get("originalarrivaltime"))
    sender = name_of(value.get("from"))
    deleted = properties.get("deletetime") is not None
    edited = name_of(properties.get("edittime"))
    kind = _KINDS.get(native_kind, MessageKind.TEXT if native_kind in {"Text", "RichText", ""} else MessageKind.SYSTEM)
    direction = Direction.UNKNOWN
    if kind is MessageKind.SYSTEM:
        direction = Direction.SYSTEM
    elif owner is not None and sender is not None:
        direction = Direction.OUT if sender in {owner, f"8:{owner}"} else Direction.IN
    return Message(
        conversation=key,
        locator=record.locator,
        raw=record.raw,
        ts_utc_us=ts_us,
        ts_precision=Precision.MILLISECOND,
        ts_zone=OFFSET_ZONE if has_zone else UNKNOWN_ZONE,
        ts_raw=text_of(value.get("originalarrivaltime")) or "",
        native_id=name_of(value.get("id")),
        sender_id=sender,
        sender_name=text_of(value.get("displayName")),
        direction=direction,
        kind=MessageKind.RECALL if deleted else kind,
        native_kind=native_kind,
        text=unescape(_TAG.sub("", content)) if native_kind.startswith("RichText") else content,
        edits=() if edited is None else (Edit(milliseconds_to_us(edited)),),
        deletion=DeletionState.TOMBSTONE if deleted else DeletionState.NONE,
        reactions=tuple(_reactions(properties.get("emotions"))),
        media=_media(native_kind, content, kind),
    )


def _media(native_kind: str, content: str, kind: MessageKind) -> tuple[Media, ...]:
    if native_kind not in _IS_MEDIA:
        return ()
    match = _ATTRIBUTE.search(content)
    shown = (match.group(1) or match.group(2)) if match else native_kind
    # The media lie in other archives of the same export, under names that this file does not tell.
    return (Media(shown, MediaState.OMITTED, kind),)


def _reactions(value: Any) -> Iterator[Reaction]:
    for emotion in map(dict_of, list_of(value)):
        users = list_of(emotion.get("users"))
        yield Reaction(text_of(emotion.get("key")) or "", count=len(users) or 1)
