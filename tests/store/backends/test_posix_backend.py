"""What only a folder can show: permissions, leftovers, a full disk."""

import errno
import fcntl
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from power_cut import VARIANTS, Disk, Recorder

from backupkit.errors import Unplugged
from backupkit.ops.places import held
from backupkit.store.backend import BackendDenied, DiskGone, NoLocks, ObjectMissing
from backupkit.store.backends.posix_backend import PosixBackend


def test_objects_can_be_read_by_their_owner_only(tmp_path: Path) -> None:
    backend = PosixBackend(tmp_path)

    backend.create("packs/ab/abcd", b"sealed")

    assert (tmp_path / "packs/ab/abcd").stat().st_mode & 0o077 == 0


def test_the_leftover_of_a_killed_writer_is_no_object_and_is_swept_when_old(tmp_path: Path) -> None:
    backend = PosixBackend(tmp_path)
    old, young = tmp_path / ".tmp-1-aa", tmp_path / ".tmp-2-bb"
    old.write_bytes(b"half a pack")
    young.write_bytes(b"being written right now")
    os.utime(old, (time.time() - 7200,) * 2)

    assert list(backend.names("")) == []
    assert backend.sweep_unfinished(timedelta(hours=1)) == 1

    assert sorted(path.name for path in tmp_path.iterdir()) == [young.name]


def test_a_writer_killed_before_the_name_appears_leaves_no_object(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from backupkit.store.backends.posix_backend import PosixBackend\n"
        "die = lambda data: os.kill(os.getpid(), signal.SIGKILL)\n"
        "PosixBackend(Path(sys.argv[1])).create('packs/ab', b'x' * 100_000, check=die)\n"
    )

    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)

    assert done.returncode == -9
    assert list(PosixBackend(tmp_path).names("")) == []
    assert PosixBackend(tmp_path).sweep_unfinished(timedelta(seconds=-60)) == 1


@pytest.mark.parametrize("hard_links", [None, False])
def test_a_full_disk_is_said_to_be_full_and_leaves_nothing_behind(tmp_path: Path, hard_links: bool | None) -> None:
    # A limit on file size makes the kernel refuse the write as a full disk does, without needing a disk to fill.
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from backupkit.store.backend import NoSpace; from backupkit.store.backends.posix_backend import PosixBackend\n"
        f"backend = PosixBackend(Path(sys.argv[1]), hard_links={hard_links})\n"
        "backend.create('a', bytes(4000)); resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "try: backend.create('packs/b', bytes(100_000))\n"
        "except NoSpace as error: print(error.facts['path']); sys.exit(error.exit_code)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True, check=False
    )

    # Which disk, since a copy has another: the name of a pack says that to nobody.
    assert (done.returncode, done.stdout) == (14, f"{tmp_path}\n")
    assert list(PosixBackend(tmp_path).names("")) == ["a"]
    assert not list(tmp_path.glob(".tmp-*"))
    PosixBackend(tmp_path).create("packs/b", bytes(100_000))


def test_a_folder_that_may_not_be_written_is_a_denial(ordinary_folder: Path) -> None:
    ordinary_folder.chmod(0o500)

    with pytest.raises(BackendDenied):
        PosixBackend(ordinary_folder).create("a", b"")


def test_a_disk_that_was_taken_away_is_gone_and_its_objects_are_not_missing(tmp_path: Path) -> None:
    root = tmp_path / "disk"
    root.mkdir()
    backend = PosixBackend(root)
    backend.create("packs/ab", b"sealed")
    root.rename(tmp_path / "in a pocket")
    asks: list[Callable[[], object]] = [
        lambda: backend.read("packs/ab"),
        lambda: backend.size("packs/ab"),
        lambda: list(backend.names("packs/")),
        lambda: backend.create("packs/cd", b""),
        lambda: backend.overwrite("packs/ab", b""),
        lambda: backend.swap("packs/ab", b"sealed", b""),
    ]

    # As where nothing is mounted any more, and as where an empty folder is left that would take what is written.
    for is_left in (False, True):
        if is_left:
            root.mkdir()
        for ask in asks:
            with pytest.raises(Unplugged) as gone:
                ask()
            assert isinstance(gone.value.error, DiskGone)
    assert list(root.iterdir()) == []

    root.rmdir()
    (tmp_path / "in a pocket").rename(root)
    assert backend.read("packs/ab") == b"sealed"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_a_disk_without_locks_is_said_to_have_none_before_anything_is_replaced_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    backend = PosixBackend(tmp_path)
    backend.swap("head", None, b"one")

    def refuse(_descriptor: int, _how: int) -> None:
        raise OSError(number, "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)

    with pytest.raises(NoLocks):
        backend.swap("head", b"one", b"two")
    with pytest.raises(NoLocks), held(tmp_path / "memory.lock"):
        pass
    assert backend.read("head") == b"one"


def test_a_root_that_does_not_exist_holds_nothing(tmp_path: Path) -> None:
    backend = PosixBackend(tmp_path / "unplugged")

    assert list(backend.names("")) == []
    with pytest.raises(ObjectMissing):
        backend.create("a", b"")


def test_what_others_leave_in_the_folder_is_no_object(tmp_path: Path) -> None:
    backend = PosixBackend(tmp_path)
    backend.create("packs/ab/abcd", b"sealed")
    for name in (
        "lost+found/x",
        "System Volume Information/IndexerVolumeGuid",
        "packs/Thumbs.db",
        "packs/My notes (1).txt",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    assert list(backend.names("")) == ["packs/ab/abcd"]


def test_whenever_the_power_fails_while_an_object_is_written_over_it_is_the_old_or_the_whole_one(
    tmp_path: Path,
) -> None:
    (tmp_path / "repository").mkdir()
    backend = PosixBackend(tmp_path / "repository")
    backend.create("packs/ab", b"rotten" * 50)
    recorder = Recorder(tmp_path, ("repository",))
    with recorder.recording():
        backend.overwrite("packs/ab", b"whole!" * 60)

    held = set()
    disk = Disk(recorder.start)
    for call in (None, *recorder.calls):
        if call is not None:
            disk.do(call)
        held |= {disk.holds(variant, random.Random(1))["repository/packs/ab"] for variant in VARIANTS}

    assert held == {b"rotten" * 50, b"whole!" * 60}
    assert disk.holds("nothing-unsynced", random.Random(1))["repository/packs/ab"] == b"whole!" * 60


def test_a_folder_in_the_place_of_an_object_is_set_aside_when_that_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "packs/ab").mkdir(parents=True)
    (tmp_path / "packs/ab/somebodys").write_text("kept")

    PosixBackend(tmp_path).overwrite("packs/ab", b"whole")

    assert PosixBackend(tmp_path).read("packs/ab") == b"whole"
    assert [path.read_text() for path in tmp_path.glob(".aside-*/somebodys")] == ["kept"]
