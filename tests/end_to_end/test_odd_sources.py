"""Whatever lies in a chat folder: it is saved, or it is named and the exit code is 3. Nothing else happens."""

import os
import random
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from computer import Computer

NOBODY = 65534


def files_of(folder: Path) -> dict[bytes, bytes]:
    found = {}
    for place, _, names in os.walk(os.fsencode(folder)):
        for name in names:
            path = os.path.join(place, name)  # noqa: PTH118  names that are bytes
            if os.path.isfile(path) and not os.path.islink(path):  # noqa: PTH113, PTH114
                found[os.path.relpath(path, os.fsencode(folder))] = Path(os.fsdecode(path)).read_bytes()
    return found


def test_every_kind_of_name_and_file_comes_back(ready_computer: Computer, tmp_path: Path) -> None:
    chats = tmp_path / "chats"
    chats.mkdir()
    for number, name in enumerate(
        [b"caf\xe9", b"\xff\xfe", b"two\nlines", b"red\x1b[31m\x07", "聊天".encode(), b"x" * 255]
    ):
        (chats / os.fsdecode(name)).write_bytes(name * number)
    deep = chats
    for number in range(200):
        deep = deep / f"{number:03d}"
    deep.mkdir(parents=True)
    (deep / "bottom").write_text("here")
    (chats / "dangling").symlink_to("/nowhere")
    (chats / "loop").symlink_to(".")
    os.mkfifo(chats / "fifo")
    with (chats / "sparse").open("wb") as file:
        file.seek(100_000_000 - 1)
        file.write(b"\0")
    here = Path.cwd()
    with socket.socket(socket.AF_UNIX) as listening:
        os.chdir(chats)
        try:
            listening.bind("socket")
        finally:
            os.chdir(here)

        taken = ready_computer.run("snapshot", chats)

    stored = sum(path.stat().st_size for path in ready_computer.repository.rglob("*") if path.is_file())
    assert stored < 2_000_000
    assert "\x1b[31m" not in taken.out + taken.err
    assert "\x07" not in taken.out + taken.err
    ready_computer.run("restore", "latest", "--to", tmp_path / "back")
    assert files_of(tmp_path / "back" / "chats") == files_of(chats)
    assert str((tmp_path / "back" / "chats" / "loop").readlink()) == "."


