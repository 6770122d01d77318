"""Three copies of what must never be lost."""

import errno
import os
from pathlib import Path

import pytest
from simulated_backends import Passing, PowerCut, PowerCutBackend, damage

from backupkit.codec.malformed import MalformedObject
from backupkit.store.backend import AlreadyExists, Backend, BackendDenied, ObjectMissing, SwapLost
from backupkit.store.backends.memory_backend import MemoryBackend
from backupkit.store.backends.posix_backend import ASIDE, PosixBackend
from backupkit.store.finding import Finding
from backupkit.store.objects.small_objects import COPIES, MAX_SMALL, SmallObjects

PLACES = [copy + "slots/aa" for copy in COPIES]


def good(data: bytes) -> bytes:
    if not data.startswith(b"good"):
        raise MalformedObject(what="test", reason="damaged")
    return data


def objects(backend: Backend) -> tuple[SmallObjects, list[Finding]]:
    findings: list[Finding] = []
    return SmallObjects(backend, findings.append), findings


def test_an_object_is_kept_three_times(backend: MemoryBackend) -> None:
    small, findings = objects(backend)

    small.create("slots/aa", b"good")

    assert [backend.read(place) for place in PLACES] == [b"good"] * 3
    assert small.read("slots/aa", good) == b"good"
    assert small.names("slots/") == ["slots/aa"]
    assert findings == []


@pytest.mark.parametrize("lost", [{0}, {1}, {2}, {0, 1}, {0, 2}, {1, 2}])
@pytest.mark.parametrize("how", ["deleted", "damaged", "empty"])
def test_one_good_copy_is_enough_and_a_check_puts_the_others_right(
    backend: MemoryBackend, lost: set[int], how: str
) -> None:
    small, findings = objects(backend)
    small.create("slots/aa", b"good one")
    for number in lost:
        backend.delete(PLACES[number])
        if how != "deleted":
            backend.create(PLACES[number], b"bad" if how == "damaged" else b"")

    assert small.names("slots/") == ["slots/aa"]
    assert small.read("slots/aa", good) == b"good one"
    small.check_copies("slots/aa", good)

    assert [backend.read(place) for place in PLACES] == [b"good one"] * 3
    assert {finding.name for finding in findings} == {PLACES[number] for number in lost}
    assert {finding.code for finding in findings} == {"copy-missing" if how == "deleted" else "copy-damaged"}


def test_with_no_good_copy_it_says_what_was_wrong(backend: MemoryBackend) -> None:
    small, _ = objects(backend)
    with pytest.raises(ObjectMissing):
        small.read("slots/aa", good)
    backend.create(PLACES[1], b"bad")

    with pytest.raises(MalformedObject):
        small.read("slots/aa", good)


def test_an_object_is_created_once(backend: MemoryBackend) -> None:
    small, _ = objects(backend)
    small.create("slots/aa", b"good 1")

    with pytest.raises(AlreadyExists):
        small.create("slots/aa", b"good 2")

    assert [backend.read(place) for place in PLACES] == [b"good 1"] * 3


def test_stale_copies_of_something_deleted_before_do_not_stay(backend: MemoryBackend) -> None:
    small, _ = objects(backend)
    backend.create(PLACES[2], b"good and old")

    small.create("slots/aa", b"good and new")

    assert [backend.read(place) for place in PLACES] == [b"good and new"] * 3


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_what_is_being_deleted_is_there_as_a_whole_until_it_is_gone(backend: MemoryBackend, writes: int) -> None:
    small, _ = objects(backend)
    small.create("slots/aa", b"good")
    cut, _ = objects(PowerCutBackend(writes, backend))
    with pytest.raises(PowerCut):
        cut.delete("slots/aa")

    assert small.read("slots/aa", good) == b"good"
    small.delete("slots/aa")
    assert small.names("slots/") == []


def test_a_change_needs_the_bytes_that_it_replaces(backend: MemoryBackend) -> None:
    small, _ = objects(backend)
    small.create("config", b"good 1")

    with pytest.raises(SwapLost):
        small.replace("config", b"good 0", b"good 2")
    small.replace("config", b"good 1", b"good 2")

    assert [backend.read(copy + "config") for copy in COPIES] == [b"good 2"] * 3


