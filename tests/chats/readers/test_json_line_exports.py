"""ChatLab's and Signal's JSON, in lists and in lines, read into the model."""

from pathlib import Path

import pytest
from chat_reading import messages_with, read_with, summary_of
from chat_samples import SAMPLES

from backupkit.chats.model import DeletionState, Direction, Finding, MediaState, MessageKind, Reaction
from backupkit.chats.readers.chatlab_json import ChatlabJson
from backupkit.chats.readers.signal_desktop_json import SignalDesktopJson
from backupkit.chats.readers.signal_jsonl import SignalJsonl


def sample(tmp_path: Path, name: str) -> Path:
    file, data = SAMPLES[name](tmp_path)
    (tmp_path / file).write_bytes(data)
    return tmp_path / file


@pytest.mark.parametrize("name", ["chatlab-json", "chatlab-json lines"])
def test_chatlab_is_read_as_json_and_as_lines(tmp_path: Path, name: str) -> None:
    path = sample(tmp_path, name)

    word, picture, reply, taken_back = messages_with(ChatlabJson(), path)
    summary = summary_of(path)

    assert (summary.format, summary.app, summary.messages, summary.conversations) == ("chatlab-json", None, 4, 1)
    assert (summary.by_conversation[0].key, summary.by_conversation[0].title) == ("g1", "一家人")
    assert summary.by_conversation[0].people == ("Li", "外婆")
    assert (word.text, word.direction, word.ts_utc_us, word.native_id) == (
        "早安",
        Direction.OUT,
        1703001600_000_000,
        "m0",
    )
    assert (picture.kind, picture.direction, picture.media[0].state) == (
        MessageKind.IMAGE,
        Direction.IN,
        MediaState.OMITTED,
    )
    assert reply.reply_to == "m0"
    assert (taken_back.kind, taken_back.deletion) == (MessageKind.RECALL, DeletionState.RECALLED)


def test_signals_export_in_the_clear_is_read(tmp_path: Path) -> None:
    path = sample(tmp_path, "signal-jsonl")

    first, picture, deleted, update, sticker = messages_with(SignalJsonl(), path)
    summary = summary_of(path)

    assert (summary.format, summary.app, summary.messages, summary.conversations, summary.findings) == (
        "signal-jsonl",
        "signal",
        5,
        2,
        (),
    )
    assert [one.title for one in summary.by_conversation] == ["外 婆", "Tea"]
    assert (first.sender_name, first.text, first.direction, first.ts_utc_us, first.reactions) == (
        "外 婆",
        "早安",
        Direction.IN,
        1_700_000_000_000_000,
        (Reaction("👍", "1"),),
    )
    assert (picture.kind, picture.direction, picture.media[0].name, picture.reply_to) == (
        MessageKind.IMAGE,
        Direction.OUT,
        "a.jpg",
        "1700000000000",
    )
    assert (deleted.kind, deleted.deletion) == (MessageKind.RECALL, DeletionState.TOMBSTONE)
    assert (update.kind, update.direction) == (MessageKind.SYSTEM, Direction.SYSTEM)
    assert (sticker.kind, len(sticker.edits)) == (MessageKind.STICKER, 1)


def test_what_sigtop_writes_as_json_is_read(tmp_path: Path) -> None:
    path = sample(tmp_path, "signal-desktop-json")

    first, picture, deleted, call = messages_with(SignalDesktopJson(), path)
    summary = summary_of(path)

    assert (summary.format, summary.messages, summary.conversations) == ("signal-desktop-json", 4, 1)
    assert summary.by_conversation[0].title == "Li"
    assert (first.native_id, first.text, first.direction, first.sender_id) == ("m0", "早安", Direction.IN, "u2")
    assert (picture.direction, picture.kind, picture.media[0].size_bytes) == (Direction.OUT, MessageKind.IMAGE, 5)
    assert (deleted.kind, call.kind, call.direction) == (MessageKind.RECALL, MessageKind.CALL, Direction.SYSTEM)


def test_a_line_end_inside_a_string_and_a_broken_line_cost_no_other_record(tmp_path: Path) -> None:
    path = sample(tmp_path, "signal-jsonl")
    data = path.read_bytes().replace("早安".encode(), "早\n安".encode())
    broken = b'{"chatItem":{"chatId":"1","authorId":\n'
    path.write_bytes(data.replace(b'{"chat":', broken + b'{"chat":', 1))

    told = read_with(SignalJsonl(), path)
    summary = summary_of(path)

    assert [str(one.locator) for one in told if isinstance(one, Finding)] == ["main.jsonl line 6"]
    assert summary.messages == 5
    assert messages_with(SignalJsonl(), path)[0].text == "早\n安"


def test_lines_that_stop_inside_a_record_are_a_cut(tmp_path: Path) -> None:
    path = sample(tmp_path, "chatlab-json lines")
    path.write_bytes(path.read_bytes()[:-20])

    summary = summary_of(path)

    assert (summary.messages, [one.code for one in summary.findings]) == (3, ["export-cut"])
