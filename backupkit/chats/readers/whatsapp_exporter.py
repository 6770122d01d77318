"""WhatsApp chats as WhatsApp Chat Exporter writes them to JSON: all chats in one file, one file for each, or in the shape of Telegram's export.

The tool reads the app's database, so times are UTC and messages keep the app's own number. In Telegram's shape they have another,
and nothing tells a picture's path from words.
"""

import html
import json
import re
from collections.abc import Iterator
from typing import Any

from backupkit.chats.malformed import MalformedExport, TruncatedExport
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
    Precision,
    Reaction,
    Severity,
)
from backupkit.chats.people import People
from backupkit.chats.readers.whatsapp_exporter_signs import is_in_telegrams_shape
from backupkit.chats.reading.json_records import Record, claim_json, facts_around, records_in
from backupkit.chats.reading.media_files import find_media_above
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import dict_of, name_of, seconds_to_us, text_of, within_time
from backupkit.chats.records.json_stream import JsonStream
from backupkit.chats.sources.source import SourceFiles
from backupkit.chats.texts.html_pieces import pieces_of

_CALLS = "000000000000000"
_DELETED, _NO_MEDIA = "Message deleted", "The media is missing"
_LINE_END = re.compile(r" ?<br>")
_TAG = re.compile(r"<[^<>]{1,4000}>")
_ROLES = {"image": MessageKind.IMAGE, "video": MessageKind.VIDEO, "audio": MessageKind.VOICE}
_MOST_REACTIONS = 10_000
_MARK = re.compile(rb'"(?P<key>[^"\\]{1,200})":\s{0,40}(?P<value>\{\s{0,40}"(?P<first>from_me|name)":)')
_FACT = re.compile(rb'"(name|media_base)":\s{0,40}("(?:[^"\\]|\\.){0,1000}")')
_LONGEST_HEAD = 1 << 14
_DECODER = json.JSONDecoder()


class WhatsAppExporter:
    """Reads what WhatsApp Chat Exporter writes to JSON."""

    format = "whatsapp-exporter"
    app = "whatsapp"
    package = "com.whatsapp"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for chats by their number, each with its messages by theirs; or for Telegram's shape with what only this tool writes in it."""
        return claim_json(source, _certainty)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the chats of every claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _certainty(sample: Any) -> int:
    if is_in_telegrams_shape(sample):
        return 95
    chats = [dict_of(chat) for chat in dict_of(sample).values()]
    messages = [dict_of(one) for chat in chats for one in dict_of(chat.get("messages")).values()]
    is_known = any({"from_me", "timestamp", "key_id"} <= message.keys() for message in messages)
    return 95 if is_known and all("name" in chat and "messages" in chat for chat in chats[:-1]) else 0


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    if is_in_telegrams_shape(source.json_sample(name)):
        yield from _read_telegrams_shape(source, name)
        return
    messages = 0
    try:
        for told in _read_chats(source, name):
            messages += isinstance(told, Message)
            yield told
    except TruncatedExport:
        raise
    except MalformedExport:
        yield from _read_behind(source, name, messages)
        raise


def _read_chats(source: SourceFiles, name: str) -> Iterator[Told]:
    with source.open(name) as opened:
        stream = JsonStream(opened, name)
        for chat in stream.members():
            if stream.peek() == "{":
                yield from _read_chat(source, name, stream, chat)
            else:
                stream.skip()
        stream.finish()


def _read_behind(source: SourceFiles, name: str, messages: int) -> Iterator[Told]:
    """Read on behind a damage, where the tool's own first fields show that a chat or a message begins. The first `messages` are known already."""
    chat, facts, number = name, dict[str, Any](), 0
    with source.open(name) as stream:
        for piece in pieces_of(stream, name, _MARK):
            found = _MARK.match(piece.data)
            if found is None:
                continue
            if found["first"] == b"name":
                chat, facts = found["key"].decode("utf-8", "replace"), _facts_in(piece.data)
                title = text_of(facts.get("name"))
                yield Conversation(chat, title, _kind_of_chat(chat), locator=Locator(name, f"byte {piece.offset}"))
                continue
            number += 1
            if number <= messages:
                continue
            locator = Locator(name, f"byte {piece.offset}")
            text = piece.data[found.start("value") :].decode("utf-8", "surrogateescape")
            try:
                value, end = _DECODER.raw_decode(text)
            except (ValueError, RecursionError):
                yield Finding("record-not-understood", Severity.WARNING, locator)
                continue
            if text[end:].strip(" \r\n\t,}"):
                yield Finding("record-not-understood", Severity.WARNING, locator)
                continue
            raw = text[:end].encode("utf-8", "surrogateescape")
            yield _message(source, Record(value, raw, locator), chat, facts)


