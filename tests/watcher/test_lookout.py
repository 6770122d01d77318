import errno
import logging
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from backupkit.watcher.lookout import Lookout

PATIENCE = 20.0


class Flags:
    """Notes which sources were marked, and waits for one."""

    def __init__(self) -> None:
        self._marked: list[str] = []
        self._changed = threading.Condition()

    def mark(self, name: str) -> None:
        with self._changed:
            self._marked.append(name)
            self._changed.notify_all()

    def await_mark(self, name: str) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: name in self._marked, PATIENCE)

    def clear(self) -> None:
        with self._changed:
            self._marked.clear()

    @property
    def marked(self) -> set[str]:
        with self._changed:
            return set(self._marked)


@pytest.fixture
def flags() -> Flags:
    return Flags()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "chats" / "media").mkdir(parents=True)
    (tmp_path / "chats" / "result.json").write_text("{}")
    return tmp_path / "chats"


@pytest.fixture
def sentinel(tmp_path: Path) -> Path:
    """A source whose mark comes after all marks of what was done before, as the system tells events in order."""
    (tmp_path / "sentinel").mkdir()
    return tmp_path / "sentinel"


def append(path: Path) -> None:
    with path.open("a") as file:
        file.write(" ")


CHANGES: dict[str, Callable[[Path], object]] = {
    "append": lambda folder: append(folder / "result.json"),
    "create below": lambda folder: (folder / "media" / "photo.jpg").write_bytes(b"photo"),
    "remove": lambda folder: (folder / "result.json").unlink(),
    "rename": lambda folder: (folder / "result.json").rename(folder / "other.json"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_marks_its_source_and_no_other(folder: Path, sentinel: Path, flags: Flags, change: str) -> None:
    with Lookout({"wechat": folder, "other": sentinel}, flags.mark) as lookout:
        CHANGES[change](folder)

        assert flags.await_mark("wechat")
        assert flags.marked == {"wechat"}
        assert not lookout.tend()


def test_reading_and_shared_memory_and_ignored_folders_mark_nothing(
    folder: Path, sentinel: Path, flags: Flags, tmp_path: Path
) -> None:
    repository = folder / "repository"
    repository.mkdir()
    sources = {"wechat": folder, "sentinel": sentinel}
    with Lookout(sources, flags.mark, ignore=[repository]):
        (folder / "result.json").read_bytes()
        list(folder.rglob("*"))
        (folder / "chat.db-shm").write_bytes(b"memory")
        (repository / "pack").write_bytes(b"pack")
        append(sentinel / "file")

        assert flags.await_mark("sentinel")
        assert flags.marked == {"sentinel"}


def test_a_single_file_is_watched_with_the_log_beside_it_and_through_replacing(folder: Path, flags: Flags) -> None:
    database = folder / "chat.db"
    database.write_bytes(b"one")
    with Lookout({"chat": database}, flags.mark) as lookout:
        append(folder / "chat.db-wal")
        assert flags.await_mark("chat")

        for content in ("two", "three"):
            flags.clear()
            (folder / "new").write_text(content)
            flags.clear()
            (folder / "new").replace(database)
            assert flags.await_mark("chat")

        assert not lookout.tend()


def test_a_folder_that_was_removed_and_made_anew_is_noticed_and_watched_again(folder: Path, flags: Flags) -> None:
    with Lookout({"wechat": folder}, flags.mark) as lookout:
        shutil.rmtree(folder)
        assert lookout.tend()
        assert not lookout.tend()
        folder.mkdir()
        assert lookout.tend()
        flags.clear()

        append(folder / "result.json")

        assert flags.await_mark("wechat")


def test_a_dead_observer_is_replaced_and_told(folder: Path, flags: Flags) -> None:
    made: list[BaseObserver] = []

    def make() -> BaseObserver:
        made.append(Observer())
        return made[-1]

    with Lookout({"wechat": folder}, flags.mark, make_observer=make) as lookout:
        made[0].stop()
        made[0].join(PATIENCE)

        assert lookout.tend()

        append(folder / "result.json")
        assert flags.await_mark("wechat")
        assert len(made) == 2


def test_an_overflow_that_watchdog_only_logs_is_told_once(folder: Path, flags: Flags) -> None:
    with Lookout({"wechat": folder}, flags.mark) as lookout:
        logging.getLogger("watchdog.observers.inotify").warning("Inotify queue overflowed")

        assert lookout.tend()
        assert not lookout.tend()


class _NoWatchesLeft(Observer):  # type: ignore[misc, valid-type]  # watchdog chooses the class for the system at import
    left = 0

    def start(self) -> None:
        if not _NoWatchesLeft.left:
            raise OSError(errno.ENOSPC, "inotify watch limit reached")
        super().start()


def test_without_events_the_lookout_is_blind_and_says_why_until_it_is_opened_again(folder: Path, flags: Flags) -> None:
    _NoWatchesLeft.left = 0
    with Lookout({"wechat": folder}, flags.mark, make_observer=_NoWatchesLeft) as lookout:
        reasons = [lookout.blind]
        assert not lookout.tend()

        _NoWatchesLeft.left = 1
        lookout.open_again()
        reasons.append(lookout.blind)

        assert reasons == ["No space left on device", None]
        append(folder / "result.json")
        assert flags.await_mark("wechat")


def test_nothing_is_left_behind(folder: Path, flags: Flags) -> None:
    before = set(threading.enumerate())

    with Lookout({"wechat": folder}, flags.mark):
        pass

    assert not [thread for thread in set(threading.enumerate()) - before if "Observer" in type(thread).__name__]
    assert not logging.getLogger("watchdog").handlers
