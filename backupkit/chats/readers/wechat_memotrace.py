"""WeChat messages as WeChatMsg (MemoTrace) exported them to CSV and Excel: everything in one file, or a file for each conversation."""

import posixpath
from collections.abc import Iterator

from backupkit.chats.model import (
    UNKNOWN_ZONE,
    UTC_ZONE,
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
from backupkit.chats.readers.wechat_kinds import HAS_FILE, is_recall, kind_of, kind_of_word
from backupkit.chats.reading.csv_rows import Row, csv_columns, csv_rows
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.reading.xlsx_rows import has_sheet, xlsx_rows
from backupkit.chats.records.json_fields import int_of, iso_to_us, seconds_to_us
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.damage import TextDamage
from backupkit.chats.texts.head import text_head

_WHOLE = {"localId", "TalkerId", "Type", "SubType", "IsSender", "CreateTime", "StrContent"}
_ONE = {"消息ID", "类型", "发送人", "时间", "内容"}
_SHEET, _PEOPLE = "聊天记录", "成员信息"
_APPS_OWN = {MessageKind.SYSTEM, MessageKind.RECALL}


class WechatMemotrace:
    """Reads the tables of WeChatMsg, now MemoTrace."""

    format = "wechat-memotrace"
    app = "wechat"
    package = "com.tencent.mm"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the columns of either kind of file, in a workbook only where its sheets are the tool's."""
        claims = {}
        for name in source.of(Content.TEXT):
            columns = set(csv_columns(text_head(source.head(name))))
            if columns >= _WHOLE or columns >= _ONE:
                claims[name] = 95
        claims.update(
            (name, 95)
            for name in source.of(Content.OTHER)
            if has_sheet(source, name, _SHEET, beside=_PEOPLE, columns=_ONE)
        )
        return Recognition(claims)

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream every claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _rows(source: SourceFiles, name: str, damage: TextDamage) -> Iterator[Row]:
    if name.lower().endswith(".xlsx"):
        return xlsx_rows(source, name, _SHEET, 1)
    return csv_rows(source, name, damage=damage)


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    known: set[str] = set()
    stem = posixpath.splitext(posixpath.basename(name))[0]
    damage = TextDamage(name)
    for row in _rows(source, name, damage):
        message = _of_whole(row) if "StrContent" in row.values else _of_one(row, stem)
        if message.conversation not in known and len(known) < 200_000:
            known.add(message.conversation)
            title = row.values.get("Remark") or row.values.get("NickName") or (stem if "内容" in row.values else None)
            yield Conversation(message.conversation, title, ConversationKind.UNKNOWN, locator=Locator(name))
        yield message
    yield from damage.findings()


def _of_whole(row: Row) -> Message:
    value = row.values
    kind = kind_of(int_of(value["Type"]), int_of(value["SubType"]))
    text = value["StrContent"]
    is_taken_back = kind is MessageKind.SYSTEM and is_recall(text)
    direction = Direction.OUT if value["IsSender"] == "1" else Direction.IN
    return Message(
        conversation=f"talker {value['TalkerId']}",
        locator=row.locator,
        raw=row.raw,
        ts_utc_us=seconds_to_us(value["CreateTime"]),
        ts_precision=Precision.SECOND,
        ts_zone=UTC_ZONE,
        ts_raw=value["CreateTime"],
        # Numbers count anew in each of the app's databases, so the time belongs to them.
        native_id=f"{value['localId']}@{value['CreateTime']}" if value["localId"] else None,
        sender_name=value.get("Sender") or None,
        direction=Direction.SYSTEM if kind is MessageKind.SYSTEM else direction,
        kind=MessageKind.RECALL if is_taken_back else kind,
        native_kind=f"{value['Type']}/{value['SubType']}",
        text=text,
        deletion=DeletionState.RECALLED if is_taken_back else DeletionState.NONE,
        media=(Media(kind.value, MediaState.OMITTED, kind),) if kind in HAS_FILE else (),
    )


def _of_one(row: Row, stem: str) -> Message:
    value = row.values
    kind = kind_of_word(value["类型"])
    text = value["内容"]
    is_taken_back = kind is MessageKind.RECALL or (kind is MessageKind.SYSTEM and is_recall(text))
    return Message(
        conversation=stem,
        locator=row.locator,
        raw=row.raw,
        ts_utc_us=iso_to_us(value["时间"])[0],
        ts_precision=Precision.SECOND,
        ts_zone=UNKNOWN_ZONE,
        ts_raw=value["时间"],
        native_id=value["消息ID"] or None,
        sender_name=None if kind in _APPS_OWN else value["发送人"] or None,
        direction=Direction.SYSTEM if kind in _APPS_OWN else Direction.UNKNOWN,
        kind=MessageKind.RECALL if is_taken_back else kind,
        native_kind=value["类型"],
        text=text,
        deletion=DeletionState.RECALLED if is_taken_back else DeletionState.NONE,
        media=(Media(kind.value, MediaState.OMITTED, kind),) if kind in HAS_FILE else (),
    )
