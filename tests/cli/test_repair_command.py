"""`backupkit repair` as a person runs it: exit 0 when all is whole again, 20 when something remains, and no passphrase."""

from pathlib import Path

from chat_factory import write_telegram_chat
from computer import Computer
from json_schema import differences, schema_of


def packs(computer: Computer) -> list[Path]:
    return sorted(path for path in (computer.repository / "packs").rglob("*") if path.is_file())


def test_a_repair_says_what_came_back_and_what_did_not(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "home")
    computer.initialise()
    for messages in (5, 10, 15):
        write_telegram_chat(computer.home / "chat", messages=messages)
        computer.run("snapshot", "chat", "--no-parity")
    schema = schema_of("repair-1")

    first = computer.run("repair", "--json", BACKUPKIT_PASSPHRASE_FILE="").last
    hurt = packs(computer)
    assert len(hurt) >= 3
    kept = [path.read_bytes() for path in hurt[:2]]
    for path in hurt[:2]:
        path.unlink()
    second = computer.run("repair", "--json", BACKUPKIT_PASSPHRASE_FILE="")
    assert [path.read_bytes() for path in hurt[:2]] == kept
    for path in hurt[:3]:
        path.unlink()
    third = computer.run("repair", "--json", expect=20, BACKUPKIT_PASSPHRASE_FILE="")
    said = computer.run("repair", expect=20, BACKUPKIT_PASSPHRASE_FILE="")

    assert [differences(last, schema) for last in (first, second.last, third.last)] == [[], [], []]
    assert (first["state"], first["groups"]) == ("whole", 1)
    assert (second.last["state"], len(second.last["repaired"])) == ("repaired", 2)
    assert (third.last["state"], len(third.last["lost"])) == ("damaged", 3)
    assert hurt[0].name in said.err
    assert "damaged" in said.out


def test_what_cannot_be_repaired_comes_with_the_next_step_and_a_copy_repairs_it(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "home")
    computer.initialise()
    write_telegram_chat(computer.home / "chat", messages=5)
    computer.run("snapshot", "chat", "--no-parity")
    computer.run("copy", "--to", "usb")
    packs(computer)[0].write_bytes(b"damaged")

    alone = computer.run("repair", expect=20, BACKUPKIT_PASSPHRASE_FILE="")
    helped = computer.run("repair", "--from", "usb", BACKUPKIT_PASSPHRASE_FILE="")

    assert "backupkit repair --from DIR" in alone.out
    assert "1 pack brought back byte for byte" in helped.out
    assert computer.run("verify", "--json").last["state"] == "verified"


def test_what_was_damaged_after_a_snapshot_comes_back_with_nothing_else_done_before(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "home")
    computer.initialise()
    write_telegram_chat(computer.home / "chat", messages=5)
    computer.run("snapshot", "chat")
    kept = {path: path.read_bytes() for path in packs(computer)}
    for path, data in kept.items():
        path.write_bytes(data[: len(data) // 2] + b"oops" + data[len(data) // 2 + 4 :])

    told = computer.run("verify", expect=20).out
    computer.run("repair", BACKUPKIT_PASSPHRASE_FILE="")

    assert told.splitlines()[-1] == "Next:  backupkit repair"

    assert len(kept) == 2
    assert {path: path.read_bytes() for path in packs(computer)} == kept
    assert computer.run("verify", "--json").last["state"] == "verified"


def test_a_snapshot_that_is_not_read_back_or_told_so_writes_no_parity(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "home")
    computer.initialise()
    write_telegram_chat(computer.home / "chat", messages=5)

    computer.run("snapshot", "chat", "--no-verify")
    computer.run("snapshot", "chat", "--no-parity")

    assert not [path for path in (computer.repository / "parity").rglob("*") if path.is_file()]


def test_a_restore_that_met_damage_ends_with_what_may_bring_it_back(tmp_path: Path) -> None:
    """It ended with a count, and only `verify` told of `repair`."""
    computer = Computer(tmp_path / "home")
    computer.initialise()
    write_telegram_chat(computer.home / "chat", messages=20)
    computer.run("snapshot", "chat")
    hurt = max(packs(computer), key=lambda path: path.stat().st_size)
    hurt.chmod(0o600)
    hurt.write_bytes(b"damaged")

    told = computer.run("restore", "latest", "--to", "back", "--repo", computer.repository, expect=20).out

    assert told.splitlines()[-1] == f"Next:  backupkit repair --repo {computer.repository}"
    computer.run("repair", "--repo", computer.repository)
    assert "Next:" not in computer.run("restore", "latest", "--to", "whole").out
