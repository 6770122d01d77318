"""Skype's export: `messages.json`, in a tar archive or alone. The service is gone, so these files are all there is."""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from backupkit.chats.malformed import MalformedExport
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
from backupkit.chats.readers.skype_words import attributes_of, words_of
from backupkit.chats.reading.json_records import Record, claim_json, elements_of
from backupkit.chats.reading.media_files import role_of_name
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import (
    dict_of,
    int_of,
    iso_to_us,
    list_of,
    milliseconds_to_us,
    name_of,
    text_of,
)
from backupkit.chats.records.json_stream import JsonStream
from backupkit.chats.sources.source import SourceFiles

_NAMED = re.compile(r"<(?:OriginalName|FileSize)\b([^<>]{0,1000})>|<meta\b([^<>]{0,1000})>")
_SIZE = re.compile(r"<FileSize\b([^<>]{0,200})>")
_REFERENCE = re.compile(r"doc_id=[\"']([\w.-]{1,200})[\"']")
_PREFIX = re.compile(r"(?:.*/)?(?:\d{1,3}:)?")
_MOST_PENDING = 10_000
_FIRST_US = 10**15  # of the year 2001, when there was no such app yet
_KINDS = {
    "RichText/UriObject": MessageKind.IMAGE,
    "RichText/Media_GenericFile": MessageKind.FILE,
    "RichText/Media_Video": MessageKind.VIDEO,
    "RichText/Media_AudioMsg": MessageKind.VOICE,
    "RichText/Media_Album": MessageKind.IMAGE,
    "RichText/Media_FlikMsg": MessageKind.VIDEO,
    "RichText/Media_CallRecording": MessageKind.VIDEO,
    "RichText/Media_Card": MessageKind.OTHER,
    "RichText/Html": MessageKind.TEXT,
    "RichText/Sms": MessageKind.TEXT,
    "RichText/Contacts": MessageKind.CONTACT,
    "RichText/Location": MessageKind.LOCATION,
    "Event/Call": MessageKind.CALL,
    "Poll": MessageKind.POLL,
}
_TEXTS = {"Text", "RichText", ""}
_IS_MEDIA = {
    *("RichText/UriObject", "RichText/Media_GenericFile", "RichText/Media_Video", "RichText/Media_AudioMsg"),
    *("RichText/Media_FlikMsg", "RichText/Media_CallRecording"),
}


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
                        yield from _read_conversation(source, stream, name, pointer, owner)
                    else:
                        yield Finding("record-not-understood", Severity.WARNING, Locator(name, pointer))
        stream.finish()


def _read_conversation(
    source: SourceFiles, stream: JsonStream, name: str, pointer: str, owner: str | None
) -> Iterator[Told]:
    facts: dict[str, Any] = {}
    people = People()
    edits = _Edits()
    key = pointer
    is_told = False
    for field in stream.members():
        if field == "MessageList" and stream.peek() == "[":
            key = name_of(facts.get("id")) or pointer
            is_told = True
            yield _conversation(name, pointer, key, facts, people)
            try:
                for found in elements_of(stream, name, f"{pointer}/MessageList"):
                    if isinstance(found, Finding):
                        yield found
                        continue
                    message, is_edit = _message(source, found, key, owner)
                    people.saw(message.sender_id, message.sender_name, is_owner=message.direction is Direction.OUT)
                    if not (is_edit and edits.waits(message)):
                        yield edits.edited(message)
            except MalformedExport:
                yield from edits.left()
                raise
            yield from edits.left()
        else:
            facts[field] = stream.take()
    yield _conversation(name, pointer, key if is_told else name_of(facts.get("id")) or pointer, facts, people)


def _conversation(name: str, pointer: str, key: str, facts: dict[str, Any], people: People) -> Conversation:
    kind = ConversationKind.GROUP if key.startswith("19:") else ConversationKind.PRIVATE
    title = text_of(facts.get("displayName")) or text_of(dict_of(facts.get("threadProperties")).get("topic"))
    return Conversation(key, title, kind, people.participants(), locator=Locator(name, pointer))


class _Edits:
    """The edits that are records of their own. They come before what they change, for the newest record is the first."""

    def __init__(self) -> None:
        self._pending: dict[tuple[str | None, int | None], list[Message]] = {}
        self._count = 0

    def waits(self, edit: Message) -> bool:
        """Keep an edit until its message comes; False where too many wait already."""
        self._count += 1
        if self._count > _MOST_PENDING:
            return False
        self._pending.setdefault((edit.sender_id, edit.ts_utc_us), []).append(edit)
        return True

    def edited(self, message: Message) -> Message:
        """Return a message as it became."""
        return _as_it_became(message, self._pending.pop((message.sender_id, message.ts_utc_us), []))

    def left(self) -> Iterator[Message]:
        """Tell the edits of what is not here."""
        for edits in self._pending.values():
            yield _as_it_became(edits[-1], edits[:-1])
        self._pending.clear()


