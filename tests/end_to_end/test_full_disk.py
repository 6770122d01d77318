"""A disk that is full: exit 14, nothing that was stored is harmed, and with room again the next run completes."""

import os
import random
import resource
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from backup_scene import SteppingClock
from chat_factory import write_telegram_chat
from computer import Computer, files_of, grow

SIZE = 12 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 12 MiB. Needs root; where it cannot be mounted the test says so."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", disk], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system could be mounted here, so no full disk was met: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_disk_that_fills_up_while_a_snapshot_is_taken_harms_nothing(
    ready_computer: Computer, tmp_path: Path, small_disk: Path
) -> None:
    computer, dice = ready_computer, random.Random(9)
    computer.environment["BACKUPKIT_REPO"] = str(small_disk / "repository")
    computer.run("init", "--no-input", "--recovery-sheet", tmp_path / "sheet.html")
    chats = tmp_path / "chats"
    grow(chats, dice, 10)
    first = computer.run("snapshot", chats, "--json").last["snapshot"]
    whole = files_of(chats)
    grow(chats, dice, 80)

    for _ in range(2):
        answer = computer.run("snapshot", chats, "--json", expect=14)
        assert answer.last["type"] == "error"
        assert answer.last["code"] in {"no-space", "space-gone"}

    assert computer.run("verify", first, "--json", expect=None).code in {0, 14}
    computer.run("restore", first, "--to", tmp_path / "back")
    assert files_of(tmp_path / "back" / "chats") == whole
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    assert computer.run("snapshot", chats, "--json").last["state"] == "verified"
    computer.run("restore", "latest", "--to", tmp_path / "again")
    assert files_of(tmp_path / "again" / "chats") == files_of(chats)


def test_a_restore_that_filled_the_disk_goes_on_once_there_is_room(
    ready_computer: Computer, tmp_path: Path, small_disk: Path
) -> None:
    computer, chats, back = ready_computer, tmp_path / "chats", small_disk / "back"
    grow(chats, random.Random(10), 120)
    computer.run("snapshot", chats)

    assert computer.run("restore", "latest", "--to", back, "--json", expect=14).last["code"] == "space-gone"
    assert computer.run("restore", "latest", "--to", back, "--json", expect=14).last["code"] == "space-gone"
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    restored = computer.run("restore", "latest", "--to", back, "--json").last

    assert 0 < restored["already_there"] < restored["files"] == 120
    assert files_of(back / "chats") == files_of(chats)
    assert sorted(path.name for path in back.iterdir()) == ["chats"]


@pytest.mark.parametrize("free", [0, 4096, 65_536, 300_000, 1 << 20])
def test_a_disk_with_hardly_any_room_left_gives_exit_14_at_whatever_step_it_ends(
    ready_computer: Computer, tmp_path: Path, small_disk: Path, free: int
) -> None:
    computer, dice = ready_computer, random.Random(free)
    computer.environment["BACKUPKIT_REPO"] = str(small_disk / "repository")
    computer.run("init", "--no-input", "--recovery-sheet", tmp_path / "sheet.html")
    chats = tmp_path / "chats"
    grow(chats, dice, 4)
    computer.run("snapshot", chats)
    grow(chats, dice, 10)
    status = os.statvfs(small_disk)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(max(status.f_bavail * status.f_frsize - free, 0)))

    code = computer.run("snapshot", chats, expect=None).code
    read = computer.run("verify", "--json", expect=None)
    computer.run("restore", "latest", "--to", tmp_path / "back")
    filler.unlink()

    assert code == 14 or free == 1 << 20
    assert read.code in {0, 14}
    assert computer.run("snapshot", chats, "--json").last["state"] == "verified"
    computer.run("restore", "latest", "--to", tmp_path / "again")
    assert files_of(tmp_path / "again" / "chats") == files_of(chats)


def test_a_target_that_fills_up_gives_exit_14_and_no_half_file(
    ready_computer: Computer, tmp_path: Path, small_disk: Path
) -> None:
    computer, dice = ready_computer, random.Random(5)
    chats = tmp_path / "chats"
    grow(chats, dice, 120)
    computer.run("snapshot", chats, "--no-verify")

    answer = computer.run("restore", "--to", small_disk / "back", "--json", expect=14)

    assert answer.last["code"] == "space-gone"
    whole = files_of(chats)
    restored = files_of(small_disk / "back" / "chats")
    assert 0 < len(restored) < len(whole)
    assert all(whole[path] == data for path, data in restored.items())


