"""A restore that ended in the middle is gone on with by the same command, and by no other."""

import fcntl
import hashlib
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from backup_scene import Scene, bytes_of, some_chats

from backupkit.ops.events import Found
from backupkit.ops.failures import RestoreRunning, RestoreUnfinished, TargetNotEmpty
from backupkit.ops.restoring.restore import REPORT
from backupkit.ops.restoring.unfinished import NOTE, PARTIAL, Came, clear_partial

Seen = dict[str, tuple[int, int, bytes]]


def seen(folder: Path) -> Seen:
    """All that lies in a folder: kind and rights, time, and bytes or what a link names. The report and a source's own folder are new each time."""
    found: Seen = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            found[str(path.relative_to(folder))] = (status.st_mode, 0, os.fsencode(path.readlink()))
        else:
            data = b"" if path.is_dir() or path.name == REPORT else path.read_bytes()
            when = 0 if path.name == REPORT or path.parent == folder else status.st_mtime_ns
            found[str(path.relative_to(folder))] = (status.st_mode, when, data)
    return found


def varied_chats(scene: Scene) -> None:
    """Files of all kinds, equal ones among them, in two sources of one name."""
    some_chats(scene)
    scene.write("deep/er/same.txt", "still here")
    scene.write("large.bin", os.urandom(3_000_000))
    for number in range(30):
        scene.write(f"voice/{number:02d}.amr", os.urandom(5_000))
    (scene.chats / "link").symlink_to("notes.txt")
    scene.write("locked/in.txt", "locked")
    (scene.chats / "locked").chmod(0o500)
    scene.write("../more/chats/notes.txt", "other notes")


def stopped(scene: Scene, to: Path, after: int, **more: Any) -> bool:
    """Restore, and stop when it was looked so many times whether somebody wants to. Tell whether that came to pass."""
    asked = iter(range(1_000_000))
    try:
        scene.restore(to=to, stop=lambda: next(asked) >= after, **more)
    except KeyboardInterrupt:
        return True
    return False


@pytest.mark.usefixtures("until_whole")
def test_wherever_a_restore_ends_the_same_one_goes_on_to_the_same_tree(scene: Scene) -> None:
    varied_chats(scene)
    scene.take(scene.chats, scene.folder / "more" / "chats")
    whole = scene.folder / "whole"
    assert not scene.restore(to=whole).damaged
    to = scene.folder / "back"

    stops = 0
    while stopped(scene, to, 3 + 4 * stops):
        stops += 1
        assert (to / NOTE).exists() or not any(to.iterdir())

    assert stops > 5
    assert seen(to) == seen(whole)
    with pytest.raises(TargetNotEmpty):
        scene.restore(to=to)


def test_what_had_come_back_is_kept_and_counted(scene: Scene) -> None:
    varied_chats(scene)
    scene.take()
    to = scene.folder / "back"
    assert stopped(scene, to, 60)
    before = {path: path.stat().st_ino for path in (to / "chats").rglob("*") if path.is_file()}

    restored = scene.restore(to=to)

    assert len(before) == restored.already_there > 0
    assert restored.files == len([path for path in scene.chats.rglob("*") if path.is_file() and not path.is_symlink()])
    assert all(path.stat().st_ino == inode for path, inode in before.items())
    assert restored.folders == (to / "chats",)


@pytest.mark.usefixtures("until_whole")
def test_what_is_damaged_lies_there_once_however_often_the_restore_ended(scene: Scene) -> None:
    varied_chats(scene)
    scene.write("large.bin.damaged", "a real file")
    scene.take()
    scene.damage_largest_pack()
    whole = scene.folder / "whole"
    damaged = scene.restore(to=whole).damaged
    assert damaged
    to = scene.folder / "back"
    for after in range(10, 70, 6):
        stopped(scene, to, after)
        if not (to / NOTE).exists():
            break
    else:
        assert {one.facts["path"] for one in scene.restore(to=to).damaged} == {one.facts["path"] for one in damaged}

    assert seen(to) == seen(whole)


def test_only_the_restore_that_began_there_goes_on_there(scene: Scene) -> None:
    varied_chats(scene)
    first = scene.take(scene.chats, scene.folder / "more" / "chats").snapshot
    scene.write("new.txt", "new")
    second = scene.take(scene.chats, scene.folder / "more" / "chats").snapshot
    to = scene.folder / "back"
    assert stopped(scene, to, 30, snapshot=first)
    before = seen(to)

    for others in ({"snapshot": second}, {"snapshot": "latest"}, {"snapshot": first, "only": ("chats",)}):
        with pytest.raises(RestoreUnfinished) as refused:
            scene.restore(to=to, **others)
        assert refused.value.facts["snapshot"] == first
        assert seen(to) == before
    scene.restore(first[:8], to=to)


