"""`backupkit guard check` counts what the backup does not hold, wherever it knows the app's chats."""

import json
from pathlib import Path
from typing import Any

import pytest
from apk_factory import build_apk, make_key, sign
from chat_factory import write_telegram_chat
from computer import Computer

PACKAGE = "org.telegram.messenger"
CHECK = ("guard", "check", "--installed", "old.apk", "--candidate", "new.apk", "--app-name", "Telegram")


@pytest.fixture(scope="module")
def computer(tmp_path_factory: pytest.TempPathFactory) -> Computer:
    """A computer with a verified backup of 20 messages, and three more in the app since."""
    computer = Computer(tmp_path_factory.mktemp("c") / "home")
    for name, maker in (("old", "A"), ("new", "B")):
        (computer.home / f"{name}.apk").write_bytes(
            sign(build_apk(PACKAGE, 1 if name == "old" else 2), make_key(name=maker))
        )
    computer.initialise()
    write_telegram_chat(computer.home / "chats", messages=20)
    computer.run("snapshot", "chats", "--app", "telegram")
    write_telegram_chat(computer.home / "chats", messages=23)
    return computer


def hint_of(computer: Computer) -> Path:
    return computer.home / f".local/state/backupkit/guard/hints/{PACKAGE}.json"


def hook(computer: Computer) -> dict[str, Any]:
    packages = {"installed": str(computer.home / "old.apk"), "candidate": str(computer.home / "new.apk")}
    return computer.hook({"type": "hook-request", "v": 1, "action": "upgrade", **packages}).last


def loss(computer: Computer) -> dict[str, Any]:
    found: dict[str, Any] = computer.run(*CHECK, "--json").last["loss"]
    return found


def test_the_messages_since_the_backup_are_counted_and_said(computer: Computer) -> None:
    counted = loss(computer)
    english = computer.run(*CHECK).out
    chinese = computer.run(*CHECK, "--lang", "zh-CN").out

    assert (counted["messages"], counted["not_in_backup"]) == (23, 3)
    assert "3 messages are not in the backup." in english
    assert "有 3 条消息不在备份里。" in chinese


def test_what_cannot_be_read_is_unknown_or_as_last_counted_and_decides_nothing(computer: Computer) -> None:
    export = computer.home / "chats/result.json"
    whole = export.read_bytes()
    loss(computer)
    note = hint_of(computer).read_bytes()
    export.write_bytes(whole[: len(whole) // 2])

    noted = loss(computer)
    hint_of(computer).unlink()
    cut = loss(computer)
    said = computer.run(*CHECK).out
    export.unlink()
    gone = loss(computer)
    export.write_bytes(whole)

    assert (noted["not_in_backup"], noted["as_of"]) == (3, json.loads(note)["as_of"])
    assert (cut["not_in_backup"], gone["not_in_backup"]) == (None, None)
    assert "How many messages are not in the backup is not known." in said


def test_the_hook_says_what_was_counted_last_and_when(computer: Computer) -> None:
    counted = computer.run("preview-loss", "chats", "--package", PACKAGE, "--json").last
    at = json.loads(hint_of(computer).read_bytes())["as_of"]
    noted = hook(computer)
    hint_of(computer).write_bytes(b"{}")
    passed_over = hook(computer)
    hint_of(computer).unlink()
    computer.run("verify", "latest")
    verified = hook(computer)

    assert counted["uncovered"] == 3
    assert (noted["loss"]["not_in_backup"], noted["loss"]["as_of"], noted["findings"]) == (3, at, [])
    assert passed_over["findings"] == ["loss-hint-malformed"]
    assert passed_over["loss"]["not_in_backup"] is None
    assert noted["decision"] == passed_over["decision"] == "allow"
    assert verified["loss"]["not_in_backup"] == 0
    assert hint_of(computer).stat().st_mode & 0o077 == 0


def test_a_part_of_an_app_is_not_noted_for_the_whole(computer: Computer, tmp_path: Path) -> None:
    write_telegram_chat(tmp_path / "other", messages=2)
    loss(computer)
    before = hint_of(computer).read_bytes()

    computer.run("preview-loss", tmp_path / "other", "--package", PACKAGE)

    assert hint_of(computer).read_bytes() == before


def test_a_source_of_the_settings_goes_before_the_last_one_of_the_journal(computer: Computer, tmp_path: Path) -> None:
    write_telegram_chat(tmp_path / "elsewhere", messages=25)
    settings = computer.home / ".config/backupkit/config.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(f'[[source]]\nname = "tg"\npath = "{tmp_path / "elsewhere"}"\npackage = "{PACKAGE}"\n')

    counted = loss(computer)
    settings.unlink()

    assert counted["messages"] == 25
