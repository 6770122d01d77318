"""Space that is stuck in half-used packs comes free, and nothing that can be wanted is lost on the way, wherever it is cut off."""

import random
import shutil
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from backup_scene import Scene, bytes_of
from lifecycle_scene import decide_in_ledger, forget
from simulated_backends import DiskInMemory, PowerCut, PowerCutBackend

from backupkit.crypto.failures import CannotUnlock
from backupkit.ids import SnapshotId
from backupkit.ops.events import Found
from backupkit.ops.failures import GuardHoldOpen, ReplacedUnknown, SnapshotSwept
from backupkit.ops.keeping.repack import Repacked, repack
from backupkit.ops.keeping.sweep import Swept, sweep
from backupkit.ops.keeping.undelete import undelete_snapshots
from backupkit.ops.mending.parity import write_parity
from backupkit.ops.mending.rebuild import rebuild_repository
from backupkit.ops.mending.repair import repair_repository
from backupkit.ops.repository import repository as repositories
from backupkit.ops.repository.commit import commit_snapshot
from backupkit.ops.repository.lifecycle import lifecycle_of
from backupkit.ops.repository.reach import packs_of
from backupkit.ops.repository.statements import publish_statement
from backupkit.ops.saving.snapshot import _take as _take_once
from backupkit.ops.unlock import Secret
from backupkit.store import layout
from backupkit.store.layout import PackRef
from backupkit.store.objects.config import KNOWN_FEATURES, REPACK
from backupkit.store.objects.small_objects import COPIES

LARGE, SMALL = 90_000, 30_000


def noise(number: int, size: int) -> bytes:
    return random.Random(number).randbytes(size)


def repacked(scene: Scene, **more: Any) -> Repacked:
    return repack(scene.places, secret=scene.secret, clock=scene.clock, tell=scene.tell, **more)


def swept(scene: Scene) -> Swept:
    return sweep(scene.places, clock=scene.clock, tell=scene.tell)


def stored(scene: Scene) -> int:
    repository = scene.repository
    return sum(repository.backend.size(ref.name) for ref in repository.packs())


def half_dead(scene: Scene, days: int = 3) -> tuple[list[str], dict[str, bytes]]:
    """Snapshots of a large file that changes each day and a small one that stays; all but the last were forgotten 31 days ago."""
    taken = []
    for day in range(days):
        scene.write("kept.bin" if day == 0 else f"kept-{day}.bin", noise(day, SMALL))
        scene.write("changing.bin", noise(100 + day, LARGE))
        taken.append(str(scene.take().snapshot))
        scene.clock.at += timedelta(days=1)
    forget(scene, *taken[:-1], accept_shrink=True)
    scene.clock.at += timedelta(days=31)
    swept(scene)
    scene.clock.at += timedelta(hours=25)
    swept(scene)
    return taken, bytes_of(scene.chats)


def sweep_a_day_later(scene: Scene) -> Swept:
    swept(scene)
    scene.clock.at += timedelta(hours=25)
    return swept(scene)


def require_restorable(scene: Scene, snapshot: str, files: dict[str, bytes]) -> None:
    back = scene.folder / f"back-{scene.clock.now():%Y%m%d%H%M%S}"
    assert scene.restore(snapshot, back).damaged == ()
    assert bytes_of(back / "chats") == files


def test_space_that_is_stuck_in_half_used_packs_comes_free(scene: Scene) -> None:
    taken, files = half_dead(scene)
    before = stored(scene)

    done = repacked(scene)
    after_repack = stored(scene)
    last = sweep_a_day_later(scene)

    assert done.packs == 2
    assert done.old_bytes >= 2 * (LARGE + SMALL)
    assert 2 * SMALL <= done.live_bytes < 3 * SMALL
    assert 2 * SMALL <= done.new_bytes < 3 * SMALL
    # Nothing goes before a day has passed: who restores meanwhile still finds it.
    assert after_repack == before + done.new_bytes
    assert last.deleted_packs == 2
    assert stored(scene) < before - 2 * LARGE + 2 * SMALL
    require_restorable(scene, taken[-1], files)
    assert scene.verify(taken[-1]).state == "verified"
    assert scene.verify(taken[-1], opened=True).findings == ()
    assert repacked(scene).packs == 0


