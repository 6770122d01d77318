"""Forgetting and taking it back, on a real repository."""

import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from backup_scene import JUNE, Scene, some_chats
from lifecycle_scene import decide_in_ledger, forget, keep, listed, take_days

from backupkit.clock import to_rfc3339
from backupkit.errors import BackupkitError
from backupkit.guard.places import GuardPlaces
from backupkit.ids import AppPackage
from backupkit.ops.failures import (
    GuardHoldOpen,
    NothingKept,
    SnapshotForgotten,
    SnapshotNeeded,
    SnapshotNotFound,
    SnapshotsShrunk,
)
from backupkit.ops.keeping.forget import counted_at, forget_snapshots
from backupkit.ops.keeping.guard_holds import open_hold
from backupkit.ops.keeping.undelete import undelete_snapshots
from backupkit.ops.looking.list_snapshots import list_forgotten
from backupkit.ops.looking.show import show
from backupkit.ops.looking.status import status
from backupkit.ops.memory.first_seen import Window


def test_what_is_forgotten_is_listed_no_more_and_comes_back(scene: Scene) -> None:
    some_chats(scene)
    first, second, third = take_days(scene, 3)

    done = forget(scene, first[:8], second)
    assert done.forgotten == (first, second)
    assert listed(scene) == [third]
    assert [(line.snapshot, line.life) for line in list_forgotten(scene.places, clock=scene.clock)] == [
        (first, "forgotten"), (second, "forgotten"),
    ]  # fmt: skip
    undone = undelete_snapshots(scene.places, [first], clock=scene.clock, tell=scene.tell)

    assert undone.undeleted == (first,)
    assert listed(scene) == [first, third]
    assert scene.verify(first).state == "verified"


def test_a_forgotten_snapshot_can_be_shown_and_restored_with_a_warning_and_counts_for_nothing_else(
    scene: Scene,
) -> None:
    some_chats(scene)
    first, second = take_days(scene, 2)
    forget(scene, first)

    scene.restore(first)
    shown = show(scene.places, first, secret=scene.secret, tell=scene.tell)

    assert (scene.folder / "back/chats/note-0.txt").read_text().startswith("day 0")
    assert shown.snapshot == first
    assert scene.codes().count("snapshot-forgotten") == 2
    assert scene.verify().snapshot == second
    with pytest.raises(SnapshotForgotten):
        scene.verify(first)
    with pytest.raises(SnapshotForgotten):
        forget(scene, first)
    looked = status(scene.places, max_age=timedelta(days=30), clock=scene.clock)
    assert looked.repository.snapshots == 1


def test_the_rules_let_go_what_they_do_not_keep_and_a_dry_run_nothing(scene: Scene) -> None:
    some_chats(scene)
    taken = take_days(scene, 6)

    tried = keep(scene, dry_run=True, daily=2)
    assert listed(scene) == taken
    done = keep(scene, daily=2)

    assert tried.forgotten == done.forgotten == tuple(taken[:4])
    assert listed(scene) == taken[4:]
    assert [one.rules for one in done.judged] == [(), (), (), (), ("daily",), ("newest", "daily")]
    assert keep(scene, daily=2).forgotten == ()
    with pytest.raises(NothingKept):
        keep(scene)


def test_each_series_of_sources_keeps_its_own(scene: Scene) -> None:
    some_chats(scene)
    other = scene.folder / "family"
    other.mkdir()
    (other / "one.txt").write_text("one " * 100)
    rare = scene.take(other).snapshot
    often = take_days(scene, 5)

    keep(scene, last=1)

    assert listed(scene) == [rare, often[-1]]


def test_the_newest_verified_snapshot_is_never_forgotten(scene: Scene) -> None:
    some_chats(scene)
    (verified,) = take_days(scene, 1, verify=True)
    later = take_days(scene, 3)

    with pytest.raises(SnapshotNeeded) as refused:
        forget(scene, verified)
    done = keep(scene, last=1)

    assert refused.value.facts == {"snapshot": verified}
    assert done.forgotten == tuple(later[:-1])


