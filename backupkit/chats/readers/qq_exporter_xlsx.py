"""QQ chats as QQChatExporter writes them to Excel: a row for each message, and sheets that count them."""

import posixpath
import re
from collections.abc import Iterator

from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import (
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
from backupkit.chats.reading.csv_rows import Row
from backupkit.chats.reading.reader import Recognition, Told, read_each
from backupkit.chats.reading.xlsx_rows import has_sheet, xlsx_rows
from backupkit.chats.records.json_fields import int_of
from backupkit.chats.sources.source import Content, SourceFiles
from backupkit.chats.texts.wall_time import DateOrder, seconds_of_day

_SHEET, _COUNTS = "聊天记录", "统计信息"
_COLUMNS = {"序号", "时间", "发送者", "消息类型", "消息内容"}
_TIME = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2}) (\d{1,2}):(\d{2}):(\d{2})$")
_FILE = re.compile(r" ?\[(image|video|audio|file): ([^\[\]]{0,250})\]")
_ROLES = {
    "image": MessageKind.IMAGE,
    "video": MessageKind.VIDEO,
    "audio": MessageKind.VOICE,
    "file": MessageKind.FILE,
}
_MOST_IN_PRIVATE = 2


class QqExporterXlsx:
    """Reads the workbooks of QQChatExporter."""

    format = "qq-exporter-xlsx"
    app = "qq"
    package = "com.tencent.mobileqq"

    def recognise(self, source: SourceFiles) -> Recognition:
        """Look for the tool's sheets and their columns."""
        return Recognition(
            {
                name: 95
                for name in source.of(Content.OTHER)
                if has_sheet(source, name, _SHEET, beside=_COUNTS, columns=_COLUMNS)
            }
        )

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Stream one conversation for each claimed file."""
        return read_each(recognition.files, lambda name: _read_file(source, name))


def _read_file(source: SourceFiles, name: str) -> Iterator[Told]:
    key = posixpath.splitext(posixpath.basename(name))[0]
    declared = _declared(source, name)
    people = People()

    def conversation() -> Conversation:
        found = people.participants()
        kind = ConversationKind.GROUP if len(found) > _MOST_IN_PRIVATE else ConversationKind.UNKNOWN
        return Conversation(key, key, kind, found, declared, Locator(name))

    yield conversation()
    for row in xlsx_rows(source, name, _SHEET, 1):
        message = _message(row, key)
        if message.direction is not Direction.SYSTEM:
            people.saw(message.sender_id, message.sender_name)
        yield message
    yield conversation()


def _declared(source: SourceFiles, name: str) -> int | None:
    try:
        rows = xlsx_rows(source, name, _COUNTS, 0)
        return next((int_of(row.values.get("B")) for row in rows if row.values.get("A") == "消息总数"), None)
    except MalformedExport:
        return None  # what only counts the messages may be damaged where they are not


def _message(row: Row, key: str) -> Message:
    value = row.values
    text = value["消息内容"]
    media = tuple(Media(found[2] or found[1], MediaState.OMITTED, _ROLES[found[1]]) for found in _FILE.finditer(text))
    said = _FILE.sub("", text).strip()
    is_apps_own = value["消息类型"] == "系统消息"
    is_recalled = value.get("是否撤回") == "是"
    kind = MessageKind.SYSTEM if is_apps_own else media[0].role if media else MessageKind.TEXT
    number = value.get("发送者QQ号")
    return Message(
        conversation=key,
        locator=row.locator,
        raw=row.raw,
        ts_utc_us=_ts_us(value["时间"]),
        ts_precision=Precision.SECOND,
        ts_raw=value["时间"],
        sender_id=None if is_apps_own else number or None,
        sender_name=None if is_apps_own else value["发送者"] or None,
        direction=Direction.SYSTEM if is_apps_own else Direction.UNKNOWN,
        kind=MessageKind.RECALL if is_recalled else kind,
        native_kind=value["消息类型"],
        text=said,
        deletion=DeletionState.RECALLED if is_recalled else DeletionState.NONE,
        media=media,
    )


def _ts_us(written: str) -> int | None:
    found = _TIME.match(written)
    if found is None:
        return None
    year, month, day, hour, minute, second = map(int, found.groups())
    days = DateOrder.YEAR_MONTH_DAY.day_number((year, month, day))
    # The tool's computer may write midnight as 24:00.
    seconds = seconds_of_day(hour, minute, second, None)
    return None if days is None or seconds is None else (days * 86400 + seconds) * 1_000_000
