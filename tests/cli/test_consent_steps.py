"""`backupkit guard check` with a person at the terminal: two steps, and the careless answer keeps the chats."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from apk_factory import build_apk, make_key, sign
from chat_factory import write_telegram_chat
from computer import Computer
from person import Person

from backupkit.cli.consent_steps import TokenUnreadable, token_in

PACKAGE = "org.telegram.messenger"
CHECK = ("guard", "check", "--installed", "old.apk", "--candidate", "new.apk", "--app-name", "Telegram")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Computer:
    """A computer with a verified backup of 20 messages, and three more in the app since."""
    computer = Computer(tmp_path_factory.mktemp("c") / "home")
    for name, maker in (("old", "A"), ("new", "B"), ("other", "C")):
        (computer.home / f"{name}.apk").write_bytes(
            sign(build_apk(PACKAGE, 1 if name == "old" else 2), make_key(name=maker))
        )
    computer.initialise()
    write_telegram_chat(computer.home / "chats", messages=20)
    computer.run("snapshot", "chats", "--app", "telegram")
    write_telegram_chat(computer.home / "chats", messages=23)
    # The first question of all lays down a key and what was seen of the app; here it is about the ones after it.
    store_asks(computer)
    return computer


@pytest.fixture
def computer(prepared: Computer) -> Computer:
    for consent in guard_of(prepared).glob("consents/*"):
        consent.unlink()
    return prepared


def guard_of(computer: Computer) -> Path:
    return computer.home / ".local/state/backupkit/guard"


def memory_of(computer: Computer) -> dict[str, bytes]:
    """The guard's whole memory but the ledger and the last count, which every question adds to."""
    files = (path for path in guard_of(computer).rglob("*") if path.is_file())
    kept = (path for path in files if path.name != "ledger.jsonl" and path.parent.name != "hints")
    return {str(path): path.read_bytes() for path in kept}


def store_asks(computer: Computer, candidate: str = "new.apk") -> dict[str, Any]:
    request = {"installed": str(computer.home / "old.apk"), "candidate": str(computer.home / candidate)}
    return computer.hook({"type": "hook-request", "v": 1, "action": "reinstall", "store": "shop", **request}).last


def test_both_steps_taken_answer_the_stores_next_question_and_no_other(computer: Computer) -> None:
    before = store_asks(computer)

    person = Person(computer, *CHECK)
    first = person.waits_for("to go on:")
    person.types("continue")
    second = person.waits_for("anything else keeps it.")
    person.types("telegram")
    code, rest = person.ends_with()

    after, other = store_asks(computer), store_asks(computer, "other.apk")
    assert code == 0
    assert "3 messages are not in the backup." in first
    assert "Step 1 of 2" in first
    assert "Step 2 of 2" in second
    assert "Your consent is recorded." in rest
    assert (before["consent"]["state"], after["consent"]["state"]) == ("needed", "given")
    assert (after["decision"], after["consent"]["by"]) == ("allow", "person")
    assert after["consent"]["id"] == before["consent"]["id"]
    assert other["consent"]["state"] == "needed"
    entries = [one for one in computer.run("guard", "log", "--json").objects if one.get("store")]
    assert ("backupkit guard check", "person") in [(one["store"], one["consent"]) for one in entries]


@pytest.mark.parametrize("careless", ["", "yes", "Telegram"])
def test_any_other_first_answer_keeps_the_app(computer: Computer, careless: str) -> None:
    store_asks(computer)
    before = memory_of(computer)

    person = Person(computer, *CHECK)
    person.waits_for("to go on:")
    person.types(careless)
    code, rest = person.ends_with()

    assert code == 40
    assert "You keep Telegram. Nothing was changed." in rest
    assert memory_of(computer) == before


def test_another_name_keeps_the_app(computer: Computer) -> None:
    before = memory_of(computer)

    person = Person(computer, *CHECK)
    person.waits_for("to go on:")
    person.types("continue")
    person.waits_for("anything else keeps it.")
    person.types("continue")
    code, rest = person.ends_with()

    assert code == 40
    assert "You keep Telegram." in rest
    assert memory_of(computer) == before