def test_without_it_a_sweep_frees_nothing_of_them(scene: Scene) -> None:
    half_dead(scene)
    before = stored(scene)

    assert sweep_a_day_later(scene).deleted_packs == 0
    assert stored(scene) == before


def test_a_dry_run_tells_the_same_and_changes_nothing(scene: Scene) -> None:
    half_dead(scene)
    before = bytes_of(scene.places.repository)

    told = repacked(scene, dry_run=True)

    assert bytes_of(scene.places.repository) == before
    done = repacked(scene)
    assert (told.packs, told.old_bytes, told.live_bytes) == (done.packs, done.old_bytes, done.live_bytes)
    assert (told.new_bytes, told.dry_run) == (0, True)


def test_the_share_that_may_stay_dead_decides_what_is_written_again(scene: Scene) -> None:
    half_dead(scene)

    assert repacked(scene, most_unused=0.9, dry_run=True).packs == 0
    assert repacked(scene, most_unused=0.4, dry_run=True).packs == 1
    assert repacked(scene, most_unused=0.1, dry_run=True).packs == 2


def test_what_was_forgotten_less_than_30_days_ago_is_carried_over_and_can_be_taken_back(scene: Scene) -> None:
    scene.write("a", noise(1, LARGE))
    scene.write("b", noise(2, SMALL))
    first, everything = str(scene.take().snapshot), bytes_of(scene.chats)
    scene.write("a", noise(3, SMALL))
    second = str(scene.take().snapshot)
    (scene.chats / "b").unlink()
    scene.take()
    forget(scene, first, second, accept_shrink=True)
    scene.clock.at += timedelta(days=29)

    repacked(scene, most_unused=0.0)
    sweep_a_day_later(scene)
    scene.clock.at -= timedelta(hours=26)
    undelete_snapshots(scene.places, [first], clock=scene.clock, tell=scene.tell)

    require_restorable(scene, first, everything)


def test_what_was_forgotten_longer_ago_is_gone_from_the_moment_of_the_entry(scene: Scene) -> None:
    scene.write("a", noise(1, LARGE))
    scene.write("b", noise(2, SMALL))
    first = str(scene.take().snapshot)
    (scene.chats / "a").unlink()
    scene.take()
    forget(scene, first, accept_shrink=True)
    scene.clock.at += timedelta(days=31)
    # Without a sweep in between it could still be taken back.
    assert repacked(scene).packs == 1

    with pytest.raises(SnapshotSwept):
        undelete_snapshots(scene.places, [first], clock=scene.clock, tell=scene.tell)


def test_a_snapshot_that_ran_meanwhile_and_built_on_an_old_pack_is_taken_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, files = half_dead(scene)
    # A writer that began before the entry and finds in the old pack what nothing needed any more.
    scene.write("again.bin", noise(100, LARGE))
    done: list[Repacked] = []

    def meanwhile(*arguments: Any) -> Any:
        if not done:

            def late(*more: Any, **named: Any) -> Any:
                if not done:
                    done.append(repacked(scene))
                return commit_snapshot(*more, **named)

            monkeypatch.setattr("backupkit.ops.saving.snapshot.commit_snapshot", late)
        return _take_once(*arguments)

    monkeypatch.setattr("backupkit.ops.saving.snapshot._take", meanwhile)
    new = str(scene.take().snapshot)
    monkeypatch.undo()

    assert done[0].packs == 2
    sweep_a_day_later(scene)
    require_restorable(scene, new, {**files, "again.bin": noise(100, LARGE)})
    require_restorable(scene, taken[-1], files)


