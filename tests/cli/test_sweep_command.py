"""`backupkit sweep` and `sweep --repack` as a person runs them, with a clock that moves."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from backup_scene import SteppingClock
from computer import UNFILLED, Answer, Computer, files_of
from json_schema import differences, schema_of

SCHEMA = schema_of("sweep-1")


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    """A computer with two snapshots; the first, now forgotten for 31 days, shares one of two files with the second."""
    made = Computer(tmp_path / "home")
    made.initialise()
    made.clock = SteppingClock(datetime.now(UTC))
    chats, dice = made.home / "chats", random.Random(5)
    chats.mkdir()
    (chats / "stays.jpg").write_bytes(dice.randbytes(30_000))
    (chats / "goes.jpg").write_bytes(dice.randbytes(90_000))
    first = made.run_here("snapshot", chats, "--no-verify", "--json").last["snapshot"]
    (chats / "goes.jpg").unlink()
    made.run_here("snapshot", chats, "--no-verify")
    made.run_here("forget", first, "--accept-shrink")
    later(made, days=31)
    return made


def later(computer: Computer, **span: float) -> None:
    assert isinstance(computer.clock, SteppingClock)
    computer.clock.at += timedelta(**span)


def said(computer: Computer, *arguments: object) -> str:
    out = computer.run_here("sweep", *arguments).out
    assert not UNFILLED.search(out), out
    assert "sweep." not in out, out
    return out


def summary(computer: Computer, *arguments: object) -> Answer:
    answer = computer.run_here("sweep", *arguments, "--json")
    assert differences(answer.last, SCHEMA) == []
    return answer


@pytest.mark.parametrize("language", ["en_US.UTF-8", "zh_CN.UTF-8"])
def test_every_step_is_said_in_a_whole_sentence(computer: Computer, language: str) -> None:
    computer.environment["LANG"] = language
    words = ("--recovery-words-file", computer.home / "words")

    would = said(computer, "--repack", *words, "--dry-run")
    repacked = said(computer, "--repack", *words)
    waiting = said(computer)
    later(computer, hours=25)
    would_delete = said(computer, "--dry-run")
    deleted = said(computer)
    nothing = said(computer, "--repack", *words)

    told = [would, repacked, waiting, would_delete, deleted, nothing]
    assert len(set(told)) == len(told)
    assert all(text.strip() for text in told)


def test_what_is_repacked_is_freed_a_day_later_and_everything_comes_back(computer: Computer) -> None:
    done = summary(computer, "--repack").last
    later(computer, hours=25)
    freed = summary(computer).last

    assert done["repacked"]["packs"] == 1
    assert done["repacked"]["old_bytes"] > 120_000
    assert freed["freed_bytes"] > 120_000
    computer.run_here("verify", "--open")
    computer.run_here("restore", "latest", "--to", computer.home / "back")
    assert files_of(computer.home / "back" / "chats") == files_of(computer.home / "chats")


def test_a_share_that_is_none_is_a_usage_error(computer: Computer) -> None:
    for wrong in ("much", "100%", "-1"):
        answer = computer.run_here("sweep", "--repack", f"--max-unused={wrong}", "--json", expect=2)
        assert answer.last["code"] == "value-wrong"
