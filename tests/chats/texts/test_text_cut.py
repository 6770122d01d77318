"""An export of lines that ends in the middle: what cannot be otherwise is told as a cut, and never becomes anybody's words."""

import csv
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from chat_reading import summary_of
from chat_samples import SAMPLES, slack_messages

from backupkit.chats.counting.summary import summarise_source
from backupkit.chats.model import Message
from backupkit.chats.sources.source import open_source

LINES = (
    "whatsapp-text", "line-text", "signal-text", "signal-sigtop lines", "kakaotalk-text windows", "kakaotalk-text android", "qq-text",
)  # fmt: skip
TABLES = (
    "discord-csv",
    "discord-package csv",
    "wechat-memotrace whole",
    "wechat-memotrace one",
    "kakaotalk-text csv",
    "wechat-chatlog-csv",
)


def read(path: Path) -> tuple[list[Message], set[str]]:
    """Return the messages of an export and the codes of what was found."""
    messages: list[Message] = []
    with open_source(path) as source:
        summary = summarise_source(source, notice=lambda _app, message: messages.append(message))
    assert summary is not None
    return messages, {finding.code for finding in summary.findings}


@pytest.fixture
def whole(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, bytes]:
    """Return an export of a format, and its bytes."""
    name, data = SAMPLES[request.param](tmp_path)
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path, data