def _facts_in(data: bytes) -> dict[str, Any]:
    """Return the name of a chat and the folder of its media, from the fields above its messages."""
    facts = {}
    for key, value in _FACT.findall(data[:_LONGEST_HEAD]):
        try:
            facts[key.decode()] = json.loads(value)
        except ValueError:
            continue
    return facts


def _read_chat(source: SourceFiles, name: str, stream: JsonStream, chat: str) -> Iterator[Told]:
    facts: dict[str, Any] = {}
    people = People()
    pointer = f"/{chat}/messages"
    yield Conversation(chat, None, _kind_of_chat(chat), locator=Locator(name, pointer))
    for key in stream.members():
        if key != "messages" or stream.peek() != "{":
            facts[key] = stream.take_small()
            continue
        for number in stream.members():
            value, raw = stream.take_raw()
            locator = Locator(name, f"{pointer}/{number}")
            if not isinstance(value, dict):
                yield Finding("record-not-understood", Severity.WARNING, locator)
                continue
            message = _message(source, Record(value, raw, locator), chat, facts)
            people.saw(message.sender_id, message.sender_name, is_owner=message.direction is Direction.OUT)
            yield message
    title = text_of(facts.get("name"))
    yield Conversation(chat, title, _kind_of_chat(chat), people.participants(), locator=Locator(name, pointer))


def _kind_of_chat(chat: str) -> ConversationKind:
    if chat.endswith("@g.us"):
        return ConversationKind.GROUP
    if chat.endswith("@broadcast"):
        return ConversationKind.BROADCAST
    return ConversationKind.UNKNOWN if chat == _CALLS else ConversationKind.PRIVATE


def _message(source: SourceFiles, record: Record, chat: str, facts: dict[str, Any]) -> Message:
    value = record.value
    data = text_of(value.get("data")) or ""
    caption = text_of(value.get("caption"))
    media = _media(source, record.locator.file, value, data, facts)
    kind, deletion = _kind(chat, value, data, media)
    is_own = value.get("from_me") is True
    sender = name_of(value.get("sender"))
    side = Direction.OUT if is_own else Direction.IN
    is_other_side = (
        not (is_own or sender or kind is MessageKind.SYSTEM) and _kind_of_chat(chat) is ConversationKind.PRIVATE
    )
    key = name_of(value.get("key_id"))
    ts_us, is_exact = _time(value.get("timestamp"))
    return Message(
        conversation=chat,
        locator=record.locator,
        raw=record.raw,
        ts_utc_us=ts_us,
        ts_precision=Precision.MILLISECOND if is_exact else Precision.SECOND,
        ts_zone=UTC_ZONE,
        ts_raw=str(value.get("timestamp", "")),
        native_id=key,
        sender_id=chat if is_other_side else None,
        sender_name=text_of(facts.get("name")) if is_other_side else None if kind is MessageKind.SYSTEM else sender,
        direction=Direction.SYSTEM if kind is MessageKind.SYSTEM else side,
        kind=kind,
        native_kind=name_of(value.get("message_type")) or "",
        text=_words(caption or "")
        if media and not _is_card(value)
        else _words(data, has_tags=value.get("safe") is True or _is_card(value)),
        reply_to=name_of(value.get("reply")),
        deletion=deletion,
        reactions=tuple(
            Reaction(symbol, person)
            for person, symbol in list(dict_of(value.get("reactions")).items())[:_MOST_REACTIONS]
            if isinstance(symbol, str) and symbol
        ),
        media=media,
    )


