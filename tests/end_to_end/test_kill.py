"""kill -9 at any moment, and two processes at once: the repository stays usable."""

import os
import random
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from computer import Computer, files_of, grow

KILLS = int(os.environ.get("BACKUPKIT_TEST_KILLS", "50"))


@pytest.mark.slow
def test_a_snapshot_killed_at_random_moments_leaves_a_clean_repository_and_the_next_one_completes(
    ready_computer: Computer, tmp_path: Path
) -> None:
    computer, dice = ready_computer, random.Random(2018)
    chats = tmp_path / "chats"
    grow(chats, dice, 60)
    started = time.monotonic()
    computer.run("snapshot", chats, "--json")
    longest = time.monotonic() - started

    killed = attempts = 0
    while killed < KILLS:
        attempts += 1
        assert attempts < 5 * KILLS, f"only {killed} of {attempts} runs were killed in time"
        grow(chats, dice, 4)
        started = time.monotonic()
        running = subprocess.Popen(
            computer.command("snapshot", chats, "--json"),
            env=computer.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            # The moments are spread over the whole run, by lot.
            running.wait(dice.uniform(0.05, longest))
            longest = min(longest, time.monotonic() - started)
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGKILL)
            running.wait()
            killed += 1
            if killed % 10 == 0:
                assert computer.run("verify", "--json").last["state"] == "verified"

    computer.run("snapshot", chats, "--json")
    assert computer.run("verify", "--open", "--json").last["state"] == "verified"
    computer.run("restore", "latest", "--to", tmp_path / "back")
    assert files_of(tmp_path / "back" / "chats") == files_of(chats)


def test_two_snapshots_at_once_both_succeed(ready_computer: Computer, tmp_path: Path) -> None:
    computer, dice = ready_computer, random.Random(1)
    for name in ("one", "two"):
        grow(tmp_path / name, dice, 10)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda name: computer.run("snapshot", tmp_path / name, "--json"), ("one", "two")))

    assert len({answer.last["snapshot"] for answer in answers}) == 2
    listed = [line for line in computer.run("snapshots", "--json").objects if line["type"] == "snapshot"]
    assert len(listed) == 2
    for name, answer in zip(("one", "two"), answers, strict=True):
        computer.run("restore", answer.last["snapshot"], "--to", tmp_path / f"back-{name}")
        assert files_of(tmp_path / f"back-{name}" / name) == files_of(tmp_path / name)


@pytest.mark.slow
def test_a_restore_killed_at_random_moments_is_gone_on_with_by_the_same_command(
    ready_computer: Computer, tmp_path: Path
) -> None:
    computer, dice = ready_computer, random.Random(2018)
    chats, back = tmp_path / "chats", tmp_path / "back"
    grow(chats, dice, 400)
    computer.run("snapshot", chats)

    killed, came = 0, 0
    for _ in range(max(KILLS // 4, 8)):
        running = subprocess.Popen(
            computer.command("restore", "latest", "--to", back), env=computer.environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        # Each run gets some way further than the one before it.
        wanted = came + dice.randrange(1, 60)
        while running.poll() is None and came < wanted:
            came = sum(1 for _ in (back / "chats").glob("*"))
        if running.poll() is not None:
            break
        running.send_signal(signal.SIGKILL)
        running.wait()
        killed += 1
    computer.run("restore", "latest", "--to", back, expect=None)

    assert killed
    assert files_of(back / "chats") == files_of(chats)
    assert sorted(path.name for path in back.iterdir()) == ["chats"]
