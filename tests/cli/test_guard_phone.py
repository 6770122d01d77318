"""`backupkit guard phone` with a program in adb's place that says what real ones say. There is no phone here."""

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from apk_factory import build_apk, make_key, sign
from computer import Computer
from fake_adb import FakePhone

from backupkit.clock import SystemClock
from backupkit.guard.apk.package_file import MOST_BYTES
from backupkit.i18n import LANGUAGES

PACKAGE = "org.example.chat"
MAKER, STRANGER = make_key(name="A"), make_key(name="B")
OLD, UPDATE, OTHER = (
    sign(build_apk(PACKAGE, version), key) for version, key in ((1, MAKER), (2, MAKER), (2, STRANGER))
)


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    computer = Computer(tmp_path / "home")
    for name, data in (("update", UPDATE), ("other", OTHER)):
        (computer.home / f"{name}.apk").write_bytes(data)
    return computer


@pytest.fixture
def phone(computer: Computer) -> FakePhone:
    phone = FakePhone(computer.home / "phone")
    phone.has(PACKAGE, base=OLD)
    return phone


def ask(computer: Computer, phone: FakePhone, candidate: str, *more: str, expect: int = 0) -> dict[str, Any]:
    arguments = ("guard", "phone", "--adb", str(phone.adb), "--candidate", candidate, "--json")
    return computer.run(*arguments, *more, expect=expect).last


def test_an_update_that_keeps_the_chats_is_installed_when_that_is_asked_for(
    computer: Computer, phone: FakePhone
) -> None:
    asked = ask(computer, phone, "update.apk")
    assert (asked["decision"], asked["installed"], asked["serial"]) == ("allow", False, phone.serial)
    assert phone.installed is None

    assert ask(computer, phone, "update.apk", "--install")["installed"] is True
    assert phone.installed == [UPDATE]


def test_an_update_of_another_signer_is_held_and_never_installed(computer: Computer, phone: FakePhone) -> None:
    held = ask(computer, phone, "other.apk", "--install", expect=40)

    assert (held["decision"], held["outcome"], held["installed"]) == ("hold", "would-wipe", False)
    assert phone.installed is None
    verbs = {call[2] for call in phone.asked if len(call) > 2}
    assert verbs == {"shell", "pull"}


def test_the_phones_own_android_decides(computer: Computer, phone: FakePhone) -> None:
    (computer.home / "new.apk").write_bytes(sign(build_apk(PACKAGE, 2, min_sdk=30), MAKER))
    phone.say("getprop ro.build.version.sdk", "29\r\n")

    assert ask(computer, phone, "new.apk", "--install", expect=41)["decision"] == "deny"
    assert phone.installed is None


def test_a_copy_that_is_swapped_before_it_is_judged_is_not_installed(
    computer: Computer, phone: FakePhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = computer.home / "copies"
    copies.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(copies))
    monkeypatch.chdir(computer.home)

    class Swapping(SystemClock):
        def now(self) -> datetime:
            # The time is asked for when the copy was read once, just before the desk judges it.
            for copy in copies.glob("*/candidate/update.apk"):
                copy.write_bytes(sign(build_apk(PACKAGE, 3), MAKER))
            return super().now()

    computer.clock = Swapping()
    arguments = ("guard", "phone", "--adb", str(phone.adb), "--candidate", "update.apk", "--install", "--json")

    asked = computer.run_here(*arguments, expect=42).last

    assert (asked["reason"], asked["installed"], phone.installed) == ("package-swapped", False, None)


def test_a_package_that_no_phone_would_take_is_not_even_copied(computer: Computer, phone: FakePhone) -> None:
    with (computer.home / "endless.apk").open("wb") as file:
        file.truncate(MOST_BYTES + 1)

    failed = ask(computer, phone, "endless.apk", "--install", expect=42)

    assert (failed["code"], failed["params"]["reason"]) == ("package-undecided", "too-large")
    assert phone.asked == []


def test_splits_are_read_off_the_phone_and_installed_together(computer: Computer, phone: FakePhone) -> None:
    split = sign(build_apk(PACKAGE, 1, split="config.de"), MAKER)
    phone.has(PACKAGE, base=OLD, split_config_de=split)
    offered = computer.home / "offered"
    offered.mkdir()
    newer = sign(build_apk(PACKAGE, 2, split="config.de"), MAKER)
    (offered / "base.apk").write_bytes(UPDATE)
    (offered / "a-config.de.apk").write_bytes(newer)

    assert ask(computer, phone, "offered", "--install")["installed"] is True
    assert phone.installed == [UPDATE, newer]
    assert phone.asked[-1][2:4] == ["install-multiple", "-r"]


