"""What DiscordChatExporter writes as CSV."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from chat_reading import messages_with, summary_of
from chat_samples import SAMPLES

from backupkit.chats.counting.summary import summarise
from backupkit.chats.model import MediaState, MessageKind, Precision
from backupkit.chats.readers.discord_csv import DiscordCsv

HEADER = "AuthorID,Author,Date,Content,Attachments,Reactions"


def test_a_channel_is_read_with_its_files_and_reactions(tmp_path: Path) -> None:
    name, data = SAMPLES["discord-csv"](tmp_path)
    (tmp_path / name).write_bytes(data)

    summary = summary_of(tmp_path)
    found = messages_with(DiscordCsv(), tmp_path)

    assert (summary.format, summary.app, summary.messages, summary.conversations) == ("discord-csv", "discord", 9, 1)
    assert summary.by_conversation[0].title == "Guild - Text - general"
    assert (found[0].text, found[0].sender_id, found[0].ts_utc_us) == (
        'hello 0, "you"\nand more',
        "52",
        1673020826_414_000,
    )
    last = found[-1]
    assert [(media.name, media.state, media.role) for media in last.media] == [
        ("https://cdn.invalid/a.png?ex=1", MediaState.OMITTED, MessageKind.IMAGE),
        ("files/b.mp4", MediaState.MISSING, MessageKind.VIDEO),
    ]
    assert [(one.symbol, one.count) for one in last.reactions] == [("🥶", 2), ("wave", 1)]


def test_parts_of_one_channel_are_one_conversation(tmp_path: Path) -> None:
    for part in ("", " [part 2]"):
        path = tmp_path / f"Guild - general [1012224565567721552]{part}.csv"
        path.write_text(f'{HEADER}\n"1","a","2023-01-06T16:00:00.0000000+00:00","{part}","",""\n', "utf-8")

    summary = summary_of(tmp_path)

    assert (summary.messages, summary.conversations) == (2, 1)


def test_the_times_of_old_versions_are_read(tmp_path: Path) -> None:
    rows = ['"1","a","06-Jan-23 02:05 PM","x","",""', '"1","a","6-Jan-23 14:05","x","",""', '"1","a","soon","x","",""']
    (tmp_path / "channel.csv").write_text("\n".join([HEADER, *rows]), "utf-8")

    found = messages_with(DiscordCsv(), tmp_path)

    assert [message.ts_utc_us for message in found] == [1673013900_000_000, 1673013900_000_000, None]
    assert found[0].ts_precision is Precision.MINUTE


def times_and_findings(path: Path, *dates: str) -> tuple[list[str | None], list[str]]:
    rows = [f'"1","a","{date}","x","",""' for date in dates]
    (path / "channel.csv").write_text("\n".join([HEADER, *rows]) + "\n", "utf-8")
    times = [message.ts_utc_us for message in messages_with(DiscordCsv(), path)]
    shown = [None if time is None else str(datetime.fromtimestamp(time / 1e6, UTC))[:16] for time in times]
    return shown, [finding.code for finding in summary_of(path).findings]


def test_dates_in_numbers_are_read_by_the_order_that_the_whole_file_proves(tmp_path: Path) -> None:
    american = times_and_findings(tmp_path, "03/09/2023 11:05 PM", "03/10/2023 12:01 AM", "03/14/2023 2:00 PM")
    german = times_and_findings(tmp_path, "09.03.2023 23:05", "10.03.2023 00:01", "14.03.2023 14:00")
    chinese = times_and_findings(tmp_path, "2023/3/9 下午11:05", "2023/3/10 上午12:01", "2023/3/14 下午2:00")

    assert american == german == chinese == (["2023-03-09 23:05", "2023-03-10 00:01", "2023-03-14 14:00"], [])


def test_an_order_of_dates_that_nothing_proves_is_told(tmp_path: Path) -> None:
    assert times_and_findings(tmp_path, "03/09/2023 11:05 PM") == (["2023-03-09 23:05"], ["date-order-assumed"])
    assert times_and_findings(tmp_path, "03/09/2023 23:05") == (["2023-09-03 23:05"], ["date-order-assumed"])


@pytest.mark.parametrize("header", ["Author,Date,Content", "AuthorID,Author,Date,Content,Attachments", ""])
def test_other_columns_are_not_taken(tmp_path: Path, header: str) -> None:
    (tmp_path / "x.csv").write_text(f'{header}\n"1","a","2023-01-06T16:00:00Z"\n', "utf-8")

    assert summarise(tmp_path) is None
