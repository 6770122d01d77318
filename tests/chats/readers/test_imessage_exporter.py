"""What imessage-exporter writes, read into the model."""

from pathlib import Path

import pytest
from chat_reading import messages_with, summary_of
from chat_samples import SAMPLES, imessage_entry, imessage_page

from backupkit.chats.model import DeletionState, Direction, MediaState, MessageKind, Precision
from backupkit.chats.readers.imessage_html import ImessageHtml
from backupkit.chats.readers.imessage_text import ImessageText
from backupkit.chats.reading.reader import ChatReader


def sample(tmp_path: Path, name: str) -> Path:
    file, data = SAMPLES[name](tmp_path)
    (tmp_path / file).write_bytes(data)
    return tmp_path / file


@pytest.mark.parametrize("reader", [ImessageText(), ImessageHtml()])
def test_each_message_counts_once_though_replies_stand_twice(tmp_path: Path, reader: ChatReader) -> None:
    path = sample(tmp_path, reader.format)

    first, changed, answer, notice, files, unsent = messages_with(reader, path)
    summary = summary_of(path)

    assert (summary.format, summary.app, summary.messages, summary.conversations) == (reader.format, "imessage", 6, 1)
    assert summary.by_conversation[0].key == path.stem
    assert summary.times_are_local
    assert (first.sender_name, first.direction, first.ts_utc_us, first.ts_precision) == (
        "Me",
        Direction.OUT,
        1652808582_000_000,
        Precision.SECOND,
    )
    assert "Loved" not in first.text
    assert "so do I" not in first.text
    assert (changed.sender_name, changed.direction) == ("Li", Direction.IN)
    assert "better words" in changed.text
    assert answer.text == "so do I"
    assert (notice.kind, notice.direction, notice.sender_name) == (MessageKind.SYSTEM, Direction.SYSTEM, None)
    assert notice.text.endswith("You renamed the conversation to Tea")
    assert [(media.name.rpartition("/")[2], media.state) for media in files.media] == [
        ("IMG_1.jpeg", MediaState.MISSING),
        ("a.pdf", MediaState.OMITTED),
    ]
    assert (unsent.kind, unsent.deletion) == (MessageKind.RECALL, DeletionState.RECALLED)


def test_pages_tell_the_ids_of_the_phone(tmp_path: Path) -> None:
    found = messages_with(ImessageHtml(), sample(tmp_path, "imessage-html"))

    assert [one.native_id for one in found[:3]] == ["G-00000001", "G-00000002", "G-00000003"]
    assert found[0].text == "Hello & 你好"


def test_a_page_that_was_cut_is_told(tmp_path: Path) -> None:
    whole = imessage_page(imessage_entry(1, "a"), imessage_entry(2, "b"))
    (tmp_path / "x.html").write_bytes(whole[: whole.index(b"</body>")])

    summary = summary_of(tmp_path)

    assert summary.messages == 2
    assert [finding.code for finding in summary.findings] == ["export-cut"]


def test_paragraphs_and_times_within_words_begin_no_message(tmp_path: Path) -> None:
    text = "May 17, 2022  5:29:42 PM\nMe\none\n\nMay 17 was fine\nMay 17, 2022  5:29:42 PM\n\n"
    (tmp_path / "a.txt").write_text(text)

    (found,) = messages_with(ImessageText(), tmp_path)

    assert found.text == "one\n\nMay 17 was fine\nMay 17, 2022  5:29:42 PM"


def words_of(tmp_path: Path, *lines: str) -> str:
    (tmp_path / "a.txt").write_text("\n".join(["May 17, 2022  5:29:42 PM", "Me", *lines, "", ""]))
    (found,) = messages_with(ImessageText(), tmp_path)
    return found.text


def test_what_follows_reactions_at_once_is_still_the_message(tmp_path: Path) -> None:
    reactions = ["Tapbacks:", "    Loved by Li", "    Liked by Bo"]
    reply = [
        "    May 17, 2022  5:29:44 PM",
        "    Li",
        "    so do I",
        "",
        "    and more",
        "    Tapbacks:",
        "        Loved by Me",
        "",
    ]

    assert words_of(tmp_path, "one", *reactions, "two", *reactions) == "one\ntwo"
    assert words_of(tmp_path, "one", *reactions, *reply, "two") == "one\n\n\ntwo"


def test_replies_of_several_lines_are_no_words_of_what_they_answer(tmp_path: Path) -> None:
    reply = ["    May 17, 2022  5:29:44 PM (Read by you after 5 seconds)", "    Li", "    so", "do I", ""]

    assert words_of(tmp_path, "Hello", *reply, *reply, "a second part") == "Hello\n\n\na second part"


def test_words_that_somebody_indented_are_kept(tmp_path: Path) -> None:
    assert words_of(tmp_path, "def f():", "    return 1") == "def f():\n    return 1"


@pytest.mark.parametrize(
    "text",
    [
        "May 17, 2022  5:29:42 PM\n",
        "May 17, 2022  5:29:42 PM started the engine\n",
        "May 17, 2022  5:29:42 PM started the engine\nMay 17, 2022  5:29:43 PM stopped it\n",
    ],
)
def test_what_only_begins_with_a_time_is_no_chat(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.txt").write_text(text)

    assert messages_with(ImessageText(), tmp_path) == []