@pytest.mark.parametrize("whole", [name for name in SAMPLES if name.startswith(LINES)], indirect=True)
def test_wherever_lines_are_cut_the_messages_are_those_of_the_whole(tmp_path: Path, whole: tuple[Path, bytes]) -> None:
    path, data = whole
    texts = [message.text for message in read(tmp_path)[0]]
    cuts = 0

    for end in range(max(len(data) - 150, len(data) * 3 // 4), len(data)):
        path.write_bytes(data[:end])
        messages, codes = read(tmp_path)
        cuts += "export-cut" in codes
        found = [message.text for message in messages]
        assert found[:-1] == texts[: len(found) - 1], end
        if "export-cut" in codes and data[:end].decode("utf-8", "ignore").encode() == data[:end]:
            assert texts[len(found) - 1].startswith(found[-1]), end
    assert cuts


@pytest.mark.parametrize("whole", [name for name in SAMPLES if name.startswith(TABLES)], indirect=True)
def test_a_table_that_ends_inside_a_row_is_told_as_cut(tmp_path: Path, whole: tuple[Path, bytes]) -> None:
    path, data = whole
    whole_messages = read(tmp_path)[0]
    text = data.decode("utf-8")
    columns = text.partition("\n")[0].count(",") + 1
    ends = [
        len(text[:end].encode()) for end in range(len(text) * 2 // 3, len(text)) if is_inside_row(text[:end], columns)
    ]

    for end in ends:
        path.write_bytes(data[:end])
        found, codes = read(tmp_path)
        assert "export-cut" in codes, end
        assert found[:-1] == whole_messages[: len(found) - 1]
    assert ends


def is_inside_row(text: str, columns: int) -> bool:
    """Say whether a table ends inside a row: in an open quote, or with fewer fields than it has columns."""
    rows = csv.reader([line.rstrip("\r") + "\n" for line in text.split("\n") if line], strict=True)
    try:
        return text[-1] != "\n" and len(list(rows)[-1]) < columns
    except csv.Error:
        return True


def line_export(tmp_path: Path, *lines: str) -> Path:
    """Write what LINE exports, without a line end behind its last line."""
    path = tmp_path / "[LINE]Anna.txt"
    path.write_text(
        "\n".join(["[LINE] Chat history with Anna", "Saved on: 2024/05/02, 10:00", "", "2024/05/01(Wed)", *lines])
    )
    return path


@pytest.mark.parametrize(
    ("last", "is_cut"),
    [
        ("09:02\tAnna\tthe end", False),
        ('09:02\tAnna\t"one\ntwo"', False),
        ('09:02\tAnna\t"one\ntw', True),
        ('09:02\tAnna\t"one', True),
        ("09:0", True),
        ("09", False),
        ("2024/05/0", True),
    ],
)
def test_a_cut_line_export_is_told(tmp_path: Path, last: str, is_cut: bool) -> None:
    path = line_export(tmp_path, "09:00\tAnna\thello", "09:01\tBert\thi", last)

    messages, codes = read(path)

    assert ("export-cut" in codes) is is_cut
    assert messages[1].text == ("hi\n09" if last == "09" else "hi")


def test_half_a_character_at_the_end_is_a_cut_and_no_damaged_text(tmp_path: Path) -> None:
    path = line_export(tmp_path, "09:00\tAnna\t" + "聊天")
    path.write_bytes(path.read_bytes()[:-1])

    messages, codes = read(path)

    assert codes == {"export-cut"}
    assert messages[-1].text == "聊"


def whatsapp(tmp_path: Path, count: int, said: Callable[[int], str]) -> Path:
    """Write an Android export of so many messages."""
    path = tmp_path / "WhatsApp Chat with Li.txt"
    path.write_text(
        "".join(f"2020/06/20, {n // 600 % 24:02}:{n // 10 % 60:02} - Li: {said(n)}\n" for n in range(count))
    )
    return path


@pytest.mark.parametrize(
    ("count", "said", "is_suspected"),
    [
        (10_000, "IMG-20200620-WA0001.jpg (file attached)", True),
        (10_000, "<Media omitted>", False),
        (10_000, "only words", True),
        (40_000, "<Media omitted>", True),
        (9_999, "IMG-20200620-WA0001.jpg (file attached)", False),
    ],
)
def test_whatsapps_limit_depends_on_whether_media_were_asked_for(
    tmp_path: Path, count: int, said: str, is_suspected: bool
) -> None:
    path = whatsapp(tmp_path, count, lambda n: said if n % 1000 == 500 else str(n))

    codes = {finding.code for finding in summary_of(path).findings}

    assert ("export-cap-suspected" in codes) is is_suspected


def slack(tmp_path: Path, created: int, first: int) -> Path:
    """Write a workspace whose channel was made at `created`, and whose oldest message is of `first` (seconds since 1970)."""
    path = tmp_path / "slack.zip"
    messages = [{**message, "ts": f"{first + 60 * n}.000200"} for n, message in enumerate(slack_messages(6))]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("channels.json", json.dumps([{"id": "C1", "name": "general", "created": created}]))
        archive.writestr("users.json", "[]")
        archive.writestr("general/2024-05-01.json", json.dumps(messages))
    return path


@pytest.mark.parametrize(("days", "is_limited"), [(0, False), (6, False), (90, True), (4000, True)])
def test_a_slack_workspace_older_than_its_oldest_message_is_told(tmp_path: Path, days: int, is_limited: bool) -> None:
    made = 1_400_000_000

    findings = summary_of(slack(tmp_path, made, made + days * 86_400)).findings

    limited = [finding.facts for finding in findings if finding.code == "history-limited"]
    assert [facts["created"] for facts in limited] == ["2014-05-13"] * is_limited


@pytest.mark.parametrize(
    ("kind", "first", "is_late"),
    [
        ("private_supergroup", 1, False),
        ("private_supergroup", 5, False),
        ("public_channel", 5001, True),
        ("personal_chat", 5001, False),
    ],
)
def test_a_telegram_group_that_does_not_begin_at_its_beginning_is_told(
    tmp_path: Path, kind: str, first: int, is_late: bool
) -> None:
    records = [
        {
            "id": first + n,
            "type": "message",
            "date_unixtime": str(1_700_000_000 + n),
            "from": "Li",
            "from_id": "user1",
            "text": "x",
        }
        for n in range(5)
    ]
    path = tmp_path / "result.json"
    path.write_text(json.dumps({"name": "News", "type": kind, "id": 7, "messages": records}))

    found = [one.facts for one in summary_of(path).findings if one.code == "history-begins-late"]

    assert [(facts["conversation"], facts["count"], facts["first"]) for facts in found] == [
        ("News", 5000, 5001)
    ] * is_late


def test_lines_of_json_that_stop_in_a_record_are_a_cut(tmp_path: Path) -> None:
    (tmp_path / "copy.toml").write_text('mapping = 1\napp = "soul"\n[message]\ntext = "t"\n')
    (tmp_path / "copy.jsonl").write_text('{"t": "a"}\n{"t": "b')

    with open_source(tmp_path / "copy.jsonl", mapping=tmp_path / "copy.toml") as source:
        summary = summarise_source(source)

    assert summary is not None
    assert (summary.messages, [finding.code for finding in summary.findings]) == (1, ["export-cut"])
