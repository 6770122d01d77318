"""Everything that can happen to snapshots, in any order, against a dictionary of what was saved.

Write, save, forget, take back, sweep and repack with a clock that moves, lose a pack and repair, lose the head or the whole log and begin
it again, put the repository back to an older state; and the power may fail between any two writes. What must never happen: a snapshot
that is kept, or can still be taken back, cannot be restored, from its list or from the packs alone.
"""

import os
import random
import re
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from backup_scene import Scene, bytes_of
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from simulated_backends import DiskInMemory, PowerCut, PowerCutBackend

from backupkit.ids import SnapshotId
from backupkit.ops.failures import HistoryRolledBack, SnapshotSwept
from backupkit.ops.keeping.forget import forget_snapshots
from backupkit.ops.keeping.repack import repack
from backupkit.ops.keeping.sweep import sweep
from backupkit.ops.keeping.undelete import undelete_snapshots
from backupkit.ops.mending.parity import write_parity
from backupkit.ops.mending.rebuild import rebuild_repository
from backupkit.ops.mending.repair import repair_repository
from backupkit.ops.repository import repository as repositories
from backupkit.ops.repository.lifecycle import lifecycle_of
from backupkit.ops.repository.reach import packs_of
from backupkit.ops.repository.snapshots import known_snapshots

# Few contents, so that what was swept is often saved again; they share no chunk.
CONTENTS = [random.Random(number).randbytes(3000) for number in range(4)]
# How many to try, by lot each time, for a night; otherwise always the same few.
LIVES = int(os.environ["BACKUPKIT_TEST_LIVES"]) if "BACKUPKIT_TEST_LIVES" in os.environ else None
places_in_list = st.integers(0, 30)
after_writes = st.none() | st.integers(0, 40)


