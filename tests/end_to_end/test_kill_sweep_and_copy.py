"""kill -9 while packs are deleted and copied: no snapshot that is kept is ever lost, and the next run goes on."""

import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from computer import Computer, files_of, grow

KILLS = int(os.environ.get("BACKUPKIT_TEST_KILLS", "5"))


def let_days_pass(computer: Computer) -> None:
    """Let this computer have seen everything in its log forty days ago. Nobody can wait that long."""
    (seen,) = computer.home.rglob("log-first-seen")
    seen.write_text(re.sub(r"\d{4}-\d\d-\d\dT[\d:]+Z", "2018-06-01T00:00:00Z", seen.read_text()))


def kill_in(computer: Computer, most: float, dice: random.Random, *arguments: object) -> bool:
    """Run a command and kill it at some moment; tell whether it was still running."""
    running = subprocess.Popen(
        computer.command(*arguments), env=computer.environment, cwd=computer.home,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        running.wait(dice.uniform(0.02, most))
    except subprocess.TimeoutExpired:
        running.send_signal(signal.SIGKILL)
        running.wait()
        return True
    return False


@pytest.mark.slow
def test_sweep_and_copy_killed_at_random_moments_lose_nothing_that_is_kept(
    ready_computer: Computer, tmp_path: Path
) -> None:
    computer, dice = ready_computer, random.Random(2018)
    chats, usb = tmp_path / "chats", tmp_path / "usb"
    contents = {}
    for _ in range(4):
        for path in chats.glob("*") if chats.exists() else ():
            path.unlink()
        grow(chats, dice, 8)
        contents[computer.run("snapshot", chats, "--no-verify", "--json").last["snapshot"]] = files_of(chats)
    computer.run("repair")
    *going, last = contents

    killed = 0
    for round_ in range(KILLS):
        if round_ % 2 == 0 and going:
            computer.run("forget", going.pop(0), "--accept-shrink")
            let_days_pass(computer)
        started = time.monotonic()
        computer.run("status", expect=None)
        as_long = 3 * (time.monotonic() - started)
        killed += kill_in(computer, as_long, dice, "sweep")
        let_days_pass(computer)
        killed += kill_in(computer, as_long, dice, "sweep")
        killed += kill_in(computer, as_long, dice, "copy", "--to", usb)
        kept = [line["snapshot"] for line in computer.run("snapshots", "--json").objects[:-1]]
        assert kept == [*going, last]

    computer.run("sweep")
    let_days_pass(computer)
    swept = computer.run("sweep", "--json").last
    copied = computer.run("copy", "--to", usb, "--json").last
    assert killed > 0
    assert copied["state"] == "whole"
    for snapshot in [*going, last]:
        assert computer.run("verify", snapshot, "--json").last["state"] == "verified"
    computer.run("copy", "--to", usb)
    computer.run("verify", last, "--repo", usb)
    computer.run("restore", last, "--repo", usb, "--to", tmp_path / "back")
    assert files_of(tmp_path / "back" / "chats") == contents[last]
    repaired = computer.run("repair", "--json").last
    # A kill may cost a copy of a small file, never a pack.
    assert (repaired["repaired"], repaired["lost"], repaired["findings"]) == ([], [], [])
    assert swept["waiting"] == 0