def test_a_folder_whose_own_name_is_odd_goes_all_the_way(ready_computer: Computer, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9\n\x1b[2J")
    odd.mkdir()
    (odd / "file").write_text("x")

    taken = ready_computer.run("snapshot", odd)
    ready_computer.run("snapshot", odd, "--json")
    told = [taken, *(ready_computer.run(*words) for words in (("status",), ("snapshots",), ("show", "latest")))]
    ready_computer.run("status", "--json", expect=None)
    told.append(ready_computer.run("restore", "--to", tmp_path / "back"))

    assert not [answer for answer in told if "\x1b[2J" in answer.out + answer.err]
    assert files_of(tmp_path / "back") == {os.fsencode(odd.name) + b"/file": b"x"}


def test_five_thousand_files_in_one_folder_come_back(ready_computer: Computer, tmp_path: Path) -> None:
    chats = tmp_path / "chats"
    chats.mkdir()
    for number in range(5000):
        (chats / f"{number:05d}").write_text(f"message {number}\n" * (number % 7))

    summary = ready_computer.run("snapshot", chats, "--json").last

    assert summary["files"] == 5000
    ready_computer.run("restore", "--to", tmp_path / "back")
    assert files_of(tmp_path / "back" / "chats") == files_of(chats)


def test_what_may_not_be_read_is_named_and_the_rest_is_saved(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "home")
    chats = tmp_path / "chats"
    (chats / "locked").mkdir(parents=True)
    (chats / "open.txt").write_text("open")
    (chats / "secret.txt").write_text("secret")
    (chats / "locked" / "inside.txt").write_text("inside")
    if os.geteuid() == 0:
        # A superuser may read everything, so somebody else takes the snapshot.
        computer.become(NOBODY, tmp_path)
        for path in (chats, *chats.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    (chats / "secret.txt").chmod(0)
    (chats / "locked").chmod(0)
    computer.initialise()

    summary = computer.run("snapshot", chats, "--json", expect=3).last

    named = {Path(one["path"]).name: one["reason"] for one in summary["unreadable"]}
    assert named == {"secret.txt": "permission-denied", "locked": "permission-denied"}
    assert summary["files"] == 1
    computer.run("restore", "latest", "--to", tmp_path / "home" / "back")
    (chats / "locked").chmod(0o700)
    assert (tmp_path / "home" / "back" / "chats" / "open.txt").read_text() == "open"
    shown = computer.run("snapshot", chats, expect=3)
    assert "secret.txt" in shown.out + shown.err


def test_files_that_come_go_and_change_while_they_are_read_never_stop_a_snapshot(
    ready_computer: Computer, tmp_path: Path
) -> None:
    chats = tmp_path / "chats"
    chats.mkdir()
    for number in range(300):
        (chats / f"keep-{number:03d}").write_bytes(random.Random(number).randbytes(20_000))
    kept = files_of(chats)
    done = threading.Event()

    def restless() -> None:
        dice = random.Random(4)
        while not done.is_set():
            path = chats / f"restless-{dice.randrange(40):02d}"
            if path.exists() and dice.random() < 0.4:
                path.unlink()
            else:
                path.write_bytes(dice.randbytes(dice.randrange(200_000)))
            folder = chats / f"folder-{dice.randrange(5)}"
            if folder.exists():
                shutil.rmtree(folder)
            else:
                folder.mkdir()
                (folder / "within").write_text("x")

    worker = threading.Thread(target=restless)
    worker.start()
    try:
        answers = [ready_computer.run("snapshot", chats, "--json", expect=None) for _ in range(4)]
    finally:
        done.set()
        worker.join()

    assert {answer.code for answer in answers} <= {0, 3}
    for answer in answers:
        assert (answer.code == 3) == bool(answer.last["unreadable"])
    ready_computer.run("verify", "--open")
    ready_computer.run("restore", "latest", "--to", tmp_path / "back")
    back = files_of(tmp_path / "back" / "chats")
    assert {path: back.get(path) for path in kept} == kept


PEAK = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, done.returncode)
"""


@pytest.mark.slow
def test_a_huge_file_is_saved_and_restored_in_bounded_memory(ready_computer: Computer, tmp_path: Path) -> None:
    chats = tmp_path / "chats"
    chats.mkdir()
    dice = random.Random(6)
    block = dice.randbytes(1 << 20)
    with (chats / "video.mp4").open("wb") as file:
        for number in range(600):
            file.write(number.to_bytes(8, "big") + block[8:])
    with sqlite3.connect(chats / "messages.db") as connection:
        connection.execute("CREATE TABLE message (n INTEGER PRIMARY KEY, body BLOB)")
        connection.executemany("INSERT INTO message(body) VALUES (?)", ((block[: 1 << 16],) for _ in range(800)))
    connection.close()

    def peak_mb(*arguments: object) -> float:
        done = subprocess.run(
            [sys.executable, "-c", PEAK, *ready_computer.command(*arguments)],
            env=ready_computer.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        kilobytes, code = map(int, done.stdout.split())
        assert code == 0, done.stderr
        return kilobytes / 1024

    peaks = {
        "snapshot": peak_mb("snapshot", chats, "--json"),
        "restore": peak_mb("restore", "latest", "--to", tmp_path / "back", "--json"),
        "verify": peak_mb("verify", "--open", "--json"),
    }

    assert max(peaks.values()) <= 150, peaks
    assert (tmp_path / "back/chats/video.mp4").stat().st_size == 600 << 20
    compared = subprocess.run(["cmp", chats / "video.mp4", tmp_path / "back/chats/video.mp4"], check=False)
    assert compared.returncode == 0
