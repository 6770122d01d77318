"""Every command that reads chats finds as much in a damaged repository as `restore` does, and says the same of it."""

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import chat_factory
import pytest
from backup_scene import SteppingClock
from computer import Answer, Computer

COPIES = ("", "copies/1/", "copies/2/")
LOG_AND_STATEMENTS = ("log", "snapshots", "statements", "packlists", "index", "parity")

THE_CHATS_ARE_THERE = {
    "head": ("log/checkpoint",),
    "entries": ("log/entries",),
    "log": ("log",),
    "snapshots": ("snapshots",),
    "lists-indexes-parity": ("packlists", "index", "parity"),
    "config": ("config",),
    "log-and-statements": LOG_AND_STATEMENTS,
    "all-but-packs-and-keys": ("config", *LOG_AND_STATEMENTS),
}


class Home:
    """A computer with three snapshots of chats and of a folder of notes, which are two domains."""

    def __init__(self, folder: Path) -> None:
        self.computer = Computer(folder / "home")
        self.computer.initialise()
        # A snapshot a minute: roots of one second have no order among each other.
        self.computer.clock = SteppingClock(datetime.now(UTC))
        self.chats, self.notes = folder / "telegram", folder / "notes"
        self.notes.mkdir()
        (self.notes / "list.txt").write_text("milk\n" * 300)
        for messages in (10, 20, 30):
            shutil.rmtree(self.chats, ignore_errors=True)
            chat_factory.write_telegram_chat(self.chats, messages=messages)
            self.computer.run_here("snapshot", self.chats, self.notes)
        self.computer.run_here("repair")

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

    def ask(self, *arguments: object) -> Answer:
        words = ("--recovery-words-file", self.computer.home / "words")
        return self.computer.run_here(*arguments, *words, "--json", expect=None)

    def ids(self) -> list[str]:
        return [one["snapshot"] for one in self.ask("snapshots").objects if one["type"] == "snapshot"]

    def read_all(self, out: Path) -> dict[str, Answer]:
        """Ask every command that reads chats."""
        first = next(iter(self.ids()), "latest")
        return {
            "restore": self.ask("restore", "--to", out / "restored"),
            "show": self.ask("show"),
            "show-brief": self.ask("show", "--brief"),
            "search": self.ask("search", "--from", "Maya", "--from", "Tom", "--from", "Grandma", "--limit", "1000"),
            "export": self.ask("export", "--to", out / "exported", "--format", "jsonl"),
            "export-all": self.ask("export", "--all-snapshots", "--to", out / "all", "--format", "jsonl"),
            "diff": self.ask("diff", first),
            "diff-messages": self.ask("diff", first, "--messages"),
        }


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("left"))


@pytest.fixture
def home(saved: Home, tmp_path: Path) -> Home:
    return saved.double(tmp_path / "home")


def of_type(answer: Answer, kind: str) -> dict[str, Any]:
    return next((one for one in answer.objects if one["type"] == kind), {})


def findings(answer: Answer) -> set[str]:
    return {one["code"] for one in answer.objects if one["type"] == "finding" and one["severity"] == "error"}


def packs_of(home: Home) -> Sequence[Path]:
    packs = (path for path in (home.computer.repository / "packs").rglob("*") if path.is_file())
    return sorted(packs, key=lambda path: path.stat().st_size)


@pytest.mark.parametrize("lost", THE_CHATS_ARE_THERE)
def test_what_restore_brings_back_is_shown_searched_exported_and_compared_and_the_same_is_said_of_it(
    home: Home, tmp_path: Path, lost: str
) -> None:
    home.lose(*THE_CHATS_ARE_THERE[lost])

    answers = home.read_all(tmp_path)

    restored = answers.pop("restore")
    last = restored.last if restored.last["type"] == "error" else {}
    for name, answer in answers.items():
        is_diff = name.startswith("diff")
        assert answer.code == (restored.code or (6 if is_diff else 0)), (name, answer.out)
        error = of_type(answer, "error")
        assert (error.get("code"), error.get("params")) == (last.get("code"), last.get("params")), name
    assert [one["messages"] for one in of_type(answers["show"], "summary")["sources"]].count(30) == 1
    assert of_type(answers["show"], "conversation")["messages"] == 30
    assert of_type(answers["show-brief"], "summary")["sources"] == of_type(answers["show"], "summary")["sources"]
    assert of_type(answers["search"], "summary")["messages"] == 30
    assert of_type(answers["search"], "summary")["hits"]
    assert of_type(answers["export"], "summary")["messages"] == 30
    assert of_type(answers["export-all"], "summary")["messages"] == 30
    assert of_type(answers["diff"], "summary")["changed"] == ["telegram/result.json"]
    assert of_type(answers["diff-messages"], "summary")["new"] == 20