def test_verify_and_repair_on_a_full_disk_are_exit_14_and_complete_when_there_is_room_again(
    ready_computer: Computer, tmp_path: Path, small_disk: Path
) -> None:
    computer, dice = ready_computer, random.Random(6)
    computer.environment["BACKUPKIT_REPO"] = str(small_disk / "repository")
    computer.run("init", "--no-input", "--recovery-sheet", tmp_path / "sheet.html")
    chats = tmp_path / "chats"
    grow(chats, dice, 6)
    computer.run("snapshot", chats)
    computer.run("repair")
    packs = sorted((small_disk / "repository" / "packs").rglob("?" * 64))
    largest = max(packs, key=lambda path: path.stat().st_size)
    before = largest.read_bytes()
    largest.unlink()
    status = os.statvfs(small_disk)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(status.f_bavail * status.f_frsize))

    read = computer.run("verify", "--json", expect=14)
    quick = computer.run("verify", "--quick", "--json", expect=20)
    mended = computer.run("repair", "--json", expect=14)
    back = computer.run("restore", "--to", tmp_path / "back", "--json", expect=20)
    filler.unlink()

    assert {read.last["code"], mended.last["code"]} <= {"no-space", "space-gone"}
    assert [one["code"] for one in quick.last["findings"]] == ["pack-damaged"]
    assert back.last["type"] == "summary"
    assert computer.run("repair", "--json").last["state"] == "repaired"
    assert largest.read_bytes() == before
    assert computer.run("verify", "--open", "--json").last["state"] == "verified"
    computer.run("restore", "--to", tmp_path / "whole")
    assert files_of(tmp_path / "whole" / "chats") == files_of(chats)


def fill(disk: Path, *, free: int) -> Path:
    """Leave so many bytes of a disk, and return the file that takes the others."""
    status = os.statvfs(disk)
    filler = disk / "filler"
    filler.write_bytes(bytes(max(status.f_bavail * status.f_frsize - free, 0)))
    return filler


@pytest.mark.parametrize("free", [0, 4096, 65_536, 400_000, 800_000])
def test_a_sweep_that_repacks_on_a_full_disk_loses_nothing_and_ends_when_there_is_room(
    ready_computer: Computer, tmp_path: Path, small_disk: Path, free: int
) -> None:
    computer, dice = ready_computer, random.Random(free)
    computer.environment["BACKUPKIT_REPO"] = str(small_disk / "repository")
    clock = SteppingClock(datetime.now(UTC))
    computer.clock = clock
    computer.run_here("init", "--no-input", "--recovery-sheet", tmp_path / "sheet.html")
    chats = tmp_path / "chats"
    grow(chats, dice, 9)
    first = computer.run_here("snapshot", chats, "--json").last["snapshot"]
    for path in sorted(chats.iterdir())[::2]:
        path.unlink()
    computer.run_here("snapshot", chats)
    computer.run_here("repair")
    computer.run_here("forget", first, "--accept-shrink")
    clock.at += timedelta(days=31)
    filler = fill(small_disk, free=free)

    full = computer.run_here("sweep", "--repack", "--json", expect=None)
    computer.run_here("restore", "latest", "--to", tmp_path / "back")
    read = computer.run_here("verify", "--json", expect=None)
    filler.unlink()

    assert full.code == 14 or free == 800_000
    assert full.code == 0 or full.last["code"] in {"no-space", "space-gone"}
    assert read.code in {0, 14}
    assert files_of(tmp_path / "back" / "chats") == files_of(chats)
    computer.run_here("sweep", "--repack")
    clock.at += timedelta(hours=25)
    # Packs that a run left which was cut off were marked by now, and go with the others.
    computer.run_here("sweep", "--repack")
    clock.at += timedelta(hours=25)
    computer.run_here("sweep")
    assert computer.run_here("verify", "--open", "--json").last["state"] == "verified"
    computer.run_here("restore", "latest", "--to", tmp_path / "again")
    assert files_of(tmp_path / "again" / "chats") == files_of(chats)
    packs = sum(path.stat().st_size for path in (small_disk / "repository/packs").rglob("?" * 64))
    assert packs < 1.3 * sum(path.stat().st_size for path in chats.iterdir()) + 300_000


