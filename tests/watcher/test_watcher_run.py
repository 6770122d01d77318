import errno
import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from watchdog.observers import Observer

from backupkit.errors import BackupkitError, ExitCode
from backupkit.ops.events import Event, Notice
from backupkit.watcher.run import Watched, watch
from backupkit.watcher.settle import Pace
from backupkit.watcher.turns import Turns

PATIENCE = 20.0
QUICK = Pace(
    quiet=timedelta(milliseconds=80),
    patience=timedelta(seconds=60),
    scan_every=timedelta(hours=1),
    first_retry=timedelta(milliseconds=50),
)


class _Locked(BackupkitError):
    code = "repository-locked"
    exit_code = ExitCode.LOCKED


@dataclass
class Owner:
    """Runs a watcher on another thread, and hears what it saves and tells."""

    saved: queue.Queue[tuple[str, ...]] = field(default_factory=queue.Queue)
    told: queue.Queue[Notice] = field(default_factory=queue.Queue)
    signs: list[str] = field(default_factory=list)
    looks: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    failing_with: list[Exception] = field(default_factory=list)
    while_saving: Callable[[], object] = lambda: None
    result: Watched | None = None

    def save(self, names: Sequence[str]) -> None:
        self.while_saving()
        if self.failing_with:
            raise self.failing_with.pop()
        self.saved.put(tuple(names))

    def hear(self, event: Event) -> None:
        assert isinstance(event, Notice)
        self.told.put(event)

    def ready(self) -> None:
        self.signs.append("ready")

    def alive(self) -> None:
        self.looks.release()
        if self.signs[-1] != "alive":
            self.signs.append("alive")

    def stopping(self) -> None:
        self.signs.append("stopping")

    def next_saved(self) -> tuple[str, ...]:
        return self.saved.get(timeout=PATIENCE)

    def await_notice(self, code: str) -> Notice:
        while True:
            notice = self.told.get(timeout=PATIENCE)
            if notice.code == code:
                return notice

    def await_looks(self, count: int) -> None:
        while self.looks.acquire(blocking=False):
            pass
        assert all(self.looks.acquire(timeout=PATIENCE) for _ in range(count))

    @contextmanager
    def watching(self, sources: dict[str, Path], pace: Pace = QUICK, **more: Any) -> Iterator[None]:
        stop = threading.Event()

        def run() -> None:
            self.result = watch(sources, self.save, stop=stop, pace=pace, tell=self.hear, notifier=self, **more)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, Path]:
    made = {name: tmp_path / name for name in ("wechat", "qq")}
    for path in made.values():
        path.mkdir()
        (path / "chat.txt").write_text("hello\n")
    return made


def append(source: Path) -> None:
    with (source / "chat.txt").open("a") as file:
        file.write("more\n")


def test_what_is_there_at_the_start_is_saved_and_then_every_change(owner: Owner, sources: dict[str, Path]) -> None:
    with owner.watching(sources):
        assert set(owner.next_saved()) <= {"qq", "wechat"}
        owner.await_notice("watch-saved")
        append(sources["wechat"])

        while owner.next_saved() != ("wechat",):
            pass

    assert owner.result is not None
    assert owner.result.failures == 0
    assert owner.signs == ["ready", "alive", "stopping"]


def test_a_chat_that_never_rests_is_saved_all_the_same(owner: Owner, sources: dict[str, Path]) -> None:
    impatient = Pace(quiet=timedelta(hours=1), patience=timedelta(milliseconds=200))
    done = threading.Event()

    def chatter() -> None:
        while not done.wait(0.01):
            append(sources["wechat"])

    writer = threading.Thread(target=chatter)
    writer.start()
    try:
        with owner.watching({"wechat": sources["wechat"]}, impatient):
            assert owner.next_saved() == ("wechat",)
            assert owner.next_saved() == ("wechat",)
    finally:
        done.set()
        writer.join(PATIENCE)


def test_a_change_that_comes_while_saving_is_saved_next(owner: Owner, sources: dict[str, Path]) -> None:
    changed = iter([append])

    def change_once() -> None:
        for change in changed:
            change(sources["wechat"])

    owner.while_saving = change_once

    with owner.watching({"wechat": sources["wechat"]}):
        assert owner.next_saved() == ("wechat",)
        assert owner.next_saved() == ("wechat",)


