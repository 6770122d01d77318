"""The accident of 2018, end to end: real packages, the real hook, a real repository, in both languages."""

import hashlib
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import chat_factory
import pytest
from apk_factory import build_apk, make_key, make_lineage, sign
from computer import Answer, Computer, files_of

from backupkit.clock import FixedClock

TELEGRAM, WHATSAPP = "org.telegram.messenger", "com.whatsapp"
MAKER, STRANGER = make_key("ec", "maker"), make_key("ec", "stranger")
LANGUAGES = {"en": "en_US.UTF-8", "zh-CN": "zh_CN.UTF-8"}


class Phone:
    """A computer that guards a phone: packages, an export of its chats, and a shop that asks."""

    def __init__(self, folder: Path, language: str = "en_US.UTF-8") -> None:
        self.folder = folder
        self.computer = Computer(folder / "home", language)
        self.chats = folder / "telegram"
        self.written = chat_factory.write_telegram_chat(self.chats, messages=300)

    def package(self, name: str, *keys: Any, package: str = TELEGRAM, code: int = 1, lineage: Any = None) -> Path:
        path = self.folder / f"{name}.apk"
        if not path.exists():
            path.write_bytes(sign(build_apk(package=package, version_code=code), *keys, lineage=lineage))
        return path

    def save(self, package: str = TELEGRAM) -> dict[str, Any]:
        source, app = (self.chats, "telegram") if package == TELEGRAM else (self.folder / "whatsapp", "whatsapp")
        return self.computer.run_here("snapshot", source, "--app", app, "--json").last

    def ask(self, offered: Path, installed: Path, package: str = TELEGRAM, **more: Any) -> tuple[int, dict[str, Any]]:
        answer = self.computer.hook({
            "type": "hook-request",
            "v": 1,
            "action": "upgrade",
            "package": package,
            "installed": {"path": str(installed), "sha256": hashlib.sha256(installed.read_bytes()).hexdigest()},
            "candidate": {"path": str(offered)},
            "device_sdk": 28,
            **more,
        })  # fmt: skip
        return answer.code, json.loads(answer.out)

    def check(self, offered: Path, installed: Path, *more: object, expect: int) -> Answer:
        options = ("--candidate", offered, "--installed", installed, "--device-sdk", 28)
        return self.computer.run("guard", "check", *options, *more, expect=expect)


@pytest.fixture(params=sorted(LANGUAGES))
def phone(request: pytest.FixtureRequest, tmp_path: Path) -> Phone:
    made = Phone(tmp_path, LANGUAGES[request.param])
    made.computer.initialise()
    made.computer.run("guard", "trust", "add", made.package("installed", MAKER))
    return made


def test_the_update_of_2018_is_held_then_allowed_with_consent_and_nothing_is_lost(phone: Phone, tmp_path: Path) -> None:
    installed, offered = phone.package("installed", MAKER), phone.package("offered", STRANGER, code=2)
    chinese = phone.computer.environment["LANG"].startswith("zh")

    code, held = phone.ask(offered, installed)
    shown = phone.check(offered, installed, expect=40)

    assert (code, held["decision"], held["outcome"], held["reason"]) == (40, "hold", "would-wipe", "no-verified-backup")
    assert ("备份" in shown.out) == chinese
    assert not {"signature", "certificate", "签名证书"} & set(shown.out.splitlines()[0].lower().split())
    summary = phone.save()
    assert (summary["messages"], summary["conversations"]) == (phone.written.messages, phone.written.conversations)

    code, allowed = phone.ask(offered, installed, app_name="Telegram")
    shown = phone.check(offered, installed, expect=0)
    assert (code, allowed["decision"], allowed["reason"]) == (0, "allow", "backup-covers")
    assert allowed["consent"] is not None
    assert allowed["loss"]["messages"] == phone.written.messages
    assert str(phone.written.messages) in shown.out

    before = files_of(phone.chats)
    shutil.rmtree(phone.chats)
    phone.computer.run("restore", "--to", tmp_path / "back")
    assert files_of(tmp_path / "back" / "telegram") == before
    counted = phone.computer.run("doctor", tmp_path / "back" / "telegram", "--json").last
    assert counted["messages"] == phone.written.messages


