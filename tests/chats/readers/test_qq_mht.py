"""QQ's MIME files, row by row."""

import tracemalloc
from pathlib import Path

import pytest
from chat_reading import messages_with, summary_of
from chat_samples import SAMPLES, qq_mht_date, qq_mht_heading, qq_mht_page, qq_mht_row

from backupkit.chats.model import ConversationKind, DeletionState, Direction, MediaState, Message, MessageKind
from backupkit.chats.readers.qq_mht import QqMht
from backupkit.chats.sources.source import open_source


def write(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "x.mht"
    path.write_bytes(data)
    return path


def test_conversations_days_sides_and_pictures_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, SAMPLES["qq-mht"](tmp_path)[1])

    first, second, third, fourth, fifth = messages_with(QqMht(), path)
    summary = summary_of(path)

    assert (first.sender_name, first.text, first.direction) == ("小明", "在吗\n<tr>", Direction.IN)
    assert (first.ts_utc_us, first.ts_zone, first.ts_raw) == (1350851588_000_000, "unknown", "2012-10-21 20:33:08")
    assert (second.direction, second.kind, second.media[0].state) == (
        Direction.OUT,
        MessageKind.IMAGE,
        MediaState.PRESENT,
    )
    assert third.ts_raw == "2012-10-22 9:00:00"
    assert (fourth.sender_id, fourth.sender_name, fourth.conversation) == ("10086003", "外婆", "一家人")
    assert (fifth.direction, fifth.deletion) == (Direction.SYSTEM, DeletionState.RECALLED)
    assert (summary.messages, summary.conversations, summary.media, summary.media_missing) == (5, 2, 1, 0)
    assert summary.by_conversation[1].kind is ConversationKind.GROUP
    assert path.read_bytes()[int(first.locator.place.removeprefix("byte ")) :].startswith(first.raw)


@pytest.mark.parametrize(
    ("clock", "hour"), [("下午 8:33:08", 20), ("8:33:08 PM", 20), ("20:33:08", 20), ("上午 8:33:08", 8)]
)
def test_clocks_of_twelve_hours_are_read(tmp_path: Path, clock: str, hour: int) -> None:
    data = qq_mht_page(
        qq_mht_heading("消息对象:小明"), qq_mht_date("1970-01-02"), qq_mht_row("小明", clock, "x"), line="\n"
    )

    (found,) = messages_with(QqMht(), write(tmp_path, data))

    assert found.ts_utc_us == (86400 + hour * 3600 + 33 * 60 + 8) * 1_000_000


def test_a_picture_whose_part_is_gone_is_missing(tmp_path: Path) -> None:
    row = qq_mht_row("小明", "8:33:08", 'look<img src="{A}.dat">')

    (found,) = messages_with(QqMht(), write(tmp_path, qq_mht_page(qq_mht_date("2012-10-21"), row, parts=("{B}.dat",))))

    assert (found.text, found.media[0].state) == ("look", MediaState.MISSING)


@pytest.mark.parametrize("where", ["in the page", "in a picture"])
def test_a_cut_file_gives_what_came_before(tmp_path: Path, where: str) -> None:
    data = qq_mht_page(
        qq_mht_date("2012-10-21"),
        *[qq_mht_row("小明", "8:33:08", f"said {number}") for number in range(50)],
        parts=("{A}.dat",),
    )
    cut = data.index(b"said 40") if where == "in the page" else data.index(b"/9j/")

    summary = summary_of(write(tmp_path, data[:cut]))

    assert summary.messages == (40 if where == "in the page" else 50)
    assert [one.code for one in summary.findings] == ["export-cut"]


def test_a_page_of_one_long_line_is_read_in_little_memory(tmp_path: Path) -> None:
    rows = "".join(qq_mht_row("小明", "8:33:08", "word " * 400) for _number in range(300))
    start, end = qq_mht_page(qq_mht_date("2012-10-21"), "@@").split(b"@@")
    path = tmp_path / "x.mht"
    with path.open("wb") as out:
        out.write(start)
        for _time in range(5):
            out.write(rows.encode())
        out.write(end)
    tracemalloc.start()

    with open_source(path) as source:
        reader = QqMht()
        counted = sum(isinstance(told, Message) for told in reader.read(source, reader.recognise(source)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert counted == 1500
    assert peak < 4_500_000
