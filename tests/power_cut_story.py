"""Runs of backupkit whose every crash is replayed: what each does, and what must hold whenever the power fails in it."""

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from unittest.mock import patch

from backup_scene import Scene, SteppingClock, bytes_of
from power_cut import VARIANTS, Disk, Recorder, lay_out

from backupkit.ops.keeping.forget import forget_snapshots
from backupkit.ops.keeping.repack import repack
from backupkit.ops.keeping.sweep import sweep
from backupkit.ops.mending.rebuild import rebuild_repository
from backupkit.ops.mending.repair import repair_repository
from backupkit.ops.repository.lifecycle import GRACE, UNDO
from backupkit.ops.repository.repository import PLACE_FILE
from backupkit.ops.repository.snapshots import known_snapshots
from backupkit.store import layout
from backupkit.store.backends.posix_backend import PosixBackend
from backupkit.store.objects.small_objects import COPIES

TOPS = ("repository", "state")
"""What is recorded. The cache may be lost at any time: it is replayed as it was before the run, and as it is after it."""


@dataclass(frozen=True, slots=True)
class Run:
    """One use of backupkit.

    `needs_repair` where the repository is damaged until it is through, `needs_rebuild` where its log is lost until then;
    `again` finishes what was cut off.
    """

    name: str
    act: Callable[[Scene], object]
    prepare: Callable[[Scene], object] = lambda _: None
    needs_repair: bool = False
    needs_rebuild: bool = False
    again: Callable[[Scene], object] | None = None
    takes: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """The power failed after so many calls, and the disk holds what `variant` says. `cache` is `before` or `after`."""

    calls: int
    variant: str
    cache: str


@dataclass(slots=True)
class Story:
    """A run that was recorded, and the scene it began and ended in."""

    run: Run
    folder: Path
    scene: Scene
    recorder: Recorder
    expected: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    """What each snapshot must give back: each source's files."""
    new: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    """Snapshots that the run lets go: they may be there or not."""

    def cuts(self) -> Iterator[Cut]:
        """Give every moment in every variant that is not like one before."""
        seen: set[int] = set()
        disk = Disk(self.recorder.start)
        for calls in range(len(self.recorder.calls) + 1):
            if calls:
                disk.do(self.recorder.calls[calls - 1])
            for number, variant in enumerate(VARIANTS):
                held = disk.holds(variant, random.Random(f"{calls} {variant}"))
                known = hash(tuple(sorted(held.items(), key=lambda one: one[0])))
                if known not in seen:
                    seen.add(known)
                    yield Cut(calls, variant, "before" if (calls + number) % 2 else "after")

    def replay(self, cut: Cut, folder: Path) -> None:
        """Make the disk as it is after a cut, and demand that nothing is lost and that backupkit goes on."""
        disk = Disk(self.recorder.start)
        for call in self.recorder.calls[: cut.calls]:
            disk.do(call)
        folder.mkdir()
        lay_out(disk.holds(cut.variant, random.Random(f"{cut.calls} {cut.variant}")), folder)
        shutil.copytree(self.folder / f"cache-{cut.cache}", folder / "cache")
        for source in _sources(self.scene):
            shutil.copytree(source, folder / source.name)
        for place in (folder / "state" / "repositories").glob(f"*/{PLACE_FILE}"):
            place.unlink()
        after = Scene(folder, self.scene.words, SteppingClock(self.scene.clock.at))
        if self.run.needs_repair:
            done = repair_repository(after.places, clock=after.clock, tell=after.tell)
            assert done.state in {"whole", "repaired"}, done
        if self.run.needs_rebuild:
            _rebuild(after)
        self._require_all_restores(after, "back", is_over=cut.calls == len(self.recorder.calls))
        if self.run.again is not None:
            self.run.again(after)
            self._require_all_restores(after, "again", is_over=False)
        taken = after.take(*_sources(after), verify=True)
        assert taken.state == "verified", after.codes()
        assert after.verify(opened=True).findings == (), after.codes()
        restored = after.restore(taken.snapshot, folder / "last")
        assert not restored.damaged, restored.damaged
        assert _files(folder / "last") == {source.name: bytes_of(source) for source in _sources(after)}

    def _require_all_restores(self, after: Scene, name: str, *, is_over: bool) -> None:
        known = {one.id for one in known_snapshots(after.repository)}
        before = set(self.expected) - self.new - self.gone
        assert before <= known, "what was committed before the run is named by the log"
        assert known <= set(self.expected), "and nothing that never was"
        assert not is_over or self.new <= known, "what the run said was saved is saved"
        for number, snapshot in enumerate(sorted(known)):
            restored = after.restore(snapshot, after.folder / f"{name}-{number}")
            assert not restored.damaged, restored.damaged
            assert _files(after.folder / f"{name}-{number}") == self.expected[snapshot]


