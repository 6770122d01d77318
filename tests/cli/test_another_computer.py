"""The disk with the backup comes to another computer: what it says there must be true, and work as it is typed."""

import json
import re
import shlex
import shutil
from pathlib import Path

import chat_factory
import pytest
from computer import Computer


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with two sources, each saved by itself, and the sheet's words."""
    computer = Computer(tmp_path_factory.mktemp("first") / "home")
    computer.initialise()
    for name in ("my telegram", "whatsapp"):
        chat_factory.write_telegram_chat(computer.home / name, messages=20)
        computer.run("snapshot", name)
    return computer.home


@pytest.fixture
def other(disk: Path, tmp_path: Path) -> Computer:
    computer = Computer(tmp_path / "other")
    shutil.copytree(disk / ".local/share/backupkit/repository", computer.home / "my disk")
    return computer


def test_status_there_does_not_say_that_nothing_is_saved(other: Computer) -> None:
    answer = other.run("status", "--repo", "my disk", expect=5)

    assert answer.out.startswith("Snapshots of another computer lie here.")
    assert "not been typed back" not in answer.out
    assert "Next:  backupkit restore latest --to DIR --repo 'my disk'" in answer.out
    assert "To enrol it: backupkit key enrol --repo 'my disk'\n" in answer.out


def test_a_restore_there_names_the_source_that_the_latest_snapshot_does_not_hold(other: Computer) -> None:
    answer = other.run("restore", "latest", "--to", "back", "--repo", "my disk")

    assert sorted(path.name for path in (other.home / "back").iterdir()) == ["whatsapp"]
    assert "! Not in this snapshot, so not restored: my telegram" in answer.out
    (command,) = [line for line in answer.out.splitlines() if line.startswith("  backupkit restore")]
    _, *words = shlex.split(command)
    other.run(*words)
    assert (other.home / f"back-{words[1]}" / "my telegram").is_dir()


def test_an_export_there_names_it_too_with_the_command_that_exports_it(other: Computer) -> None:
    answer = other.run("export", "--format", "jsonl", "--to", "out", "--repo", "my disk")

    assert "! Not in this snapshot, so not exported: my telegram" in answer.out
    (command,) = [line for line in answer.out.splitlines() if line.startswith("  backupkit export")]
    _, *words = shlex.split(command)
    other.run(*words)
    exported = other.home / f"out-{words[1]}"
    assert sum(path.read_text().count('"message"') for path in exported.glob("*.jsonl")) >= 20


def test_what_is_shown_there_names_it_too_with_the_command_that_shows_it(other: Computer) -> None:
    for brief in ([], ["--brief"]):
        answer = other.run("show", *brief, "--repo", "my disk")

        assert "! Not in this snapshot: my telegram" in answer.out
        (command,) = [line for line in answer.out.splitlines() if line.startswith("  backupkit show")]
        assert "my telegram" in other.run(*shlex.split(command)[1:]).out


def test_whoever_chose_a_snapshot_or_a_conversation_hears_of_no_other(other: Computer) -> None:
    snapshot = other.run("show", "--brief", "--json", "--repo", "my disk").last["snapshot"]
    (title,) = [
        json.loads(line)["title"]
        for line in other.run("show", "--json", "--repo", "my disk").out.splitlines()
        if '"type":"conversation"' in line.replace(" ", "")
    ]

    for words in (
        ["show", snapshot],
        ["show", f"latest:{title}"],
        ["export", snapshot, "--to", "chosen"],
        ["export", "--only", title, "--to", "one"],
        ["export", "--all-snapshots", "--to", "all"],
    ):
        assert other.run(*words, "--json", "--repo", "my disk").last["elsewhere"] == []


def test_the_list_there_calls_a_size_that_was_rounded_up_no_exact_one(disk: Path, other: Computer) -> None:
    answer = other.run("snapshots", "--repo", "my disk")

    assert answer.out.count("≤ 1.0 MB") == 2
    assert "backupkit show SNAPSHOT" in answer.out
    at_home = Computer(disk).run("snapshots").out
    assert "≤" not in at_home
    assert "backupkit show" not in at_home


def test_programs_get_the_same_in_fields(other: Computer) -> None:
    listed = [json.loads(line) for line in other.run("snapshots", "--json", "--repo", "my disk").out.splitlines()]

    answer = other.run("restore", "latest", "--to", "back", "--repo", "my disk", "--json")

    assert answer.last["elsewhere"] == [{"snapshot": listed[0]["snapshot"], "sources": ["my telegram"]}]
    for words in (["show"], ["show", "--brief"], ["export", "--to", "fields"]):
        assert other.run(*words, "--json", "--repo", "my disk").last["elsewhere"] == answer.last["elsewhere"]


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_a_snapshot_there_names_the_command_that_lets_this_computer_write(other: Computer, language: str) -> None:
    """It was `backupkit key enrol`, which looked for a repository at home and found none."""
    chat_factory.write_telegram_chat(other.home / "chat", messages=5)
    answer = other.run("snapshot", "chat", "--repo", "my disk", "--lang", language, expect=12)

    # An error is broken between words where the line is too long; the command is whole again without that.
    (command,) = re.findall(r"backupkit (key enrol --repo '[^']+')", " ".join(answer.err.split()))
    other.run(*shlex.split(command))
    other.run("snapshot", "chat", "--repo", "my disk")