def test_a_copy_onto_a_disk_that_fills_up_is_exit_14_and_goes_on_when_there_is_room(
    ready_computer: Computer, tmp_path: Path, small_disk: Path
) -> None:
    computer, dice = ready_computer, random.Random(12)
    chats = tmp_path / "chats"
    grow(chats, dice, 20)
    computer.run("snapshot", chats)
    filler = fill(small_disk, free=2 << 20)

    for _ in range(2):
        stopped = computer.run("copy", "--to", small_disk / "copy", "--json", expect=14)
        assert stopped.last["code"] in {"no-space", "space-gone"}
    filler.unlink()
    done = computer.run("copy", "--to", small_disk / "copy", "--json").last

    assert done["state"] == "whole"
    computer.run("verify", "--repo", small_disk / "copy")
    computer.run("restore", "--repo", small_disk / "copy", "--to", tmp_path / "back")
    assert files_of(tmp_path / "back" / "chats") == files_of(chats)


@pytest.mark.parametrize("free", [0, 4096, 12_288, 32_768])
def test_a_log_that_is_begun_again_on_a_full_disk_ends_when_there_is_room(
    ready_computer: Computer, tmp_path: Path, small_disk: Path, free: int
) -> None:
    computer, dice = ready_computer, random.Random(13)
    computer.environment["BACKUPKIT_REPO"] = str(small_disk / "repository")
    computer.run("init", "--no-input", "--recovery-sheet", tmp_path / "sheet.html")
    chats = tmp_path / "chats"
    grow(chats, dice, 4)
    computer.run("snapshot", chats)
    for place in ("", "copies/1/", "copies/2/"):
        for name in ("log", "snapshots", "packlists", "config"):
            lost = small_disk / "repository" / place / name
            shutil.rmtree(lost) if lost.is_dir() else lost.unlink()
    filler = fill(small_disk, free=free)

    full = computer.run("repair", "--rebuild", "--json", expect=14)
    computer.run("restore", "latest", "--to", tmp_path / "back", expect=None)
    filler.unlink()

    assert full.last["code"] in {"no-space", "space-gone"}
    assert files_of(tmp_path / "back" / "chats") == files_of(chats)
    computer.run("repair", "--rebuild")
    assert computer.run("verify", "--open", "--json").last["state"] == "verified"


def test_without_root_a_limit_on_file_sizes_stands_for_a_full_disk(ready_computer: Computer, tmp_path: Path) -> None:
    computer, dice = ready_computer, random.Random(8)
    chats = tmp_path / "chats"
    grow(chats, dice, 4)
    first = computer.run("snapshot", chats, "--json").last["snapshot"]
    whole = files_of(chats)
    grow(chats, dice, 30)
    limited = subprocess.run(
        computer.command("snapshot", chats, "--json"),
        env=computer.environment,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)),
    )

    assert limited.returncode == 14, limited.stderr
    assert "Traceback" not in limited.stderr
    computer.run("restore", first, "--to", tmp_path / "back")
    assert files_of(tmp_path / "back" / "chats") == whole
    assert computer.run("snapshot", chats, "--json").last["state"] == "verified"


def test_a_full_disk_under_the_cache_keeps_nobody_from_a_backup_on_another_one(
    ready_computer: Computer, tmp_path: Path, small_disk: Path
) -> None:
    computer, chats = ready_computer, tmp_path / "chats"
    grow(chats, random.Random(14), 6)
    write_telegram_chat(chats / "telegram", messages=20)
    cache = computer.home / ".cache"
    shutil.copytree(cache, small_disk / "cache", dirs_exist_ok=True) if cache.exists() else None
    shutil.rmtree(cache, ignore_errors=True)
    cache.symlink_to(small_disk / "cache")
    (small_disk / "cache").mkdir(exist_ok=True)
    computer.run("snapshot", chats / "telegram")
    write_telegram_chat(chats / "telegram", messages=30)
    fill(small_disk, free=0)

    taken = computer.run("snapshot", chats, "--json").last

    assert taken["state"] == "verified"
    computer.run("restore", "latest", "--to", tmp_path / "back")
    assert files_of(tmp_path / "back/chats") == files_of(chats)
