"""`backupkit guard phone` with the real adb, asking a server of ours in which the phones are simulated."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from adb_server import MODERN, OLD, SimulatedPhone, adb_server
from apk_factory import build_apk, make_key, sign
from computer import Computer

PACKAGE = "org.example.chat"
MAKER, STRANGER = make_key(name="A"), make_key(name="B")
OLD_SPLIT, NEW_SPLIT = (sign(build_apk(PACKAGE, version, split="config.de"), MAKER) for version in (1, 2))
INSTALLED, UPDATE, OTHER = (
    sign(build_apk(PACKAGE, version), key) for version, key in ((1, MAKER), (2, MAKER), (2, STRANGER))
)


class Desk:
    """A computer with adb, and the phones on its cables."""

    def __init__(self, computer: Computer, adb: str, phones: list[SimulatedPhone], strange: list[str]) -> None:
        self.computer, self.phones, self.strange = computer, phones, strange
        self._adb = adb

    @property
    def phone(self) -> SimulatedPhone:
        return self.phones[0]

    def ask(self, candidate: str, *more: str, expect: int = 0) -> dict[str, Any]:
        arguments = ("guard", "phone", "--adb", self._adb, "--candidate", candidate, "--json")
        return self.computer.run(*arguments, *more, expect=expect).last


@pytest.fixture(params=[MODERN, OLD], ids=["android-14", "before-android-7"])
def desk(tmp_path: Path, system_tool: Callable[[str], str], request: pytest.FixtureRequest) -> Iterator[Desk]:
    adb = system_tool("adb")
    computer = Computer(tmp_path / "home")
    for name, data in (("update", UPDATE), ("other", OTHER)):
        (computer.home / f"{name}.apk").write_bytes(data)
    phone = SimulatedPhone(features=request.param)
    phone.has(PACKAGE, base=INSTALLED)
    with adb_server(phone) as (port, phones, strange):
        computer.environment["ANDROID_ADB_SERVER_PORT"] = port
        yield Desk(computer, adb, phones, strange)
        assert strange == []


def test_an_update_that_keeps_the_chats_is_installed_and_another_is_not(desk: Desk) -> None:
    held = desk.ask("other.apk", "--install", expect=40)
    after_held = list(desk.phone.installed)
    done = desk.ask("update.apk", "--install")

    assert (held["outcome"], held["installed"], after_held) == ("would-wipe", False, [])
    assert (done["decision"], done["installed"], desk.phone.installed) == ("allow", True, [UPDATE])


def test_splits_are_read_and_installed_together(desk: Desk) -> None:
    desk.phone.has(PACKAGE, base=INSTALLED, split_config_de=OLD_SPLIT)
    offered = desk.computer.home / "offered"
    offered.mkdir()
    (offered / "base.apk").write_bytes(UPDATE)
    (offered / "split_config.de.apk").write_bytes(NEW_SPLIT)

    assert desk.ask("offered", "--install")["installed"] is True
    assert desk.phone.installed == [UPDATE, NEW_SPLIT]


@pytest.mark.parametrize("candidate", ["update.apk", "offered"])
def test_what_android_refuses_is_told(desk: Desk, candidate: str) -> None:
    desk.phone.refuses = "INSTALL_FAILED_VERIFICATION_FAILURE: no"
    offered = desk.computer.home / "offered"
    offered.mkdir()
    (offered / "base.apk").write_bytes(UPDATE)
    (offered / "split_config.de.apk").write_bytes(NEW_SPLIT)
    if candidate == "offered":
        desk.phone.has(PACKAGE, base=INSTALLED, split_config_de=OLD_SPLIT)

    failed = desk.ask(candidate, "--install", expect=41)

    assert (failed["code"], failed["params"]["result"]) == ("phone-refused", "INSTALL_FAILED_VERIFICATION_FAILURE")
    assert desk.phone.installed == []


def test_one_phone_of_several_must_be_named(desk: Desk) -> None:
    desk.phones.append(SimulatedPhone("adb-R58M12-x9Qk (2)._adb-tls-connect._tcp", features=desk.phone.features))
    desk.phones.append(SimulatedPhone("B", state="unauthorized"))
    desk.phones.append(SimulatedPhone("C", state="offline"))
    desk.phones[1].has(PACKAGE, base=INSTALLED)
    twin = ("--serial", desk.phones[1].serial)

    assert desk.ask("update.apk", expect=2)["params"]["reason"] == "phone-several"
    assert desk.ask("update.apk", "--serial", "B", expect=2)["params"]["reason"] == "phone-unauthorized"
    assert desk.ask("update.apk", "--serial", "C", expect=2)["params"]["reason"] == "phone-offline"
    assert desk.ask("update.apk", "--serial", "D", expect=2)["params"]["reason"] == "phone-unknown"
    assert desk.ask("update.apk", "--install", *twin)["serial"] == desk.phones[1].serial
    assert (desk.phone.installed, desk.phones[1].installed) == ([], [UPDATE])


def test_an_app_is_not_there_only_if_the_phone_says_so(desk: Desk) -> None:
    answer = desk.phone.shell.pop(f"pm path {PACKAGE}")
    nowhere = desk.ask("update.apk", expect=2)
    desk.phone.shell["pm path android"] = (
        "",
        "Error: Could not access the Package Manager.  Is the system running?\n",
        1,
    )
    not_up = desk.ask("update.apk", expect=42)
    del desk.phone.shell["pm path android"]
    desk.phone.shell["pm list users"] = ("Users:\n\tUserInfo{0:Owner:13} running\n\tUserInfo{10:Work:30}\n", "", 0)
    desk.phone.shell[f"pm path --user 10 {PACKAGE}"] = answer
    at_work = desk.ask("update.apk")
    desk.phone.shell[f"pm path --user 10 {PACKAGE}"] = ("", "java.lang.SecurityException: not for the shell\n", 255)
    forbidden = desk.ask("update.apk", expect=42)

    assert (nowhere["code"], not_up["code"]) == ("app-not-on-phone", "phone-not-understood")
    assert (at_work["decision"], forbidden["code"]) == ("allow", "phone-not-understood")


def test_a_package_that_vanishes_while_it_is_read_leaves_it_undecided(desk: Desk) -> None:
    desk.phone.files.clear()

    assert desk.ask("update.apk", "--install", expect=42)["code"] == "phone-not-understood"
    assert desk.phone.installed == []
