"""QQChatExporter's text."""

from pathlib import Path

import pytest
from chat_reading import messages_with, read_with, summary_of
from chat_samples import SAMPLES, qq_exporter_lines

from backupkit.chats.model import Conversation, ConversationKind, MediaState, MessageKind
from backupkit.chats.readers.qq_exporter_text import QqExporterText


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