def test_nothing_is_forgotten_after_a_sharp_shrink_until_the_owner_says_so(scene: Scene) -> None:
    scene.write("large.bin", random.Random(1).randbytes(2_000_000))
    first = scene.take().snapshot
    scene.clock.at += timedelta(days=1)
    scene.write("large.bin", b"gone")
    second = scene.take().snapshot

    for by_name in (False, True):
        with pytest.raises(SnapshotsShrunk) as refused:
            forget(scene, first) if by_name else keep(scene, last=1)
        assert refused.value.facts["snapshot"] == second
        assert (refused.value.facts["bytes"], refused.value.facts["going_bytes"]) == (4, 2_000_000)
    assert listed(scene) == [first, second]
    keep(scene, last=1, accept_shrink=True)

    assert listed(scene) == [second]


def test_nothing_is_forgotten_while_the_guard_holds_an_update(scene: Scene) -> None:
    some_chats(scene)
    taken = take_days(scene, 3)
    decide_in_ledger(scene, "hold")
    decide_in_ledger(scene, "allow", "org.example.other")

    with pytest.raises(GuardHoldOpen) as refused:
        keep(scene, last=1)
    keep(scene, last=1, dry_run=True)
    assert listed(scene) == taken
    decide_in_ledger(scene, "allow")
    keep(scene, last=1)

    assert refused.value.facts["package"] == "com.tencent.mm"
    assert listed(scene) == taken[-1:]


def test_a_question_about_an_app_that_is_not_known_here_holds_nothing_back(scene: Scene) -> None:
    some_chats(scene)
    first, second = take_days(scene, 2)
    decide_in_ledger(scene, "undecided", "com.slip.of.the.pen")

    forget(scene, first)
    assert listed(scene) == [second]

    record = GuardPlaces(scene.places.guard).record_of(AppPackage("com.slip.of.the.pen"))
    record.parent.mkdir(parents=True, exist_ok=True)
    record.touch()
    with pytest.raises(GuardHoldOpen):
        keep(scene, last=1)


@pytest.mark.parametrize("decision", ["hold", "undecided"])
def test_where_every_source_is_named_only_its_own_app_holds_anything_back(scene: Scene, decision: str) -> None:
    some_chats(scene)
    first = scene.take(app="telegram").snapshot
    scene.clock.at += timedelta(days=1)
    scene.write("more.txt", "more")
    second = scene.take(app="telegram").snapshot
    # Anybody may ask about any name, with packages made for the question.
    for name in ("com.made.up", "com.tencent.mm", "com.whatsapp"):
        decide_in_ledger(scene, decision, name)
    record = GuardPlaces(scene.places.guard).record_of(AppPackage("com.whatsapp"))
    record.parent.mkdir(parents=True, exist_ok=True)
    record.touch()

    decide_in_ledger(scene, decision, "org.telegram.messenger")
    with pytest.raises(GuardHoldOpen) as refused:
        forget(scene, first)
    decide_in_ledger(scene, "allow", "org.telegram.messenger")
    forget(scene, first)

    assert refused.value.facts["package"] == "org.telegram.messenger"
    assert listed(scene) == [second]


def test_where_others_took_snapshots_too_every_hold_counts(scene: Scene) -> None:
    some_chats(scene)
    take_days(scene, 2)
    (scene.memory / "journal.jsonl").unlink()
    decide_in_ledger(scene, "hold", "com.some.messenger")

    with pytest.raises(GuardHoldOpen):
        keep(scene, last=1)


@pytest.mark.parametrize(
    ("decision", "package", "is_held"),
    [
        ("hold", "com.whatsapp", True),
        ("hold", "com.made.up", False),
        ("undecided", "com.whatsapp", False),
        ("undecided", "com.made.up", False),
    ],
)
def test_where_a_source_has_no_name_a_hold_of_any_app_that_keeps_chats_counts(
    scene: Scene, decision: str, package: str, is_held: bool
) -> None:
    some_chats(scene)
    taken = take_days(scene, 2)
    decide_in_ledger(scene, decision, package)

    if is_held:
        with pytest.raises(GuardHoldOpen):
            keep(scene, last=1)
    else:
        keep(scene, last=1)

    assert listed(scene) == (taken if is_held else taken[-1:])