def _as_it_became(message: Message, newest_first: list[Message]) -> Message:
    for edit in reversed(newest_first):
        changed = Edit(edit.edits[0].ts_utc_us, message.text)
        message = replace(message, text=edit.text, edits=(*message.edits, changed))
    return message


def _is_same(one: str, other: str) -> bool:
    """Say whether two ways of writing are one person's: in old exports an address, in others with or without the network's number."""
    return _PREFIX.sub("", one, count=1) == _PREFIX.sub("", other, count=1)


def _message(source: SourceFiles, record: Record, key: str, owner: str | None) -> tuple[Message, bool]:
    """Return a message, and whether it is an edit of one that is a record of its own."""
    value = record.value
    properties = dict_of(value.get("properties"))
    native_kind = text_of(value.get("messagetype")) or ""
    content = text_of(value.get("content")) or ""
    ts_us, has_zone = iso_to_us(value.get("originalarrivaltime"))
    words = words_of(native_kind, content)
    sender = (name_of(value.get("from")) or "").rpartition("/")[2] or None
    deleted = properties.get("deletetime") is not None
    edited_us = milliseconds_to_us(properties.get("edittime"))
    written_us = milliseconds_to_us(words.edited_ms)
    # What an edit says of the time is when the message was written; its own is when it was changed.
    is_edit = written_us is not None and ts_us is not None and _FIRST_US < written_us < ts_us
    if is_edit:
        ts_us, edited_us = written_us, edited_us or ts_us
    kind = _KINDS.get(native_kind, MessageKind.TEXT if native_kind in _TEXTS else MessageKind.SYSTEM)
    direction = Direction.UNKNOWN
    if kind is MessageKind.SYSTEM:
        direction = Direction.SYSTEM
    elif owner is not None and sender is not None:
        direction = Direction.OUT if _is_same(sender, owner) else Direction.IN
    media = _media(source, value, native_kind, content, kind)
    message = Message(
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
        # What stands in the place of a file are words for apps that show none.
        text="" if media else words.text,
        reply_to=words.answered,
        edits=() if edited_us is None and words.edited_ms is None else (Edit(edited_us),),
        deletion=DeletionState.TOMBSTONE if deleted else DeletionState.NONE,
        reactions=tuple(_reactions(properties.get("emotions"))),
        media=media,
    )
    return message, is_edit


def _media(
    source: SourceFiles, value: dict[str, Any], native_kind: str, content: str, kind: MessageKind
) -> tuple[Media, ...]:
    if native_kind not in _IS_MEDIA:
        return ()
    named = [attributes_of(found[1] or found[2]) for found in _NAMED.finditer(content)]
    shown = next((name for one in named if (name := one.get("v") or one.get("originalName"))), native_kind)
    size = _SIZE.search(content)
    size_bytes = int_of(attributes_of(size[1]).get("v")) if size else None
    if kind is MessageKind.IMAGE:
        kind = role_of_name(shown) if "." in shown else kind
    # The files of an export are called by what the messages refer to, in a folder of their own.
    known = source.keep("skype media", lambda _stack: _files(source))
    references = [name_of(one) for one in list_of(value.get("amsreferences"))] + _REFERENCE.findall(content)[:1]
    found_name = next((known[one] for one in references if one in known), None)
    if found_name is not None:
        state = MediaState.PRESENT if source.size(found_name) else MediaState.CORRUPT
        return (Media(found_name, state, kind, size_bytes=size_bytes),)
    return (Media(shown, MediaState.OMITTED, kind, size_bytes=size_bytes),)


def _files(source: SourceFiles) -> dict[str, str]:
    """Return the files of an export by their names up to the first point."""
    files = [name for name in source.names() if not name.endswith(".json")]
    return {posixpath.basename(name).partition(".")[0]: name for name in files}


def _reactions(value: Any) -> Iterator[Reaction]:
    for emotion in map(dict_of, list_of(value)):
        symbol, users = text_of(emotion.get("key")) or "", list_of(emotion.get("users"))
        for user in map(dict_of, users):
            yield Reaction(symbol, name_of(user.get("mri")))
        if not users:
            yield Reaction(symbol)
