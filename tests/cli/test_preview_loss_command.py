"""`backupkit preview-loss`, and its numbers in what the guard answers."""

from pathlib import Path

import pytest
from apk_factory import build_apk, make_key, sign
from chat_factory import write_telegram_chat
from computer import Computer
from json_schema import differences, schema_of


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    computer = Computer(tmp_path / "home")
    computer.initialise()
    return computer


def test_what_came_since_the_verified_snapshot_is_counted_by_conversation_and_day(computer: Computer) -> None:
    chat = computer.home / "chat"
    write_telegram_chat(chat, messages=60)
    computer.run("snapshot", chat)
    computer.run("verify")
    (chat / "result.json").unlink()
    write_telegram_chat(chat, messages=72)

    answer = computer.run("preview-loss", chat, "--json", BACKUPKIT_PASSPHRASE_FILE="/nowhere")

    assert differences(answer.last, schema_of("preview-loss-1")) == []
    assert (answer.last["level"], answer.last["uncovered"], answer.last["messages"]) == ("covered-with-gap", 12, 72)
    (conversation,) = answer.last["by_conversation"]
    assert sum(day["uncovered"] for day in conversation["days"]) == 12
    said = computer.run("preview-loss", chat).out
    assert "12 of 72 messages would be lost" in said
    assert "Family table" in said
    for nothing in ("nowhere", "/dev/null"):
        assert computer.run("preview-loss", nothing, "--json", expect=2).last["code"] == "source-not-found"


def test_the_guard_tells_how_many_messages_no_backup_holds(computer: Computer) -> None:
    maker, stranger = make_key(name="A"), make_key(name="B")
    (computer.home / "old.apk").write_bytes(sign(build_apk("org.telegram.messenger", 1), maker))
    (computer.home / "other.apk").write_bytes(sign(build_apk("org.telegram.messenger", 2), stranger))
    write_telegram_chat(computer.home / "chat", messages=25)

    answer = computer.run(
        "guard", "check", "--candidate", "other.apk", "--installed", "old.apk", "--action", "reinstall", "--source", "chat",
        "--json", expect=40,
    )  # fmt: skip

    assert (answer.last["loss"]["messages"], answer.last["loss"]["not_in_backup"]) == (25, 25)
