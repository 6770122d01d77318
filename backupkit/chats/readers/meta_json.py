"""The JSON downloads of Facebook Messenger and Instagram, and Messenger's end-to-end encrypted chats.

The ordinary download writes the bytes of UTF-8 as if each were a Latin-1 character. That is undone only where the round
trip is exact, and the raw record is kept. Messages have no ids and come newest first, in pages `message_N.json`.
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from backupkit.chats.model import (
    UTC_ZONE,
    Conversation,
    ConversationKind,
    DeletionState,
    Direction,
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
from backupkit.chats.readers.instagram_inbox import is_inbox, read_inbox
from backupkit.chats.reading.json_records import Record, claim_json, facts_around, records_in
from backupkit.chats.reading.media_files import find_media_above, is_link, role_of_name
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import dict_of, list_of, milliseconds_to_us, text_of
from backupkit.chats.sources.source import SourceFiles

_PAGE = re.compile(r"message_(\d+)\.(?:json|html)$")
_LOOKED_AT = 1 << 20
# What only Instagram writes: where its files lie, and whose post was shared.
_INSTAGRAMS = (b"your_instagram_activity/", b'"original_content_owner"', b'"profile_share_username"')
_MEDIA_FIELDS = {
    "photos": MessageKind.IMAGE,
    "videos": MessageKind.VIDEO,
    "audio_files": MessageKind.VOICE,
    "gifs": MessageKind.IMAGE,
    "files": MessageKind.FILE,
}
# What is shared is told in words, link and name. The app itself says no more than that something was sent.
_SHARED = ("share_text", "profile_share_name", "profile_share_username", "original_content_owner", "link")
_KINDS = {
    "Call": MessageKind.CALL,
    "Payment": MessageKind.PAYMENT,
    "Subscribe": MessageKind.SYSTEM,
    "Unsubscribe": MessageKind.SYSTEM,
}


@dataclass(frozen=True, slots=True)
class MetaJson:
    """Reads the messages of one of Meta's apps. Where nothing in the file tells which app, `app` is None."""

    format: str
    app: str | None
    package: str | None

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for senders and milliseconds as Meta writes them, and for what tells the app."""
        claims = claim_json(source, _certainty).claims
        return Recognition({name: sure for name, sure in claims.items() if _app_of(source, name) == self.app})

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the threads of all claimed pages."""
        yield from missing_pages(recognition.files)
        yield from read_each(recognition.files, lambda name: _read_file(source, name))


READERS = (
    MetaJson("facebook-json", "messenger", "com.facebook.orca"),
    MetaJson("instagram-json", "instagram", "com.instagram.android"),
    MetaJson("meta-json", None, None),
)


def _certainty(sample: Any) -> int:
    if is_inbox(sample):
        return 90
    root = dict_of(sample)
    messages = [dict_of(message) for message in list_of(root.get("messages"))]
    first = messages[0] if messages else {}
    # Who deleted their account may be nobody at all.
    if any({"sender_name", "timestamp_ms"} <= message.keys() for message in messages):
        return 95 if "participants" in root else 85
    is_sealed_chat = {"senderName", "timestamp"} <= first.keys() and "threadName" in root
    if is_sealed_chat:
        return 95
    if {"participants", "threadName", "messages"} <= root.keys() and not first:
        return 80
    # A thread whose messages were all deleted still has its people and its path.
    return 80 if {"participants", "messages", "thread_path"} <= root.keys() else 0


def _app_of(source: SourceFiles, name: str) -> str | None:
    root = dict_of(source.json_sample(name))
    if not root:
        return "instagram"
    if "threadName" in root:
        return "messenger"
    shown = f"{source.label}/{name}\n" + "\n".join(_links(root.get("messages")))
    if "instagram" in shown or (
        "facebook" not in shown and any(map(source.head(name, _LOOKED_AT).__contains__, _INSTAGRAMS))
    ):
        return "instagram"
    if "facebook" in shown or "thread_path" in root:
        # Instagram's own threads say so in their paths, so a thread without that word is Messenger's.
        return "messenger"
    return None


def _links(messages: Any) -> Iterator[str]:
    for message in map(dict_of, list_of(messages)):
        for field in (*_MEDIA_FIELDS, "sticker", "share"):
            value = message.get(field)
            for item in map(dict_of, list_of(value) or [value]):
                yield text_of(item.get("uri")) or ""


def repaired(text: Any) -> str | None:
    """Undo UTF-8 that was written as Latin-1, only where the round trip is exact."""
    if not isinstance(text, str):
        return None
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def missing_pages(names: tuple[str, ...]) -> Iterator[Finding]:
    """Tell which pages of a thread are not there, by the numbers in the names of those that are."""
    pages: dict[str, set[int]] = {}
    for name in names:
        match = _PAGE.search(posixpath.basename(name))
        if match and len(match.group(1)) < 7:
            pages.setdefault(posixpath.dirname(name), set()).add(int(match.group(1)))
    for folder, present in pages.items():
        absent = max(present) - len(present)
        if absent > 0 and len(names) > 1:
            first = next(number for number in range(1, max(present)) if number not in present)
            yield Finding(
                "shard-missing",
                Severity.ERROR,
                Locator(folder),
                {"name": f"message_{first}{posixpath.splitext(names[0])[1]}", "count": absent},
            )


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    return read_inbox(source, name) if is_inbox(source.json_sample(name)) else _read_page(source, name)


