"""WeChat messages as chatlog answers them in CSV: a row for each message, with what is no text as a word in brackets."""

import re
from collections.abc import Iterator

from backupkit.chats.model import (
    UNKNOWN_ZONE,
    Conversation,
    ConversationKind,
    DeletionState,
    Direction,
    Locator,
    Media,
    MediaState,
    Message,
    MessageKind,
    Precision,
)
from backupkit.chats.people import People
from backupkit.chats.readers.wechat_kinds import HAS_FILE, is_recall, kind_of_word
from backupkit.chats.reading.csv_rows import Row, csv_columns, csv_rows
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.records.json_fields import int_of, iso_to_us
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.damage import TextDamage
from backupkit.chats.texts.head import text_head

_COLUMNS = {"Time", "SenderName", "Sender", "TalkerName", "Talker", "Content"}
_SYSTEM = "系统消息"
_GROUP = "@chatroom"
_WORDS = "图片|语音|名片|视频|动画表情|GIF表情|位置|链接|文件|合并转发|笔记|小程序|视频号|视频号直播|群公告|音乐|红包|红包封面|转账|分享|语音通话"
_CARD = re.compile(rf"!?\[(?P<word>{_WORDS})(?:\|(?P<about>[^\]]*))?\](?:\((?P<link>[^)]*)\))?\s*$")
_MAX_CONVERSATIONS = 200_000


class WechatChatlogCsv:
    """Reads chatlog's CSV answer, saved to a file."""

    format = "wechat-chatlog-csv"
    app = "wechat"
    package = "com.tencent.mm"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for chatlog's columns. Newer versions put the message's number in front."""
        heads = {name: csv_columns(text_head(source.head(name))) for name in source.of(Content.TEXT)}
        return Recognition({name: 92 for name, columns in heads.items() if set(columns) >= _COLUMNS})

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream every claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    known: dict[str, tuple[str | None, ConversationKind, People]] = {}
    damage = TextDamage(name)
    for row in csv_rows(source, name, damage=damage):
        message = _message(row)
        key = message.conversation
        if key not in known and len(known) < _MAX_CONVERSATIONS:
            kind = ConversationKind.GROUP if key.endswith(_GROUP) else ConversationKind.PRIVATE
            known[key] = (row.values["TalkerName"] or None, kind, People())
            yield Conversation(key, *known[key][:2], locator=Locator(name))
        if key in known and message.direction is not Direction.SYSTEM:
            is_own = message.direction is Direction.OUT
            known[key][2].saw(message.sender_id, message.sender_name, is_owner=is_own)
        yield message
    for key, (title, kind, people) in known.items():
        yield Conversation(key, title, kind, people.participants(), locator=Locator(name))
    yield from damage.findings()


def _message(row: Row) -> Message:
    value = row.values
    text = value["Content"]
    direction = _direction(value["Sender"], value["Talker"])
    card = _CARD.match(text)
    kind = MessageKind.TEXT if card is None else kind_of_word(card["word"])
    is_taken_back = direction is Direction.SYSTEM and is_recall(text)
    if direction is Direction.SYSTEM:
        kind = MessageKind.RECALL if is_taken_back else MessageKind.SYSTEM
    number = value.get("MessageID") or None
    return Message(
        conversation=value["Talker"] or "unknown",
        locator=row.locator,
        raw=row.raw,
        ts_utc_us=iso_to_us(value["Time"])[0],
        ts_precision=Precision.SECOND,
        ts_zone=UNKNOWN_ZONE,
        ts_raw=value["Time"],
        native_id=number,
        native_seq=int_of(number),
        sender_id=None if direction is Direction.SYSTEM else value["Sender"] or None,
        sender_name=value["SenderName"] or None,
        direction=direction,
        kind=kind,
        native_kind="" if card is None else card["word"],
        text=text,
        deletion=DeletionState.RECALLED if is_taken_back else DeletionState.NONE,
        media=() if card is None or kind not in HAS_FILE else (Media(card["about"] or text, MediaState.OMITTED, kind),),
    )


def _direction(sender: str, talker: str) -> Direction:
    if sender in {"", _SYSTEM}:
        return Direction.SYSTEM
    if talker.endswith(_GROUP):
        return Direction.UNKNOWN
    return Direction.IN if sender == talker else Direction.OUT