def machine(template: Scene, patch: pytest.MonkeyPatch) -> type[RuleBasedStateMachine]:
    class Lifecycle(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.folder = Path(tempfile.mkdtemp())
            self.scene = template.copy_to(self.folder / "disk")
            self.scene.write("always", b"here")
            self.disk = DiskInMemory(self.scene.places.repository)
            patch.setattr(repositories, "PosixBackend", self.disk.opened)
            self.saved: dict[SnapshotId, dict[str, bytes]] = {}
            self.contents: list[tuple[datetime, dict[str, bytes]]] = []
            self.life: dict[SnapshotId, str] = {}
            self.older: dict[str, bytes] | None = None

        def teardown(self) -> None:
            for snapshot, life in self.life.items():
                if life != "swept":
                    back = self.folder / f"back-{snapshot}"
                    self.scene.restore(snapshot, back)
                    assert bytes_of(back / "chats") == self.saved[snapshot]
            kept = [one for one, life in self.life.items() if life == "kept"]
            if kept:
                back = self.folder / "back-from-packs"
                assert self.scene.restore("latest", back, from_packs=True).damaged == ()
            shutil.rmtree(self.folder)

        def act(self, writes: int | None, action: Callable[[], Any]) -> None:
            """Do something, and let the power fail after so many writes; then look what came of it.

            What was cut off between its entry and the head is committed by whoever writes next.
            """
            self.scene.clock.at += timedelta(minutes=1)
            self.contents.append((self.scene.clock.at, bytes_of(self.scene.chats)))
            if writes is not None:
                self.disk.line = PowerCutBackend(writes, self.disk.inner)
            with suppress(PowerCut, SnapshotSwept):
                action()
            self.disk.line = self.disk.inner
            for one in known_snapshots(self.scene.repository, with_forgotten=True):
                taken = one.statement.created_at
                # A snapshot that was found in the packs says when its root was written, in the run that took it.
                self.saved.setdefault(one.id, [content for at, content in self.contents if at <= taken][-1])
                self.life[one.id] = one.life

        def chosen(self, number: int, *lives: str) -> SnapshotId | None:
            fitting = [one for one, life in self.life.items() if life in lives]
            return fitting[number % len(fitting)] if fitting else None

        @rule(name=st.sampled_from("abc"), content=st.none() | st.sampled_from(CONTENTS))
        def write(self, name: str, content: bytes | None) -> None:
            if content is None:
                (self.scene.chats / name).unlink(missing_ok=True)
            else:
                self.scene.write(name, content)

        @rule(writes=after_writes)
        def save(self, writes: int | None) -> None:
            before = len(self.life)
            self.act(writes, self.scene.take)
            assert len(self.life) > before or writes is not None

        @rule(number=places_in_list, writes=after_writes)
        def forget(self, number: int, writes: int | None) -> None:
            snapshot = self.chosen(number, "kept")
            if snapshot is not None:
                self.act(writes, lambda: self._forget(snapshot))
                assert self.life[snapshot] == "forgotten" or writes is not None

        def _forget(self, snapshot: SnapshotId) -> None:
            forget_snapshots(
                self.scene.places, [snapshot], clock=self.scene.clock, tell=self.scene.tell, accept_shrink=True
            )

        @rule(number=places_in_list, writes=after_writes)
        def take_back(self, number: int, writes: int | None) -> None:
            snapshot = self.chosen(number, "forgotten")
            if snapshot is not None:
                self.act(writes, lambda: self._undelete(snapshot))
                assert self.life[snapshot] in {"kept", "swept"} or writes is not None

        def _undelete(self, snapshot: SnapshotId) -> None:
            undelete_snapshots(self.scene.places, [snapshot], clock=self.scene.clock, tell=self.scene.tell)

        @rule(span=st.sampled_from([timedelta(hours=1), timedelta(hours=25), timedelta(days=31)]), writes=after_writes)
        def sweep(self, span: timedelta, writes: int | None) -> None:
            self.scene.clock.at += span
            kept = {one for one, life in self.life.items() if life == "kept"}
            self.act(writes, lambda: sweep(self.scene.places, clock=self.scene.clock, tell=self.scene.tell))
            assert not kept & {one for one, life in self.life.items() if life == "swept"}

        @rule(
            number=places_in_list, name=st.sampled_from("abc"), content=st.sampled_from(CONTENTS), writes=after_writes
        )
        def forget_and_wait_and_save_on_and_sweep(
            self, number: int, name: str, content: bytes, writes: int | None
        ) -> None:
            """The way to where bytes are deleted is long; this goes it at once."""
            self.forget(number, None)
            self.sweep(timedelta(days=31), None)
            self.write(name, content)
            self.save(None)
            self.sweep(timedelta(hours=25), writes)

        @rule(unused=st.sampled_from([0.0, 0.3]), writes=after_writes)
        def repack(self, unused: float, writes: int | None) -> None:
            wanted = {one for one, life in self.life.items() if life == "kept"}
            self.act(writes, lambda: self._repack(unused))
            assert not wanted & {one for one, life in self.life.items() if life == "swept"}

        def _repack(self, unused: float) -> None:
            repack(
                self.scene.places, secret=self.scene.secret, clock=self.scene.clock, tell=self.scene.tell,
                most_unused=unused,
            )  # fmt: skip

        @rule(name=st.sampled_from("abc"), content=st.sampled_from(CONTENTS), writes=after_writes)
        def half_of_a_pack_dies_and_is_repacked_and_swept(self, name: str, content: bytes, writes: int | None) -> None:
            """The way to where a pack is half dead and its old bytes go is long, too."""
            self.write(name, content)
            self.write("d", CONTENTS[0] + content)
            self.save(None)
            newest = [one for one, life in self.life.items() if life == "kept"][-1:]
            self.write("d", None)
            self.save(None)
            for snapshot in newest:
                self.act(None, partial(self._forget, snapshot))
            self.sweep(timedelta(days=31), None)
            self.repack(0.0, writes)
            self.sweep(timedelta(hours=25), None)
            self.sweep(timedelta(hours=25), writes)

        @rule()
        def lose_the_head_and_repair(self) -> None:
            if not self._lose(lambda name: name == "log/checkpoint"):
                return
            before = dict(self.life)
            self.act(None, self._repair)
            assert self.life == before

        @rule(writes=after_writes)
        def lose_the_log_and_begin_it_again(self, writes: int | None) -> None:
            """What was forgotten may come back, and everything that could be wanted is there as it was."""
            if not self._lose(lambda name: name.startswith("log/")):
                return
            self.older = None
            wanted = {one for one, life in self.life.items() if life != "swept"}
            self.disk.line = PowerCutBackend(writes, self.disk.inner) if writes is not None else self.disk.inner
            with suppress(PowerCut):
                self._rebuild()
            self.disk.line = self.disk.inner
            if writes is not None:
                self._rebuild()
            self.life = {}
            self.act(None, lambda: None)
            # Where lists led to packs that were replaced, a snapshot has a new name by now.
            there = [self.saved[one] for one, life in self.life.items() if life != "swept"]
            assert all(self.saved[one] in there for one in wanted)

        def _rebuild(self) -> None:
            rebuild_repository(
                self.scene.places, secret=self.scene.secret, clock=self.scene.clock, tell=self.scene.tell
            )

        def _lose(self, is_lost: Callable[[str], bool]) -> bool:
            names = [name for name in self.disk.inner._objects if is_lost(re.sub(r"^copies/[12]/", "", name))]
            for name in names:
                self.disk.inner.delete(name)
            return bool(names)

        @rule(number=places_in_list)
        def lose_a_pack_and_repair(self, number: int) -> None:
            write_parity(self.scene.places, tell=self.scene.tell)
            packs = sorted(self.scene.repository.packs())
            if packs:
                self.disk.inner.delete(packs[number % len(packs)].name)
                self.act(None, self._repair)

        def _repair(self) -> None:
            assert repair_repository(self.scene.places, clock=self.scene.clock, tell=self.scene.tell).lost == ()

        @rule()
        def remember_the_disk(self) -> None:
            self.older = dict(self.disk.inner._objects)

        @precondition(lambda self: self.older is not None)
        @rule()
        def put_the_disk_back(self) -> None:
            newer = self.disk.inner._objects
            assert self.older is not None
            if newer["log/checkpoint"] == self.older["log/checkpoint"]:
                return
            self.disk.inner._objects = dict(self.older)
            with pytest.raises(HistoryRolledBack):
                sweep(self.scene.places, clock=self.scene.clock, tell=self.scene.tell)
            self.disk.inner._objects = newer

        @invariant()
        def whatever_can_be_wanted_is_there(self) -> None:
            repository = self.scene.repository
            present, log = repository.packs(), lifecycle_of(repository, repository.log.read().entries)
            for snapshot, life in self.life.items():
                if life != "swept":
                    assert packs_of(repository, snapshot, log) <= present

    return Lifecycle


def test_whatever_happens_no_wanted_snapshot_is_lost(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    run_state_machine_as_test(
        machine(scene, monkeypatch),
        settings=settings(
            max_examples=LIVES or 8, stateful_step_count=14, deadline=None, derandomize=LIVES is None, database=None
        ),
    )