def _read_page(source: SourceFiles, name: str) -> Iterator[Told]:
    facts = facts_around(source, name, "messages")
    key = (
        repaired(facts.get("thread_path")) or repaired(facts.get("threadName")) or repaired(facts.get("title")) or name
    )
    people = tuple(_people(facts.get("participants")))
    yield Conversation(
        key,
        repaired(facts.get("title")) or repaired(facts.get("threadName")),
        ConversationKind.PRIVATE
        if len(people) == 2
        else ConversationKind.GROUP
        if people
        else ConversationKind.UNKNOWN,
        people,
        locator=Locator(name),
    )
    for found in records_in(source, name, "messages"):
        if isinstance(found, Finding):
            yield found
        elif isinstance(found, Record):
            yield (
                _sealed_chat(source, name, found, key)
                if "senderName" in found.value
                else _message(source, name, found, key)
            )


def _people(value: Any) -> Iterator[Participant]:
    for person in list_of(value):
        name = repaired(person) or repaired(dict_of(person).get("name"))
        if name:
            yield Participant(None, name)


def _message(source: SourceFiles, name: str, record: Record, key: str) -> Message:
    value = record.value
    content = text_of(value.get("content"))
    text = "\n".join(_words(value))
    media = tuple(_media(source, name, value))
    is_unsent = value.get("is_unsent") is True
    kind = _KINDS.get(text_of(value.get("type")) or "", media[0].role if media else MessageKind.TEXT)
    if "call_duration" in value:
        kind = MessageKind.CALL
    if "share" in value and not media and kind is MessageKind.TEXT:
        kind = MessageKind.LINK
    return Message(
        conversation=key,
        locator=record.locator,
        raw=record.raw,
        ts_utc_us=milliseconds_to_us(value.get("timestamp_ms")),
        ts_precision=Precision.MILLISECOND,
        ts_zone=UTC_ZONE,
        ts_raw=str(value.get("timestamp_ms", "")),
        sender_name=repaired(value.get("sender_name")) or None,
        direction=Direction.SYSTEM if kind is MessageKind.SYSTEM else Direction.UNKNOWN,
        kind=MessageKind.RECALL if is_unsent else kind,
        native_kind=text_of(value.get("type")) or "",
        text=text,
        text_raw=content if content != repaired(content) else None,
        deletion=DeletionState.RECALLED if is_unsent else DeletionState.NONE,
        reactions=tuple(_reactions(value.get("reactions"))),
        media=media,
    )


def _words(value: dict[str, Any]) -> list[str]:
    """Return the lines of a message: what was written, and what was shared with it that is not in there already."""
    bumped = dict_of(value.get("bumped_message_metadata")).get("bumped_message")
    share = dict_of(value.get("share"))
    lines: list[str] = []
    for line in (repaired(value.get("content")) or repaired(bumped), *(repaired(share.get(key)) for key in _SHARED)):
        if line and not any(line in before for before in lines):
            lines.append(line)
    return lines


def _sealed_chat(source: SourceFiles, name: str, record: Record, key: str) -> Message:
    value = record.value
    items = [text_of(dict_of(item).get("uri")) for item in list_of(value.get("media"))]
    media = tuple(_one_file(source, name, uri, role_of_name(uri)) for uri in items if uri)
    is_unsent = value.get("isUnsent") is True
    written = text_of(value.get("text"))
    text = repaired(written) or ""
    return Message(
        conversation=key,
        locator=record.locator,
        raw=record.raw,
        ts_utc_us=milliseconds_to_us(value.get("timestamp")),
        ts_precision=Precision.MILLISECOND,
        ts_zone=UTC_ZONE,
        ts_raw=str(value.get("timestamp", "")),
        sender_name=repaired(value.get("senderName")) or None,
        kind=MessageKind.RECALL if is_unsent else media[0].role if media else MessageKind.TEXT,
        native_kind=text_of(value.get("type")) or "",
        text=text,
        text_raw=written if written and written != text else None,
        deletion=DeletionState.RECALLED if is_unsent else DeletionState.NONE,
        reactions=tuple(_reactions(value.get("reactions"))),
        media=media,
    )


def _media(source: SourceFiles, name: str, value: dict[str, Any]) -> Iterator[Media]:
    for field, role in _MEDIA_FIELDS.items():
        for item in list_of(value.get(field)):
            uri = repaired(dict_of(item).get("uri"))
            if uri:
                yield _one_file(source, name, uri, role)
    sticker = repaired(dict_of(value.get("sticker")).get("uri"))
    if sticker:
        yield _one_file(source, name, sticker, MessageKind.STICKER)


def _one_file(source: SourceFiles, name: str, uri: str, role: MessageKind) -> Media:
    if is_link(uri):
        return Media(uri, MediaState.OMITTED, role)
    found, state = find_media_above(source, name, uri)
    return Media(found, state, role)


def _reactions(value: Any) -> Iterator[Reaction]:
    for reaction in map(dict_of, list_of(value)):
        yield Reaction(repaired(reaction.get("reaction")) or "", repaired(reaction.get("actor")))
