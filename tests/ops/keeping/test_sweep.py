"""Deleting what nothing needs: in two phases, and never what a snapshot needs, whatever runs beside it."""

import os
import time
from datetime import timedelta
from typing import Any

import pytest
from backup_scene import Scene, bytes_of, some_chats
from lifecycle_scene import decide_in_ledger, forget, listed

from backupkit.ids import SnapshotId
from backupkit.ops.failures import GuardHoldOpen, NeedUnknown, NotAWriter, PacksSwept, SnapshotSwept
from backupkit.ops.keeping.forget import forget_snapshots
from backupkit.ops.keeping.sweep import Swept, sweep
from backupkit.ops.keeping.undelete import undelete_snapshots
from backupkit.ops.looking.list_snapshots import list_forgotten
from backupkit.ops.mending.parity import write_parity
from backupkit.ops.mending.repair import repair_repository
from backupkit.ops.places import Places
from backupkit.ops.repository.commit import commit_snapshot
from backupkit.ops.repository.lifecycle import Lifecycle, lifecycle_of
from backupkit.ops.repository.reach import packs_of
from backupkit.ops.repository.snapshots import read_snapshot
from backupkit.ops.repository.statements import publish_statement
from backupkit.ops.saving.snapshot import SourceSpec, _take as _take_once
from backupkit.proof.sweep_statement import SweepStatement
from backupkit.store import layout
from backupkit.store.objects.pack_list import publish_pack_list


def swept(scene: Scene, *, dry_run: bool = False) -> Swept:
    return sweep(scene.places, clock=scene.clock, tell=scene.tell, dry_run=dry_run)


def later(scene: Scene, **span: float) -> None:
    scene.clock.at += timedelta(**span)


def packs(scene: Scene) -> set[str]:
    return {ref.pack for ref in scene.repository.packs()}


def replaced(scene: Scene) -> tuple[str, str]:
    """Two snapshots that share no file; the first is forgotten."""
    scene.write("one.bin", b"\x01first" * 9000)
    first = scene.take().snapshot
    (scene.chats / "one.bin").unlink()
    scene.write("two.bin", b"\x02second" * 9000)
    second = scene.take().snapshot
    forget(scene, first, accept_shrink=True)
    return first, second


def swept_out(scene: Scene) -> tuple[str, str]:
    first, second = replaced(scene)
    later(scene, days=31)
    swept(scene)
    later(scene, hours=25)
    swept(scene)
    return first, second


def test_packs_are_marked_after_thirty_days_and_deleted_a_day_later(scene: Scene) -> None:
    first, second = replaced(scene)
    before = packs(scene)

    assert swept(scene) == Swept(0, 0, (), 0, 0, 0, None, dry_run=False)
    later(scene, days=31)
    tried = swept(scene, dry_run=True)
    marked = swept(scene)
    too_early = swept(scene)
    assert packs(scene) == before
    later(scene, hours=25)
    would = swept(scene, dry_run=True)
    done = swept(scene)

    assert (tried.marked, tried.dry_run) == (2, True)
    assert (marked.marked, marked.deleted_packs, marked.waiting) == (2, 0, 0)
    assert (too_early.marked, too_early.waiting, too_early.deleted_packs) == (0, 2, 0)
    assert too_early.next_at is not None
    assert (would.deleted_packs, would.snapshots) == (done.deleted_packs, done.snapshots) == (2, (first,))
    assert done.freed_bytes > 0
    assert len(packs(scene)) == len(before) - 2
    assert scene.verify(second).state == "verified"
    scene.restore(second)
    assert bytes_of(scene.folder / "back/chats") == bytes_of(scene.chats)
    assert swept(scene).deleted_packs == 0


def test_what_was_swept_stays_in_the_log_and_is_said_to_be_gone(scene: Scene) -> None:
    first, second = swept_out(scene)

    assert listed(scene) == [second]
    assert [(line.snapshot, line.life) for line in list_forgotten(scene.places, clock=scene.clock)] == [
        (first, "swept")
    ]
    for attempt in (scene.restore, scene.verify):
        with pytest.raises(SnapshotSwept):
            attempt(first)
    with pytest.raises(SnapshotSwept):
        undelete_snapshots(scene.places, [first], clock=scene.clock, tell=scene.tell)
    assert scene.verify().state == "verified"


