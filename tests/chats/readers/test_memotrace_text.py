"""MemoTrace's text in both of its forms, its workbooks, and what only resembles them."""

from pathlib import Path

import pytest
from chat_reading import messages_with, summary_of
from chat_samples import SAMPLES
from workbooks import workbook, write_workbook

from backupkit.chats.counting.summary import summarise
from backupkit.chats.model import DeletionState, Direction, Message, MessageKind
from backupkit.chats.readers.wechat_memotrace import WechatMemotrace
from backupkit.chats.readers.wechat_memotrace_text import WechatMemotraceText


def read(tmp_path: Path, name: str) -> list[Message]:
    file, data = SAMPLES[name](tmp_path)
    (tmp_path / file).write_bytes(data)
    return messages_with(WechatMemotraceText(), tmp_path / file)


def test_older_files_have_the_apps_own_words_behind_the_time(tmp_path: Path) -> None:
    found = read(tmp_path, "wechat-memotrace-text")

    assert [(one.kind, one.sender_name, one.text) for one in found] == [
        (MessageKind.TEXT, "外婆", "早安\n\n第二行"),
        (MessageKind.IMAGE, "我", "[图片]"),
        (MessageKind.SYSTEM, None, "以上是打招呼的内容"),
        (MessageKind.RECALL, None, '"外婆" 撤回了一条消息'),
        (MessageKind.LINK, "外婆", "[链接]:title:标题\ndescription:说明\nurl:http://a.invalid\nname:应用"),
        (MessageKind.TEXT, "我", "好的\n引用:外婆:早安"),
    ]
    assert (found[2].direction, found[3].deletion) == (Direction.SYSTEM, DeletionState.RECALLED)
    assert found[0].ts_utc_us == 1683364353_000_000
    summary = summary_of(tmp_path)
    assert (summary.app, summary.by_conversation[0].title, summary.media) == ("wechat", "外婆", 1)


def test_newer_files_have_them_below_it(tmp_path: Path) -> None:
    found = read(tmp_path, "wechat-memotrace-text newer")

    assert [(one.kind, one.sender_name, one.text) for one in found] == [
        (MessageKind.TEXT, "外婆", "早安"),
        (MessageKind.SYSTEM, None, "你已添加了外婆，现在可以开始聊天了。"),
        (MessageKind.IMAGE, "我", "【图片】"),
        (MessageKind.VOICE, "外婆", "【语音】听到的话"),
        (MessageKind.FILE, "我", "【文件】a b.pdf 1.20 MB C:\\x\\a b.pdf pdf 0f"),
        (MessageKind.FORWARD, "外婆", "【合并转发的聊天记录】\n\n- 2024-11-01 10:00:00 李: 旧话"),
        (MessageKind.PAYMENT, "外婆", "【发起转账】:¥5.00\n备注: 饭钱"),
        (MessageKind.TEXT, "外婆", ""),
        (MessageKind.TEXT, "我", "再见"),
    ]
    assert [media.name for one in found for media in one.media] == ["图片", "语音", "a b.pdf"]


@pytest.mark.parametrize(
    "lines",
    [
        ["2024-01-01 10:00:00 INFO started", "2024-01-01 10:00:01 INFO [图片] more", "2024-01-01 10:00:02 WARN end"],
        ["2024-01-01 10:00:00 日记", "今天很好", "", "2024-01-02 10:00:00 日记", "今天也好", ""],
        ["Dear Li,", "", "2024-01-01 10:00:00 Li", "[图片]", "", "2024-01-01 10:00:01 Li", "x"],
        ["2024-01-01 10:00:00 Li", "[图片]"],
    ],
)
def test_what_only_resembles_it_is_not_taken(tmp_path: Path, lines: list[str]) -> None:
    (tmp_path / "a.txt").write_text("\n".join(lines) + "\n", "utf-8")

    assert summarise(tmp_path / "a.txt") is None


ROWS = [
    ["消息ID", "类型", "发送人", "时间", "内容", "备注", "昵称", "更多信息"],
    ["7123456789012345678", "文本", "外婆", "2024-12-01 12:00:00", "早安\n二", "外婆", "b", "more"],
    ["7123456789012345679", "图片", "我", "2024-12-01 12:00:01", "【图片】", "我", "c", "more"],
    ["7123456789012345680", "系统消息", "我", "2024-12-01 12:00:02", '"外婆" 撤回了一条消息', "我", "c", "more"],
]


def test_a_workbook_is_read_like_the_table(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "外婆.xlsx", workbook(ROWS, sheet="聊天记录", first="成员信息"))

    found = messages_with(WechatMemotrace(), path)

    assert [(one.native_id, one.kind, one.sender_name, one.text) for one in found] == [
        ("7123456789012345678", MessageKind.TEXT, "外婆", "早安\n二"),
        ("7123456789012345679", MessageKind.IMAGE, "我", "【图片】"),
        ("7123456789012345680", MessageKind.RECALL, None, '"外婆" 撤回了一条消息'),
    ]
    assert found[0].ts_utc_us == 1733054400_000_000
    assert summary_of(path).by_conversation[0].title == "外婆"


@pytest.mark.parametrize(
    ("rows", "sheet", "first"),
    [
        (ROWS, "聊天记录", "首页"),
        (ROWS[:1], "聊天记录", "成员信息"),
        ([["a", "b"], ["c", "d"]], "聊天记录", "成员信息"),
    ],
)
def test_another_workbook_is_nobodys(tmp_path: Path, rows: list[list[str]], sheet: str, first: str) -> None:
    path = write_workbook(tmp_path / "外婆.xlsx", workbook(rows, sheet=sheet, first=first))

    assert summarise(path) is None