def test_an_update_of_the_same_or_a_rotated_signer_needs_no_backup(phone: Phone) -> None:
    installed = phone.package("installed", MAKER)
    new = make_key("ec", "new maker")
    rotated = phone.package("rotated", new, code=2, lineage=make_lineage([MAKER, new]))

    assert phone.ask(phone.package("same", MAKER, code=2), installed)[1]["outcome"] == "keeps-data"
    code, verdict = phone.ask(rotated, installed)
    assert (code, verdict["decision"], verdict["signer_change"]) == (0, "allow", "rotated")


def test_a_package_changed_after_signing_is_denied_whatever_is_saved(phone: Phone) -> None:
    installed, offered = phone.package("installed", MAKER), phone.package("offered", STRANGER, code=2)
    phone.save()
    data = bytearray(offered.read_bytes())
    data[60] ^= 1
    offered.write_bytes(data)

    code, verdict = phone.ask(offered, installed)

    assert (code, verdict["decision"], verdict["outcome"]) == (41, "deny", "not-genuine")


def test_a_pass_of_yesterday_covers_nothing_today(phone: Phone) -> None:
    installed, offered = phone.package("installed", MAKER), phone.package("offered", STRANGER, code=2)
    phone.computer.clock = FixedClock(datetime.now(UTC) - timedelta(hours=25))
    phone.save()

    code, verdict = phone.ask(offered, installed)

    assert (code, verdict["decision"]) == (40, "hold")
    assert verdict["reason"] in {"pass-expired", "pass-too-old"}
    phone.check(offered, installed, expect=40)
    assert phone.computer.run("status", "--json", expect=5).last["stale"] is True
    phone.computer.clock = FixedClock(datetime.now(UTC))
    phone.save()
    assert phone.ask(offered, installed)[0] == 0


def test_saving_a_second_app_keeps_the_first_ones_pass_good(phone: Phone) -> None:
    """The hook saw a newer head of the log with the second app's pass; the first app's pass then looked rolled back."""
    installed, offered = phone.package("installed", MAKER), phone.package("offered", STRANGER, code=2)
    other = phone.package("whatsapp", MAKER, package=WHATSAPP)
    other_offered = phone.package("whatsapp-offered", STRANGER, package=WHATSAPP, code=2)
    phone.computer.run("guard", "trust", "add", other)
    chat_factory.write_whatsapp_android(phone.folder / "whatsapp", messages=50)
    phone.save()
    assert phone.ask(offered, installed)[0] == 0

    phone.save(WHATSAPP)

    assert phone.ask(other_offered, other, WHATSAPP)[0] == 0
    assert phone.ask(offered, installed)[0] == 0
    phone.check(offered, installed, expect=0)


def test_a_pass_of_a_store_that_was_put_back_is_not_believed(phone: Phone) -> None:
    installed, offered = phone.package("installed", MAKER), phone.package("offered", STRANGER, code=2)
    guard = phone.computer.home / ".local/state/backupkit/guard/passes"
    phone.save()
    old = (guard / f"{TELEGRAM}.pass").read_bytes()
    (phone.chats / "more.txt").write_text("more")
    phone.save()
    assert phone.ask(offered, installed)[0] == 0

    (guard / f"{TELEGRAM}.pass").write_bytes(old)
    code, verdict = phone.ask(offered, installed)

    assert (code, verdict["decision"], verdict["reason"]) == (40, "hold", "log-rolled-back")


def test_no_pass_is_written_while_the_recovery_words_were_never_typed_back(tmp_path: Path) -> None:
    phone = Phone(tmp_path)
    phone.computer.run("init", "--no-input", "--recovery-sheet", tmp_path / "sheet.html")
    installed, offered = phone.package("installed", MAKER), phone.package("offered", STRANGER, code=2)
    phone.computer.run("guard", "trust", "add", installed)

    phone.save()

    assert phone.ask(offered, installed)[0] == 40
    assert not list((phone.computer.home / ".local/state/backupkit/guard").glob("passes/*.pass"))