def test_a_snapshot_that_came_first_and_needs_an_old_pack_is_carried_over(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, files = half_dead(scene)
    scene.write("again.bin", noise(100, LARGE))
    new: list[str] = []
    publish = "backupkit.ops.keeping.repack.publish_statement"

    def late(*arguments: Any, **named: Any) -> int:
        if not new:
            new.append(str(scene.take().snapshot))
        return publish_statement(*arguments, **named)

    monkeypatch.setattr(publish, late)
    done = repacked(scene)
    monkeypatch.undo()

    assert done.packs >= 1
    sweep_a_day_later(scene)
    require_restorable(scene, new[0], {**files, "again.bin": noise(100, LARGE)})
    require_restorable(scene, taken[-1], files)


def test_parity_covers_the_new_packs_at_once_where_there_is_any(scene: Scene) -> None:
    taken, files = half_dead(scene)
    write_parity(scene.places, tell=scene.tell)
    repacked(scene)
    sweep_a_day_later(scene)
    for ref in sorted(scene.repository.packs())[:2]:
        scene.repository.backend.delete(ref.name)

    assert repair_repository(scene.places, clock=scene.clock, tell=scene.tell).lost == ()
    require_restorable(scene, taken[-1], files)


def test_a_pack_that_cannot_be_read_whole_stays_and_the_others_are_replaced(scene: Scene) -> None:
    taken, _ = half_dead(scene)
    life = lifecycle_of(scene.repository, ())
    live = packs_of(scene.repository, SnapshotId(taken[-1]), life)
    large = [ref for ref in live if scene.repository.backend.size(ref.name) > LARGE]
    # The oldest: it holds what the first snapshot alone needed, beside a file that is needed.
    victim = min(large, key=lambda ref: (scene.places.repository / ref.name).stat().st_mtime_ns)
    path = scene.places.repository / victim.name
    data = bytearray(path.read_bytes())
    for at in range(5000, len(data) - 5000, 1000):
        data[at] ^= 1
    path.write_bytes(bytes(data))
    before = scene.verify(taken[-1]).findings

    done = repacked(scene)
    sweep_a_day_later(scene)

    assert done.packs == 1
    assert "pack-not-repacked" in scene.codes()
    assert victim in scene.repository.packs()
    assert scene.verify(taken[-1]).findings == before


def test_where_a_folder_is_lost_nothing_is_known_to_be_dead(scene: Scene) -> None:
    taken, _ = half_dead(scene)
    life = lifecycle_of(scene.repository, ())
    for ref in packs_of(scene.repository, SnapshotId(taken[-1]), life):
        if scene.repository.backend.size(ref.name) < SMALL:
            scene.repository.backend.delete(ref.name)

    done = repacked(scene)

    assert (done.packs, done.domains_left) == (0, 1)
    assert "domain-not-repacked" in scene.codes()


def test_it_needs_a_key_and_respects_a_hold(scene: Scene) -> None:
    half_dead(scene)
    before = bytes_of(scene.places.repository)

    with pytest.raises(CannotUnlock):
        repack(
            scene.places, secret=lambda: Secret(passphrase="wrong"), clock=scene.clock, tell=scene.tell
        )  # fmt: skip
    decide_in_ledger(scene, "hold")
    with pytest.raises(GuardHoldOpen):
        repacked(scene)

    assert bytes_of(scene.places.repository) == before


def test_programs_that_do_not_know_of_replaced_packs_are_refused_what_could_do_harm(scene: Scene) -> None:
    half_dead(scene)
    assert REPACK in KNOWN_FEATURES
    assert scene.repository.config.features.get("delete", ()) == ()

    repacked(scene)

    config = scene.repository.config
    assert {one for one in ("read", "write", "check", "delete") if REPACK in config.features.get(one, ())} == {
        "write",
        "check",
        "delete",
    }
    revision = config.revision
    scene.write("more.bin", noise(7, LARGE))
    scene.take()
    repacked(scene, most_unused=0.0)
    assert scene.repository.config.revision == revision


def test_a_lost_statement_of_a_repacking_stops_the_sweep_until_the_owner_looks_into_the_packs(scene: Scene) -> None:
    taken, files = half_dead(scene)
    repacked(scene)
    sweep_a_day_later(scene)
    repository = scene.repository
    entry = next(one for one in repository.log.read().entries if one.type == "repack")
    for copy in COPIES:
        repository.backend.delete(copy + layout.statement(entry.subject))

    with pytest.raises(ReplacedUnknown):
        swept(scene)
    require_restorable(scene, taken[-1], files)
    rebuilt = rebuild_repository(scene.places, secret=scene.secret, clock=scene.clock, tell=scene.tell)

    assert (rebuilt.left_out, rebuilt.continues) == ((), True)
    assert scene.verify().state == "verified"
    sweep_a_day_later(scene)
    require_restorable(scene, "latest", files)


@pytest.mark.slow
def test_cut_off_before_any_write_it_loses_nothing_and_the_next_run_ends_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, files = half_dead(scene)
    disk = DiskInMemory(scene.places.repository)
    monkeypatch.setattr(repositories, "PosixBackend", disk.opened)
    begin, at = dict(disk.inner._objects), scene.clock.at
    shutil.copytree(scene.places.state, scene.folder / "state-before")
    writes = 0
    finished = False
    while not finished:
        disk.inner._objects, scene.clock.at = dict(begin), at
        shutil.rmtree(scene.places.state)
        shutil.copytree(scene.folder / "state-before", scene.places.state)
        disk.line = PowerCutBackend(writes, disk.inner)
        finished = _survives(lambda: repacked(scene))
        disk.line = disk.inner
        if not finished and writes % 2:
            # Days pass before anybody tries again, and sweeps take what a killed run left.
            sweep_a_day_later(scene)
        repacked(scene)
        sweep_a_day_later(scene)
        repository = scene.repository
        life = lifecycle_of(repository, repository.log.read().entries)
        assert packs_of(repository, SnapshotId(taken[-1]), life) <= repository.packs(), writes
        back = scene.folder / f"cut-{writes}"
        assert scene.restore(taken[-1], back).damaged == (), writes
        assert bytes_of(back / "chats") == files
        assert {ref for ref in life.replaced if ref in repository.packs()} == set(), writes
        writes += 1
    assert writes > 10


def _survives(action: Callable[[], object]) -> bool:
    try:
        action()
    except PowerCut:
        return False
    return True


def test_nothing_is_left_in_the_repository_that_no_list_leads_to(scene: Scene) -> None:
    taken, _ = half_dead(scene)
    repacked(scene)
    sweep_a_day_later(scene)
    repository = scene.repository
    life = lifecycle_of(repository, repository.log.read().entries)

    needed: set[PackRef] = set(packs_of(repository, SnapshotId(taken[-1]), life))

    assert repository.packs() == needed
    assert not [one for one in scene.told if isinstance(one, Found) and one.code == "pack-needed-again"]


def test_with_the_log_lost_the_lists_still_lead_to_the_packs_that_replaced_others(scene: Scene) -> None:
    taken, files = half_dead(scene)
    repacked(scene)
    sweep_a_day_later(scene)
    backend = scene.repository.backend
    for copy in COPIES:
        for name in list(backend.names(f"{copy}log/")):
            backend.delete(name)

    looked = scene.verify(taken[-1], opened=True)
    rebuilt = rebuild_repository(scene.places, secret=scene.secret, clock=scene.clock, tell=scene.tell)

    assert (looked.state, looked.findings) == ("saved", ())
    assert SnapshotId(taken[-1]) in rebuilt.entered
    assert rebuilt.from_packs == 0
    assert scene.verify(taken[-1]).state == "verified"
    sweep_a_day_later(scene)
    require_restorable(scene, taken[-1], files)