@pytest.mark.parametrize("known_by", ["record_of", "pass_of"])
def test_where_others_took_snapshots_an_unclear_answer_counts_for_apps_that_are_known(
    scene: Scene, known_by: str
) -> None:
    some_chats(scene)
    take_days(scene, 3)
    (scene.memory / "journal.jsonl").unlink()
    decide_in_ledger(scene, "undecided", "com.some.messenger")
    assert len(keep(scene, last=2).forgotten) == 1
    place = getattr(GuardPlaces(scene.places.guard), known_by)(AppPackage("com.some.messenger"))
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()

    with pytest.raises(GuardHoldOpen):
        keep(scene, last=1)


@pytest.mark.parametrize("package", ["../../policy", "a" * 300, "com.tencent.mm\x00", "微信", "", 7, []])
def test_a_ledger_entry_about_no_package_at_all_stops_nothing_and_no_care(scene: Scene, package: Any) -> None:
    some_chats(scene)
    take_days(scene, 2)
    decide_in_ledger(scene, "hold", package)

    assert len(keep(scene, last=1).forgotten) == 1


def test_a_ledger_that_cannot_be_read_holds_everything(scene: Scene) -> None:
    some_chats(scene)
    taken = take_days(scene, 2)
    ledger = GuardPlaces(scene.places.guard).ledger
    ledger.mkdir(parents=True)

    with pytest.raises(GuardHoldOpen) as refused:
        keep(scene, last=1)

    assert refused.value.facts["package"] == "?"
    assert listed(scene) == taken


def test_a_hold_that_nobody_asked_about_again_ends_after_thirty_days(scene: Scene) -> None:
    some_chats(scene)
    take_days(scene, 2)
    decide_in_ledger(scene, "hold")

    scene.clock.at += timedelta(days=29)
    with pytest.raises(GuardHoldOpen):
        keep(scene, last=1)
    scene.clock.at += timedelta(days=2)

    assert len(keep(scene, last=1).forgotten) == 1


def test_a_claimed_time_counts_no_further_than_this_machine_saw_it(scene: Scene) -> None:
    """restic#22057: a client with a false clock took the places of the months before."""
    some_chats(scene)
    seen = scene.memory / "log-first-seen"
    taken = take_days(scene, 4)
    true_time, known = scene.clock.at, seen.read_bytes()
    scene.clock.at -= timedelta(days=3)
    scene.write("junk.txt", "junk")
    junk = scene.take().snapshot
    size = len(scene.repository.log.read().entries)
    seen.write_bytes(known + f"\n{size} {to_rfc3339(true_time)}\n".encode())
    scene.clock.at = true_time

    judged = keep(scene, daily=5).judged

    assert [one.rules for one in judged] == [("daily",)] * 4 + [("newest", "daily")]
    assert [one.snapshot for one in judged] == [*taken, junk]
    assert judged[-1].counted_at > judged[-2].created_at > judged[-1].created_at


def at(hour: float | None) -> datetime:
    return JUNE + timedelta(hours=hour or 0)


@pytest.mark.parametrize(
    ("claimed", "before", "after", "counted"),
    [
        (5, 4, 6, 5),
        (4, 4, 6, 4),
        (6, 4, 6, 6),
        (3.9, 4, 6, 6),
        (6.1, 4, 6, 6),
        (-9000, None, 6, -9000),
        (7, None, 6, 6),
        (5, 4, None, 5),
        (3, 4, None, 10),
        (11, 4, None, 10),
        (10, None, None, 10),
        (11, None, None, 10),
        # The clock was put back between the two: it cannot say that anything came later than it did.
        (3, 8, 6, 3),
        (7, 8, 6, 6),
        # Seen in what is now the future.
        (11, 4, 12, 10),
        (9, 4, 12, 9),
    ],
)
def test_a_snapshot_counts_as_taken_when_it_says_so_far_as_this_machine_saw_it(
    claimed: float, before: float | None, after: float | None, counted: float
) -> None:
    window = Window(None if before is None else at(before), None if after is None else at(after))

    assert counted_at(at(claimed), window, at(10)) == at(counted)