@pytest.mark.parametrize("name", ["keyring", "slots"])
def test_where_the_keys_are_lost_every_command_says_so_and_none_offers_to_begin_anew(
    home: Home, tmp_path: Path, name: str
) -> None:
    home.lose(name)

    for asked, answer in home.read_all(tmp_path).items():
        assert (answer.code, answer.last["code"]) == (20, "keys-lost"), (asked, answer.out)
        assert answer.last["params"]["name"] == name


def test_where_a_domain_is_lost_every_command_gives_the_rest_and_calls_it_damaged(home: Home, tmp_path: Path) -> None:
    # The notes are in the younger one.
    domains = home.computer.repository / "domains"
    shown = {one.name: set(home.ids()) for one in domains.iterdir()}
    assert len(shown) == 2
    for name in shown:
        other = home.double(tmp_path / name)
        other.lose(f"domains/{name}")

        answers = other.read_all(tmp_path / f"{name}-out")

        assert {answer.code for answer in answers.values()} == {20}
        for asked, answer in answers.items():
            assert "domain-lost" in findings(answer), asked
        assert of_type(answers["show"], "summary")["state"] == "damaged"
        assert len(of_type(answers["show"], "summary")["sources"]) == 1


@pytest.mark.parametrize("how", ["gone", "garbage"])
def test_no_command_calls_whole_what_lacks_a_pack(home: Home, tmp_path: Path, how: str) -> None:
    for number, pack in enumerate(packs_of(home)):
        other = home.double(tmp_path / f"{number}")
        place = other.computer.repository / pack.relative_to(home.computer.repository)
        place.unlink() if how == "gone" else place.write_bytes(b"garbage")
        shutil.rmtree(other.computer.repository / "parity")

        answers = other.read_all(tmp_path / f"{number}-out")

        for asked, answer in answers.items():
            assert answer.code in {0, 6, 20}, (asked, answer.out)
            # Not every pack holds what is read here: whoever does not miss it has all of it.
            summary = of_type(answer, "summary")
            if answer.code != 20 and asked in {"search", "export", "export-all"}:
                assert summary["messages"] == 30, (asked, pack)
            if answer.code != 20 and asked == "show":
                assert of_type(answer, "conversation")["messages"] == 30, pack


def test_a_snapshot_whose_statement_is_lost_is_not_passed_over_in_silence(home: Home, tmp_path: Path) -> None:
    newest = home.ids()[-1]
    home.lose(f"snapshots/{newest}")

    answers = home.read_all(tmp_path)
    asked_for = home.ask("show", newest)

    assert {answer.code for answer in answers.values()} == {20}
    for name in ("snapshots", "status", "stats", "drill"):
        words = ("--recovery-words-file", home.computer.home / "words") if name == "drill" else ()
        answer = home.computer.run_here(name, *words, "--json", expect=20)
        assert "snapshot-unreadable" in findings(answer)
    # Those before it are there.
    assert of_type(answers["export"], "summary")["messages"] == 20
    assert asked_for.last["code"] == "snapshot-unreadable"
    assert home.ask("snapshots", "--from-packs").last["snapshots"] == 6
    assert home.computer.run_here("repair", "--rebuild", "--json", expect=None).code == 0
    assert {answer.code for answer in home.read_all(tmp_path / "again").values()} == {0, 6}
    assert home.computer.run_here("snapshots", "--json").last["snapshots"] >= 3


def test_a_search_says_each_time_that_its_index_lacks_what_could_not_be_read(home: Home) -> None:
    largest = packs_of(home)[-1]
    content = largest.read_bytes()
    shutil.rmtree(home.computer.repository / "parity")
    largest.unlink()

    first = home.ask("search", "--from", "Maya")
    second = home.ask("search", "--from", "Maya")
    largest.write_bytes(content)
    third = home.ask("search", "--from", "Maya", "--rebuild")

    assert (first.code, second.code, third.code) == (20, 20, 0)


def test_a_wrong_passphrase_is_no_lost_part_of_a_search(home: Home) -> None:
    (home.computer.home / "passphrase").write_text("not this one\n")

    assert home.computer.run_here("search", "--from", "Maya", "--json", expect=12).last["code"] == "cannot-unlock"


def test_where_no_list_of_packs_is_left_verify_names_the_commands_that_need_none(home: Home, tmp_path: Path) -> None:
    home.lose("packlists")

    refused = home.computer.run_here("verify", "--json", expect=20)

    assert refused.last["code"] == "packs-unknown"
    assert home.ask("restore", "--to", tmp_path / "back").code == 0
    assert home.computer.run_here("repair", "--rebuild", "--json").last["rebuilt"]["left_out"] == []
    assert home.computer.run_here("verify", "--json").last["state"] == "verified"