def test_a_repair_neither_misses_nor_brings_back_what_was_swept(scene: Scene) -> None:
    _, second = replaced(scene)
    write_parity(scene.places, tell=scene.tell)
    later(scene, days=31)
    swept(scene)
    later(scene, hours=25)
    assert swept(scene).deleted_packs == 2
    left = packs(scene)

    repaired = repair_repository(scene.places, clock=scene.clock, tell=scene.tell)
    assert (repaired.state, packs(scene)) == ("whole", left)
    for ref in list(scene.repository.packs())[:2]:
        scene.repository.backend.delete(ref.name)
    again = repair_repository(scene.places, clock=scene.clock, tell=scene.tell)

    assert (again.state, packs(scene)) == ("repaired", left)
    assert scene.verify(second).state == "verified"


def test_a_repair_after_a_sweep_that_was_cut_off_leaves_to_the_next_sweep_what_goes(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced(scene)
    write_parity(scene.places, tell=scene.tell)
    later(scene, days=31)
    swept(scene)
    later(scene, hours=25)
    with monkeypatch.context() as patch:
        patch.setattr("backupkit.ops.keeping.sweep.delete_packs", lambda *_: iter(()))
        swept(scene)
    gone = sorted(lifecycle_of(scene.repository, scene.repository.log.read().entries).gone)
    scene.repository.backend.delete(gone[0].name)

    repaired = repair_repository(scene.places, clock=scene.clock, tell=scene.tell)

    assert len(gone) == 2
    assert (repaired.state, repaired.repaired) == ("whole", ())
    assert gone[0].pack not in packs(scene)
    assert swept(scene).deleted_packs == 1


def test_what_an_old_parity_group_needs_to_bring_back_a_damaged_pack_stays_until_the_repair(scene: Scene) -> None:
    _, second = replaced(scene)
    third_packs = packs(scene)
    write_parity(scene.places, tell=scene.tell)
    later(scene, days=31)
    swept(scene)
    later(scene, hours=25)
    victim = min(packs_of(scene.repository, SnapshotId(second), Lifecycle()))
    scene.repository.backend.delete(victim.name)

    assert swept(scene).deleted_packs == 0
    assert repair_repository(scene.places, clock=scene.clock, tell=scene.tell).state == "repaired"
    assert swept(scene).deleted_packs == 2

    assert packs(scene) < third_packs
    assert scene.verify(second).state == "verified"


def test_a_snapshot_taken_back_in_time_is_spared(scene: Scene) -> None:
    first, _ = replaced(scene)
    later(scene, days=31)
    swept(scene)
    undelete_snapshots(scene.places, [first], clock=scene.clock, tell=scene.tell)
    later(scene, hours=25)

    assert swept(scene).deleted_packs == 0
    assert "pack-needed-again" not in scene.codes()
    assert [entry.type for entry in scene.repository.log.read().entries].count("sweep") == 0
    assert scene.verify(first).state == "verified"


def test_a_new_snapshot_does_not_build_on_what_is_marked(scene: Scene) -> None:
    replaced(scene)
    later(scene, days=31)
    swept(scene)

    scene.write("one.bin", b"\x01first" * 9000)
    third = scene.take().snapshot
    later(scene, hours=25)
    assert swept(scene).deleted_packs == 2

    assert scene.verify(third).state == "verified"
    scene.restore(third)
    assert bytes_of(scene.folder / "back/chats") == bytes_of(scene.chats)


def test_a_snapshot_that_was_begun_before_the_mark_saves_what_it_builds_on(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads the index before the mark, and is committed after it and before the sweep."""
    replaced(scene)
    later(scene, days=31)
    scene.write("one.bin", b"\x01first" * 9000)
    _between(monkeypatch, lambda: swept(scene))

    third = scene.take().snapshot
    later(scene, hours=25)

    # Of the two packs of the first snapshot one holds its data, which the third needs, and one its manifest.
    assert swept(scene).deleted_packs == 1
    assert scene.verify(third).state == "verified"


def test_a_snapshot_that_a_sweep_overtook_saves_again_what_is_gone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced(scene)
    later(scene, days=31)
    scene.write("one.bin", b"\x01first" * 9000)

    def a_day_passes() -> None:
        swept(scene)
        later(scene, hours=25)
        # The packs of the first snapshot, and the one that the run itself has stored and nothing names yet.
        assert swept(scene).deleted_packs == 3

    _between(monkeypatch, a_day_passes)
    third = scene.take().snapshot

    assert scene.verify(third).state == "verified"
    scene.restore(third)
    assert bytes_of(scene.folder / "back/chats") == bytes_of(scene.chats)


def test_a_commit_that_a_sweep_came_before_at_the_last_moment_is_refused(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep's entry takes the place in the log that the snapshot was about to take."""
    replaced(scene)
    later(scene, days=31)
    swept(scene)
    later(scene, hours=25)
    scene.write("one.bin", b"\x01first" * 9000)
    done: list[Swept] = []

    def sweep_first(*arguments: Any) -> Any:
        published = publish_pack_list(*arguments)
        if not done:
            done.append(swept(scene))
        return published

    with monkeypatch.context() as patch:
        patch.setattr("backupkit.ops.repository.commit.publish_pack_list", sweep_first)
        patch.setattr("backupkit.ops.saving.snapshot.unwanted_packs", lambda *_: set())
        with pytest.raises(PacksSwept):
            take_once(scene)
    third = scene.take().snapshot

    assert done[0].deleted_packs == 2
    assert listed(scene)[1:] == [third]
    assert scene.verify(third).state == "verified"


def test_a_sweep_that_a_snapshot_came_before_at_the_last_moment_spares_what_it_needs(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The snapshot's entry takes the place in the log that the sweep was about to take."""
    replaced(scene)
    later(scene, days=31)
    swept(scene)
    later(scene, hours=25)
    scene.write("one.bin", b"\x01first" * 9000)
    taken: list[str] = []

    def snapshot_first(*arguments: Any, **more: Any) -> int:
        if not taken:
            taken.append(scene.take().snapshot)
        return publish_statement(*arguments, **more)

    monkeypatch.setattr("backupkit.ops.saving.snapshot.unwanted_packs", lambda *_: set())
    monkeypatch.setattr("backupkit.ops.keeping.sweep.publish_statement", snapshot_first)
    done = swept(scene)

    # The manifest of the first snapshot goes; its data is needed again.
    assert done.deleted_packs == 1
    assert "pack-needed-again" not in scene.codes()
    assert scene.verify(taken[0]).state == "verified"


def test_nothing_is_deleted_while_the_guard_holds_an_update_or_the_need_is_unknown(scene: Scene) -> None:
    first, second = replaced(scene)
    later(scene, days=31)
    swept(scene)
    later(scene, hours=25)
    before = packs(scene)

    decide_in_ledger(scene, "hold")
    with pytest.raises(GuardHoldOpen):
        swept(scene)
    decide_in_ledger(scene, "allow")
    digest = read_snapshot(scene.repository, SnapshotId(second)).packs.digest
    kept = scene.repository.backend.read(layout.pack_list(digest))
    scene.repository.objects.delete(layout.pack_list(digest))
    with pytest.raises(NeedUnknown):
        swept(scene)
    assert packs(scene) == before
    scene.repository.objects.create(layout.pack_list(digest), kept)

    assert swept(scene).snapshots == (first,)


def test_what_an_interrupted_run_left_is_swept_too(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    junk = b"junk"
    ref = next(iter(scene.repository.packs()))
    name = layout.pack(ref.domain, type(ref.pack)("ab" * 32))
    scene.repository.backend.create(name, junk)

    swept(scene)
    later(scene, hours=25)
    done = swept(scene)

    assert (done.deleted_packs, done.snapshots) == (1, ())
    assert scene.verify().state == "verified"


def test_a_clock_that_was_put_back_makes_nothing_ripe(scene: Scene) -> None:
    replaced(scene)
    later(scene, days=31)
    swept(scene)

    later(scene, days=-400)
    assert swept(scene).deleted_packs == 0
    later(scene, days=400, hours=25)

    assert swept(scene).deleted_packs == 2


def sizes(scene: Scene, folder: str) -> int:
    return sum(len(data) for data in bytes_of(scene.places.repository / folder).values())


def test_what_would_go_and_what_went_are_told_in_bytes(scene: Scene) -> None:
    replaced(scene)
    later(scene, days=31)
    dead = scene.repository.packs() - set(packs_of(scene.repository, *_alive(scene)))
    dead_bytes = sum(scene.repository.backend.size(ref.name) for ref in dead)

    marked = swept(scene)
    at = scene.clock.at
    later(scene, hours=25)
    would = swept(scene, dry_run=True)
    before = sizes(scene, "packs") + sizes(scene, "index")
    done = swept(scene)

    assert (marked.marked_bytes, marked.next_at, marked.dry_run) == (dead_bytes, at + timedelta(days=1), False)
    assert (would.freed_bytes, would.waiting, would.next_at) == (dead_bytes, 0, None)
    assert done.freed_bytes == before - sizes(scene, "packs") - sizes(scene, "index")
    assert done.freed_bytes > dead_bytes
    assert (done.marked_bytes, done.waiting, done.next_at, done.dry_run) == (0, 0, None, False)


def _alive(scene: Scene) -> tuple[SnapshotId, Lifecycle]:
    (kept,) = listed(scene)
    return SnapshotId(kept), lifecycle_of(scene.repository, scene.repository.log.read().entries)


def test_the_pack_list_of_a_snapshot_goes_with_its_packs_and_no_other_does(scene: Scene) -> None:
    first, second = replaced(scene)
    digests = [read_snapshot(scene.repository, SnapshotId(one)).packs.digest for one in (first, second)]
    later(scene, days=31)
    swept(scene)
    later(scene, hours=25)
    swept(scene)

    names = [path for path in bytes_of(scene.places.repository) if "packlists/" in path]

    assert [sum(digest in name for name in names) for digest in digests] == [0, 3]


def test_what_a_killed_writer_left_goes_after_an_hour(scene: Scene) -> None:
    scene.write("note.txt", "day one")
    scene.take()
    old, young = (scene.places.repository / f".tmp-1-{name}" for name in ("old", "young"))
    for path in (old, young):
        path.write_bytes(b"half a pack")
    os.utime(old, (time.time() - 3601,) * 2)

    swept(scene)

    assert (old.exists(), young.exists()) == (False, True)


def test_a_mark_whose_time_this_machine_forgot_counts_from_the_next_sweep_on(scene: Scene) -> None:
    replaced(scene)
    later(scene, days=31)
    swept(scene)
    later(scene, hours=25)
    (scene.memory / "log-first-seen").unlink()

    forgotten = swept(scene)
    later(scene, days=31)

    assert forgotten.deleted_packs == 0
    assert swept(scene).deleted_packs == 2


def test_a_pack_that_was_condemned_and_is_needed_all_the_same_stays_and_is_named(scene: Scene) -> None:
    """Only a program that breaks the rules condemns what a kept snapshot needs."""
    scene.write("note.txt", "day one")
    scene.take()
    named = tuple(sorted((ref.domain, ref.pack) for ref in scene.repository.packs()))
    statement = SweepStatement(scene.repository.origin, named, (), scene.clock.now())
    publish_statement(scene.repository, statement.encode(), "sweep", scene.clock.now())
    before = packs(scene)

    swept(scene)

    assert packs(scene) == before
    assert scene.codes().count("pack-needed-again") == len(before)
    scene.restore()


def test_a_machine_that_may_not_write_sweeps_nothing(scene: Scene) -> None:
    first, _ = replaced(scene)
    later(scene, days=31)
    places = Places(scene.places.repository, scene.folder / "another state", scene.folder / "another cache")
    before = bytes_of(scene.places.repository)

    for dry_run in (False, True):
        with pytest.raises(NotAWriter):
            sweep(places, clock=scene.clock, tell=scene.tell, dry_run=dry_run)
    with pytest.raises(NotAWriter):
        forget_snapshots(places, ["latest"], clock=scene.clock, tell=scene.tell)
    with pytest.raises(NotAWriter):
        undelete_snapshots(places, [first], clock=scene.clock, tell=scene.tell)

    assert bytes_of(scene.places.repository) == before


def take_once(scene: Scene) -> None:
    """Take a snapshot, and do not try again."""
    _take_once(scene.places, [SourceSpec(scene.chats, "chats")], scene.clock, scene.tell, lambda: False, ())


def _between(monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    """Do something once, after the next run has read the index and before it commits."""
    done: list[bool] = []

    def acting(*arguments: Any, **more: Any) -> Any:
        if not done:
            done.append(True)
            act()
        return commit_snapshot(*arguments, **more)

    monkeypatch.setattr("backupkit.ops.saving.snapshot.commit_snapshot", acting)