def test_what_is_not_there_cannot_be_forgotten(scene: Scene) -> None:
    some_chats(scene)
    take_days(scene, 1)

    with pytest.raises(SnapshotNotFound):
        forget(scene, "ffffffff")


def test_a_forgetting_that_cannot_be_read_did_not_happen(scene: Scene) -> None:
    some_chats(scene)
    first, second = take_days(scene, 2)
    forget(scene, first)
    subject = scene.repository.log.read().entries[-1].subject

    for path in Path(scene.places.repository).rglob(subject):
        path.write_bytes(b"damaged")

    assert listed(scene) == [first, second]


def test_a_taking_back_that_cannot_be_read_took_back_everything_before(scene: Scene) -> None:
    some_chats(scene)
    first, second, third = take_days(scene, 3)
    forget(scene, first)
    forget(scene, second)
    undelete_snapshots(scene.places, [first], clock=scene.clock, tell=scene.tell)
    subject = scene.repository.log.read().entries[-1].subject

    for path in Path(scene.places.repository).rglob(subject):
        path.unlink()

    assert listed(scene) == [first, second, third]


def test_nothing_is_forgotten_in_a_copy(scene: Scene, tmp_path: Path) -> None:
    some_chats(scene)
    first, _ = take_days(scene, 2)
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in scene.places.repository.rglob("*"):
        target = copy / path.relative_to(scene.places.repository)
        if path.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    places = type(scene.places)(copy, scene.places.state, scene.places.cache)

    with pytest.raises(BackupkitError) as refused:
        forget_snapshots(places, [first], clock=scene.clock, tell=scene.tell)

    assert refused.value.code == "repository-is-a-copy"


def test_what_was_forgotten_before_is_not_judged_again(scene: Scene) -> None:
    some_chats(scene)
    first, second, third = take_days(scene, 3)
    forget(scene, first)
    begin = scene.clock.at

    done = forget(scene, second)

    assert [(one.snapshot, one.stays) for one in done.judged] == [(second, False), (third, True)]
    assert not done.dry_run
    assert timedelta(days=30) < done.undo_until - begin < timedelta(days=30, seconds=60)
    assert [one.snapshot for one in keep(scene, last=5).judged] == [third]


def test_rules_that_keep_nothing_are_refused(scene: Scene) -> None:
    some_chats(scene)
    take_days(scene, 2)

    with pytest.raises(NothingKept):
        keep(scene)

    assert len(listed(scene)) == 2


def asked(
    decision: str, package: str | None = "com.tencent.mm", *, days_ago: float = 0, **more: object
) -> dict[str, object]:
    time = to_rfc3339(JUNE - timedelta(days=days_ago))
    return {"time": time, "decision": decision, "package": package, **more}


MM, QQ = "com.tencent.mm", "com.tencent.mobileqq"


@pytest.mark.parametrize(
    ("entries", "held"),
    [
        ([], None),
        ([asked("hold")], MM),
        ([asked("undecided")], MM),
        ([asked("allow")], None),
        ([asked("deny")], None),
        ([asked("hold"), asked("allow")], None),
        ([asked("allow"), asked("hold")], MM),
        ([asked("hold"), asked("allow", QQ)], MM),
        ([asked("hold"), asked("hold", QQ)], QQ),
        ([asked("hold", None)], None),
        ([asked("hold"), asked("allow", None)], MM),
        ([asked("hold", days_ago=29.99)], MM),
        ([asked("hold", days_ago=30)], None),
        ([asked("hold", time="yesterday")], MM),
        ([{"decision": "hold", "package": MM}], MM),
        ([{"package": MM}], None),
        ([asked("hold"), {"decision": ["hold"], "package": [MM]}], MM),
        ([{"decision": ["hold"], "package": MM}], None),
        ([asked("hold", "org.example.other")], None),
    ],
)
def test_the_last_answer_about_each_app_tells_whether_it_is_held(
    entries: list[dict[str, object]], held: str | None
) -> None:
    found = open_hold(entries, JUNE, lambda package, _: package != "org.example.other")

    assert (found and found["package"]) == held
