"""Instagram's `messages.json` of before 2021: all conversations in one list, each with its people and its messages."""

from collections.abc import Iterator
from typing import Any

from backupkit.chats.model import (
    OFFSET_ZONE,
    UNKNOWN_ZONE,
    Conversation,
    ConversationKind,
    Finding,
    Locator,
    Media,
    MediaState,
    Message,
    MessageKind,
    Participant,
    Precision,
    Reaction,
    Severity,
)
from backupkit.chats.reading.json_records import Record, elements_of
from backupkit.chats.reading.media_files import find_media, is_link, role_of_name
from backupkit.chats.reading.reader import Told
from backupkit.chats.records.json_fields import dict_of, iso_to_us, list_of, text_of
from backupkit.chats.records.json_stream import JsonStream
from backupkit.chats.sources.source import SourceFiles

_SHARED = ("media_share_url", "story_share", "link", "profile_share_username", "live_video_share", "video_call_action")
_SAID = ("text", "heart", "media_share_caption")
_FILES = ("media", "media_url", "voice_media", "animated_media_images")


def is_inbox(sample: Any) -> bool:
    """Say whether a JSON sample is such a list."""
    threads = [dict_of(one) for one in list_of(sample)]
    return any(_is_thread(thread) for thread in threads) and all(
        {"participants", "conversation"} <= thread.keys() for thread in threads
    )


def _is_thread(thread: dict[str, Any]) -> bool:
    messages = list_of(thread.get("conversation"))
    return bool(messages) and all({"sender", "created_at"} <= dict_of(message).keys() for message in messages)


def read_inbox(source: SourceFiles, name: str) -> Iterator[Told]:
    """Stream the conversations of such a file."""
    with source.open(name) as opened:
        stream = JsonStream(opened, name)
        for number in stream.elements():
            if stream.peek() == "{":
                yield from _read_thread(source, stream, name, number)
            else:
                stream.skip()
                yield Finding("record-not-understood", Severity.WARNING, Locator(name, f"/{number}"))
        stream.finish()


def _read_thread(source: SourceFiles, stream: JsonStream, name: str, number: int) -> Iterator[Told]:
    people: list[str] = []
    key: str | None = None
    for field in stream.members():
        if field == "participants":
            people = [person for one in list_of(stream.take()) if (person := text_of(one))]
        elif field == "conversation" and stream.peek() == "[":
            # Nothing but its people names a conversation; two with the same people are told apart by their place.
            key = ", ".join(people) or f"conversation {number}"
            key = f"{key} ({number})"
            yield _conversation(name, number, key, people)
            for found in elements_of(stream, name, f"/{number}/conversation"):
                yield _message(source, name, found, key) if isinstance(found, Record) else found
        else:
            stream.skip()
    if key is None:
        yield _conversation(name, number, f"{', '.join(people)} ({number})", people)


def _conversation(name: str, number: int, key: str, people: list[str]) -> Conversation:
    kind = ConversationKind.GROUP if len(people) > 2 else ConversationKind.PRIVATE
    everyone = tuple(Participant(None, person) for person in people[:20_000])
    return Conversation(key, ", ".join(people) or None, kind, everyone, locator=Locator(name, f"/{number}"))


def _message(source: SourceFiles, name: str, record: Record, key: str) -> Message:
    value = record.value
    ts_us, has_zone = iso_to_us(value.get("created_at"))
    shared = next((found for field in _SHARED if (found := text_of(value.get(field)))), None)
    media = tuple(
        _media(source, name, reference, field) for field in _FILES if (reference := text_of(value.get(field)))
    )
    kind = (
        MessageKind.TEXT if shared is None else MessageKind.CALL if "video_call_action" in value else MessageKind.LINK
    )
    return Message(
        conversation=key,
        locator=record.locator,
        raw=record.raw,
        ts_utc_us=ts_us,
        ts_precision=Precision.MICROSECOND,
        ts_zone=OFFSET_ZONE if has_zone else UNKNOWN_ZONE,
        ts_raw=text_of(value.get("created_at")) or "",
        sender_name=text_of(value.get("sender")),
        kind=media[0].role if media else kind,
        text="\n".join(_words(value, shared)),
        reactions=tuple(
            Reaction("♥", text_of(like.get("username"))) for like in map(dict_of, list_of(value.get("likes")))
        ),
        media=media,
    )


def _words(value: dict[str, Any], shared: str | None) -> list[str]:
    """Return the lines of a message: what was written, and what was shared with it."""
    lines = [text_of(value.get(field)) for field in _SAID]
    return [line for line in dict.fromkeys([*lines, shared]) if line]


def _media(source: SourceFiles, name: str, reference: str, field: str) -> Media:
    role = MessageKind.VOICE if field == "voice_media" else role_of_name(reference.partition("?")[0])
    if is_link(reference):
        return Media(reference, MediaState.OMITTED, role)
    found, state = find_media(source, name, reference)
    return Media(found, state, role)