def test_events_without_a_difference_save_nothing(owner: Owner, sources: dict[str, Path]) -> None:
    with owner.watching(sources):
        first = set(owner.next_saved())
        while first < {"qq", "wechat"}:
            first |= set(owner.next_saved())
        temporary = sources["wechat"] / "temporary"
        temporary.write_text("there")
        temporary.unlink()
        append(sources["qq"])

        # Both have the same time to settle, and wechat was touched first: had it been saved, it would be named here.
        assert owner.next_saved() == ("qq",)


def test_a_failed_save_is_told_and_tried_again(owner: Owner, sources: dict[str, Path]) -> None:
    owner.failing_with = [OSError(28, "No space left on device"), _Locked(), _Locked()]

    with owner.watching({"wechat": sources["wechat"]}):
        failed = [owner.await_notice("watch-save-failed") for _ in range(3)]
        assert owner.next_saved() == ("wechat",)

    assert [notice.facts["reason"] for notice in failed] == ["repository-locked", "repository-locked", "ENOSPC"]
    assert owner.result == Watched(saves=1, failures=3, missing=())


def test_a_failed_save_is_not_tried_again_before_its_time(owner: Owner, sources: dict[str, Path]) -> None:
    patient = replace(QUICK, first_retry=timedelta(hours=1))
    owner.failing_with = [_Locked()]

    with owner.watching({"wechat": sources["wechat"]}, patient):
        assert owner.await_notice("watch-save-failed").facts["retry_seconds"] == 3600
        append(sources["wechat"])
        owner.await_looks(30)

    assert owner.result == Watched(saves=0, failures=1, missing=())


def test_lost_events_cost_time_and_never_a_chat(owner: Owner, sources: dict[str, Path]) -> None:
    blind = Pace(
        quiet=timedelta(milliseconds=80), patience=timedelta(seconds=60), scan_every=timedelta(milliseconds=50)
    )

    # Ignoring the folder that holds the sources hides every event from the watcher, but not the sources' own looks.
    with owner.watching({"wechat": sources["wechat"]}, blind, ignore=[sources["wechat"].parent]):
        assert owner.next_saved() == ("wechat",)
        append(sources["wechat"])
        assert owner.next_saved() == ("wechat",)


class _NoWatchesLeft(Observer):  # type: ignore[misc, valid-type]  # watchdog chooses the class for the system at import
    def start(self) -> None:
        raise OSError(errno.ENOSPC, "inotify watch limit reached")


def test_without_any_events_the_watcher_says_so_and_goes_on_by_looking(owner: Owner, sources: dict[str, Path]) -> None:
    often = replace(QUICK, scan_every=timedelta(milliseconds=50))

    with owner.watching({"wechat": sources["wechat"]}, often, make_observer=_NoWatchesLeft):
        assert owner.await_notice("watch-by-scanning").facts == {"reason": "No space left on device"}
        assert owner.next_saved() == ("wechat",)
        append(sources["wechat"])
        assert owner.next_saved() == ("wechat",)

    assert "watch-by-scanning" not in {notice.code for notice in owner.told.queue}


def test_a_wiped_source_is_told_and_watched_again_when_it_is_back(owner: Owner, sources: dict[str, Path]) -> None:
    with owner.watching({"wechat": sources["wechat"]}):
        assert owner.next_saved() == ("wechat",)
        shutil.rmtree(sources["wechat"])
        assert owner.await_notice("watch-source-missing").facts == {"source": "wechat"}

        sources["wechat"].mkdir()
        append(sources["wechat"])
        owner.await_notice("watch-source-back")

        assert owner.next_saved() == ("wechat",)