def test_a_split_whose_name_ends_in_capitals_is_judged_and_installed_as_well(
    computer: Computer, phone: FakePhone
) -> None:
    offered = computer.home / "offered"
    offered.mkdir()
    (offered / "BASE.APK").write_bytes(UPDATE)
    split = offered / "a-config.de.Apk"
    split.write_bytes(sign(build_apk(PACKAGE, 2, split="config.de"), MAKER))

    assert ask(computer, phone, "offered", "--install")["installed"] is True
    assert phone.installed == [UPDATE, split.read_bytes()]


def test_a_folder_without_a_package_is_refused_first(computer: Computer, phone: FakePhone) -> None:
    (computer.home / "offered").mkdir()

    assert ask(computer, phone, "offered", expect=2)["code"] == "value-wrong"
    assert phone.asked == []


@pytest.mark.parametrize(
    ("devices", "code"),
    [
        ("List of devices attached\n\n", "phone-none"),
        ("List of devices attached\nA\tdevice\nB\tdevice\n", "phone-several"),
        ("List of devices attached\nA\tunauthorized\n", "phone-unauthorized"),
        ("List of devices attached\nA\tauthorizing\n", "phone-unauthorized"),
        ("List of devices attached\nA\toffline\n", "phone-offline"),
        ("List of devices attached \r\nA\trecovery\r\n\r\n", "phone-offline"),
        ("List of devices attached\n????????????\tno permissions\n", "phone-no-permissions"),
        ("List of devices attached\n(no serial number)\tunauthorized\n", "phone-unauthorized"),
        ("List of devices attached\nA\tno permissions (user in plugdev group; are your udev rules wrong?); see [x]\n", "phone-no-permissions"),
    ],
)  # fmt: skip
def test_a_phone_that_cannot_be_asked_is_told_with_the_reason(
    computer: Computer, phone: FakePhone, devices: str, code: str
) -> None:
    phone.tell(devices=devices)

    failed = ask(computer, phone, "update.apk", expect=2)

    assert (failed["code"], failed["params"]["reason"]) == ("phone-not-ready", code)


def test_an_adb_that_restarts_its_server_in_the_middle_disturbs_nothing(computer: Computer, phone: FakePhone) -> None:
    noise = "adb server version (40) doesn't match this client (41); killing...\n* daemon started successfully\n"
    phone.tell(noise=noise, devices=f"List of devices attached\n{noise}{phone.serial}\tdevice\n\n")

    assert ask(computer, phone, "update.apk", "--install")["installed"] is True


def test_a_phone_that_ends_lines_with_carriage_returns_and_warns_first_is_understood(
    computer: Computer, phone: FakePhone
) -> None:
    warning = "WARNING: linker: app_process has text relocations. This is wasting memory.\r\r\n"
    phone.say("getprop ro.build.version.sdk", "26\r\r\n")
    phone.say("getprop ro.product.cpu.abilist", "\r\r\n")
    where = phone.where(PACKAGE)
    phone.say(f"pm path {PACKAGE}", f"{warning}package:{where}/base.apk\r\r\n")

    assert ask(computer, phone, "update.apk", "--install")["installed"] is True


def test_a_phone_on_the_network_with_a_twin_can_be_asked(computer: Computer, phone: FakePhone) -> None:
    serial = "adb-R58M12ABCDE-x9Qk (2)._adb-tls-connect._tcp"
    phone.tell(serial=serial, devices=f"List of devices attached\n{serial}\tdevice\n")

    assert ask(computer, phone, "update.apk", "--install")["serial"] == serial


def test_an_app_that_only_a_second_user_has_is_found(computer: Computer, phone: FakePhone) -> None:
    found = phone.answers(f"pm path {PACKAGE}")
    phone.say(f"pm path {PACKAGE}", "", 1)
    phone.say("pm list users", "Users:\n\tUserInfo{0:Owner:c13} running\n\tUserInfo{10:Work: a}b:1030} running\n")
    phone.say(f"pm path --user 10 {PACKAGE}", found)

    assert ask(computer, phone, "update.apk")["decision"] == "allow"
    assert ask(computer, phone, "other.apk", "--install", expect=40)["outcome"] == "would-wipe"


@pytest.mark.parametrize(
    ("question", "complaint"),
    [
        (f"pm path {PACKAGE}", "cmd: Can't find service: package\n"),
        (f"pm path --user 10 {PACKAGE}", "java.lang.SecurityException: Shell does not have permission to access user 10\n"),
        (f"pm list packages -u {PACKAGE}", "error: device offline\n"),
        ("pm list users", "error: closed\n"),
        ("pm path android", ""),
    ],
)  # fmt: skip
def test_silence_is_not_taken_for_the_answer_that_the_app_is_not_there(
    computer: Computer, phone: FakePhone, question: str, complaint: str
) -> None:
    phone.say(f"pm path {PACKAGE}", "", 1)
    phone.say("pm list users", "Users:\n\tUserInfo{0:Owner:c13} running\n\tUserInfo{10:Work:1030}\n")
    phone.say(question, "", 1, complaint)

    assert ask(computer, phone, "update.apk", expect=42)["code"] == "phone-not-understood"


