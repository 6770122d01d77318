"""kill -9 at any moment, two processes at once, Ctrl-C, a full disk: the repository stays usable."""

import os
import random
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from computer import Computer

KILLS = int(os.environ.get("BACKUPKIT_TEST_KILLS", "50"))


def grow(folder: Path, dice: random.Random, files: int) -> None:
    """Add files of a few kinds, so that every run has something to pack."""
    folder.mkdir(parents=True, exist_ok=True)
    for _ in range(files):
        name = f"{dice.randrange(10**9):09d}"
        if dice.random() < 0.5:
            (folder / f"{name}.txt").write_text("".join(dice.choices("你好 hello 在吗 \n", k=20_000)))
        else:
            (folder / f"{name}.jpg").write_bytes(b"\xff\xd8\xff" + dice.randbytes(300_000))


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_snapshot_killed_at_random_moments_leaves_a_clean_repository_and_the_next_one_completes(
    ready_computer: Computer, tmp_path: Path
) -> None:
    computer, dice = ready_computer, random.Random(2018)
    chats = tmp_path / "chats"
    grow(chats, dice, 60)
    started = time.monotonic()
    computer.run("snapshot", chats, "--json")
    longest = (time.monotonic() - started) * 1.2

    killed = 0
    for attempt in range(KILLS):
        grow(chats, dice, 4)
        running = subprocess.Popen(
            computer.command("snapshot", chats, "--json"),
            env=computer.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            # The moments are spread over the whole run, by lot.
            running.wait(dice.uniform(0.05, longest))
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGKILL)
            running.wait()
            killed += 1
        if attempt % 10 == 9:
            assert computer.run("verify", "--json").last["state"] == "verified"

    assert killed >= KILLS // 2, f"only {killed} of {KILLS} runs were killed in time"
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


def test_ctrl_c_leaves_a_usable_repository_and_says_so(ready_computer: Computer, tmp_path: Path) -> None:
    computer, dice = ready_computer, random.Random(7)
    chats = tmp_path / "chats"
    grow(chats, dice, 200)
    running = subprocess.Popen(
        computer.command("snapshot", chats, "--json"),
        env=computer.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    running.stdout.readline()  # the first event: it is at work
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)

    assert "Traceback" not in err
    assert running.returncode in {0, 130}
    computer.run("snapshot", chats)
    computer.run("restore", "latest", "--to", tmp_path / "back")
    assert files_of(tmp_path / "back" / "chats") == files_of(chats)