@pytest.mark.parametrize("writes", [1, 2])
def test_after_a_cut_between_object_and_copies_the_newest_counts(backend: MemoryBackend, writes: int) -> None:
    small, findings = objects(backend)
    small.create("config", b"good 1")
    with pytest.raises(PowerCut):
        objects(PowerCutBackend(writes, backend))[0].replace("config", b"good 1", b"good 2")

    assert small.read_newest("config", good, lambda data: data[-1])[0] == b"good 2"

    damage(backend, "config", b"rotten")
    newest = small.read_newest("config", good, lambda data: data[-1])[0]
    assert newest == (b"good 2" if writes == 2 else b"good 1")
    assert backend.read("config") == newest
    assert [finding.name for finding in findings] == ["config"]


def test_a_medium_that_cannot_be_written_to_is_still_read(backend: MemoryBackend) -> None:
    class ReadOnly(Passing):
        def swap(self, name: str, expected: bytes | None, new: bytes) -> None:
            raise BackendDenied(name=name, reason="EROFS")

    objects(backend)[0].create("slots/aa", b"good")
    backend.delete("slots/aa")

    assert objects(ReadOnly(backend))[0].read("slots/aa", good) == b"good"


def test_a_giant_in_a_small_objects_place_is_not_read(backend: MemoryBackend) -> None:
    small, _ = objects(backend)
    small.create("slots/aa", b"good")
    damage(backend, "slots/aa", b"good" + bytes(MAX_SMALL))

    assert small.read("slots/aa", good) == b"good"


@pytest.mark.parametrize("what", ["giant", "pipe", "folder", "full folder", "link to a device"])
@pytest.mark.parametrize("place", COPIES)
def test_what_can_be_no_object_is_set_aside_when_a_copy_is_put_right(tmp_path: Path, what: str, place: str) -> None:
    backend = PosixBackend(tmp_path)
    small, findings = objects(backend)
    small.create("log/checkpoint", b"good 1")
    path = tmp_path / place / "log" / "checkpoint"
    path.unlink()
    match what:
        case "giant":
            path.touch()
            os.truncate(path, 1 << 40)
        case "pipe":
            os.mkfifo(path)
        case "folder" | "full folder":
            path.mkdir()
            if what == "full folder":
                (path / "something").write_bytes(b"of somebody")
        case _:
            path.symlink_to("/dev/zero")

    assert small.read_newest("log/checkpoint", good, lambda data: data[-1])[0] == b"good 1"
    small.replace("log/checkpoint", b"good 1", b"good 2")

    assert [backend.read(copy + "log/checkpoint") for copy in COPIES] == [b"good 2"] * 3
    assert len(list(tmp_path.glob(f"{ASIDE}*"))) == 1, "it was kept, under no name"
    code = "copy-missing" if "folder" in what else "copy-damaged"
    assert [(one.code, one.name) for one in findings] == ([(code, "log/checkpoint")] if not place else [])


def test_a_copy_on_a_bad_sector_is_set_aside_and_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = PosixBackend(tmp_path)
    small, findings = objects(backend)
    small.create("log/checkpoint", b"good 1")
    bad, read = (tmp_path / "log" / "checkpoint").stat().st_ino, os.pread

    def pread(descriptor: int, length: int, offset: int) -> bytes:
        if os.fstat(descriptor).st_ino == bad:
            raise OSError(errno.EIO, "Input/output error")
        return read(descriptor, length, offset)

    monkeypatch.setattr(os, "pread", pread)
    small.read_newest("log/checkpoint", good, lambda data: data[-1])
    small.replace("log/checkpoint", b"good 1", b"good 2")

    assert [backend.read(copy + "log/checkpoint") for copy in COPIES] == [b"good 2"] * 3
    assert [(one.code, one.name) for one in findings] == [("copy-damaged", "log/checkpoint")]


def test_an_object_that_can_be_read_is_never_set_aside(tmp_path: Path) -> None:
    backend = PosixBackend(tmp_path)
    backend.create("config", b"good")

    backend.set_aside("config", 4)
    backend.set_aside("not-there", 4)

    assert backend.read("config") == b"good"
    backend.set_aside("config", 3)
    assert list(backend.names("")) == []
