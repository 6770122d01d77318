"""A rescue system: the disk with the backup and the home is there, and nothing on it may be changed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from chat_factory import write_telegram_chat
from computer import Computer


@pytest.fixture
def rescued(ready_computer: Computer, tmp_path: Path) -> Iterator[Computer]:
    chat = ready_computer.home / "chat"
    write_telegram_chat(chat, messages=20)
    ready_computer.run("snapshot", chat)
    folders = [path for path in (ready_computer.home, *ready_computer.home.rglob("*")) if path.is_dir()]
    for folder in folders:
        folder.chmod(0o500)
    ready_computer.give_up_privilege()
    (tmp_path / "temporary").mkdir()
    ready_computer.environment["TMPDIR"] = str(tmp_path / "temporary")
    yield ready_computer
    for folder in folders:
        folder.chmod(0o700)


def notices(text: str) -> list[str]:
    told = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [one["code"] for one in told if one["type"] in {"notice", "finding"}]


@pytest.mark.parametrize(
    "arguments",
    [["show"], ["search", "--has", "image"], ["verify"], ["verify", "--open"], ["drill"], ["status"], ["stats"]],
)
def test_a_backup_is_read_where_nothing_can_be_written(rescued: Computer, tmp_path: Path, arguments: list[str]) -> None:
    answer = rescued.run(*arguments, "--json")

    assert answer.last["type"] == "summary"
    # What this run wrote it took away again, chats in the clear above all.
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_check_that_can_be_recorded_nowhere_says_so(rescued: Computer) -> None:
    for arguments, state in ((["verify"], "verified"), (["drill"], "drilled")):
        answer = rescued.run(*arguments, "--json")

        assert answer.last["state"] == state
        assert "result-not-recorded" in notices(answer.out + answer.err)
        assert answer.last["coverage"] == []


def test_chats_are_exported_and_restored_from_it(rescued: Computer, tmp_path: Path) -> None:
    rescued.run("export", "latest", "--to", tmp_path / "pages")
    rescued.run("restore", "latest", "--to", tmp_path / "back")

    assert (tmp_path / "pages" / "index.html").is_file()
    assert (tmp_path / "back" / "chat" / "result.json").read_bytes() == (
        rescued.home / "chat" / "result.json"
    ).read_bytes()


def test_what_must_write_says_what_refused_it(rescued: Computer) -> None:
    refused = rescued.run("snapshot", rescued.home / "chat", "--json", expect=2).last

    assert refused["code"] == "system-refused"
    assert str(rescued.home) in refused["params"]["path"]
