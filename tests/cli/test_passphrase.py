"""Where a passphrase comes from."""

import os
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

from backupkit.cli import handed_over, passphrase as passphrase_module
from backupkit.cli.asking import Person
from backupkit.cli.passphrase import (
    PassphraseEmpty,
    PassphraseNeeded,
    PassphrasesDiffer,
    PassphraseSources,
    PassphraseUnreadable,
    WordsFileUnreadable,
    recovery_words,
)
from backupkit.errors import BackupkitError
from backupkit.ops.events import Event, Found, Notice


class Typist:
    """A person who types what was written down for them."""

    def __init__(self, *typed: str) -> None:
        self.typed = list(typed)

    def secret(self, _question: str) -> str:
        return self.typed.pop(0)

    def line(self, question: str) -> str:
        return self.secret(question)


def sources(
    environment: dict[str, str] | None = None, *, file: Path | None = None, program: str | None = None,
    person: Person | None = None, told: list[Event] | None = None,
) -> PassphraseSources:  # fmt: skip
    heard: list[Event] = [] if told is None else told
    return PassphraseSources(
        {**os.environ, **(environment or {})}, file=lambda: file, program=lambda: program, person=person, tell=heard.append
    )  # fmt: skip


def private(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"pass phrase\n", "pass phrase"), (b" spaces \r\n", " spaces "), (b"two\nlines\n", "two\nlines"), ("口令".encode(), "口令")],
)  # fmt: skip
def test_one_line_end_behind_a_passphrase_does_not_belong_to_it(tmp_path: Path, data: bytes, expected: str) -> None:
    file = private(tmp_path / "p", data)

    assert sources({"BACKUPKIT_PASSPHRASE_FILE": str(file)}).existing("?") == expected


def test_the_environment_wins_over_the_settings_and_those_over_the_person(tmp_path: Path) -> None:
    named, set_ = private(tmp_path / "a", b"named"), private(tmp_path / "b", b"set")
    person = Typist("typed")

    assert sources({"BACKUPKIT_PASSPHRASE_FILE": str(named)}, file=set_, person=person).existing("?") == "named"
    assert sources(file=set_, person=person).existing("?") == "set"
    assert sources(person=person).existing("?") == "typed"


def test_a_descriptor_gives_a_passphrase() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"through a pipe\n")
    os.close(writing)

    assert sources({"BACKUPKIT_PASSPHRASE_FD": str(reading)}).existing("?") == "through a pipe"

    os.close(reading)


def test_a_program_gives_the_first_line_of_what_it_prints() -> None:
    program = f"{sys.executable} -c \"print('from a program'); print('and more')\""

    assert sources({"BACKUPKIT_PASSPHRASE_COMMAND": program}).existing("?") == "from a program"
    assert sources(program=program).existing("?") == "from a program"


def test_a_program_is_started_without_a_shell(tmp_path: Path) -> None:
    with pytest.raises(PassphraseUnreadable):
        sources(program=f"true; touch {tmp_path}/shell").existing("?")

    assert not (tmp_path / "shell").exists()


@pytest.mark.parametrize(
    "environment",
    [
        {"BACKUPKIT_PASSPHRASE_FILE": "/no/such/file"},
        {"BACKUPKIT_PASSPHRASE_FILE": "/dev/null"},
        {"BACKUPKIT_PASSPHRASE_FILE": "/"},
        {"BACKUPKIT_PASSPHRASE_FILE": "/dev/zero"},
        {"BACKUPKIT_PASSPHRASE_FD": "999"},
        {"BACKUPKIT_PASSPHRASE_FD": "-1"},
        {"BACKUPKIT_PASSPHRASE_FD": "9" * 30},
        {"BACKUPKIT_PASSPHRASE_COMMAND": "false"},
        {"BACKUPKIT_PASSPHRASE_COMMAND": "true"},
        {"BACKUPKIT_PASSPHRASE_COMMAND": "no-such-program-anywhere"},
        {"BACKUPKIT_PASSPHRASE_COMMAND": "'unclosed"},
        {"BACKUPKIT_PASSPHRASE_COMMAND": "yes"},
    ],
)
def test_a_place_that_gives_no_passphrase_is_one_typed_error(environment: dict[str, str]) -> None:
    with pytest.raises(PassphraseUnreadable) as caught:
        sources(environment, person=Typist("never asked")).existing("?")

    assert caught.value.exit_code == 12
    assert caught.value.facts["source"] == next(iter(environment))