@pytest.mark.parametrize("answers", [[""], ["continue", "no"], [None]], ids=["first", "second", "ctrl-c"])
def test_that_the_app_was_kept_is_in_the_ledger_and_is_explained(computer: Computer, answers: list[str | None]) -> None:
    """The ledger ended with the verdict, and nobody could see later that the person had said no."""
    person = Person(computer, *CHECK)
    for answer, question in zip(answers, ("to go on:", "anything else keeps it."), strict=False):
        person.waits_for(question)
        if answer is None:
            os.kill(person.process, signal.SIGINT)
        else:
            person.types(answer)
    person.ends_with()

    asked, kept = [one for one in computer.run("guard", "log", "--json").objects if one.get("decision")][-2:]
    assert "kept" not in asked
    assert kept["kept"] is True
    same = ("decision", "consent", "consent_id", "new_sha256", "reason", "exit_code")
    assert [kept[name] for name in same] == [asked[name] for name in same]
    assert (kept["decision"], kept["consent"]) == ("allow", "needed")
    assert "KEPT" in computer.run("guard", "log", "--last", "1").out
    explained = computer.run("guard", "explain").out
    assert "KEPT" in explained
    assert "Nothing was changed." in explained
    assert "would be deleted" not in explained
    in_chinese = computer.run("guard", "explain", "--lang", "zh-CN")
    assert "已保留" in in_chinese.out
    assert computer.run("guard", "explain", "--json").last["kept"] is True


def test_an_app_is_kept_also_where_that_cannot_be_noted(computer: Computer) -> None:
    person = Person(computer, *CHECK)
    person.waits_for("to go on:")
    ledger = guard_of(computer) / "ledger.jsonl"
    moved = ledger.rename(ledger.with_suffix(".away"))
    ledger.mkdir()
    person.types("")
    code, rest = person.ends_with()
    ledger.rmdir()
    moved.rename(ledger)

    assert code == 40
    assert "You keep Telegram. Nothing was changed." in rest


def test_answers_that_were_typed_before_the_questions_or_pasted_at_once_consent_to_nothing(computer: Computer) -> None:
    """Whoever pastes both answers has not read what the second question says."""
    before = memory_of(computer)
    person = Person(computer, *CHECK, line="sleep 1; {}")
    person.types("continue")
    person.types("Telegram")

    person.waits_for("to go on:")
    os.write(person.terminal, b"continue\nTelegram\n\n")
    code, rest = person.ends_with()

    assert code == 40
    assert "You keep Telegram." in rest
    assert "Step 2 of 2" not in rest
    assert memory_of(computer) == before


def test_ctrl_c_at_a_step_consents_to_nothing(computer: Computer) -> None:
    person = Person(computer, *CHECK)
    person.waits_for("to go on:")
    os.kill(person.process, signal.SIGINT)
    code, rest = person.ends_with()

    assert code == 130
    assert "You keep Telegram. Nothing was changed." in rest
    assert store_asks(computer)["consent"]["state"] == "needed"


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("sent", [signal.SIGHUP, signal.SIGTERM, signal.SIGKILL])
def test_a_terminal_that_goes_away_at_a_step_consents_to_nothing(computer: Computer, sent: int, step: int) -> None:
    person = Person(computer, *CHECK)
    person.waits_for("to go on:")
    if step == 2:
        person.types("continue")
        person.waits_for("anything else keeps it.")
    os.kill(person.process, sent)
    code, rest = person.ends_with()

    assert code == (-sent if sent == signal.SIGKILL else 128 + signal.SIGTERM)
    assert "Traceback" not in rest
    assert not list(guard_of(computer).glob("consents/*"))
    assert store_asks(computer)["consent"]["state"] == "needed"


