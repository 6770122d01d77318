"""What is left when log, statements, lists, indexes and config are gone: packs and keys give the chats back, and a new log."""

import hashlib
import json
import random
import shutil
from datetime import UTC, datetime
from pathlib import Path

import chat_factory
import pytest
from apk_factory import build_apk, make_key, sign
from backup_scene import SteppingClock
from computer import Answer, Computer, files_of

COPIES = ("", "copies/1/", "copies/2/")


class Home:
    """A computer with three snapshots of two sources in two domains, and what the sources held each time."""

    def __init__(self, folder: Path) -> None:
        self.computer = Computer(folder / "home")
        self.computer.initialise()
        # A snapshot a minute: roots of one second have no order among each other.
        self.computer.clock = SteppingClock(datetime.now(UTC))
        self.words = ("--recovery-words-file", self.computer.home / "words")
        self.chats, self.notes = folder / "chats", folder / "notes"
        self.chats.mkdir()
        self.notes.mkdir()
        (self.notes / "list.txt").write_text("milk\n" * 300)
        (self.chats / "photo.jpg").write_bytes(b"\xff\xd8\xff" + random.Random(3).randbytes(400_000))
        self.days: list[dict[str, bytes]] = []
        for day in range(3):
            (self.chats / f"day-{day}.txt").write_text(f"day {day}\n" * 2000)
            self.computer.run_here("snapshot", self.chats, self.notes)
            self.days.append(files_of(self.chats))

    def double(self, home: Path) -> "Home":
        other = object.__new__(Home)
        other.__dict__.update(self.__dict__)
        other.computer = self.computer.double(home)
        other.computer.clock = self.computer.clock
        return other

    def lose(self, *names: str) -> None:
        """Delete objects and folders with all their copies."""
        for name in names:
            for copy in COPIES:
                place = self.computer.repository / copy / name
                if place.is_dir():
                    shutil.rmtree(place)
                else:
                    place.unlink(missing_ok=True)

    def forget_this_machine(self) -> None:
        """Go on as a computer that never saw this repository."""
        for folder in (".local/state/backupkit", ".cache/backupkit"):
            shutil.rmtree(self.computer.home / folder, ignore_errors=True)

    def restore(self, to: Path, *more: object, which: str = "latest") -> Answer:
        return self.computer.run_here(
            "restore", which, "--to", to, *self.words, *more, "--json", expect=None
        )  # fmt: skip

    def codes(self, answer: Answer) -> set[str]:
        return {one["code"] for one in answer.objects if one["type"] in {"finding", "error"}}


ALL_BUT_PACKS_AND_KEYS = ("log", "snapshots", "statements", "packlists", "index", "parity")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("packs"))


@pytest.fixture
def home(saved: Home, tmp_path: Path) -> Home:
    return saved.double(tmp_path / "home")


@pytest.mark.parametrize("also", [(), ("config",)], ids=["config-left", "config-lost"])
@pytest.mark.parametrize("remembers", [True, False], ids=["same-computer", "new-computer"])
def test_with_only_packs_and_keys_left_everything_is_listed_verified_and_restored(
    home: Home, tmp_path: Path, also: tuple[str, ...], remembers: bool
) -> None:
    home.lose(*ALL_BUT_PACKS_AND_KEYS, *also)
    if not remembers:
        home.forget_this_machine()

    listed = home.computer.run_here("snapshots", *home.words, "--json", expect=20)
    verified = home.computer.run_here("verify", *home.words, "--json", expect=20)
    restored = home.restore(tmp_path / "back")

    snapshots = [one for one in listed.objects if one["type"] == "snapshot"]
    # One for each root: two domains, three days.
    assert len(snapshots) == 6
    assert {"chats", "notes"} == set(snapshots[-1]["sources"])
    summary = next(one for one in verified.objects if one["type"] == "summary")
    assert (summary["state"], summary["findings"]) == ("saved", [])
    assert summary["packs"] == summary["packs_total"] > 0
    assert restored.code == 20
    assert restored.last["code"] == "only-packs-left"
    assert files_of(tmp_path / "back" / "chats") == home.days[-1]
    assert files_of(tmp_path / "back" / "notes") == files_of(home.notes)
    for answer in (listed, verified, restored):
        assert "looking-in-packs" in home.codes(answer)
        assert ("config-unreadable" in home.codes(answer)) == bool(also)


def test_an_older_day_is_restored_from_the_packs_by_the_id_that_the_list_shows(home: Home, tmp_path: Path) -> None:
    home.lose(*ALL_BUT_PACKS_AND_KEYS)
    listed = home.computer.run_here("snapshots", *home.words, "--json", expect=20)
    ids = [one["snapshot"] for one in listed.objects if one["type"] == "snapshot"]

    assert home.restore(tmp_path / "back", which=ids[1]).code == 20

    assert files_of(tmp_path / "back" / "chats") == home.days[0]