def test_a_program_that_does_not_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passphrase_module, "SECONDS_FOR_PROGRAM", 0.2)

    with pytest.raises(PassphraseUnreadable) as caught:
        sources({"BACKUPKIT_PASSPHRASE_COMMAND": "sleep 60"}).existing("?")

    assert caught.value.facts["reason"] == "program-too-slow"


def test_a_pipe_that_nobody_fills_or_ends_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handed_over, "SECONDS", 0.2)
    os.mkfifo(tmp_path / "pipe")
    reading, writing = os.pipe()
    os.write(writing, b"half of")

    for environment in (
        {"BACKUPKIT_PASSPHRASE_FILE": str(tmp_path / "pipe")},
        {"BACKUPKIT_PASSPHRASE_FD": str(reading)},
        {"BACKUPKIT_PASSPHRASE_FILE": f"/dev/fd/{reading}"},
    ):
        with pytest.raises(PassphraseUnreadable):
            sources(environment).existing("?")
    with pytest.raises(WordsFileUnreadable):
        recovery_words(tmp_path / "pipe")
    os.close(writing)
    os.close(reading)


def test_a_pipe_gives_what_is_written_into_it_until_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def fill() -> None:
        with pipe.open("wb", buffering=0) as writer:
            for piece in (b"pass ", b"phrase", b"\n"):
                writer.write(piece)
                time.sleep(0.02)

    writer = Thread(target=fill)
    writer.start()

    assert sources({"BACKUPKIT_PASSPHRASE_FILE": str(pipe)}).existing("?") == "pass phrase"
    writer.join()


def test_a_file_that_others_can_read_is_used_with_a_warning(tmp_path: Path) -> None:
    file = private(tmp_path / "p", b"x")
    file.chmod(0o644)
    told: list[Event] = []

    assert sources({"BACKUPKIT_PASSPHRASE_FILE": str(file)}, told=told).existing("?") == "x"
    assert [event.code for event in told if isinstance(event, Found)] == ["passphrase-file-open-to-others"]


def test_without_a_place_and_a_person_nothing_is_guessed() -> None:
    with pytest.raises(PassphraseNeeded) as caught:
        sources({"BACKUPKIT_PASSPHRASE": "never from a value"}).existing("?")

    assert caught.value.exit_code == 12


def test_a_new_passphrase_is_typed_twice_and_asked_for_three_times() -> None:
    assert sources(person=Typist("one", "one")).new("?", "again?") == "one"
    told: list[Event] = []
    typist = Typist("one", "two", "three", "four", "five", "five")
    assert sources(person=typist, told=told).new("?", "again?") == "five"
    assert [event.code for event in told if isinstance(event, Notice)] == ["passphrases-differ"] * 2
    with pytest.raises(PassphrasesDiffer):
        sources(person=Typist("one", "two", "three", "four", "five", "six")).new("?", "again?")
    with pytest.raises(PassphraseEmpty):
        sources(person=Typist("", "")).new("?", "again?")


@pytest.mark.parametrize(("typed", "is_short"), [("abc1234", True), ("abcd 1234", False), ("在和平路", False)])
def test_a_new_passphrase_that_could_be_tried_out_is_taken_with_a_warning(typed: str, is_short: bool) -> None:
    told: list[Event] = []

    assert sources(person=Typist(typed, typed), told=told).new("?", "again?") == typed

    assert [event.code for event in told if isinstance(event, Found)] == ["passphrase-short"] * is_short


@pytest.mark.parametrize("data", [b"\xff\xff", b"w" * 70_000, None])
def test_a_file_of_words_that_cannot_be_read_is_one_typed_error(tmp_path: Path, data: bytes | None) -> None:
    if data is not None:
        (tmp_path / "w").write_bytes(data)

    with pytest.raises(WordsFileUnreadable) as caught:
        recovery_words(tmp_path / "w")

    assert isinstance(caught.value, BackupkitError)
