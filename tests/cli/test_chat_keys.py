"""Keys of sealed backups, handed to every command that reads chats."""

import json
import re
import time
from importlib import resources
from pathlib import Path

import pytest
from chat_factory import write_chat_database
from computer import PASSPHRASE, Computer
from json_schema import differences
from person import Person
from sealing import IPHONE_PASSWORD, SIGNAL_PASSPHRASE, WHATSAPP_KEY, seal_signal, seal_whatsapp

from backupkit.chats.losing.ledger_build import TICK_NS

KEY = ("--chat-key-file", "key")


@pytest.fixture
def computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Computer:
    computer = Computer(tmp_path / "home")
    monkeypatch.chdir(computer.home)
    computer.initialise()
    write_key(computer, "key", WHATSAPP_KEY.hex())
    write_key(computer, "other", bytes(32).hex())
    seal(computer, 120)
    return computer


def write_key(computer: Computer, name: str, text: str) -> None:
    path = computer.home / name
    path.write_text(text + "\n", "utf-8")
    path.chmod(0o600)


def seal(computer: Computer, messages: int) -> None:
    """Write a sealed backup, and be gone from it for a while, as everybody is who types a command afterwards."""
    made = computer.home.parent / f"made-{messages}.db"
    plain = made.read_bytes() if made.exists() else write_chat_database(made, messages=messages).path.read_bytes()
    folder = computer.home / "phone"
    folder.mkdir(exist_ok=True)
    (folder / "msgstore.db.crypt15").write_bytes(seal_whatsapp(plain))
    go_away()


def go_away() -> None:
    """Let a tick of the clock go by: what was written in the very tick in which it is read may have been written after that."""
    done = time.time_ns()
    while time.time_ns() <= done + 2 * TICK_NS:
        time.sleep(0.01)


def test_with_the_key_a_snapshot_counts_what_it_saves_sealed(computer: Computer) -> None:
    sealed = computer.run_here("snapshot", "phone", "--json").last
    counted = computer.run_here("snapshot", "phone", *KEY, "--json").last
    again = computer.run_here("snapshot", "phone", *KEY, "--json").last
    restored = computer.home / "restored"
    computer.run_here("restore", "latest", "--to", restored)

    assert (sealed["messages"], sealed["sources"][0]["format"]) == (None, "whatsapp-crypt15")
    assert (counted["messages"], counted["sources"][0]["format"]) == (120, "whatsapp-android-db")
    assert again["messages"] == 120
    assert [path.name for path in (restored / "phone").iterdir()] == ["msgstore.db.crypt15"]


def test_every_command_that_reads_chats_takes_the_key(computer: Computer) -> None:
    computer.run_here("snapshot", "phone", *KEY)
    seal(computer, 150)
    preview = computer.run_here("preview-loss", "phone", *KEY, "--json").last
    computer.run_here("snapshot", "phone", *KEY)
    first = computer.run_here("snapshots", "--json").objects[0]["snapshot"]

    shown = computer.run_here("show", "latest", *KEY, "--json").objects
    hits = computer.run_here("search", "--has", "image", *KEY, "--json").last
    computer.run_here("export", "latest", "--to", computer.home / "out", "--format", "jsonl", *KEY)
    diff = computer.run_here("diff", first, "latest", "--messages", *KEY, "--json", expect=6).last
    drilled = computer.run_here("drill", *KEY, "--json").last

    assert (preview["level"], preview["uncovered"], preview["messages"]) == ("covered-with-gap", 30, 150)
    assert sum(one["messages"] for one in shown if one["type"] == "conversation") == 150
    assert hits["messages"] == 150
    assert len((computer.home / "out/messages.jsonl").read_text("utf-8").splitlines()) >= 150
    assert (diff["new"], diff["deleted"]) == (30, 0)
    assert (drilled["state"], drilled["messages"]) == ("drilled", 150)


def test_without_the_key_what_was_saved_with_it_stays_sealed_and_is_no_damage(computer: Computer) -> None:
    computer.run_here("snapshot", "phone", *KEY)

    preview = computer.run_here("preview-loss", "phone", "--json").last
    shown = computer.run_here("show", "latest", "--json").objects
    drilled = computer.run_here("drill", "--json").last
    exported = computer.run_here("export", "latest", "--to", computer.home / "out", expect=30)

    assert (preview["level"], preview["messages"]) == ("unknown", None)
    assert not [one for one in shown if one["type"] == "conversation"]
    assert drilled["state"] == "drilled"
    assert "encrypted" in exported.err


def test_a_snapshot_without_the_key_raises_no_alarm_over_lost_messages(computer: Computer) -> None:
    computer.run_here("snapshot", "phone", *KEY)

    answer = computer.run_here("snapshot", "phone", "--json")

    assert answer.last["messages"] is None
    assert not [one for one in answer.objects if str(one.get("code", "")).startswith("chats-")]


def test_a_snapshot_taken_without_the_key_is_read_with_it(computer: Computer) -> None:
    computer.run_here("snapshot", "phone")
    before = computer.run_here("search", "--has", "image", "--json").last

    shown = computer.run_here("show", "latest", *KEY, "--json").objects
    found = computer.run_here("search", "--has", "image", *KEY, "--json").last
    preview = computer.run_here("preview-loss", "phone", *KEY, "--json").last

    assert before["messages"] == 0
    assert sum(one["messages"] for one in shown if one["type"] == "conversation") == 120
    assert shown[-1]["sources"][0]["messages"] == 120
    assert found["messages"] == 120
    # The snapshot holds them sealed, and nobody counted them then.
    assert (preview["level"], preview["messages"]) == ("unknown", 120)


