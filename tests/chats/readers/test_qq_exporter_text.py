"""QQChatExporter's text and workbooks."""

from pathlib import Path
from typing import Any

import pytest
from chat_reading import messages_with, read_with, summary_of
from chat_samples import SAMPLES, qq_exporter_lines
from workbooks import workbook, write_workbook

from backupkit.chats.counting.summary import summarise
from backupkit.chats.model import Conversation, ConversationKind, DeletionState, MediaState, MessageKind
from backupkit.chats.readers.qq_exporter_text import QqExporterText
from backupkit.chats.readers.qq_exporter_xlsx import QqExporterXlsx


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines), "utf-8")
    return path


def test_words_are_parted_from_what_the_tool_writes_below_them(tmp_path: Path) -> None:
    file, data = SAMPLES["qq-exporter-text"](tmp_path)
    (tmp_path / file).write_bytes(data)

    told = read_with(QqExporterText(), tmp_path / file)
    found = messages_with(QqExporterText(), tmp_path / file)

    assert [(one.sender_name, one.kind, one.text) for one in found] == [
        ("外婆", MessageKind.TEXT, "早安\n\n第三行"),
        ("我", MessageKind.IMAGE, "[图片: a.jpg]"),
        ("外婆", MessageKind.TEXT, "时间: 现在"),
        ("外婆", MessageKind.RECALL, "撤回了一条消息"),
        ("我", MessageKind.TEXT, "回复: 好"),
    ]
    assert [one.ts_utc_us for one in found[::2]] == [1730455200_000_000, 1730541600_000_000, None]
    assert found[4].ts_raw == "3天前"
    assert [(media.name, media.role, media.state) for media in found[1].media] == [
        ("a.jpg", MessageKind.IMAGE, MediaState.OMITTED)
    ]
    assert {(one.title, one.kind, one.declared_messages) for one in told if isinstance(one, Conversation)} == {
        ("一家人", ConversationKind.GROUP, 5)
    }
    assert summary_of(tmp_path / file).findings == ()


@pytest.mark.parametrize("kept", ["外婆:\n时间: 2024-11", "外", "外婆:"])
def test_a_file_that_stops_in_a_heading_is_cut_and_the_message_before_is_whole(tmp_path: Path, kept: str) -> None:
    lines = qq_exporter_lines(
        2, "我:\n时间: 2024-11-01 10:00:05\n内容: 好", "外婆:\n时间: 2024-11-01 10:00:09\n内容: 早"
    )
    whole = "\n".join(lines)
    path = write(tmp_path / "a.txt", whole[: whole.index("外婆")] + kept)

    assert [one.text for one in messages_with(QqExporterText(), path)] == ["好"]
    assert {finding.code for finding in summary_of(path).findings} == {"export-cut", "declared-differs"}


def test_a_heading_inside_words_is_text_and_chats_of_one_title_stay_apart(tmp_path: Path) -> None:
    quoted = "我:\n时间: 2024-11-01 10:00:05\n内容: 他写\n外婆:\n时间: 2024-11-01 10:00:09\n内容: 早"
    for name in ("a.txt", "b.txt"):
        write(tmp_path / name, *qq_exporter_lines(1, quoted))

    assert [one.text for one in messages_with(QqExporterText(), tmp_path / "a.txt")] == [
        "他写\n外婆:\n时间: 2024-11-01 10:00:09\n内容: 早"
    ]
    assert {one.conversation for one in messages_with(QqExporterText(), tmp_path)} == {"a.txt", "b.txt"}


ROWS: list[list[Any]] = [
    ["序号", "时间", "发送者", "发送者QQ号", "消息类型", "消息内容", "是否撤回", "资源数量"],
    [1, "2024-11-01 10:00:00", "外婆", "10001", "文本", "早安", "否", 0],
    [2, "2024-11-02 24:05:00", "我", "10002", "图片", "看 [image: a.jpg]", "否", 1],
    [3, "2024-11-02 10:00:01", "外婆", "10001", "文本", "错了", "是", 0],
    [4, "2024-11-02 10:00:02", "系统", None, "系统消息", "外婆加入了群聊", "否", 0],
]
COUNTED = '<row r="1"><c r="A1" t="inlineStr"><is><t>消息总数</t></is></c><c r="B1"><v>5</v></c></row>'


def test_a_workbook_tells_files_recalls_and_its_own_count(tmp_path: Path) -> None:
    path = write_workbook(
        tmp_path / "一家人.xlsx", workbook(ROWS, sheet="聊天记录", first="统计信息", first_rows=COUNTED)
    )

    found = messages_with(QqExporterXlsx(), path)
    summary = summary_of(path)

    assert [(one.sender_id, one.sender_name, one.kind, one.text, one.deletion) for one in found] == [
        ("10001", "外婆", MessageKind.TEXT, "早安", DeletionState.NONE),
        ("10002", "我", MessageKind.IMAGE, "看", DeletionState.NONE),
        ("10001", "外婆", MessageKind.RECALL, "错了", DeletionState.RECALLED),
        (None, None, MessageKind.SYSTEM, "外婆加入了群聊", DeletionState.NONE),
    ]
    assert [one.ts_utc_us for one in found[:2]] == [1730455200_000_000, 1730505900_000_000]
    assert [media.name for one in found for media in one.media] == ["a.jpg"]
    assert [(finding.code, finding.facts["declared"]) for finding in summary.findings] == [("declared-differs", 5)]
    assert (summary.app, summary.by_conversation[0].title) == ("qq", "一家人")


def test_another_workbook_is_nobodys(tmp_path: Path) -> None:
    assert summarise(write_workbook(tmp_path / "a.xlsx", workbook(ROWS, sheet="聊天记录"))) is None


def test_a_damaged_sheet_of_counts_costs_no_message(tmp_path: Path) -> None:
    path = write_workbook(
        tmp_path / "a.xlsx", workbook(ROWS, sheet="聊天记录", first="统计信息", first_rows=COUNTED + "<broken")
    )

    assert len(messages_with(QqExporterXlsx(), path)) == 4