@pytest.mark.parametrize("what", ["garbage", "another object", "a link", "a pipe", "nothing"])
def test_what_is_no_note_of_ours_lets_nobody_write_into_a_folder(scene: Scene, what: str) -> None:
    varied_chats(scene)
    scene.take()
    to = scene.folder / "back"
    assert stopped(scene, to, 30)
    note = to / NOTE
    if what == "garbage":
        note.write_bytes(note.read_bytes()[:-9])
    elif what == "another object":
        note.write_text('{"type":"something","v":1}')
    else:
        note.rename(scene.folder / "note")
    if what == "a link":
        note.symlink_to(scene.folder / "note")
    elif what == "a pipe":
        os.mkfifo(note)
    before = set(to.rglob("*"))

    with pytest.raises(TargetNotEmpty):
        scene.restore(to=to)

    assert set(to.rglob("*")) == before


def test_a_file_that_was_changed_meanwhile_is_not_written_over(scene: Scene) -> None:
    varied_chats(scene)
    scene.take()
    to = scene.folder / "back"
    assert stopped(scene, to, 60)
    changed = min((to / "chats" / "voice").iterdir())
    changed.write_bytes(b"my own words")

    restored = scene.restore(to=to)

    assert not restored.damaged
    assert changed.read_bytes() == b"my own words"
    assert changed.with_name(f"{changed.name}-2").read_bytes() == (scene.chats / "voice" / changed.name).read_bytes()
    assert "name-taken" in [event.code for event in scene.told if isinstance(event, Found)]


def test_two_restores_do_not_write_into_one_folder_at_once(scene: Scene) -> None:
    varied_chats(scene)
    older = scene.take().snapshot
    scene.write("later", "later")
    scene.take()
    to = scene.folder / "back"
    assert stopped(scene, to, 30)

    with (to / NOTE).open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        for snapshot in ("latest", older):
            with pytest.raises(RestoreRunning):
                scene.restore(snapshot, to=to)
    assert not scene.restore(to=to).damaged


def test_a_restore_that_ends_before_anything_came_back_leaves_nothing(scene: Scene) -> None:
    varied_chats(scene)
    scene.take()
    to = scene.folder / "back"

    assert stopped(scene, to, 0)

    assert not any(path.is_file() for path in to.rglob("*") if path.name != NOTE)
    assert not scene.restore(to=to).damaged


def test_a_run_that_was_killed_before_it_wrote_its_note_is_begun_anew(scene: Scene) -> None:
    varied_chats(scene)
    scene.take()
    to = scene.folder / "back"
    to.mkdir()
    (to / NOTE).touch()

    assert not scene.restore(to=to).damaged
    (scene.folder / "other").mkdir()
    (scene.folder / "other" / NOTE).touch()
    (scene.folder / "other" / "mine").touch()
    for only in ((), ("no text \udcff",)):
        with pytest.raises(TargetNotEmpty):
            scene.restore(to=scene.folder / "other", only=only)


def test_a_source_may_be_called_as_the_note_is(scene: Scene) -> None:
    scene.write(f"../{NOTE}/hello", "hello")
    scene.take(scene.folder / NOTE)

    scene.restore()

    assert bytes_of(scene.folder / "back") == {f"_{NOTE}/hello": b"hello"}


def test_one_file_is_not_taken_for_two(tmp_path: Path) -> None:
    """Where a disk takes `A.txt` and `a.txt` for one name, the second file must not count as there because the first is."""
    (tmp_path / "a.txt").write_bytes(b"same")
    (tmp_path / "a.txt-2").write_bytes(b"same")
    sha256 = hashlib.sha256(b"same").digest()
    came = Came()
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        given = [came.whole(folder, "a.txt", 4, sha256) for _ in range(3)]
        assert came.whole(folder, "a.txt", 5, sha256) is None
    finally:
        os.close(folder)

    assert given == ["a.txt", "a.txt-2", None]
    assert came.files == 2


def test_files_that_never_got_a_name_go_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / f"{PARTIAL}-0123456789abcdef-17").write_bytes(b"half")
    (tmp_path / f"{PARTIAL}-mine").write_bytes(b"mine")

    clear_partial(tmp_path)

    assert bytes_of(tmp_path) == {f"{PARTIAL}-mine": b"mine"}