@pytest.mark.parametrize(("said", "result"), [("Failure [-99]\n", "-99"), ("Failure [null]\n", "null")])
def test_a_refusal_that_only_one_maker_knows_is_still_a_refusal(
    computer: Computer, phone: FakePhone, said: str, result: str
) -> None:
    phone.tell(install=[said, 1])

    failed = ask(computer, phone, "update.apk", "--install", expect=41)

    assert (failed["code"], failed["params"]["result"]) == ("phone-refused", result)


def test_one_of_several_phones_is_chosen_by_its_serial_number(computer: Computer, phone: FakePhone) -> None:
    phone.tell(devices=f"List of devices attached\nA\tunauthorized\n{phone.serial}\tdevice\n")

    assert ask(computer, phone, "update.apk", "--serial", phone.serial)["decision"] == "allow"
    assert ask(computer, phone, "update.apk", "--serial", "C", expect=2)["params"]["reason"] == "phone-unknown"


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("getprop ro.build.version.sdk", "error: closed\n"),
        (f"pm path {PACKAGE}", "package:/data/app/x; rm -rf /sdcard/base.apk\n"),
        (f"pm path {PACKAGE}", "Error: java.lang.NullPointerException\n"),
        (f"pm path {PACKAGE}", "package:/data/app/x/base.apk\npackage:/data/app/y/base.apk\n"),
        (f"pm path {PACKAGE}", "package:/data/app/gone/base.apk\n"),
        (f"pm path {PACKAGE}", "x" * 3_000_000),
    ],
)
def test_an_answer_that_is_none_leaves_the_update_undecided(
    computer: Computer, phone: FakePhone, question: str, said: str
) -> None:
    phone.say(question, said)

    assert ask(computer, phone, "update.apk", "--install", expect=42)["code"] == "phone-not-understood"
    assert phone.installed is None


def test_an_app_that_is_not_there_and_one_whose_data_was_kept_are_told_apart(
    computer: Computer, phone: FakePhone
) -> None:
    phone.say(f"pm path {PACKAGE}", "", 1)
    assert ask(computer, phone, "update.apk", expect=2)["code"] == "app-not-on-phone"

    phone.say(f"pm list packages -u {PACKAGE}", f"package:{PACKAGE}.beta\npackage:{PACKAGE}\n")
    assert ask(computer, phone, "update.apk", expect=42)["code"] == "app-data-left"


@pytest.mark.parametrize("code", [0, 1])
def test_what_android_refuses_is_told_and_changes_nothing(computer: Computer, phone: FakePhone, code: int) -> None:
    phone.tell(install=["adb: failed to install x.apk: Failure [INSTALL_FAILED_INSUFFICIENT_STORAGE: no room]\n", code])

    failed = ask(computer, phone, "update.apk", "--install", expect=41)

    assert (failed["code"], failed["params"]["result"]) == ("phone-refused", "INSTALL_FAILED_INSUFFICIENT_STORAGE")


def test_an_installation_that_nobody_confirms_is_not_called_one(computer: Computer, phone: FakePhone) -> None:
    phone.tell(install=["- waiting for device -\nerror: device offline\n", 0])

    assert ask(computer, phone, "update.apk", "--install", expect=42)["code"] == "phone-not-understood"


def test_a_phone_that_never_answers_is_waited_for_a_while_only(
    computer: Computer, phone: FakePhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backupkit.ops.guarding.adb_phone._ANSWER_SECONDS", 0.5)
    monkeypatch.chdir(computer.home)
    phone.tell(slow=60)
    arguments = ("guard", "phone", "--adb", str(phone.adb), "--candidate", "update.apk", "--json")

    asked = computer.run_here(*arguments, expect=42)

    assert asked.last["params"]["reason"] == "phone-time-out"


def test_without_adb_it_is_told_where_to_get_it(computer: Computer) -> None:
    arguments = ("guard", "phone", "--adb", "no-such-adb", "--candidate", "update.apk")

    assert "platform" in computer.run(*arguments, expect=2).err


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_person_reads_what_was_done(computer: Computer, phone: FakePhone, language: str) -> None:
    arguments = (
        "guard",
        "phone",
        "--adb",
        str(phone.adb),
        "--candidate",
        "update.apk",
        "--install",
        "--lang",
        language,
    )

    assert phone.serial in computer.run(*arguments).out.splitlines()[-1]


@pytest.mark.parametrize("name", ["notes.txt", "nothing", "bundle.apks"])
def test_what_adb_cannot_install_is_refused_first(computer: Computer, phone: FakePhone, name: str) -> None:
    (computer.home / "notes.txt").write_text("x")
    (computer.home / "bundle.apks").write_bytes(b"PK\x03\x04")

    ask(computer, phone, name, expect=2)

    assert phone.asked == []
