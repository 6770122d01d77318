"""Every way out of the process is a good one."""

import errno
import io
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from command_line import Run
from computer import Computer

from backupkit.cli import main
from backupkit.cli.crash import report_text
from backupkit.cli.session import Process
from backupkit.cli.stopping import ONE_PRESS, Stop, Terminated
from backupkit.errors import ExitCode
from backupkit.ops.failures import LogDamaged

SECRET_OF_A_CHAT = "see you at the station, platform nine"


def process(tmp_path: Path) -> tuple[io.StringIO, io.StringIO, Process]:
    out, notes = io.StringIO(), io.StringIO()
    return out, notes, Process({"HOME": str(tmp_path), "LANG": "en_US.UTF-8"}, out, notes)


def broken(problem: BaseException) -> object:
    def instead(_process: Process, _arguments: Sequence[str], _first: object) -> ExitCode:
        raise problem

    return instead


def test_a_bug_is_a_short_message_and_a_report_without_anybodys_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, notes, here = process(tmp_path)
    monkeypatch.setattr(main, "_invoke", broken(KeyError(SECRET_OF_A_CHAT)))

    code = main.answer(here, ["status"])

    (report,) = (tmp_path / ".local/state/backupkit/reports").iterdir()
    assert code == 1
    assert str(report) in notes.getvalue()
    assert "Traceback" not in notes.getvalue()
    assert SECRET_OF_A_CHAT not in notes.getvalue() + out.getvalue() + report.read_text()
    assert "KeyError" in report.read_text()


def test_a_report_of_a_bug_names_no_home_folder() -> None:
    try:
        Path("/no/such/home").read_text()
    except OSError as problem:
        text = report_text(problem, "status")

    assert "/no/such" not in text
    assert str(Path.home()) not in text


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (OSError(28, "No space left on device", "/x"), 14),
        (PermissionError(13, "Permission denied", "/x"), 2),
        (KeyboardInterrupt(), 130),
        (Terminated(), 143),
        (RecursionError(), 1),
        (MemoryError(), 2),
    ],
)
def test_whatever_happens_has_its_exit_code_and_four_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: BaseException, code: int
) -> None:
    _, notes, here = process(tmp_path)
    monkeypatch.setattr(main, "_invoke", broken(problem))

    assert main.answer(here, ["status"]) == code
    assert [line.split()[0] for line in notes.getvalue().splitlines() if line[:4].strip()][:1] == ["Error:"]
    assert "Try" in notes.getvalue()


def test_the_first_interrupt_is_heard_by_who_polls_and_the_second_stops_at_once() -> None:
    stop = Stop()

    assert not stop()
    stop._heard(signal.SIGINT, None)
    assert stop()
    time.sleep(ONE_PRESS)
    with pytest.raises(KeyboardInterrupt):
        stop._heard(signal.SIGINT, None)


def test_a_signal_that_is_sent_to_the_process_and_again_to_its_group_is_one_stop() -> None:
    """`timeout` does that: the first let the work come to an end, the second broke it off."""
    stop = Stop()
    stop()

    stop._heard(signal.SIGTERM, None)
    stop._heard(signal.SIGTERM, None)

    assert stop()
    assert not stop.at_once


class Panic(BaseException):
    """As libraries in Rust raise it."""


@pytest.mark.parametrize("error", [RuntimeError("release unlocked lock"), Panic(), LogDamaged(size=1, reason="cut")])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_error_that_a_library_comes_to_when_it_is_torn_out_of_its_work_is_the_stops_and_no_bug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: int, error: BaseException
) -> None:
    def torn(here: Process, _arguments: Sequence[str], _first: object) -> ExitCode:
        try:
            here.stop._heard(number, None)
        except (KeyboardInterrupt, Terminated):
            raise error from None
        return ExitCode.DONE

    _, notes, here = process(tmp_path)
    monkeypatch.setattr(main, "_invoke", torn)

    assert main.answer(here, ["status"]) == code
    assert "bug" not in notes.getvalue()


def test_a_command_that_is_to_outlive_its_terminal_does() -> None:
    kept = (
        signal.getsignal(signal.SIGINT),
        signal.getsignal(signal.SIGTERM),
        signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    hook = sys.unraisablehook
    try:
        Stop().listen()

        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        sys.unraisablehook = hook
        for number, handler in zip((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), kept, strict=True):
            signal.signal(number, handler)


def test_an_interrupt_stops_at_once_where_nobody_polls() -> None:
    with pytest.raises(KeyboardInterrupt):
        Stop()._heard(signal.SIGINT, None)
    with pytest.raises(Terminated):
        Stop()._heard(signal.SIGTERM, None)


@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_stop_that_a_finalizer_swallowed_is_said_again_outside_of_it(tmp_path: Path, times: int) -> None:
    # `__del__` runs anywhere, a signal's handler inside it too, and Python drops what is raised there.
    script = f"""
import os, signal, sys, time
from backupkit.cli.stopping import ONE_PRESS, Stop
stop = Stop()
stop.listen()
swallowed = sys.unraisablehook
def hook(unraisable):
    for _ in range({times} - 1):
        os.kill(os.getpid(), signal.SIGINT)
    swallowed(unraisable)
sys.unraisablehook = hook
class Finalized:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass
Finalized()
try:
    time.sleep(60)
    print("slept on")
except KeyboardInterrupt:
    print("stopped")
"""

    # It waits for nothing: the one who pressed the keys sees it stop, however long the call of the system would have lasted.
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, cwd=tmp_path, timeout=30)

    assert (ran.stdout, ran.stderr) == (b"stopped\n", b"")