def _time(value: Any) -> tuple[int | None, bool]:
    """Return microseconds of a time in seconds, and whether it tells milliseconds."""
    if isinstance(value, float) and 0 < value < 10**11:
        return within_time(round(value * 1000) * 1000), not value.is_integer()
    return seconds_to_us(value), False


def _words(data: str, *, has_tags: bool = False) -> str:
    """Undo how the tool writes the end of a line, and take its own tags off where the words are its own."""
    text = _LINE_END.sub("\n", data)
    return html.unescape(_TAG.sub("", text)) if has_tags else text


def _is_card(value: dict[str, Any]) -> bool:
    return value.get("mime") == "text/x-vcard"


def _media(
    source: SourceFiles, file: str, value: dict[str, Any], data: str, facts: dict[str, Any]
) -> tuple[Media, ...]:
    mime = text_of(value.get("mime"))
    if _is_card(value):
        return (Media(_words(data, has_tags=True).rpartition("\n")[2], MediaState.OMITTED, MessageKind.CONTACT, mime),)
    if value.get("media") is not True:
        return ()
    if data == _NO_MEDIA:
        return (Media(data, MediaState.MISSING, MessageKind.OTHER),)
    name, state = find_media_above(source, file, (text_of(facts.get("media_base")) or "") + data)
    role = MessageKind.STICKER if value.get("sticker") is True else _ROLES.get((mime or "").partition("/")[0])
    return (Media(name, state, role or MessageKind.FILE, mime),)


def _kind(chat: str, value: dict[str, Any], data: str, media: tuple[Media, ...]) -> tuple[MessageKind, DeletionState]:
    if media:
        return media[0].role, DeletionState.NONE
    if value.get("meta") is not True:
        return MessageKind.TEXT if data else MessageKind.OTHER, DeletionState.NONE
    if data == _DELETED:
        return MessageKind.RECALL, DeletionState.RECALLED
    if data.startswith("Location shared: "):
        return MessageKind.LOCATION, DeletionState.NONE
    return MessageKind.CALL if chat == _CALLS else MessageKind.SYSTEM, DeletionState.NONE


def _read_telegrams_shape(source: SourceFiles, name: str) -> Iterator[Told]:
    facts = facts_around(source, name, "messages")
    # The list of calls and that of states have no number.
    number = name_of(facts.get("id"))
    key = name if number in {None, "0"} else str(number)
    kinds = {"personal_chat": ConversationKind.PRIVATE, "private_group": ConversationKind.GROUP}
    kind = kinds.get(text_of(facts.get("type")) or "", ConversationKind.UNKNOWN)
    people = People()
    title = text_of(facts.get("name"))
    yield Conversation(key, title, kind, locator=Locator(name))
    for found in records_in(source, name, "messages"):
        if isinstance(found, Finding):
            yield found
        elif isinstance(found, Record):
            message = _shaped(found, key, title if kind is ConversationKind.PRIVATE else None)
            people.saw(message.sender_id, message.sender_name, is_owner=message.direction is Direction.OUT)
            yield message
    yield Conversation(key, title, kind, people.participants(), locator=Locator(name))


def _shaped(record: Record, key: str, title: str | None) -> Message:
    value = record.value
    sender = (text_of(value.get("from_id")) or "").removeprefix("user")
    is_own = sender == "00000"
    is_by_chat = sender == key
    name = title if is_by_chat else text_of(value.get("from"))
    data = text_of(value.get("text")) or ""
    is_deleted = data == _DELETED
    return Message(
        conversation=key,
        locator=record.locator,
        raw=record.raw,
        ts_utc_us=seconds_to_us(value.get("date_unixtime")),
        ts_precision=Precision.SECOND,
        ts_zone=UTC_ZONE,
        ts_raw=str(value.get("date_unixtime", "")),
        native_id=name_of(value.get("id")),
        sender_id=sender if sender.isdecimal() and not is_own and (title or not is_by_chat) else None,
        sender_name=None if is_own else name,
        direction=Direction.OUT if is_own else Direction.IN,
        kind=MessageKind.RECALL if is_deleted else MessageKind.TEXT,
        text=_words(data),
        reply_to=name_of(value.get("reply_to_message_id")),
        deletion=DeletionState.RECALLED if is_deleted else DeletionState.NONE,
    )
