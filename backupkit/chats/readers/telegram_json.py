"""Telegram Desktop's JSON export: one chat, or a whole account.

Times come from `date_unixtime`, because `date` moves with the zone of the computer that exported. A media file that
was left out is a sentence in parentheses where its path should be.
"""

from collections.abc import Iterator
from typing import Any

from backupkit.chats.model import (
    UNKNOWN_ZONE,
    UTC_ZONE,
    Conversation,
    ConversationKind,
    Direction,
    Edit,
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
from backupkit.chats.readers.telegram_words import words_of
from backupkit.chats.readers.whatsapp_exporter_signs import is_in_telegrams_shape
from backupkit.chats.reading.media_files import find_media
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import dict_of, int_of, iso_to_us, list_of, name_of, seconds_to_us, text_of
from backupkit.chats.records.json_stream import JsonStream
from backupkit.chats.sequence import SequenceGaps
from backupkit.chats.sources.source import Content, SourceFiles

_KINDS = {
    "saved_messages": ConversationKind.SELF,
    "replies": ConversationKind.PRIVATE,
    "verification_codes": ConversationKind.PRIVATE,
    "personal_chat": ConversationKind.PRIVATE,
    "bot_chat": ConversationKind.PRIVATE,
    "private_group": ConversationKind.GROUP,
    "private_supergroup": ConversationKind.GROUP,
    "public_supergroup": ConversationKind.GROUP,
    "private_channel": ConversationKind.CHANNEL,
    "public_channel": ConversationKind.CHANNEL,
}
# Only here are message ids counted per chat; private chats share one counter for the whole account.
_OWN_COUNTER = {"private_supergroup", "public_supergroup", "private_channel", "public_channel"}
_MEDIA_TYPES = {
    "sticker": MessageKind.STICKER,
    "animation": MessageKind.VIDEO,
    "video_file": MessageKind.VIDEO,
    "video_message": MessageKind.VIDEO,
    "voice_message": MessageKind.VOICE,
    "audio_file": MessageKind.FILE,
}
_SIGNS = {"paid": "⭐"}
_MOST_NAMED = 1000
_CALLS = {"phone_call", "group_call", "conference_call"}
_MAX_PARTICIPANTS = 20_000


class TelegramJson:
    """Reads `result.json` of Telegram Desktop."""

    format = "telegram-json"
    app = "telegram"
    package = "org.telegram.messenger"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the list of messages as Telegram writes them, at the root or under `chats.list`."""
        scores = {name: _certainty(source.json_sample(name)) for name in source.of(Content.JSON)}
        return Recognition({name: score for name, score in scores.items() if score})

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the chats of every claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def is_telegram_json(source: SourceFiles, name: str) -> bool:
    """Say whether a file is such an export."""
    return _certainty(source.json_sample(name)) > 0


def _certainty(sample: Any) -> int:
    if is_in_telegrams_shape(sample):
        return 0
    root = dict_of(sample)
    lists = [dict_of(root.get(key)).get("list") for key in ("chats", "left_chats")]
    if any(isinstance(chats, list) for chats in lists):
        chats = [chat for chats in lists for chat in list_of(chats)]
        if not chats:
            return 80 if "personal_information" in root or "about" in root else 0
        return max(_chat_certainty(dict_of(chat)) for chat in chats)
    return _chat_certainty(root)


def _chat_certainty(chat: dict[str, Any]) -> int:
    messages = chat.get("messages")
    if not isinstance(messages, list):
        return 0
    is_named = text_of(chat.get("type")) in _KINDS
    if not messages:
        return 80 if is_named and "id" in chat else 0
    return max(_message_certainty(dict_of(message), is_named=is_named) for message in messages)


def _message_certainty(message: dict[str, Any], *, is_named: bool) -> int:
    kind = text_of(message.get("type"))
    if kind == "unsupported":
        # All that older programs wrote of what they did not know.
        return 80 if is_named and int_of(message.get("id")) is not None else 0
    if kind not in {"message", "service"}:
        return 0
    has_unix_time = int_of(message.get("date_unixtime")) is not None
    has_text = isinstance(message.get("text"), str | list) or "rich_message" in message
    if has_unix_time and (has_text or "action" in message):
        return 95
    has_origin = "from_id" in message or "actor_id" in message or "from" in message
    return 85 if has_text and has_origin and (is_named or iso_to_us(message.get("date"))[0] is not None) else 0


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    with source.open(name) as opened:
        stream = JsonStream(opened, name)
        owner: str | None = None
        single = _ChatReading(source, name, "")
        for key in stream.members():
            if key == "personal_information":
                number = int_of(dict_of(stream.take()).get("user_id"))
                owner = None if number is None else f"user{number}"
            elif key in {"chats", "left_chats"} and stream.peek() == "{":
                yield from _read_chats(source, name, stream, key, owner)
            else:
                yield from single.take_key(key, stream)
        yield from single.finish()
        stream.finish()


def _read_chats(source: SourceFiles, name: str, stream: JsonStream, key: str, owner: str | None) -> Iterator[Told]:
    for inner in stream.members():
        if inner != "list" or stream.peek() != "[":
            continue
        for number in stream.elements():
            pointer = f"/{key}/list/{number}"
            if stream.peek() != "{":
                yield Finding("record-not-understood", Severity.WARNING, Locator(name, pointer))
                continue
            chat = _ChatReading(source, name, pointer, owner)
            for field in stream.members():
                yield from chat.take_key(field, stream)
            yield from chat.finish()


class _ChatReading:
    """One chat while it is read."""

    def __init__(self, source: SourceFiles, file: str, pointer: str, owner: str | None = None) -> None:
        self._source = source
        self._file = file
        self._pointer = pointer
        self._owner = owner
        self._fields: dict[str, Any] = {}
        self._people: dict[str, str | None] = {}
        self._gaps = SequenceGaps()
        self._settled: str | None = None
        self._has_messages = False

    def take_key(self, key: str, stream: JsonStream) -> Iterator[Told]:
        if key == "messages" and stream.peek() == "[":
            self._has_messages = True
            yield self._conversation()
            yield from self._messages(stream)
        elif key in {"name", "type", "id"} and stream.peek() not in {"{", "["}:
            self._fields[key] = stream.take()

    def finish(self) -> Iterator[Told]:
        if not self._has_messages:
            return
        yield self._conversation()
        if self._fields.get("type") in _OWN_COUNTER:
            yield from self._gaps.late_beginning(self._key, Locator(self._file, self._pointer))
            yield from self._gaps.finding(self._key, Locator(self._file, self._pointer))

    @property
    def _key(self) -> str:
        # Settled by what stood before the messages: a key must not change while they stream.
        if self._settled is None:
            self._settled = (
                name_of(self._fields.get("id")) or text_of(self._fields.get("name")) or f"chat{self._pointer}"
            )
        return self._settled

    def _conversation(self) -> Conversation:
        people = tuple(Participant(person, name, person == self._owner) for person, name in self._people.items())
        return Conversation(
            key=self._key,
            title=text_of(self._fields.get("name")),
            kind=_KINDS.get(str(self._fields.get("type")), ConversationKind.UNKNOWN),
            participants=people,
            locator=Locator(self._file, self._pointer),
        )

    def _messages(self, stream: JsonStream) -> Iterator[Told]:
        key = self._key
        for number in stream.elements():
            record, raw = stream.take_raw()
            locator = Locator(self._file, f"{self._pointer}/messages/{number}")
            if not isinstance(record, dict):
                yield Finding("record-not-understood", Severity.WARNING, locator)
                continue
            message = self._message(record, raw, key, locator)
            if message.sender_id is not None and len(self._people) < _MAX_PARTICIPANTS:
                self._people[message.sender_id] = message.sender_name
            if message.native_seq is not None:
                self._gaps.saw(message.native_seq)
            yield message

    def _message(self, record: dict[str, Any], raw: bytes, key: str, locator: Locator) -> Message:
        ts_us = seconds_to_us(record.get("date_unixtime"))
        zone = UTC_ZONE
        if ts_us is None:
            ts_us, zone = iso_to_us(record.get("date"))[0], UNKNOWN_ZONE
        is_service = record.get("type") == "service"
        media = self._media(record)
        number = int_of(record.get("id"))
        sender_id = name_of(record.get("actor_id" if is_service else "from_id"))
        return Message(
            conversation=key,
            locator=locator,
            raw=raw,
            ts_utc_us=ts_us,
            ts_precision=Precision.SECOND,
            ts_zone=zone,
            ts_raw=text_of(record.get("date_unixtime")) or text_of(record.get("date")) or "",
            native_id=None if number is None else str(number),
            native_seq=number,
            sender_id=sender_id,
            sender_name=text_of(record.get("actor" if is_service else "from")),
            direction=Direction.SYSTEM if is_service else self._direction(sender_id),
            kind=_kind(record, media, is_service=is_service),
            native_kind=text_of(record.get("action")) or text_of(record.get("media_type")) or "",
            text=words_of(record),
            # The number of a message in another chat is that of something else here.
            reply_to=None if "reply_to_peer_id" in record else name_of(record.get("reply_to_message_id")),
            forward_of=text_of(record.get("forwarded_from")) or name_of(record.get("forwarded_from_id")),
            edits=_edits(record),
            reactions=tuple(_reactions(record.get("reactions"))),
            media=media,
        )

    def _direction(self, sender_id: str | None) -> Direction:
        if sender_id is None:
            return Direction.UNKNOWN
        if self._owner is not None:
            return Direction.OUT if sender_id == self._owner else Direction.IN
        # A private chat carries the other person's number as its own id.
        if self._fields.get("type") in {"personal_chat", "bot_chat"}:
            return Direction.IN if sender_id == f"user{self._fields.get('id')}" else Direction.OUT
        return Direction.UNKNOWN

    def _media(self, record: dict[str, Any]) -> tuple[Media, ...]:
        found = []
        for field, role in (("photo", MessageKind.IMAGE), ("file", MessageKind.FILE)):
            reference = text_of(record.get(field))
            if not reference:
                continue
            if field == "file":
                role = _MEDIA_TYPES.get(str(record.get("media_type")), _role_of_mime(record.get("mime_type")))  # noqa: PLW2901  the pair is only a default
            name, state = _placeholder(reference) or find_media(self._source, self._file, reference)
            size_bytes = int_of(record.get("photo_file_size" if field == "photo" else "file_size"))
            if state is not MediaState.PRESENT:
                # What was to be seen once is not to be had later either.
                state = MediaState.EXPIRED if "self_destruct_period_seconds" in record else state
                name = text_of(record.get("file_name")) or name
            found.append(Media(name, state, role, text_of(record.get("mime_type")), size_bytes))
        return tuple(found)


def _placeholder(reference: str) -> tuple[str, MediaState] | None:
    # A sentence in parentheses, of some files behind their name: the path of a real file never has that shape.
    if "/" in reference or not (reference.startswith("(") or " (File " in reference) or not reference.endswith(")"):
        return None
    name = reference.partition(" (File ")[0] if not reference.startswith("(") else reference
    return name, MediaState.MISSING if "unavailable" in reference else MediaState.OMITTED


def _role_of_mime(mime: Any) -> MessageKind:
    family = str(mime).partition("/")[0]
    return {"image": MessageKind.IMAGE, "video": MessageKind.VIDEO}.get(family, MessageKind.FILE)


def _kind(record: dict[str, Any], media: tuple[Media, ...], *, is_service: bool) -> MessageKind:
    if is_service:
        return MessageKind.CALL if record.get("action") in _CALLS else MessageKind.SYSTEM
    if media:
        return media[0].role
    if record.get("type") == "unsupported":
        return MessageKind.OTHER
    for field, kind in (
        ("location_information", MessageKind.LOCATION),
        ("contact_information", MessageKind.CONTACT),
        ("poll", MessageKind.POLL),
        ("invoice_information", MessageKind.PAYMENT),
        ("paid_stars_amount", MessageKind.PAYMENT),
    ):
        if field in record:
            return kind
    return MessageKind.TEXT


def _edits(record: dict[str, Any]) -> tuple[Edit, ...]:
    if "edited_unixtime" not in record and "edited" not in record:
        return ()
    return (Edit(seconds_to_us(record.get("edited_unixtime"))),)


def _reactions(value: Any) -> Iterator[Reaction]:
    """Tell the reactions: of those who gave them lately each by name, of the others how many."""
    for reaction in map(dict_of, list_of(value)):
        kind = str(reaction.get("type", ""))
        symbol = text_of(reaction.get("emoji")) or text_of(reaction.get("document_id")) or _SIGNS.get(kind, kind)
        known = [dict_of(one) for one in list_of(reaction.get("recent"))[:_MOST_NAMED]]
        for one in known:
            yield Reaction(symbol, name_of(one.get("from")) or name_of(one.get("from_id")))
        others = (int_of(reaction.get("count")) or (not known)) - len(known)
        if others > 0:
            yield Reaction(symbol, count=others)