def tell_story(run: Run, folder: Path) -> Story:
    """Play a run once, recorded."""
    scene = Scene(folder / "disk")
    scene.initialise()
    expected: dict[str, dict[str, dict[str, bytes]]] = {}
    for seed in range(2):
        _chats(scene, seed)
        expected[scene.take(verify=True).snapshot] = {"chats": bytes_of(scene.chats)}
    repair_repository(scene.places, clock=scene.clock, tell=scene.tell)
    run.prepare(scene)
    shutil.copytree(scene.places.cache, folder / "cache-before")
    recorder = Recorder(scene.folder, TOPS)
    with recorder.recording():
        run.act(scene)
    shutil.copytree(scene.places.cache, folder / "cache-after")
    assert recorder.missed == [], "changes went past the recorder"
    story = Story(run, folder, scene, recorder, expected)
    known = known_snapshots(scene.repository)
    story.gone = set(expected) - {one.id for one in known}
    for one in known:
        if one.id not in expected:
            assert one.facts is not None
            names = [source.name for source in one.facts.sources]
            expected[one.id] = {name: bytes_of(scene.folder / name) for name in names}
            story.new.add(one.id)
    return story


def _sources(scene: Scene) -> list[Path]:
    return [path for path in (scene.chats, scene.folder / "other") if path.is_dir()]


def _files(folder: Path) -> dict[str, dict[str, bytes]]:
    return {path.name: bytes_of(path) for path in folder.iterdir()}


def _chats(scene: Scene, seed: int) -> None:
    dice = random.Random(seed)
    scene.write("notes.txt", f"在吗 {seed}\n" * 300)
    scene.write(f"photo-{seed}.jpg", b"\xff\xd8\xff" + dice.randbytes(9000))


def _one_day_later(scene: Scene) -> None:
    _chats(scene, 7)


def _take_without_links(scene: Scene) -> None:
    """As on a stick with exFAT: names are claimed under a lock."""
    with patch("backupkit.ops.repository.repository.PosixBackend", partial(PosixBackend, hard_links=False)):
        scene.take()


def _another_source(scene: Scene) -> None:
    (scene.folder / "other").mkdir()
    (scene.folder / "other" / "first.txt").write_text("of somebody else\n")


def _damage(scene: Scene) -> None:
    """Two packs, and a copy of everything that has three."""
    root = scene.places.repository
    names = list(scene.repository.backend.names(""))
    packs = [name for name in names if name.startswith(layout.PACKS)]
    (root / packs[0]).unlink()
    with (root / packs[1]).open("r+b") as file:
        file.seek(400)
        file.write(b"rotten")
    for number, name in enumerate(name for name in names if name.startswith("copies/1/")):
        place = root / (name if number % 2 else name.removeprefix("copies/1/"))
        place.unlink() if number % 3 else place.write_bytes(b"garbage")


def _forget_first(scene: Scene) -> None:
    first = known_snapshots(scene.repository)[0].id
    forget_snapshots(scene.places, [first], clock=scene.clock, tell=scene.tell, accept_shrink=True)


def _sweep(scene: Scene) -> None:
    sweep(scene.places, clock=scene.clock, tell=scene.tell)


def _repack(scene: Scene) -> None:
    repack(scene.places, secret=scene.secret, clock=scene.clock, tell=scene.tell, most_unused=0.0)


def _repack_and_sweep(scene: Scene) -> None:
    _repack(scene)
    for _ in range(2):
        _sweep(scene)
        scene.clock.at += GRACE + timedelta(hours=1)
    _sweep(scene)


def _forgotten_and_half_dead(scene: Scene) -> None:
    """What the first snapshot alone needed lies in packs that the second needs."""
    _forget_first(scene)
    scene.clock.at += UNDO + timedelta(days=1)


def _rebuild(scene: Scene) -> None:
    rebuild_repository(scene.places, secret=scene.secret, clock=scene.clock, tell=scene.tell)


def _lose_the_log(scene: Scene) -> None:
    for copy in COPIES:
        shutil.rmtree(scene.places.repository / copy / "log")


def _forgotten_long_ago(scene: Scene) -> None:
    """Marked and ripe: the next sweep condemns and deletes."""
    _forget_first(scene)
    scene.clock.at += UNDO + timedelta(days=1)
    _sweep(scene)
    scene.clock.at += GRACE + timedelta(days=1)


RUNS = (
    Run("snapshot-of-a-new-source", lambda scene: scene.take(*_sources(scene)), _another_source),
    Run("snapshot", lambda scene: scene.take(), _one_day_later),
    Run("snapshot-without-hard-links", _take_without_links, _one_day_later),
    Run("snapshot-and-verify", lambda scene: scene.take(verify=True), _one_day_later),
    Run("verify", lambda scene: scene.verify()),
    Run(
        "repair",
        lambda scene: repair_repository(scene.places, clock=scene.clock, tell=scene.tell),
        _damage,
        needs_repair=True,
    ),
    Run("forget", _forget_first, again=_sweep),
    Run("sweep", _sweep, _forgotten_long_ago, again=_sweep),
    Run("repack", _repack, _forgotten_and_half_dead, again=_repack_and_sweep),
    Run("rebuild", _rebuild, _lose_the_log, needs_rebuild=True),
)