@pytest.mark.parametrize(
    "command",
    [
        ("doctor", "phone"),
        ("preview-loss", "phone"),
        ("show", "latest"),
        ("search", "word"),
        ("export", "latest", "--to", "out"),
        ("diff", "latest", "latest", "--messages"),
        ("drill",),
    ],
)
def test_another_key_is_one_typed_error(computer: Computer, command: tuple[str, ...]) -> None:
    computer.run_here("snapshot", "phone", *KEY)

    wrong = computer.run(*command, "--chat-key-file", "other", "--json", expect=12).last

    assert (wrong["type"], wrong["code"], wrong["params"]["file"]) == ("error", "chat-key-wrong", "msgstore.db.crypt15")


def test_with_another_key_a_snapshot_is_saved_all_the_same(computer: Computer) -> None:
    answer = computer.run_here("snapshot", "phone", "--chat-key-file", "other", "--json", expect=12)
    summary = next(one for one in answer.objects if one["type"] == "summary")
    again = computer.run_here("snapshot", "phone", "--chat-key-file", "other", "--json", expect=12)
    right = computer.run_here("snapshot", "phone", "--chat-key-file", "other", *KEY, "--json").last

    assert (summary["state"], summary["messages"]) == ("verified", None)
    assert {answer.last["code"], again.last["code"]} == {"chat-key-wrong"}
    assert right["messages"] == 120


def test_a_damaged_backup_is_damage_and_no_wrong_key(computer: Computer) -> None:
    path = computer.home / "phone/msgstore.db.crypt15"
    path.write_bytes(path.read_bytes()[:-500])

    found = computer.run_here("doctor", "phone", *KEY, "--json", expect=20).last

    assert [one["params"]["reason"] for one in found["findings"] if one["code"] == "sealed-not-opened"] == [
        "backup-damaged"
    ]


def test_the_settings_name_a_key_for_each_source(computer: Computer) -> None:
    folder = computer.home / "signal"
    folder.mkdir()
    (folder / "signal.backup").write_bytes(seal_signal())
    write_key(computer, "signal.key", SIGNAL_PASSPHRASE.decode())
    settings = computer.home / ".config/backupkit/config.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(
        '[[source]]\nname = "whatsapp"\npath = "~/phone"\nchat-key-file = "~/key"\n'
        '[[source]]\nname = "signal"\npath = "~/signal"\nchat-key-file = "~/signal.key"\n'
    )
    go_away()

    taken = computer.run_here("snapshot", "--json").last
    found = computer.run_here("search", "--has", "image", "--json").last
    preview = computer.run_here("preview-loss", "signal", "--json").last
    (computer.home / "signal.key").unlink()
    without = computer.run("snapshot", "signal", "--json")

    assert [source["messages"] for source in taken["sources"]] == [120, 12]
    assert found["messages"] == 132
    assert (preview["level"], preview["messages"]) == ("covered", 12)
    assert "chat-key-not-read" in {one.get("code") for one in without.objects}
    assert without.last["sources"][0]["messages"] is None


def test_a_person_is_asked_for_the_key_and_it_is_not_shown(computer: Computer) -> None:
    person = Person(computer, "doctor", "phone", "--ask-chat-key")
    person.waits_for("WhatsApp: 64")
    person.types(WHATSAPP_KEY.hex())
    code, shown = person.ends_with()

    assert code == 0, shown
    assert "120" in shown
    assert WHATSAPP_KEY.hex() not in shown
    assert (
        computer.run("doctor", "phone", "--ask-chat-key", "--no-input", "--json", expect=12).last["code"]
        == "chat-key-needed"
    )


def test_a_key_file_that_is_not_there_or_open_to_others_is_told(computer: Computer) -> None:
    (computer.home / "key").chmod(0o644)
    schema = json.loads((resources.files("backupkit") / "ui" / "schemas" / "doctor-1.json").read_text("utf-8"))

    answer = computer.run("doctor", "phone", *KEY, "--json")
    missing = computer.run("doctor", "phone", "--chat-key-file", "nowhere", "--json", expect=12).last

    assert differences(answer.last, schema) == []
    assert "passphrase-file-open-to-others" in {one.get("code") for one in answer.objects}
    assert missing["code"] == "chat-key-unreadable"


def test_no_key_is_written_down_anywhere(computer: Computer) -> None:
    computer.run_here("snapshot", "phone", *KEY)
    computer.run_here("search", "--has", "image", *KEY)
    computer.run_here("show", "latest", *KEY)

    secrets = [WHATSAPP_KEY, WHATSAPP_KEY.hex().encode(), IPHONE_PASSWORD, PASSPHRASE.encode()]
    written = [
        path
        for path in computer.home.rglob("*")
        if path.is_file()
        and path.name not in {"key", "passphrase"}
        and any(one in path.read_bytes() for one in secrets)
    ]

    assert written == []
    assert not re.search(WHATSAPP_KEY.hex(), computer.run("doctor", "phone", *KEY, "-v").err)
