"""WeChat messages as chatlog answers them in JSON: a list of messages of one or many conversations."""

from collections.abc import Iterator
from typing import Any

from backupkit.chats.model import (
    OFFSET_ZONE,
    UNKNOWN_ZONE,
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
from backupkit.chats.readers.wechat_kinds import HAS_FILE, is_recall, kind_of
from backupkit.chats.reading.json_records import Record, claim_json, records_in
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import dict_of, int_of, iso_to_us, list_of, name_of, text_of
from backupkit.chats.sources.source import SourceFiles

_MARKS = {"seq", "time", "talker", "sender", "isSelf", "type"}


class WechatChatlog:
    """Reads chatlog's JSON answer, saved to a file."""

    format = "wechat-chatlog"
    app = "wechat"
    package = "com.tencent.mm"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for a list of messages with chatlog's own fields."""
        return claim_json(source, _certainty)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the messages of every claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _certainty(sample: Any) -> int:
    messages = list_of(sample)
    # What is no text may come without words of its own.
    is_said = all(dict_of(message).keys() & {"content", "contents"} for message in messages)
    return 95 if messages and is_said and all(dict_of(message).keys() >= _MARKS for message in messages) else 0


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    known: dict[str, tuple[str | None, ConversationKind, People]] = {}
    for found in records_in(source, name, None):
        if isinstance(found, Finding):
            yield found
            continue
        if not isinstance(found, Record):
            continue
        message = _message(found)
        if message.conversation not in known and len(known) < 200_000:
            is_group = found.value.get("isChatRoom") is True
            kind = ConversationKind.GROUP if is_group else ConversationKind.PRIVATE
            known[message.conversation] = (text_of(found.value.get("talkerName")) or None, kind, People())
            yield Conversation(message.conversation, *known[message.conversation][:2], locator=Locator(name))
        if message.conversation in known and message.direction is not Direction.SYSTEM:
            people = known[message.conversation][2]
            people.saw(message.sender_id, message.sender_name, is_owner=message.direction is Direction.OUT)
        yield message
    for key, (title, kind, people) in known.items():
        yield Conversation(key, title, kind, people.participants(), locator=Locator(name))


def _message(record: Record) -> Message:
    value = record.value
    contents = dict_of(value.get("contents"))
    number, card = int_of(value.get("type")), int_of(value.get("subType"))
    kind = kind_of(number, card)
    text = text_of(value.get("content")) or text_of(contents.get("title")) or ""
    is_taken_back = kind is MessageKind.SYSTEM and is_recall(text)
    ts_us, has_zone = iso_to_us(value.get("time"))
    direction = Direction.OUT if value.get("isSelf") is True else Direction.IN
    digest = text_of(contents.get("md5"))
    return Message(
        conversation=name_of(value.get("talker")) or "unknown",
        locator=record.locator,
        raw=record.raw,
        ts_utc_us=ts_us,
        ts_precision=Precision.SECOND,
        ts_zone=OFFSET_ZONE if has_zone else UNKNOWN_ZONE,
        ts_raw=text_of(value.get("time")) or "",
        native_id=name_of(value.get("seq")),
        native_seq=int_of(value.get("seq")),
        sender_id=name_of(value.get("sender")),
        sender_name=text_of(value.get("senderName")) or None,
        direction=Direction.SYSTEM if kind is MessageKind.SYSTEM else direction,
        kind=MessageKind.RECALL if is_taken_back else kind,
        native_kind=f"{number}/{card}" if card else str(number),
        text=text,
        reply_to=name_of(dict_of(contents.get("refer")).get("seq")) if contents.get("refer") else None,
        deletion=DeletionState.RECALLED if is_taken_back else DeletionState.NONE,
        media=(Media(digest or kind.value, MediaState.OMITTED, kind, declared_digest=digest),)
        if kind in HAS_FILE
        else (),
    )