def test_packs_that_lost_their_ends_still_give_what_lies_before(home: Home, tmp_path: Path) -> None:
    home.lose(*ALL_BUT_PACKS_AND_KEYS)
    for pack in (home.computer.repository / "packs").rglob("*"):
        if pack.is_file():
            pack.write_bytes(pack.read_bytes()[:-100])

    restored = home.restore(tmp_path / "back")

    assert restored.code == 20
    assert files_of(tmp_path / "back" / "chats") == home.days[-1]


def test_without_a_way_to_open_packs_the_list_says_what_is_wrong(home: Home) -> None:
    home.lose(*ALL_BUT_PACKS_AND_KEYS)
    del home.computer.environment["BACKUPKIT_PASSPHRASE_FILE"]

    listed = home.computer.run_here("snapshots", "--no-input", "--json", expect=21)

    assert listed.last["code"] == "history-rolled-back"


def test_a_repository_without_its_config_is_not_taken_for_none(home: Home, tmp_path: Path) -> None:
    home.lose("config")
    keyring = (home.computer.repository / "keyring").read_bytes()

    assert home.computer.run_here("status", "--json", expect=20).last["code"] == "config-lost"
    made = home.computer.run_here(
        "init", "--no-input", "--recovery-sheet", tmp_path / "sheet.html", "--json", expect=20
    )

    assert made.last["code"] == "config-lost"
    assert (home.computer.repository / "keyring").read_bytes() == keyring


def test_a_lost_head_is_signed_again_where_the_entries_continue_what_was_seen(home: Home) -> None:
    before = home.computer.run_here("snapshots", "--json").objects
    for copy in COPIES:
        (home.computer.repository / copy / "log/checkpoint").write_bytes(b"\0" * (9 << 20))
    assert home.computer.run_here("verify", "--json", expect=None).code == 20

    repaired = home.computer.run_here("repair", "--json")

    assert "log-head-signed-again" in home.codes(repaired)
    assert repaired.last["state"] == "repaired"
    assert home.computer.run_here("snapshots", "--json").objects == before
    assert home.computer.run_here("verify", "--json").last["state"] == "verified"
    assert home.computer.run_here("repair", "--json").last["state"] == "whole"
    home.computer.run_here("snapshot", home.chats)


def test_a_missing_head_is_signed_again_too_but_not_over_fewer_entries_than_were_seen(home: Home) -> None:
    entries = sorted((home.computer.repository / "log/entries").iterdir())
    home.lose("log/checkpoint", f"log/entries/{entries[-1].name}")

    refused = home.computer.run_here("repair", "--json", expect=21)

    assert refused.last["code"] == "history-rolled-back"
    assert not (home.computer.repository / "log/checkpoint").exists()


def test_a_computer_that_never_saw_the_log_does_not_make_a_head_of_whatever_entries_lie_there(home: Home) -> None:
    home.lose("log/checkpoint")
    for name in ("seen-checkpoint", "log-leaves"):
        for path in (home.computer.home / ".local/state/backupkit").rglob(name):
            path.unlink()

    repaired = home.computer.run_here("repair", "--json", expect=20)

    assert "log-unreadable" in home.codes(repaired)
    assert not (home.computer.repository / "log/checkpoint").exists()


LOSSES = {
    "head-and-an-entry": ("log/checkpoint", "log/entries/0000000003"),
    "log": ("log",),
    "log-and-lists": ("log", "packlists"),
    "statements-of-snapshots": ("snapshots",),
    "all-but-packs-and-keys": ALL_BUT_PACKS_AND_KEYS,
    "config": ("config",),
    "config-and-log": ("config", "log"),
    "all-of-it": ("config", *ALL_BUT_PACKS_AND_KEYS),
}


@pytest.mark.parametrize("lost", LOSSES)
@pytest.mark.parametrize("remembers", [True, False], ids=["same-computer", "new-computer"])
def test_a_rebuilt_repository_lists_verifies_saves_and_restores_every_day(
    home: Home, tmp_path: Path, lost: str, remembers: bool
) -> None:
    home.lose(*LOSSES[lost])
    if not remembers:
        home.forget_this_machine()

    rebuilt = home.computer.run_here("repair", "--rebuild", *home.words, "--json")

    assert rebuilt.last["rebuilt"]["left_out"] == []
    assert "log-begun-again" in home.codes(rebuilt) or lost == "config"
    listed = [one for one in home.computer.run_here("snapshots", "--json").objects if one["type"] == "snapshot"]
    assert len(listed) >= 3
    found = []
    for number, one in enumerate(listed):
        assert home.computer.run_here("verify", one["snapshot"], "--open", *home.words, "--json").code == 0
        assert home.restore(tmp_path / f"{number}", which=one["snapshot"]).code == 0
        found.append(files_of(tmp_path / f"{number}" / "chats"))
    assert all(day in found for day in home.days)
    assert found[-1] == home.days[-1]
    # What is rebuilt is whole: asked again there is nothing to do, and the next snapshot goes on from it.
    again = home.computer.run_here("repair", "--rebuild", *home.words, "--json")
    assert (again.last["rebuilt"]["reason"], again.last["rebuilt"]["entered"]) == (None, [])
    assert again.last["state"] == "whole"
    new = home.computer.run_here("snapshot", home.chats, home.notes, "--json").last
    assert new["new_bytes"] < 200_000
    assert home.computer.run_here("verify", "--json").last["state"] == "verified"


