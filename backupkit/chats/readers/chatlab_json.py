"""ChatLab's format, into which tools turn chats of many apps: one conversation, as JSON or as JSON Lines.

The app is named in the file and is whatever a tool wrote there, so it is not taken for known.
"""

from collections.abc import Iterator
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
    Precision,
)
from backupkit.chats.people import People
from backupkit.chats.reading.json_lines import json_line_records
from backupkit.chats.reading.json_records import Record, claim_json, facts_around, records_in
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import dict_of, int_of, list_of, name_of, seconds_to_us, text_of
from backupkit.chats.sources.source import SourceFiles

_KINDS = {
    0: MessageKind.TEXT,
    1: MessageKind.IMAGE,
    2: MessageKind.VOICE,
    3: MessageKind.VIDEO,
    4: MessageKind.FILE,
    5: MessageKind.STICKER,
    7: MessageKind.LINK,
    8: MessageKind.LOCATION,
    20: MessageKind.PAYMENT,
    21: MessageKind.PAYMENT,
    22: MessageKind.SYSTEM,
    23: MessageKind.CALL,
    24: MessageKind.LINK,
    25: MessageKind.TEXT,
    26: MessageKind.FORWARD,
    27: MessageKind.CONTACT,
    80: MessageKind.SYSTEM,
    81: MessageKind.RECALL,
}
_FILES = {MessageKind.IMAGE, MessageKind.VOICE, MessageKind.VIDEO, MessageKind.FILE, MessageKind.STICKER}


class ChatlabJson:
    """Reads ChatLab's JSON and JSON Lines."""

    format = "chatlab-json"
    app = None
    package = None

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the format's own head."""
        return claim_json(source, _certainty)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the conversation of every claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _certainty(sample: Any) -> int:
    root = dict_of(sample)
    is_headed = "version" in dict_of(root.get("chatlab")) and "platform" in dict_of(root.get("meta"))
    return 95 if is_headed and ("messages" in root or root.get("_type") == "header") else 0


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    is_lines = dict_of(source.json_sample(name)).get("_type") == "header"
    facts = dict_of(source.json_sample(name)) if is_lines else facts_around(source, name, "messages")
    chat = _Chat(name, dict_of(facts.get("meta")))
    for member in list_of(facts.get("members")):
        chat.meet(dict_of(member))
    yield chat.conversation()
    for found in json_line_records(source, name) if is_lines else records_in(source, name, "messages"):
        if isinstance(found, Finding):
            yield found
        elif isinstance(found, Record):
            kind = found.value.get("_type")
            if is_lines and kind == "member":
                chat.meet(found.value)
            elif not is_lines or kind == "message":
                yield chat.message(found)
    yield chat.conversation()


class _Chat:
    """One conversation while it is read."""

    def __init__(self, name: str, about: dict[str, Any]) -> None:
        self._name = name
        self._about = about
        self._people = People()
        self._owner = name_of(about.get("ownerId"))
        title = text_of(about.get("name"))
        self._key = name_of(about.get("groupId")) or title or name

    def meet(self, member: dict[str, Any]) -> None:
        person = name_of(member.get("platformId"))
        shown = text_of(member.get("groupNickname")) or text_of(member.get("accountName"))
        if person:
            self._people.saw(person, shown, is_owner=person == self._owner)

    def conversation(self) -> Conversation:
        kinds = {"group": ConversationKind.GROUP, "private": ConversationKind.PRIVATE}
        kind = kinds.get(text_of(self._about.get("type")) or "", ConversationKind.UNKNOWN)
        people = self._people.participants()
        return Conversation(self._key, text_of(self._about.get("name")), kind, people, locator=Locator(self._name))

    def message(self, record: Record) -> Message:
        value = record.value
        number = int_of(value.get("type"))
        kind = MessageKind.OTHER if number is None else _KINDS.get(number, MessageKind.OTHER)
        person = name_of(value.get("sender"))
        shown = text_of(value.get("groupNickname")) or text_of(value.get("accountName"))
        direction = Direction.UNKNOWN
        if kind in {MessageKind.SYSTEM, MessageKind.RECALL}:
            direction = Direction.SYSTEM
        else:
            self._people.saw(person, shown, is_owner=person is not None and person == self._owner)
            if self._owner is not None:
                direction = Direction.OUT if person == self._owner else Direction.IN
        text = text_of(value.get("content")) or ""
        is_recalled = kind is MessageKind.RECALL
        return Message(
            conversation=self._key,
            locator=record.locator,
            raw=record.raw,
            ts_utc_us=seconds_to_us(value.get("timestamp")),
            ts_precision=Precision.SECOND,
            ts_zone=UTC_ZONE,
            ts_raw=str(value.get("timestamp", "")),
            native_id=name_of(value.get("platformMessageId")) or name_of(value.get("id")),
            sender_id=person,
            sender_name=shown,
            direction=direction,
            kind=kind,
            native_kind="" if number is None else str(number),
            text=text,
            reply_to=name_of(value.get("replyToMessageId")),
            deletion=DeletionState.RECALLED if is_recalled else DeletionState.NONE,
            media=(Media(text or kind.value, MediaState.OMITTED, kind),) if kind in _FILES else (),
        )