def test_chats_at_rest_are_checked_again_and_saved_anew_where_their_backup_is_damaged(
    owner: Owner, sources: dict[str, Path]
) -> None:
    answers: list[frozenset[str]] = [frozenset(), frozenset({"qq"}), frozenset()]
    asked = queue.Queue[int]()

    def recheck() -> frozenset[str]:
        asked.put(len(answers))
        return answers.pop(0) if answers else frozenset()

    with owner.watching(sources, replace(QUICK, scan_every=timedelta(milliseconds=200)), recheck=recheck):
        saved: set[str] = set()
        while saved < {"qq", "wechat"}:
            saved |= set(owner.next_saved())
        assert owner.await_notice("watch-saving-anew").facts == {"source": "qq"}

        assert owner.next_saved() == ("qq",)
        while asked.get(timeout=PATIENCE) != 1:
            pass
    assert owner.saved.empty()


def test_a_check_that_fails_is_told_and_the_watcher_goes_on(owner: Owner, sources: dict[str, Path]) -> None:
    def recheck() -> frozenset[str]:
        raise _Locked

    with owner.watching(sources, replace(QUICK, scan_every=timedelta(milliseconds=200)), recheck=recheck):
        assert owner.await_notice("watch-check-failed").facts == {"reason": "repository-locked"}
        owner.await_notice("watch-check-failed")
        append(sources["qq"])
        owner.await_notice("watch-saved")


def test_once_saves_everything_that_is_there_and_ends(owner: Owner, sources: dict[str, Path]) -> None:
    done = watch(sources, owner.save, stop=threading.Event(), pace=QUICK, tell=owner.hear, once=True)

    saved = set(owner.saved.get_nowait())
    while not owner.saved.empty():
        saved |= set(owner.saved.get_nowait())
    assert saved == {"qq", "wechat"}
    assert (done.failures, done.missing) == (0, ())


def test_once_says_which_sources_are_not_there(owner: Owner, tmp_path: Path) -> None:
    done = watch({"gone": tmp_path / "gone"}, owner.save, stop=threading.Event(), pace=QUICK, once=True)

    assert done == Watched(saves=0, failures=0, missing=("gone",))


def test_once_fails_with_what_the_save_failed_with(owner: Owner, sources: dict[str, Path]) -> None:
    owner.failing_with = [_Locked()]

    with pytest.raises(_Locked):
        watch(sources, owner.save, stop=threading.Event(), pace=QUICK, once=True)


class _CountingStop(threading.Event):
    waits = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.waits += 1
        return super().wait(timeout)


def test_a_source_at_rest_need_not_rest_again(owner: Owner, sources: dict[str, Path]) -> None:
    pace, chat = Pace(quiet=timedelta(seconds=1)), sources["wechat"] / "chat.txt"
    while time.time() < chat.stat().st_ctime + 1.1:
        time.sleep(0.05)
    stop = _CountingStop()

    watch({"wechat": sources["wechat"]}, owner.save, stop=stop, pace=pace, once=True)

    assert owner.saved.get_nowait() == ("wechat",)
    assert stop.waits == 0


def test_a_stop_before_anything_settled_saves_nothing(owner: Owner, sources: dict[str, Path]) -> None:
    stop = threading.Event()
    stop.set()

    assert watch(sources, owner.save, stop=stop) == Watched(saves=0, failures=0, missing=())


def test_what_another_watcher_saves_waits_until_that_one_ends(sources: dict[str, Path], tmp_path: Path) -> None:
    first, second = Owner(), Owner()
    turns = [Turns(tmp_path / "state/watching", tmp_path / "repository", sources) for _ in range(2)]
    often = replace(QUICK, scan_every=timedelta(milliseconds=200))
    checked = threading.Event()

    def recheck() -> frozenset[str]:
        checked.set()
        return frozenset()

    with turns[1]:
        with turns[0], first.watching({"wechat": sources["wechat"]}, is_ours=turns[0].has):
            assert first.next_saved() == ("wechat",)
            with second.watching(sources, often, is_ours=turns[1].has, recheck=recheck):
                assert second.await_notice("watch-standing-by").facts == {"source": "wechat"}
                append(sources["wechat"])
                assert first.next_saved() == ("wechat",)
                assert second.next_saved() == ("qq",)
                # What is its own is read back also while it waits for the rest.
                assert checked.wait(PATIENCE)
                append(sources["qq"])
                assert second.next_saved() == ("qq",)
                assert second.saved.empty()
        with second.watching({"wechat": sources["wechat"]}, is_ours=turns[1].has):
            assert second.next_saved() == ("wechat",)
