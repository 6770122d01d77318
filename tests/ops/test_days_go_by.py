"""Weeks of saving, forgetting by rules, sweeping and repacking, on a machine whose clock is put back now and then, or once runs ahead.

The days are counted by the test; the clock only says what somebody set it to. What must hold is said in days that really went by.
"""

from datetime import timedelta

import pytest
from backup_scene import JUNE, Scene, bytes_of
from lifecycle_scene import keep

from backupkit.ids import SnapshotId
from backupkit.ops.keeping.repack import repack
from backupkit.ops.keeping.sweep import sweep
from backupkit.ops.keeping.undelete import undelete_snapshots
from backupkit.ops.repository.lifecycle import UNDO, lifecycle_of
from backupkit.ops.repository.reach import packs_of

DAYS = 46
STEP = 2
"""Days from one run to the next. That all days but these are idle costs nothing that is shown here, and halves the runs."""
KEPT = 4
SIZE = 6000


class Year:
    """The days, and for each snapshot when it was saved, forgotten and swept, in days that went by."""

    def __init__(self, scene: Scene, kept: int = KEPT) -> None:
        self.scene = scene
        self.kept = kept
        self.day = 0
        self.saved: dict[SnapshotId, int] = {}
        self.files: dict[SnapshotId, dict[str, bytes]] = {}
        self.forgotten: dict[SnapshotId, int] = {}
        self.swept: dict[SnapshotId, int] = {}

    def live_through(self, shift: timedelta) -> None:
        """A day with a clock that is wrong by `shift`: save, forget by rules, sweep; once a fortnight repack."""
        scene = self.scene
        scene.clock.at = JUNE + timedelta(days=self.day) + shift
        scene.write("today.bin", self.day.to_bytes(2, "big") * (SIZE // 2))
        scene.write(f"stays-{self.day % 10}.bin", (self.day % 10).to_bytes(2, "big") * (SIZE // 6))
        taken = SnapshotId(str(scene.take().snapshot))
        self.saved[taken], self.files[taken] = self.day, bytes_of(scene.chats)
        keep(scene, last=self.kept)
        if self.day % 14 == 0:
            repack(scene.places, secret=scene.secret, clock=scene.clock, tell=scene.tell, most_unused=0.2)
        sweep(scene.places, clock=scene.clock, tell=scene.tell)
        repository = scene.repository
        life = lifecycle_of(repository, repository.log.read().entries)
        for snapshot in life.forgotten:
            self.forgotten.setdefault(snapshot, self.day)
        for snapshot in life.swept:
            self.swept.setdefault(snapshot, self.day)
        present = repository.packs()
        for snapshot in self.saved.keys() - life.swept:
            assert packs_of(repository, snapshot, life) <= present, self.day
        self.day += STEP

    def require_patience(self) -> None:
        """Nobody lost a snapshot before thirty days had really gone by since it was forgotten, nor the newest ones at all."""
        for snapshot, day in self.swept.items():
            assert day - self.forgotten[snapshot] >= UNDO.days, snapshot
        newest = sorted(self.saved, key=lambda one: self.saved[one])[-self.kept :]
        assert not set(newest) & self.forgotten.keys()

    def require_restorable(self, snapshot: SnapshotId) -> None:
        back = self.scene.folder / f"back-{self.day}-{snapshot[:8]}"
        assert self.scene.restore(snapshot, back).damaged == ()
        assert bytes_of(back / "chats") == self.files[snapshot]


@pytest.mark.slow
@pytest.mark.parametrize(
    "shifts",
    [{}, {20: -3, 22: -3, 38: -400, 40: -400, 42: -400}, {day: -(day % 11) for day in range(0, DAYS, 4)}],
    ids=["right", "put-back-for-days", "put-back-again-and-again"],
)
def test_with_a_clock_that_is_put_back_nothing_goes_too_early(scene: Scene, shifts: dict[int, int]) -> None:
    year = Year(scene)
    for day in range(0, DAYS, STEP):
        year.live_through(timedelta(days=shifts.get(day, 0)))

    year.require_patience()
    kept = [one for one in year.saved if one not in year.forgotten]
    # What claims a time at which it cannot have come takes nobody's place: more may stay, never less.
    assert {year.saved[one] for one in kept} >= set(range(DAYS - KEPT * STEP, DAYS, STEP))
    assert len(kept) <= KEPT + sum(1 for shift in shifts.values() if shift)
    for snapshot in (kept[0], kept[-1]):
        year.require_restorable(snapshot)
    lately = max(year.forgotten.keys() - year.swept.keys(), key=lambda one: year.forgotten[one])
    undelete_snapshots(scene.places, [lately], clock=scene.clock, tell=scene.tell)
    year.require_restorable(lately)
    if not shifts:
        # A wrong clock costs patience; a right one frees what is due.
        assert len(year.swept) >= (DAYS - UNDO.days) // STEP - KEPT - 1 > 0


@pytest.mark.slow
def test_a_clock_that_once_ran_years_ahead_costs_patience_and_nothing_else(scene: Scene) -> None:
    year = Year(scene)
    for _ in range(6):
        year.live_through(timedelta())
    year.live_through(timedelta(days=3000))
    for _ in range(12):
        year.live_through(timedelta())

    newest = sorted(year.saved, key=lambda one: year.saved[one])[-KEPT:]
    assert not set(newest) & year.forgotten.keys()
    # What was forgotten before that day may go as soon as it says so; what was forgotten since waits for the day it saw.
    assert all(year.forgotten[one] <= 6 * STEP for one in year.swept)
    year.require_restorable(newest[-1])


@pytest.mark.slow
def test_a_client_that_lies_about_every_snapshot_of_a_day_pushes_none_of_another_day_out(scene: Scene) -> None:
    """restic#22057: the order of the log and first sight decide, not what the statements claim."""
    year = Year(scene, kept=7)
    for _ in range(6):
        year.live_through(timedelta())
    honest = list(year.saved)
    for number in range(5):
        scene.clock.at = JUNE + timedelta(days=number, hours=-3)
        scene.write("today.bin", b"junk %d" % number)
        scene.take()
    scene.clock.at = JUNE + timedelta(days=year.day)

    judged = keep(scene, daily=6).judged

    stays = {one.snapshot for one in judged if one.rules}
    assert set(honest) <= stays | set(year.forgotten)
