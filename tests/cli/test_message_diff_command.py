"""`backupkit diff --messages` on real snapshots."""

import json
import shutil
from pathlib import Path

import pytest
from chat_factory import write_telegram_chat, write_whatsapp_android, write_whatsapp_iphone
from computer import Computer
from json_schema import differences, schema_of


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    computer = Computer(tmp_path / "home")
    computer.initialise()
    return computer


def test_what_happened_to_messages_between_two_days_is_told_by_conversation(computer: Computer) -> None:
    chat, phone = computer.home / "chat", computer.home / "whatsapp"
    write_telegram_chat(chat, messages=60)
    write_whatsapp_android(phone, messages=50)
    write_whatsapp_iphone(computer.home / "zipped" / "WhatsApp Chat - Family.zip", messages=40)
    computer.run("snapshot", chat, phone, computer.home / "zipped")
    shutil.rmtree(chat)
    write_telegram_chat(chat, messages=75)
    exported = json.loads((chat / "result.json").read_text("utf-8"))
    exported["messages"][10]["text"] = "other words"
    del exported["messages"][20]
    (chat / "result.json").write_text(json.dumps(exported), "utf-8")
    write_whatsapp_iphone(computer.home / "zipped" / "WhatsApp Chat - Family.zip", messages=45)
    computer.run("snapshot", chat, phone, computer.home / "zipped")
    first, second = (line["snapshot"] for line in computer.run("snapshots", "--json").objects[:2])

    answer = computer.run("diff", first, second, "--messages", "--json", expect=6)

    *lines, summary = [one for one in answer.objects if one["type"] not in {"progress", "notice"}]
    assert [difference for line in lines for difference in differences(line, schema_of("conversation-diff-1"))] == []
    assert differences(summary, schema_of("message-diff-1")) == []
    assert {line["app"]: (line["new"], line["edited"], line["deleted"], line["same"]) for line in lines} == {
        "telegram": (15, 1, 1, 58),
        "whatsapp": (5, 0, 0, 40),
    }
    assert (summary["conversations"], summary["new"], summary["suspends_retention"]) == (3, 20, False)
    assert sum(day["new"] for line in lines for day in line["days"]) == 20
    said = computer.run("diff", first, second, "--messages", expect=6).out
    assert "15 new" in said
    assert computer.run("diff", second, second, "--messages", "--json").last["same"] == 74 + 50 + 45
    assert not list((computer.home / ".cache").rglob("live-*"))


def test_a_source_that_the_later_snapshot_never_held_is_not_called_wiped(computer: Computer) -> None:
    chat, phone = computer.home / "chat", computer.home / "whatsapp"
    write_telegram_chat(chat, messages=60)
    write_whatsapp_android(phone, messages=50)
    computer.run("snapshot", chat, phone)
    computer.run("snapshot", phone)
    first, second = (line["snapshot"] for line in computer.run("snapshots", "--json").objects[:2])

    answer = computer.run("diff", first, second, "--messages", "--json", expect=6)

    assert differences(answer.last, schema_of("message-diff-1")) == []
    assert (answer.last["wiped"], answer.last["absent"]) == ([], ["chat"])
    said = computer.run("diff", first, second, "--messages", expect=6).out
    assert "chat is not in the later snapshot" in said
    assert "wiped" not in said
