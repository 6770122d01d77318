"""WeChat chats as WeFlow exported them to JSON: a session and its messages.

The tool is gone; its files are in people's archives. `messageCount` of the session is what the file declares.
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
from backupkit.chats.readers.wechat_kinds import HAS_FILE, is_recall, kind_of_word
from backupkit.chats.reading.json_records import Around, Record, claim_json, facts_around, records_in
from backupkit.chats.reading.media_files import find_media
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import dict_of, int_of, name_of, seconds_to_us, text_of
from backupkit.chats.sources.source import SourceFiles

_DIRECTIONS = {1: Direction.OUT, 0: Direction.IN, None: None}
_PATHS = ("mediaPath", "filePath", "imagePath", "videoPath", "voicePath", "emojiPath")


class WechatWeflow:
    """Reads WeFlow's JSON and that of tools with the same shape."""

    format = "wechat-weflow"
    app = "wechat"
    package = "com.tencent.mm"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for a session with a WeChat id and its messages."""
        return claim_json(source, _certainty)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream the session of every claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _certainty(sample: Any) -> int:
    root = dict_of(sample)
    session = dict_of(root.get("session"))
    messages = root.get("messages")
    if "wxid" not in session or not isinstance(messages, list):
        return 0
    first = dict_of(messages[0]) if messages else {}
    if messages and not {"createTime", "isSend"} <= first.keys():
        return 0
    return 95 if "weflow" in root or "messageCount" in session else 85


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    session = dict_of(facts_around(source, name, "messages").get("session"))
    key = name_of(session.get("wxid")) or name
    people = People()
    yield _conversation(name, key, session, people)
    for found in records_in(source, name, "messages"):
        if isinstance(found, Finding):
            yield found
        elif isinstance(found, Record):
            message = _message(source, name, found, key)
            people.saw(message.sender_id, message.sender_name, is_owner=message.direction is Direction.OUT)
            yield message
        elif isinstance(found, Around):
            continue
    yield _conversation(name, key, session, people)


def _conversation(name: str, key: str, session: dict[str, Any], people: People) -> Conversation:
    is_group = text_of(session.get("type")) == "群聊" or key.endswith("@chatroom")
    title = next(
        (text_of(session.get(field)) for field in ("displayName", "remark", "nickname") if session.get(field)), None
    )
    return Conversation(
        key,
        title,
        ConversationKind.GROUP if is_group else ConversationKind.PRIVATE,
        people.participants(),
        int_of(session.get("messageCount")),
        Locator(name),
    )


def _message(source: SourceFiles, name: str, record: Record, key: str) -> Message:
    value = record.value
    content = text_of(value.get("content")) or ""
    kind = kind_of_word(text_of(value.get("type")) or "")
    is_taken_back = kind is MessageKind.RECALL or (kind is MessageKind.SYSTEM and is_recall(content))
    direction = _DIRECTIONS.get(int_of(value.get("isSend")))
    if kind in {MessageKind.SYSTEM, MessageKind.RECALL}:
        direction = Direction.SYSTEM
    return Message(
        conversation=key,
        locator=record.locator,
        raw=record.raw,
        ts_utc_us=seconds_to_us(value.get("createTime")),
        ts_precision=Precision.SECOND,
        ts_zone=UTC_ZONE,
        ts_raw=str(value.get("createTime", "")),
        native_id=name_of(value.get("serverId")) or name_of(value.get("localId")),
        native_seq=int_of(value.get("localId")),
        sender_id=name_of(value.get("senderUsername")),
        sender_name=text_of(value.get("senderDisplayName")),
        direction=direction or Direction.UNKNOWN,
        kind=MessageKind.RECALL if is_taken_back else kind,
        native_kind=text_of(value.get("type")) or "",
        text=content,
        deletion=DeletionState.RECALLED if is_taken_back else DeletionState.NONE,
        media=tuple(_media(source, name, value, kind)),
    )


def _media(source: SourceFiles, name: str, value: dict[str, Any], kind: MessageKind) -> Iterator[Media]:
    references = [found for field in _PATHS if (found := text_of(value.get(field)))]
    for reference in references[:1]:
        found, state = find_media(source, name, reference)
        yield Media(found, state, kind)
    if not references and kind in HAS_FILE:
        yield Media(text_of(value.get("content")) or kind.value, MediaState.OMITTED, kind)
