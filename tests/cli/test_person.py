"""With a person at the terminal: a real one, as far as the process can tell."""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from chat_factory import write_telegram_chat
from computer import Computer, words_on
from person import Person

from backupkit.crypto.recovery import RecoveryCode


def answers_the_words(person: Person, sheet: Path) -> None:
    for _ in range(2):
        person.waits_for("type word ")
        number = re.match(r"\d+", person.waits_for(":"))
        assert number is not None
        person.types(words_on(sheet)[int(number[0]) - 1])


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    computer = Computer(tmp_path / "home")
    write_telegram_chat(computer.home / "chat", messages=5)
    return computer


def test_the_first_snapshot_asks_for_a_passphrase_and_for_two_words(computer: Computer) -> None:
    person = Person(computer, "snapshot", "chat")

    assert "Reading and restoring will ask for it" in person.waits_for("A new passphrase")
    for _ in range(2):
        person.waits_for(":" if _ == 0 else "again:")
        person.types("correct horse battery staple")
    answers_the_words(person, computer.home / "backupkit-recovery-sheet.html")
    code, shown = person.ends_with()

    assert code == 0
    assert "The recovery words are confirmed." in shown
    assert "verified" in shown
    assert "█" in shown
    assert computer.run("status", "--json").last["recovery_confirmed"] is True


def test_two_passphrases_that_differ_are_asked_for_again_and_in_the_end_make_nothing(computer: Computer) -> None:
    person = Person(computer, "init")

    for tried in range(3):
        shown = person.waits_for("passphrase:")
        assert ("not the same" in shown) == (tried > 0)
        person.types("one")
        person.waits_for("again:")
        person.types("two")
    code, shown = person.ends_with()

    assert code == 2
    assert "passphrases-differ" in shown
    assert not computer.repository.exists()
    assert not list(computer.home.glob("*sheet*"))


def test_a_word_that_was_not_read_off_the_sheet_leaves_it_unconfirmed(computer: Computer) -> None:
    person = Person(computer, "init")
    person.waits_for("passphrase:")
    person.types("correct horse battery staple")
    person.waits_for("again:")
    person.types("correct horse battery staple")

    for _ in range(3):
        person.waits_for("type word ")
        person.types("guess")
    code, shown = person.ends_with()

    assert code == 0
    assert "not typed back yet" in shown
    assert computer.run("status", "--json", expect=5).last["recovery_confirmed"] is False


def test_ctrl_c_at_a_question_is_exit_130_and_makes_nothing(computer: Computer) -> None:
    person = Person(computer, "init")

    person.waits_for("passphrase:")
    os.kill(person.process, signal.SIGINT)
    code, shown = person.ends_with()

    assert code == 130
    # There is no repository yet, so nothing can be said of it.
    assert "repository is whole" not in shown
    assert "Traceback" not in shown
    assert "interrupted" in shown
    assert not computer.repository.exists()
    assert re.match(r"\s*\n\S*Error:", shown), "the answer began on the line of the question"


def test_a_terminal_that_is_closed_at_a_question_leaves_nothing_behind(computer: Computer) -> None:
    """A recovery sheet that was begun stayed beside its place, empty and with another name."""
    before = set(computer.home.rglob("*"))
    person = Person(computer, "init")
    person.waits_for("passphrase:")

    os.close(person.terminal)
    _, status = os.waitpid(person.process, 0)

    assert os.waitstatus_to_exitcode(status) == 143
    assert {path for path in set(computer.home.rglob("*")) - before if path.is_file()} == set()


def test_a_process_that_is_killed_at_a_question_leaves_nothing_behind(computer: Computer) -> None:
    before = set(computer.home.rglob("*"))
    person = Person(computer, "init")
    person.waits_for("passphrase:")

    os.kill(person.process, signal.SIGKILL)
    code, _ = person.ends_with()

    assert code == -signal.SIGKILL
    assert {path for path in set(computer.home.rglob("*")) - before if path.is_file()} == set()


def test_words_that_a_killed_run_left_half_written_go_with_the_next_one(computer: Computer) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = computer.home / f".sheet.html.{ended.pid}.tmp"
    of_others = [
        computer.home / f".sheet.html.{os.getpid()}.tmp",
        computer.home / f".other.html.{ended.pid}.tmp",
        computer.home / ".sheet.html.tmp",
    ]
    for path in (left, *of_others):
        path.write_text("abandon ability able")

    computer.run("init", "--no-input", "--recovery-sheet", computer.home / "sheet.html")

    assert not left.exists()
    assert all(path.exists() for path in of_others)
    assert len(words_on(computer.home / "sheet.html")) == 24
    assert (computer.home / "sheet.html").stat().st_mode & 0o777 == 0o600


