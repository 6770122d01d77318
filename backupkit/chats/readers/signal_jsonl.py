"""Signal's own export of chats in the clear: `main.jsonl`, people, chats and messages a line each, with the media in `files`."""

from collections.abc import Iterator
from typing import Any

from backupkit.chats.model import (
    UTC_ZONE,
    Conversation,
    ConversationKind,
    DeletionState,
    Direction,
    Edit,
    Locator,
    Media,
    MediaState,
    Message,
    MessageKind,
    Participant,
    Precision,
    Reaction,
)
from backupkit.chats.reading.json_lines import first_records, json_line_records
from backupkit.chats.reading.json_records import Record
from backupkit.chats.reading.media_files import role_of_name
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import dict_of, list_of, milliseconds_to_us, name_of, text_of
from backupkit.chats.sources.source import Content, SourceFiles

_LOOKED_AT = 256 * 1024
_MAX_CHATS = 200_000
_KINDS = {
    "contactMessage": MessageKind.CONTACT,
    "stickerMessage": MessageKind.STICKER,
    "remoteDeletedMessage": MessageKind.RECALL,
    "updateMessage": MessageKind.SYSTEM,
    "paymentNotification": MessageKind.PAYMENT,
    "giftBadge": MessageKind.OTHER,
    "viewOnceMessage": MessageKind.IMAGE,
    "directStoryReplyMessage": MessageKind.TEXT,
    "adminDeletedMessage": MessageKind.RECALL,
    "poll": MessageKind.POLL,
    "standardMessage": MessageKind.TEXT,
}


class SignalJsonl:
    """Reads the chats that Signal exports in the clear."""

    format = "signal-jsonl"
    app = "signal"
    package = "org.thoughtcrime.securesms"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for messages, or for people and the head that stands above them."""
        claims = {}
        for name in source.of(Content.JSON):
            first = source.json_sample(name)
            if isinstance(first, dict) and first.keys() & {"backupTimeMs", "account", "recipient", "chat", "chatItem"}:
                records = first_records(source, name, _LOOKED_AT)
                if certainty := _certainty(records):
                    claims[name] = certainty
        return Recognition(claims)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the chats of every claimed file."""
        return read_each(recognition.files, lambda name: _Reading(name).read(source))


def _certainty(records: list[dict[str, Any]]) -> int:
    items = [dict_of(record.get("chatItem")) for record in records if "chatItem" in record]
    if any({"chatId", "authorId", "dateSent"} <= item.keys() for item in items):
        return 95
    has_people = any({"id"} <= dict_of(record.get("recipient")).keys() for record in records)
    return 85 if has_people and any("backupTimeMs" in record or "account" in record for record in records) else 0


