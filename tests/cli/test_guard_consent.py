"""`backupkit guard consent`: the owner's signature stands in for a person, for one update and no other."""

import json
from pathlib import Path
from typing import Any

import pytest
from apk_factory import build_apk, make_key, sign
from chat_factory import write_telegram_chat
from computer import Computer
from json_schema import differences, schema_of

PACKAGE = "org.telegram.messenger"
CHECK = ("guard", "check", "--installed", "old.apk", "--app-name", "Telegram", "--candidate")


@pytest.fixture(scope="module")
def computer(tmp_path_factory: pytest.TempPathFactory) -> Computer:
    """A computer with a verified backup, the installed app, and two packages of strangers."""
    computer = Computer(tmp_path_factory.mktemp("c") / "home")
    for name, maker in (("old", "A"), ("new", "B"), ("other", "C")):
        (computer.home / f"{name}.apk").write_bytes(
            sign(build_apk(PACKAGE, 1 if name == "old" else 2), make_key(name=maker))
        )
    computer.initialise()
    write_telegram_chat(computer.home / "chats", messages=5)
    computer.run("snapshot", "chats", "--app", "telegram")
    return computer


def verdict(computer: Computer, candidate: str = "new.apk", *more: str, expect: int = 0) -> dict[str, Any]:
    return computer.run(*CHECK, candidate, *more, "--json", expect=expect).last


def test_a_signed_consent_counts_for_its_update_and_no_other(computer: Computer) -> None:
    asked = verdict(computer)
    (computer.home / "verdict.json").write_text(json.dumps(asked), "utf-8")

    signed = computer.run("guard", "consent", "verdict.json", "--type-name", "telegram", "--json").last
    (computer.home / "token").write_text(signed["token"] + "\n", "utf-8")
    given = verdict(computer, "new.apk", "--consent-token", "token")
    other = verdict(computer, "other.apk", "--consent-token", "token", expect=40)

    schema = schema_of("guard-consent-1")
    assert differences(signed, schema) == []
    assert (asked["consent"]["state"], signed["id"]) == ("needed", asked["consent"]["id"])
    assert (given["consent"]["state"], given["consent"]["by"]) == ("given", "token")
    assert other["reason"] == "consent-refused"


def test_the_list_of_decisions_does_not_call_allowed_what_waits_for_a_person(computer: Computer) -> None:
    verdict(computer)

    listed, explained = computer.run("guard", "log", "--last", "1").out, computer.run("guard", "explain").out

    assert "  ASK FIRST  " in listed.splitlines()[0]
    assert explained.startswith("ASK FIRST  ")


def test_without_the_name_or_with_another_one_nothing_is_signed(computer: Computer) -> None:
    (computer.home / "verdict.json").write_text(json.dumps(verdict(computer)), "utf-8")

    missing = computer.run("guard", "consent", "verdict.json", "--no-input", "--json", expect=2)
    wrong = computer.run("guard", "consent", "verdict.json", "--type-name", "OK", "--json", expect=40)

    assert missing.last["code"] == "argument-missing"
    assert (wrong.last["code"], wrong.last["params"]["reason"]) == ("consent-refused", "wrong-name")


def test_what_asks_for_no_consent_or_was_changed_is_not_signed(computer: Computer) -> None:
    asked = verdict(computer)
    changed = {
        **asked,
        "consent": {**asked["consent"], "binding": {**asked["consent"]["binding"], "new_sha256": "0" * 64}},
    }
    for wrong in ("{}", "nonsense", "[]", '{"consent":null}', '{"type":"verdict","consent":7}', json.dumps(changed)):
        (computer.home / "wrong.json").write_text(wrong, "utf-8")
        answer = computer.run("guard", "consent", "wrong.json", "--type-name", "Telegram", "--json", expect=2)
        why = "altered" if wrong.startswith('{"type": "verdict"') else "malformed"
        assert (answer.last["code"], answer.last["params"]["reason"]) == ("verdict-unreadable", why)
    (computer.home / "wrong.json").write_text('{"type":"verdict","consent":null}', "utf-8")
    unasked = computer.run("guard", "consent", "wrong.json", "--type-name", "Telegram", "--json", expect=40)
    assert (unasked.last["code"], unasked.last["params"]["reason"]) == ("consent-refused", "no-consent-asked")
    nowhere = computer.run("guard", "consent", "nowhere.json", "--type-name", "Telegram", "--json", expect=2)
    assert nowhere.last["code"] == "verdict-unreadable"


def test_a_guard_that_counts_another_owners_tokens_is_not_given_one(computer: Computer, tmp_path: Path) -> None:
    (computer.home / "verdict.json").write_text(json.dumps(verdict(computer)), "utf-8")
    owner = next(computer.home.rglob("owner.pub"))
    kept = owner.read_bytes()
    owner.write_text("11" * 32 + "\n")

    answer = computer.run("guard", "consent", "verdict.json", "--type-name", "Telegram", "--json", expect=21)
    owner.write_bytes(kept)

    assert answer.last["code"] == "another-owner"