def test_a_rebuilt_log_is_a_statement_in_the_log_and_a_rollback_for_who_saw_the_old_one(
    home: Home, tmp_path: Path
) -> None:
    watcher = home.computer.double(tmp_path / "another")
    old = watcher.repository
    home.lose("log")
    home.computer.run_here("repair", "--rebuild", *home.words)
    shutil.rmtree(old)
    shutil.copytree(home.computer.repository, old)

    seen = watcher.run_here("verify", "--json", expect=21)

    assert seen.last["code"] in {"history-forked", "history-rolled-back"}
    entries = [json.loads(path.read_bytes()) for path in sorted((home.computer.repository / "log/entries").iterdir())]
    assert "import" in {entry["type"] for entry in entries}


def test_statements_that_are_lost_are_made_anew_without_breaking_with_the_old_log(home: Home, tmp_path: Path) -> None:
    watcher = home.computer.double(tmp_path / "another")
    home.lose("snapshots")

    rebuilt = home.computer.run_here("repair", "--rebuild", *home.words, "--json", expect=None).last["rebuilt"]

    assert rebuilt["continues"] is True
    assert rebuilt["from_packs"] == len(rebuilt["entered"]) == 6
    shutil.rmtree(watcher.repository)
    shutil.copytree(home.computer.repository, watcher.repository)
    assert watcher.run_here("verify", "--json").last["state"] == "verified"


def test_the_words_of_another_repository_rebuild_nothing(home: Home, tmp_path: Path) -> None:
    other = Computer(tmp_path / "stranger")
    other.initialise_anew()
    home.lose("log")

    refused = home.computer.run_here(
        "repair", "--rebuild", "--recovery-words-file", other.home / "words", "--json", expect=12
    )

    assert refused.last["type"] == "error"
    assert not (home.computer.repository / "log").exists()


def test_a_found_snapshot_that_is_not_whole_is_named_and_not_signed_for(home: Home, tmp_path: Path) -> None:
    home.lose(*ALL_BUT_PACKS_AND_KEYS)
    packs = sorted(path for path in (home.computer.repository / "packs").rglob("*") if path.is_file())
    # The largest holds the photograph, which every day has.
    max(packs, key=lambda path: path.stat().st_size).unlink()

    rebuilt = home.computer.run_here("repair", "--rebuild", *home.words, "--json", expect=20)

    left_out = rebuilt.last["rebuilt"]["left_out"]
    assert left_out
    assert {one["code"] for one in left_out} == {"snapshot-not-entered"}
    one = left_out[-1]["params"]["snapshot"]
    assert home.restore(tmp_path / "back", "--from-packs", which=one).code == 20
    for line in home.computer.run_here("snapshots", "--json").objects:
        if line["type"] == "snapshot":
            assert home.computer.run_here("verify", line["snapshot"], "--open", *home.words, "--json").code == 0


def test_the_hook_holds_after_a_rebuilt_log_until_its_owner_lets_it_forget_the_old_one(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "home")
    computer.initialise()
    maker, stranger = make_key("ec", "maker"), make_key("ec", "stranger")
    installed, offered = tmp_path / "installed.apk", tmp_path / "offered.apk"
    installed.write_bytes(sign(build_apk(package="org.telegram.messenger", version_code=1), maker))
    offered.write_bytes(sign(build_apk(package="org.telegram.messenger", version_code=2), stranger))
    computer.run("guard", "trust", "add", installed)
    chats = tmp_path / "telegram"
    chat_factory.write_telegram_chat(chats, messages=20)
    request = {
        "type": "hook-request", "v": 1, "action": "upgrade", "package": "org.telegram.messenger", "device_sdk": 28,
        "installed": {"path": str(installed), "sha256": hashlib.sha256(installed.read_bytes()).hexdigest()},
        "candidate": {"path": str(offered)},
    }  # fmt: skip

    def reason() -> str:
        return str(json.loads(computer.hook(request).out)["reason"])

    computer.run_here("snapshot", chats, "--app", "telegram")
    assert reason() == "backup-covers"
    for copy in COPIES:
        shutil.rmtree(computer.repository / copy / "log")
    words = ("--recovery-words-file", computer.home / "words")
    rebuilt = computer.run_here("repair", "--rebuild", *words)
    computer.run_here("snapshot", chats, "--app", "telegram")

    assert reason() in {"log-rolled-back", "log-forked", "log-proof-missing"}
    witness = next(computer.home.rglob("witness.json"))
    assert str(witness) in rebuilt.out
    witness.unlink()
    computer.run_here("verify")
    assert reason() == "backup-covers"