def test_no_input_asks_nobody_even_at_a_terminal(computer: Computer) -> None:
    code, shown = Person(computer, "init", "--no-input").ends_with()

    assert code == 12
    assert "passphrase-needed" in shown


def test_no_passphrase_is_ever_shown(computer: Computer) -> None:
    person = Person(computer, "init")
    person.waits_for("passphrase:")
    person.types("a very secret passphrase")
    person.waits_for("again:")
    person.types("a very secret passphrase")
    shown = person.waits_for("type word ")
    os.kill(person.process, signal.SIGTERM)
    code, rest = person.ends_with()

    assert "secret" not in shown + rest
    assert code == 143


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Computer:
    """A computer with a snapshot. Its passphrase is in a file, which a person at the terminal does not use."""
    computer = Computer(tmp_path_factory.mktemp("saved") / "home")
    computer.initialise()
    write_telegram_chat(computer.home / "chat", messages=5)
    computer.run("snapshot", "chat")
    return computer


def test_a_slip_at_the_passphrase_may_be_put_right_at_once(saved: Computer) -> None:
    person = Person(saved, "show", "latest")

    person.waits_for("recovery words:")
    person.types("not it")
    assert "That does not open it." in person.waits_for("recovery words:")
    person.types((saved.home / "passphrase").read_text().strip())
    code, shown = person.ends_with()

    assert code == 0
    assert "5 messages" in shown


def test_a_slip_among_the_recovery_words_is_named(saved: Computer) -> None:
    words = (saved.home / "words").read_text().split()
    person = Person(saved, "show", "latest")

    person.waits_for("recovery words:")
    person.types(" ".join([*words[:6], "bananna", *words[7:]]))
    assert "Word 7 is not in the list: bananna" in person.waits_for("recovery words:")
    person.types(" ".join(words))

    assert person.ends_with()[0] == 0


def test_three_times_wrong_is_the_end(saved: Computer) -> None:
    person = Person(saved, "show", "latest")

    for _ in range(3):
        person.waits_for("recovery words:")
        person.types("not it")
    code, shown = person.ends_with()

    assert code == 12
    assert "cannot-unlock" in shown


@pytest.mark.parametrize("line_end", ["", "\n"])
def test_recovery_words_may_be_pasted_as_they_stand_on_the_sheet_and_none_is_left_for_the_shell(
    saved: Computer, line_end: str
) -> None:
    """Only the first line was read, three times over, and the shell got the rest to run and to remember."""
    words = (saved.home / "words").read_text().split()
    person = Person(saved, "show", "latest", line="{}; echo then; cat")

    person.waits_for("recovery words:")
    os.write(person.terminal, ("\n".join(words) + line_end).encode())
    before = person.waits_for("press Enter on an empty line.")
    person.types("")
    person.types("")
    before += person.waits_for("then")
    person.types("what comes next")
    os.write(person.terminal, b"\x04")
    code, after = person.ends_with()

    assert "5 messages" in before
    assert code == 0
    assert after.split() == ["what", "comes", "next"] * 2
    assert not any(word in before for word in words if len(word) > 6)


def test_words_of_both_languages_are_pasted_from_a_chinese_sheet(saved: Computer) -> None:
    english = (saved.home / "words").read_text().split()
    chinese = RecoveryCode.from_words(" ".join(english)).words("zh-CN")
    person = Person(saved, "key", "confirm")

    person.waits_for("recovery sheet:")
    os.write(person.terminal, "\n".join(map(" ".join, zip(chinese, english, strict=True))).encode())
    person.types("")
    person.types("")
    code, shown = person.ends_with()

    assert code == 0, shown


def test_a_signal_that_does_not_wake_the_question_is_heard_all_the_same(computer: Computer) -> None:
    """One that came just before the read was noted, and then the read waited for a line."""
    program = """
import signal, threading, time
from backupkit.cli.asking import AtTheTerminal
# Another thread takes the signal: as in that moment, it is noted and wakes nobody.
threading.Thread(target=time.sleep, args=(90,), daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
AtTheTerminal("").line("Well?")
"""
    python = shlex.join([sys.executable, "-c", program])
    person = Person(computer, line=f"exec {python}")
    person.waits_for("Well?")

    os.kill(person.process, signal.SIGINT)

    assert person.ends_with()[0] in {-signal.SIGINT, 130}
