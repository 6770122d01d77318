"""A whole repository that the command line made when format 1 was new: it opens, verifies, restores and goes on for ever."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from computer import PASSPHRASE, Computer, files_of

WHOLE = Path(__file__).parents[1] / "vectors" / "whole"
FACTS = json.loads((WHOLE / "facts.json").read_text("utf-8"))


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    """The computer that it was made on, from a copy: who reads may heal."""
    assert FACTS["passphrase"] == PASSPHRASE
    computer = Computer(tmp_path / "home")
    shutil.copytree(WHOLE / "repository", computer.repository)
    (id_,) = {
        json.loads(path.read_text("utf-8")[12:])["signed"]["repository"] for path in [computer.repository / "config"]
    }
    shutil.copytree(WHOLE / "state", computer.home / ".local/state/backupkit/repositories" / id_)
    (computer.home / "words").write_text(FACTS["words"])
    return computer


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("secret", ["passphrase", "words"])
def test_each_of_its_snapshots_is_verified_and_restored_byte_for_byte(
    computer: Computer, tmp_path: Path, number: int, secret: str
) -> None:
    snapshot, files = list(FACTS["files"].items())[number]
    words = ("--recovery-words-file", computer.home / "words") if secret == "words" else ()

    opened = computer.run_here("verify", snapshot, "--open", *words, "--json").last
    computer.run_here("restore", snapshot, "--to", tmp_path / "back", *words)

    assert (opened["state"], opened["findings"]) == ("verified", [])
    for source, expected in files.items():
        back = files_of(tmp_path / "back" / source)
        assert {name: hashlib.sha256(data).hexdigest() for name, data in back.items()} == expected
    assert (tmp_path / "back" / "chats" / "newest").readlink() == Path("photo.jpg")


def test_the_story_goes_on_where_it_ended(computer: Computer, tmp_path: Path) -> None:
    listed = [line for line in computer.run_here("snapshots", "--json").objects if line["type"] == "snapshot"]
    chats = tmp_path / "chats"
    chats.mkdir()
    (chats / "third.txt").write_text("many years later\n")

    taken = computer.run_here("snapshot", chats, "--no-parity", "--json").last
    repaired = computer.run_here("repair", "--json").last
    again = computer.run_here("repair", "--json").last

    assert {line["snapshot"] for line in listed} == set(FACTS["files"])
    assert taken["state"] == "verified"
    assert (repaired["state"], repaired["copies"]) == ("repaired", 4), "two pack lists had one copy each in those days"
    assert again["state"] == "whole"
    for snapshot in FACTS["files"]:
        assert computer.run_here("verify", snapshot, "--json").last["state"] == "verified"
