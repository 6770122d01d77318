"""Ctrl-C once and twice, SIGTERM, at any moment: a documented exit code, no traceback, a usable repository."""

import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from chat_factory import write_telegram_chat
from computer import Answer, Computer, files_of, grow

OURS = re.compile(r'File ".*/backupkit/(?!__init__\.py|__main__\.py)')
"""A line of a traceback in code of ours that runs after `__main__` took over Ctrl-C."""


def interrupted(
    computer: Computer, *arguments: object, after: float, number: int, times: int = 1, cwd: Path | None = None
) -> Answer:
    """Run a command and send it a signal `after` seconds; a second one at once where two are asked for."""
    running = subprocess.Popen(
        computer.command(*arguments),
        env=computer.environment,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        running.wait(after)
    except subprocess.TimeoutExpired:
        for _ in range(times):
            running.send_signal(number)
            time.sleep(0.02)
    out, err = running.communicate(timeout=120)
    if "Traceback" in err and not OURS.search(err):
        # Python itself was still coming up; not a line of backupkit had run yet that could listen.
        return Answer(-number, out, "")
    assert "Traceback" not in out + err, err
    return Answer(running.returncode, out, err)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_snapshot_that_is_asked_to_stop_at_any_moment_leaves_a_usable_repository(
    ready_computer: Computer, tmp_path: Path, number: int, code: int
) -> None:
    computer, dice = ready_computer, random.Random(number)
    chats = tmp_path / "chats"
    grow(chats, dice, 60)
    started = time.monotonic()
    computer.run("snapshot", chats)
    longest = time.monotonic() - started

    codes = []
    for attempt in range(14):
        grow(chats, dice, 20)
        answer = interrupted(
            computer, "snapshot", chats, after=dice.uniform(0, longest), number=number, times=1 + attempt % 2
        )
        # Before Python is up, nobody listens yet: then the system itself ends the process by the signal.
        assert answer.code in {0, code, -number}, answer
        codes.append(answer.code)

    assert code in codes
    assert computer.run("snapshot", chats, "--json").last["state"] == "verified"
    computer.run("verify", "--open")
    computer.run("restore", "latest", "--to", tmp_path / "back")
    assert files_of(tmp_path / "back" / "chats") == files_of(chats)


def test_a_restore_that_is_stopped_leaves_no_half_file_under_a_final_name(
    ready_computer: Computer, tmp_path: Path
) -> None:
    computer, dice = ready_computer, random.Random(3)
    chats = tmp_path / "chats"
    grow(chats, dice, 150)
    computer.run("snapshot", chats, "--no-verify")
    whole = files_of(chats)

    codes = set()
    for attempt in range(8):
        back = tmp_path / f"back-{attempt}"
        answer = interrupted(
            computer, "restore", "--to", back, after=dice.uniform(0.3, 1.5), number=signal.SIGINT, times=1 + attempt % 2
        )
        codes.add(answer.code)
        restored = files_of(back / "chats") if (back / "chats").exists() else {}
        assert all(whole[path] == data for path, data in restored.items())

    assert codes <= {0, 130, -signal.SIGINT}, codes


@pytest.mark.slow
@pytest.mark.parametrize("what", ["verify --open", "repair", "copy --to usb", "drill", "export --to out"])
def test_every_long_command_can_be_stopped_at_any_moment_and_run_again(
    ready_computer: Computer, tmp_path: Path, what: str
) -> None:
    computer, dice = ready_computer, random.Random(what)
    chats, words = tmp_path / "chats", what.split()
    write_telegram_chat(chats / "telegram", messages=400)
    grow(chats, dice, 30)
    computer.run("snapshot", chats / "telegram", "--no-verify")
    computer.run("snapshot", chats, chats / "telegram")
    started = time.monotonic()
    computer.run(*words)
    longest = time.monotonic() - started
    remove_what_came_of_it(computer)

    for attempt in range(4):
        number = dice.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
        answer = interrupted(
            computer, *words, after=dice.uniform(0.1, longest), number=number, times=1 + attempt % 3, cwd=computer.home
        )
        assert answer.code in {0, 130 if number == signal.SIGINT else 143, -number}, answer
        remove_what_came_of_it(computer)

    computer.run(*words)
    # Young ones are left for an hour: somebody may be writing them.
    assert [path for path in computer.home.rglob("*partial*") if path.is_file()] == []
    assert computer.run("verify", "--open", "--json").last["findings"] == []
    computer.run("restore", "latest", "--to", tmp_path / "back")
    assert files_of(tmp_path / "back/chats") == files_of(chats)


def remove_what_came_of_it(computer: Computer) -> None:
    """Where an export goes nothing may lie. One that was stopped leaves nothing; one that was whole by then is taken away."""
    out = computer.home / "out"
    if out.exists():
        assert (out / "index.html").is_file(), "what was not finished is gone"
        shutil.rmtree(out)
