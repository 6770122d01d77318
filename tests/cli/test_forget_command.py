"""`backupkit forget`, `undelete` and `snapshots --forgotten` as a person runs them."""

import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from backup_scene import SteppingClock
from computer import Computer
from json_schema import differences, schema_of


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    """A computer with three snapshots, a day apart."""
    made = Computer(tmp_path / "home")
    made.initialise()
    clock = SteppingClock(datetime.now(UTC))
    made.clock = clock
    chats = made.home / "chats"
    chats.mkdir()
    for day in range(3):
        (chats / f"{day}.txt").write_text(f"day {day}\n" * 1000)
        made.run_here("snapshot", chats, "--no-verify")
        clock.at += timedelta(days=1)
    return made


def test_a_person_forgets_by_rules_looks_and_takes_it_back(computer: Computer) -> None:
    snapshots = [one["snapshot"] for one in computer.run_here("snapshots", "--json").objects[:-1]]

    tried = computer.run_here("forget", "--keep-last", "1", "--dry-run", "--json")
    said = computer.run_here("forget", "--keep-last", "1", "--dry-run").out
    done = computer.run_here("forget", "--keep-last", "1", "--json")
    forgotten = computer.run_here("snapshots", "--forgotten", "--json")
    told = computer.run_here("snapshots", "--forgotten").out
    undone = computer.run_here("undelete", snapshots[0][:8], "--json")

    assert differences(tried.last, schema_of("forget-1")) == differences(done.last, schema_of("forget-1")) == []
    assert [difference for one in done.objects[:-1] for difference in differences(one, schema_of("retention-1"))] == []
    assert [
        difference for one in forgotten.objects[:-1] for difference in differences(one, schema_of("snapshots-1"))
    ] == []
    assert differences(undone.last, schema_of("undelete-1")) == []
    assert tried.last["forgotten"] == done.last["forgotten"] == snapshots[:2]
    assert (tried.last["undo_until"], tried.last["dry_run"]) == (None, True)
    assert "the newest, one of the last" in said
    assert [one["life"] for one in forgotten.objects[:-1]] == ["forgotten", "forgotten"]
    assert "can be taken back until" in told
    assert undone.last["undeleted"] == snapshots[:1]
    left = [one["snapshot"] for one in computer.run_here("snapshots", "--json").objects[:-1]]
    assert left == [snapshots[0], snapshots[2]]


def test_an_empty_list_says_why_it_is_empty(computer: Computer) -> None:
    forgotten = computer.run_here("snapshots", "--forgotten")
    chinese = computer.run_here("snapshots", "--forgotten", "--lang", "zh-CN")
    of_nobody = computer.run_here("snapshots", "--source", "nobody")

    assert forgotten.out.strip() == "No snapshot is forgotten."
    assert chinese.out.strip() == "没有已放弃的快照。"
    assert of_nobody.out.strip() == "No snapshot fits that."


def test_reasons_are_listed_as_the_language_lists_things(computer: Computer) -> None:
    said = computer.run_here("forget", "--keep-last", "1", "--dry-run", "--lang", "zh-CN").out

    assert "、" in said
    assert ", " not in said


def test_the_settings_say_what_is_kept_where_the_command_does_not(computer: Computer) -> None:
    settings = computer.home / ".config/backupkit/config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text("version = 1\n[keep]\nlast = 2\ndaily = 0\nmonthly = 0\n")

    done = computer.run_here("forget", "--json")

    assert (len(done.last["forgotten"]), done.last["kept"]) == (1, 2)


def test_what_cannot_be_meant_is_refused(computer: Computer) -> None:
    clash = computer.run_here("forget", "7c1f09ab", "--keep-last", "1", "--json", expect=2)
    nothing = computer.run_here("forget", "--keep-last", "0", "--json", expect=2)
    unknown = computer.run_here("undelete", "ffffffff", "--json", expect=22)

    assert [one.last["code"] for one in (clash, nothing, unknown)] == [
        "options-clash", "nothing-kept", "snapshot-not-found",
    ]  # fmt: skip


def test_sweep_and_copy_say_what_they_did(computer: Computer) -> None:
    first = computer.run_here("snapshots", "--json").objects[0]["snapshot"]
    computer.run_here("forget", first)
    assert isinstance(computer.clock, SteppingClock)
    computer.clock.at += timedelta(days=31)

    tried = computer.run_here("sweep", "--dry-run", "--json")
    marked = computer.run_here("sweep")
    computer.clock.at += timedelta(hours=25)
    done = computer.run_here("sweep", "--json")
    nothing = computer.run_here("sweep")
    copied = computer.run_here("copy", "--to", computer.home / "usb", "--json")
    again = computer.run_here("copy", "--to", computer.home / "usb")

    for answer, name in ((tried, "sweep-1"), (done, "sweep-1"), (copied, "copy-1")):
        assert differences(answer.last, schema_of(name)) == []
    assert (tried.last["marked"], done.last["deleted_packs"], done.last["snapshots"]) == (1, 1, [first])
    assert "1 pack (" in marked.out
    assert "every pack is needed" in nothing.out
    assert (copied.last["state"], copied.last["snapshots"], copied.last["second_copy"]) == ("whole", 2, False)
    assert "0 files copied" in again.out
    computer.run_here("copy", "--to", computer.repository, "--json", expect=2)
    (computer.home / "mine").mkdir()
    (computer.home / "mine/letter").write_text("mine")
    computer.run_here("copy", "--to", computer.home / "mine", "--json", expect=23)


def test_what_takes_it_back_can_be_typed_as_it_is_printed(computer: Computer) -> None:
    said = computer.run_here("forget", "--keep-last", "1").out

    command = said.splitlines()[-1].rpartition(": backupkit ")[2]
    done = computer.run_here(*command.split(), "--json")

    assert len(done.last["undeleted"]) == 2


def test_a_person_renames_a_folder_and_ends_the_reminder_with_the_command_that_status_shows(computer: Computer) -> None:
    assert isinstance(computer.clock, SteppingClock)
    computer.run_here("verify")
    computer.clock.at += timedelta(days=2)
    (computer.home / "chats").rename(computer.home / "my chats")
    shown = computer.run_here("status", expect=5).out
    command = next(line for line in shown.splitlines() if "forget --source" in line).partition("backupkit ")[2]

    gone = computer.run_here(*shlex.split(command))
    again = computer.run_here("forget", "--source", computer.home / "chats", "--json")
    after = computer.run_here("status")

    assert "was renamed or moved" in shown
    assert f"backupkit snapshot {computer.home}/chats" not in shown
    assert "What was saved of it stays" in gone.out
    assert differences(again.last, schema_of("forget-1")) == []
    assert f"Not counted any more: {computer.home}/chats" in after.out
    assert computer.run_here("forget", "--source", "x", "--dry-run", "--json", expect=2).last["code"] == "options-clash"
    computer.run_here("snapshot", computer.home / "my chats")
    assert "my chats" in computer.run_here("status").out