def test_a_package_that_is_swapped_between_the_steps_is_not_consented_to(computer: Computer) -> None:
    swapped = computer.home / "swapped.apk"
    swapped.write_bytes((computer.home / "new.apk").read_bytes())

    person = Person(computer, *CHECK[:-3], "swapped.apk", *CHECK[-2:])
    person.waits_for("to go on:")
    person.types("continue")
    person.waits_for("anything else keeps it.")
    swapped.write_bytes((computer.home / "other.apk").read_bytes())
    person.types("Telegram")
    code, _ = person.ends_with()

    assert code == 40
    assert not list(guard_of(computer).glob("consents/*"))


def test_a_chinese_person_is_asked_in_chinese(computer: Computer) -> None:
    person = Person(computer, *CHECK, "--lang", "zh-CN")
    first = person.waits_for("才进入下一步")
    person.types("继续")
    person.waits_for("最后一步")
    person.types("Telegram")
    code, rest = person.ends_with()

    assert code == 0
    assert "有 3 条消息不在备份里。" in first
    assert "您的同意已记录。" in rest


@pytest.mark.parametrize("flag", ["--no-input", "--json", "--plain"])
def test_nobody_is_asked_where_a_program_reads(computer: Computer, flag: str) -> None:
    code, shown = Person(computer, *CHECK, flag).ends_with()

    assert code == 0
    assert "to go on:" not in shown
    assert not list(guard_of(computer).glob("consents/*"))


@pytest.mark.parametrize("line", ["yes continue | {}", "{} | cat", "{} < /dev/null"])
def test_a_pipe_in_place_of_the_terminal_is_asked_nothing(computer: Computer, line: str) -> None:
    code, shown = Person(computer, *CHECK, line=line).ends_with()

    assert code == 0
    assert "Step 2 of 2" in shown
    assert "to go on:" not in shown
    assert not list(guard_of(computer).glob("consents/*"))


def test_a_terminal_in_gbk_is_asked_and_answers_in_gbk(
    computer: Computer, tmp_path: Path, system_tool: Callable[[str], str]
) -> None:
    """The name typed there was taken for UTF-8, so that nobody could consent to an app with a Chinese name."""
    made = subprocess.run(
        [system_tool("localedef"), "-f", "GBK", "-i", "zh_CN", tmp_path / "zh_CN.GBK"], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("the sources of locales are not installed, so no terminal was set to GBK")
    settings = f"LC_ALL=zh_CN.GBK LOCPATH={tmp_path} "

    person = Person(computer, *CHECK[:-1], "电报", line=settings + "{}", encoding="gbk")
    person.waits_for("才进入下一步")
    person.types("继续")
    person.waits_for("最后一步")
    person.types("电报")
    code, rest = person.ends_with()

    assert code == 0
    assert "您的同意已记录。" in rest


@pytest.mark.parametrize(
    ("language", "first", "question"),
    [("en", "continue", "Type Telegram to give up"), ("zh-CN", "继续", "请输入“Telegram”")],
)
def test_an_app_that_backupkit_knows_is_called_by_its_name_though_nobody_named_it(
    computer: Computer, language: str, first: str, question: str
) -> None:
    """The second step had `org.telegram.messenger` typed, and the first line said that its chats would be deleted."""
    nameless = CHECK[:-2]
    person = Person(computer, *nameless, "--lang", language)
    shown = person.waits_for("to go on:" if language == "en" else "下一步：")
    person.types(first)
    person.waits_for(question)
    person.types("Telegram")
    code, _ = person.ends_with()

    assert code == 0
    assert PACKAGE not in shown
    assert computer.run(*nameless, "--json").last["consent"]["app_name"] == PACKAGE


def test_a_token_is_read_from_a_pipe_and_one_that_nobody_fills_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was opened as a file is, and the command stood still until somebody wrote into the pipe."""
    monkeypatch.setattr("backupkit.cli.handed_over.SECONDS", 0.2)
    pipe = tmp_path / "token"
    os.mkfifo(pipe)

    with pytest.raises(TokenUnreadable) as refused:
        token_in(pipe)
    filling = threading.Thread(target=pipe.write_bytes, args=(b"a token",))
    filling.start()
    read = token_in(pipe)
    filling.join()

    assert refused.value.facts["path"] == str(pipe)
    assert read is not None
    assert read.token == b"a token"
    assert token_in(None) is None
