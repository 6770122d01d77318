"""Two processes on one repository or one copy: nothing is lost, and whoever has to wait is told so."""

import fcntl
import json
import os
import random
import re
import shlex
import subprocess
from pathlib import Path

from computer import Answer, Computer, files_of, grow


def at_once(computer: Computer, *commands: tuple[object, ...]) -> list[Answer]:
    """Run several commands, all at the same time."""
    running = [
        subprocess.Popen(
            computer.command(*command), env=computer.environment, cwd=computer.home,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for command in commands
    ]  # fmt: skip
    answers = []
    for one in running:
        out, err = one.communicate(timeout=300)
        assert "Traceback" not in out + err, err
        answers.append(Answer(one.returncode, out, err))
    return answers


def test_a_copy_that_another_run_is_writing_is_left_to_it_and_said_to_be(
    ready_computer: Computer, tmp_path: Path
) -> None:
    computer, usb = ready_computer, tmp_path / "usb"
    grow(tmp_path / "chats", random.Random(1), 5)
    computer.run("snapshot", tmp_path / "chats")
    usb.mkdir()
    other = os.open(usb, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)

    refused = computer.run("copy", "--to", usb, "--json", expect=11)
    left = files_of(usb)
    os.close(other)
    copied = computer.run("copy", "--to", usb, "--json")

    assert refused.last["code"] == "copy-running"
    assert left == {}
    assert copied.last["state"] == "whole"


def test_a_copy_that_was_checked_too_early_is_called_older_and_the_advice_brings_it_up_to_date(
    ready_computer: Computer, tmp_path: Path
) -> None:
    computer, usb = ready_computer, tmp_path / "usb"
    grow(tmp_path / "chats", random.Random(4), 5)
    computer.run("snapshot", tmp_path / "chats")
    computer.run("copy", "--to", usb)
    computer.run("snapshot", tmp_path / "chats")

    refused = [" ".join(computer.run(verb, "--repo", usb, expect=21).err.split()) for verb in ("verify", "repair")]
    (advice,) = set(re.findall(r"backupkit (copy --to \S+)", " ".join(refused)))
    computer.run(*shlex.split(advice))

    assert all("older than the repository" in err and "rebuild" not in err for err in refused)
    computer.run("verify", "--repo", usb)


def test_copies_to_one_place_at_once_leave_it_whole_and_call_nothing_damaged(
    ready_computer: Computer, tmp_path: Path
) -> None:
    computer, usb, dice = ready_computer, tmp_path / "usb", random.Random(2)
    for _ in range(3):
        grow(tmp_path / "chats", dice, 12)
        computer.run("snapshot", tmp_path / "chats", "--no-verify")

        answers = at_once(computer, *[("copy", "--to", usb, "--json")] * 3)

        assert 0 in {one.code for one in answers} <= {0, 11}
        told = [json.loads(line) for one in answers for line in one.out.splitlines()]
        assert [one for one in told if one["type"] == "finding"] == []
        assert {one["code"] for one in told if one["type"] == "error"} <= {"copy-running"}
    computer.run("verify", "--repo", usb)
    computer.run("restore", "--repo", usb, "--to", tmp_path / "back")
    assert files_of(tmp_path / "back/chats") == files_of(tmp_path / "chats")


def test_of_two_watchers_one_saves_and_the_other_takes_over_when_it_is_killed(
    ready_computer: Computer, tmp_path: Path
) -> None:
    computer, chats = ready_computer, tmp_path / "chats"
    grow(chats, random.Random(5), 2)
    settings = computer.home / ".config/backupkit/config.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(f"[[source]]\nname = 'chats'\npath = '{chats}'\n[watch]\nsettle = '1s'\n")

    def begin() -> "subprocess.Popen[str]":
        return subprocess.Popen(
            computer.command("watch", "--json"), env=computer.environment, cwd=computer.home,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def await_notice(watcher: "subprocess.Popen[str]", code: str) -> None:
        assert watcher.stdout is not None
        assert any(json.loads(line).get("code") == code for line in watcher.stdout)

    def snapshots() -> int:
        return len([one for one in computer.run("snapshots", "--json").objects if one["type"] == "snapshot"])

    first = begin()
    await_notice(first, "watch-saved")
    second = begin()
    await_notice(second, "watch-standing-by")
    grow(chats, random.Random(6), 1)
    await_notice(first, "watch-saved")
    by_one = snapshots()
    first.kill()
    first.communicate()
    await_notice(second, "watch-taking-over")
    await_notice(second, "watch-saved")
    second.terminate()
    second.communicate(timeout=60)

    assert by_one == 2
    assert second.returncode == 0
    assert snapshots() == 3