def test_a_stop_that_is_said_again_too_late_does_not_cut_the_last_words_off(tmp_path: Path) -> None:
    script = (
        "import signal\n"
        "from backupkit.cli.stopping import Stop\n"
        "stop = Stop()\n"
        "stop.listen()\n"
        "stop.rest()\n"
        "stop._say_again(signal.SIGTERM)\n"
        "print('stopped')\n"
    )

    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False, cwd=tmp_path, timeout=60)

    assert (ran.returncode, ran.stdout) == (0, b"stopped\n")


def test_a_reader_who_leaves_is_no_error(tmp_path: Path) -> None:
    script = f"{sys.executable} -m backupkit explain --plain | head -n 1; echo ${{PIPESTATUS[0]}}"

    ran = subprocess.run(["bash", "-c", script], capture_output=True, check=True, cwd=tmp_path, timeout=60)

    assert ran.stderr == b""


def test_a_closed_or_full_output_is_no_traceback(tmp_path: Path) -> None:
    for redirection in (">&-", "> /dev/full", "2>&-", "2> /dev/full"):
        ran = subprocess.run(
            ["bash", "-c", f"{sys.executable} -m backupkit config check {redirection}"],
            capture_output=True, check=False, cwd=tmp_path, timeout=60,
            # Without PYTHONUNBUFFERED, whatever the tests were started with: what could not be written stays in a buffer.
            env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        )  # fmt: skip
        assert b"Traceback" not in ran.stderr, redirection
        assert ran.returncode == (14 if redirection == "> /dev/full" else 0), redirection


@pytest.mark.parametrize(
    ("command", "exit_code"), [("config check --json", 14), ("status --json", 10), ("nonsense --json", 2)]
)
def test_a_full_disk_behind_json_is_no_traceback_and_keeps_the_exit_code(
    tmp_path: Path, command: str, exit_code: int
) -> None:
    for redirection in ("> /dev/full", "> /dev/full 2>&1"):
        ran = subprocess.run(
            ["bash", "-c", f"{sys.executable} -m backupkit {command} {redirection}"],
            capture_output=True, check=False, cwd=tmp_path, timeout=60,
            env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        )  # fmt: skip
        assert ran.returncode == exit_code, redirection
        assert b"Traceback" not in ran.stderr
        assert (b"Error: " in ran.stderr) == ("2>" not in redirection)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_chinese_is_printed_whatever_python_thinks_of_the_locale(run: Run, encoding: str) -> None:
    ran = run("--help", environment={"PYTHONIOENCODING": encoding, "LC_ALL": "zh_CN.UTF-8", "PYTHONUTF8": "0"})

    assert ran.code == 0
    assert "用法" in ran.out


def test_hostile_arguments_cannot_speak_to_the_terminal(run: Run) -> None:
    ran = run("\x1b]0;owned\x07\u202esnap")

    assert "\x1b" not in ran.notes
    assert "\u202e" not in ran.notes
    assert "\\x1b" in ran.notes


def test_arguments_that_are_no_utf8_are_no_crash(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable.encode(), b"-m", b"backupkit", b"config", b"check", b"--json", b"--config", b"\xff.toml"],
        capture_output=True, check=False, cwd=tmp_path, env=dict(os.environ), timeout=60,
    )  # fmt: skip

    assert ran.returncode == 2
    assert b'"config-unreadable"' in ran.stdout


def test_the_server_speaks_the_language_that_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "in-the-way").write_text("no socket")
    arguments = ["guard", "serve", "--socket", str(tmp_path / "in-the-way"), "--lang", "zh-CN"]

    done = subprocess.run(
        [sys.executable, "-m", "backupkit", *arguments],
        env={**os.environ, "HOME": str(tmp_path), "LANG": "en_US.UTF-8"}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 2
    assert "不是套接字" in done.stderr


def test_a_full_disk_under_sqlite_is_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _out, notes, here = process(tmp_path)
    problem = sqlite3.OperationalError("database or disk is full")
    problem.sqlite_errorcode = sqlite3.SQLITE_FULL
    monkeypatch.setattr(main, "_invoke", broken(problem))

    assert main.answer(here, ["search", "x"]) == ExitCode.NO_SPACE
    assert "space-gone" in notes.getvalue()


@pytest.mark.parametrize("named", [True, False])
def test_a_failing_disk_is_told_with_its_file_or_without_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    """A read of an open file fails without a name, and the message ended in a full stop and nothing."""
    _out, notes, here = process(tmp_path)
    problem = OSError(errno.EIO, "Input/output error", *(["/chats/a"] if named else []))
    monkeypatch.setattr(main, "_invoke", broken(problem))

    assert main.answer(here, ["status"]) == ExitCode.USAGE
    told = " ".join(notes.getvalue().split())
    assert "the disk or device failed" in told
    assert ("system-refused" if named else "system-failed") in told
    assert ("/chats/a" if named else "reports/") in told


def test_too_little_memory_is_told_as_that_and_as_no_mistake(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "home")
    computer.initialise()
    (computer.home / "chats").mkdir()
    (computer.home / "chats/chat.txt").write_text("hello")
    computer.run("snapshot", computer.home / "chats")

    def verify(megabytes: int) -> tuple[int, str]:
        done = subprocess.run(
            computer.command("verify", "--json"),
            env=computer.environment, cwd=computer.home, capture_output=True, text=True, check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20)),
        )  # fmt: skip
        return done.returncode, str(json.loads(done.stdout.splitlines()[-1]).get("code"))

    told = {verify(megabytes) for megabytes in (80, 100, 120)}

    assert (2, "memory-gone") in told
    assert told <= {(2, "memory-gone"), (0, "None")}
    computer.run("verify")