class _Reading:
    """One export while it is read: people come before chats, and chats before messages."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._people: dict[str, tuple[str | None, ConversationKind]] = {}
        self._owner: str | None = None
        self._with: dict[str, str] = {}
        self._told: set[str] = set()

    def read(self, source: SourceFiles) -> Iterator[Told]:
        for found in json_line_records(source, self._name):
            if not isinstance(found, Record):
                yield found
                continue
            value = found.value
            if "recipient" in value and len(self._people) < _MAX_CHATS:
                self._meet(dict_of(value["recipient"]))
            elif "chat" in value and len(self._with) < _MAX_CHATS:
                chat = dict_of(value["chat"])
                key = name_of(chat.get("id")) or ""
                self._with[key] = name_of(chat.get("recipientId")) or ""
                yield self._conversation(key, found.locator)
            elif "chatItem" in value:
                item = dict_of(value["chatItem"])
                key = name_of(item.get("chatId")) or ""
                if key not in self._told:
                    yield self._conversation(key, found.locator)
                yield self._message(found, item, key)

    def _meet(self, person: dict[str, Any]) -> None:
        number = name_of(person.get("id")) or ""
        contact, group = dict_of(person.get("contact")), dict_of(person.get("group"))
        if "self" in person:
            self._owner = number
            self._people[number] = (None, ConversationKind.SELF)
        elif group:
            title = dict_of(dict_of(group.get("snapshot")).get("title"))
            self._people[number] = (text_of(title.get("title")), ConversationKind.GROUP)
        else:
            self._people[number] = (_name_of_contact(contact), ConversationKind.PRIVATE)

    def _conversation(self, key: str, locator: Locator) -> Conversation:
        self._told.add(key)
        person = self._with.get(key, "")
        title, kind = self._people.get(person, (None, ConversationKind.UNKNOWN))
        people = (Participant(person, title),) if kind is ConversationKind.PRIVATE else ()
        return Conversation(f"chat {key}", title, kind, people, locator=locator)

    def _message(self, record: Record, item: dict[str, Any], key: str) -> Message:
        native_kind = next((kind for kind in _KINDS if kind in item), "")
        body = dict_of(item.get(native_kind))
        author = name_of(item.get("authorId"))
        media = tuple(_media(native_kind, body))
        kind = _KINDS.get(native_kind, MessageKind.OTHER)
        if media and kind is MessageKind.TEXT:
            kind = media[0].role
        direction = Direction.OUT if "outgoing" in item else Direction.IN if "incoming" in item else Direction.UNKNOWN
        is_deleted = kind is MessageKind.RECALL
        text = dict_of(body.get("text")) or dict_of(dict_of(body.get("textReply")).get("text"))
        return Message(
            conversation=f"chat {key}",
            locator=record.locator,
            raw=record.raw,
            ts_utc_us=milliseconds_to_us(item.get("dateSent")),
            ts_precision=Precision.MILLISECOND,
            ts_zone=UTC_ZONE,
            ts_raw=str(item.get("dateSent", "")),
            sender_id=author,
            sender_name=self._people.get(author or "", (None, None))[0],
            direction=Direction.SYSTEM if kind is MessageKind.SYSTEM else direction,
            kind=kind,
            native_kind=native_kind,
            text=text_of(text.get("body")) or text_of(body.get("question")) or "",
            reply_to=name_of(dict_of(body.get("quote")).get("targetSentTimestamp")),
            edits=tuple(
                Edit(milliseconds_to_us(dict_of(one).get("dateSent"))) for one in list_of(item.get("revisions"))[:1000]
            ),
            deletion=DeletionState.TOMBSTONE if is_deleted else DeletionState.NONE,
            reactions=tuple(
                Reaction(text_of(one.get("emoji")) or "", name_of(one.get("authorId")))
                for one in map(dict_of, list_of(body.get("reactions"))[:1000])
            ),
            media=media,
        )


def _name_of_contact(contact: dict[str, Any]) -> str | None:
    for given, family in (
        ("systemGivenName", "systemFamilyName"),
        ("profileGivenName", "profileFamilyName"),
    ):
        whole = " ".join(filter(None, (text_of(contact.get(given)), text_of(contact.get(family)))))
        if whole:
            return whole
    return name_of(contact.get("e164")) or name_of(contact.get("aci"))


def _media(native_kind: str, body: dict[str, Any]) -> Iterator[Media]:
    items = list_of(body.get("attachments"))[:1000]
    if native_kind == "viewOnceMessage" and "attachment" in body:
        items = [body["attachment"]]
    for item in map(dict_of, items):
        pointer = dict_of(item.get("pointer"))
        mime = text_of(pointer.get("contentType"))
        family = (mime or "").partition("/")[0]
        shown = text_of(pointer.get("fileName")) or mime or "attachment"
        guessed = {"image": MessageKind.IMAGE, "video": MessageKind.VIDEO, "audio": MessageKind.VOICE}.get(family)
        # The files are called by digests that only their keys tell.
        yield Media(shown, MediaState.OMITTED, guessed or role_of_name(shown), mime)
