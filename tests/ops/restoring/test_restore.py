import errno
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from backup_scene import PASSPHRASE, Scene, bytes_of, some_chats

from backupkit.crypto.failures import CannotUnlock
from backupkit.ops.events import Found
from backupkit.ops.failures import SnapshotNotFound, SourceNotInSnapshot, TargetInRepository, TargetNotEmpty
from backupkit.ops.restoring import restored_files
from backupkit.ops.restoring.names import tamed
from backupkit.ops.restoring.restore import REPORT, restore
from backupkit.ops.restoring.unfinished import PARTIAL
from backupkit.ops.unlock import Secret
from backupkit.store import layout


def test_nothing_is_written_over(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    (scene.folder / "back").mkdir()
    (scene.folder / "back" / "mine").write_text("mine")

    with pytest.raises(TargetNotEmpty):
        scene.restore()
    with pytest.raises(TargetNotEmpty):
        scene.restore(to=scene.folder / "back" / "mine")
    assert bytes_of(scene.folder / "back") == {"mine": b"mine"}


def test_chats_are_never_written_in_the_clear_into_the_repository(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    (scene.folder / "way").symlink_to(scene.places.repository)
    before = bytes_of(scene.places.repository)

    for target in (scene.places.repository / "back", scene.folder / "way" / "back"):
        with pytest.raises(TargetInRepository):
            scene.restore(to=target)
    assert bytes_of(scene.places.repository) == before


def test_a_wrong_secret_makes_no_folder(scene: Scene) -> None:
    some_chats(scene)
    scene.take()

    with pytest.raises(CannotUnlock):
        restore(
            scene.places,
            "latest",
            scene.folder / "back",
            secret=lambda: Secret(passphrase="wrong" + PASSPHRASE),
            clock=scene.clock,
            tell=scene.tell,
        )
    assert not (scene.folder / "back").exists()


def test_with_no_snapshot_there_is_nothing_to_restore(scene: Scene) -> None:
    with pytest.raises(SnapshotNotFound):
        scene.restore()


def test_only_the_sources_that_are_named_come_back(scene: Scene) -> None:
    scene.write("../one/file", "1")
    scene.write("../two/file", "2")
    scene.take(scene.folder / "one", scene.folder / "two")

    scene.restore(only=("two",))

    assert bytes_of(scene.folder / "back") == {"two/file": b"2"}


def test_a_source_that_the_snapshot_does_not_hold_is_no_restore_of_nothing(scene: Scene) -> None:
    """`--only` with a slip in the name said "Restored 0 files" and exit 0."""
    scene.write("../one/file", "1")
    scene.take(scene.folder / "one")

    with pytest.raises(SourceNotInSnapshot) as caught:
        scene.restore(only=("one", "tow"))

    assert (caught.value.facts["source"], caught.value.facts["known"]) == ("tow", "one")
    assert not (scene.folder / "back").exists()


def test_damaged_files_lie_beside_a_report_and_never_under_their_own_name(scene: Scene) -> None:
    for number in range(20):
        scene.write(f"{number:02d}.bin", os.urandom(100_000))
    scene.take()
    scene.damage_largest_pack()

    restored = scene.restore()

    whole, back = bytes_of(scene.chats), bytes_of(scene.folder / "back" / "chats")
    lost = {str(found.facts["path"]) for found in restored.damaged}
    assert 0 < len(lost) < 20
    assert {f"chats/{path}" for path in whole.keys() - back.keys()} == lost
    assert all(back[path] == whole[path] for path in whole.keys() & back.keys())
    for path in lost:
        assert len(back[f"{Path(path).name}.damaged"]) == 100_000
    report = json.loads((scene.folder / "back" / REPORT).read_text("utf-8"))
    assert {one["path"] for one in report["damaged"]} == lost


@pytest.mark.usefixtures("until_whole")
def test_all_kinds_of_files_come_back_with_rights_and_times(scene: Scene) -> None:
    scene.write("empty", b"")
    scene.write("small", b"a few words")
    scene.write("film.mp4", os.urandom(5_000_000))
    scene.write("story.txt", "\n".join(f"{number}: said" for number in range(200_000)))
    scene.write("deep/in/voice.amr", os.urandom(70_000)).chmod(0o400)
    with sqlite3.connect(scene.chats / "message.db") as database:
        database.execute("CREATE TABLE message (content BLOB)")
        database.executemany("INSERT INTO message VALUES (randomblob(3000))", [()] * 1000)
    database.close()
    os.utime(scene.chats / "small", ns=(1, 1_500_000_000_123_456_789))
    scene.take()
    with sqlite3.connect(scene.chats / "message.db") as database:
        database.execute("UPDATE message SET content = randomblob(3000) WHERE rowid % 90 = 0")
    database.close()
    scene.take()

    restored = scene.restore()

    assert not restored.damaged
    back = scene.folder / "back" / "chats"
    assert bytes_of(back) == bytes_of(scene.chats)
    assert restored.files == len(bytes_of(back))
    for path in scene.chats.rglob("*"):
        saved, found = path.stat(), (back / path.relative_to(scene.chats)).stat()
        assert (saved.st_mode, saved.st_mtime_ns) == (found.st_mode, found.st_mtime_ns)


@pytest.mark.parametrize("without", ["O_TMPFILE", "links", "/proc"])
def test_a_target_that_names_no_nameless_file_gets_all_the_same(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, without: str
) -> None:
    some_chats(scene)
    scene.take()
    really_open = os.open

    def refusing(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "no such files here")
        return really_open(path, flags, mode, dir_fd=dir_fd)

    def linking(*_: object, **__: object) -> None:
        raise OSError(errno.ENOENT if without == "/proc" else errno.EPERM, "no links here")

    if without == "O_TMPFILE":
        monkeypatch.setattr(os, "open", refusing)
    restore_to = scene.folder / "back"
    with monkeypatch.context() as patch:
        if without != "O_TMPFILE":
            patch.setattr(os, "link", linking)
        assert not scene.restore(to=restore_to).damaged

    assert bytes_of(restore_to / "chats") == bytes_of(scene.chats)
    assert sorted(path.name for path in restore_to.iterdir()) == ["chats"]


@pytest.mark.usefixtures("until_whole")
def test_a_damaged_file_does_not_take_the_name_of_a_whole_one(scene: Scene) -> None:
    """`photo` is damaged and becomes `photo.damaged`; a real file of that name was then renamed over it."""
    real = scene.write("photo.damaged", "a real file")
    scene.take(real)
    scene.write("photo", os.urandom(400_000))
    scene.take()
    scene.damage_largest_pack()

    restored = scene.restore()

    back = bytes_of(scene.folder / "back" / "chats")
    assert len(restored.damaged) == 1
    assert sorted(back) == ["photo.damaged", "photo.damaged-2"]
    assert b"a real file" in back.values()


def test_a_source_may_bear_the_names_that_a_restore_uses_itself(scene: Scene) -> None:
    for name in (REPORT, PARTIAL):
        scene.write(f"../{name}/file", name)
    scene.take(scene.folder / REPORT, scene.folder / PARTIAL)

    assert not scene.restore().damaged

    assert sorted(bytes_of(scene.folder / "back").values()) == sorted([REPORT.encode(), PARTIAL.encode()])


def test_a_name_that_the_target_does_not_take_is_named_and_the_rest_comes(scene: Scene) -> None:
    some_chats(scene)
    deep = scene.chats
    for _ in range(12):
        deep = deep / ("d" * 250)
        deep.mkdir()
    (deep / "bottom").write_text("x")
    scene.take()
    far = scene.folder
    for _ in range(5):
        far = far / ("t" * 250)

    restored = scene.restore(to=far)

    assert restored.files == 4
    assert {found.code for found in restored.damaged} == {"not-written"}


@pytest.mark.parametrize("kind", ["nameless", "named"])
def test_what_the_target_will_not_call_by_its_name_comes_back_under_another(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """As exFAT does, which takes neither colons nor bytes that are no text."""
    scene.write("2024:05/会:话.txt", "May")
    scene.write("2024_05/other", "bears the name already")
    scene.write("2024:05/deep?/photo.jpg", "deep")
    scene.write(os.fsdecode(b"bad\xff.txt"), "odd")
    (scene.chats / "2024:05" / "link").symlink_to("会:话.txt")
    scene.take()
    if kind == "named":
        monkeypatch.setattr(restored_files, "_UNNAMED", 0)
    for call in ("link", "rename", "mkdir"):
        monkeypatch.setattr(os, call, _as_exfat(getattr(os, call)))

    restored = scene.restore()

    back = scene.folder / "back" / "chats"
    assert not restored.damaged
    assert bytes_of(back) == {
        "2024_05/会_话.txt": b"May", "2024_05/deep_/photo.jpg": b"deep", "2024_05-2/other": b"bears the name already",
        "bad_.txt": b"odd",
    }  # fmt: skip
    assert str((back / "2024_05" / "link").readlink()) == "会:话.txt"
    told = {found.facts["path"]: (found.code, found.facts["given"]) for found in scene.told if isinstance(found, Found)}
    assert told["chats/2024:05"] == ("name-refused", "chats/2024_05")
    assert told["chats/2024_05"] == ("name-taken", "chats/2024_05-2")
    assert told["chats/2024_05/会:话.txt"] == ("name-refused", "chats/2024_05/会_话.txt")
    assert len(told) == 5


def _as_exfat(really: Callable[..., None]) -> Callable[..., None]:
    def refusing(*args: str, **rest: object) -> None:
        name = os.fsencode(args[-1] if really.__name__ != "mkdir" else args[0]).rpartition(b"/")[2]
        if b":" in name or b"?" in name or b"\xff" in name:
            raise OSError(errno.EILSEQ, os.strerror(errno.EILSEQ))
        really(*args, **rest)

    return refusing


@pytest.mark.parametrize(
    ("name", "tame"),
    [
        ("a.txt", None),
        ("会话 1.txt", None),
        ("a:b?.txt", "a_b_.txt"),
        ("trailing. ", "trailing_"),
        (os.fsdecode(b"bad\xff"), "bad_"),
        ("聊" * 80 + ".jpeg", "聊" * 45 + ".jpeg"),
        ("x" * 255, "x" * 140),
    ],
)
def test_a_tame_name_keeps_its_ending_and_is_taken_everywhere(name: str, tame: str | None) -> None:
    assert tamed(name) == tame
    assert tame is None or tamed(tame) is None


@pytest.mark.usefixtures("until_whole")
def test_a_stop_leaves_only_whole_files(scene: Scene) -> None:
    for number in range(20):
        scene.write(f"{number:02d}", os.urandom(20_000))
    scene.take()
    asked = iter(range(1000))

    # Asked once for each name on the way, then once for each file: this stops in the middle of the files.
    with pytest.raises(KeyboardInterrupt):
        scene.restore(stop=lambda: next(asked) > 30)

    whole, back = bytes_of(scene.chats), bytes_of(scene.folder / "back" / "chats")
    assert 0 < len(back) < 20
    assert all(whole[path] == data for path, data in back.items())
    assert not list((scene.folder / "back").rglob(f"{PARTIAL}*"))


def test_a_lost_domain_is_named_and_the_other_comes_back(scene: Scene) -> None:
    scene.write("../one/file", "1")
    scene.take(scene.folder / "one")
    (first,) = scene.repository.domains()
    scene.write("../two/file", "2")
    scene.take(scene.folder / "one", scene.folder / "two")
    scene.repository.objects.delete(layout.domain_file(first))

    restored = scene.restore()

    assert bytes_of(scene.folder / "back")["two/file"] == b"2"
    assert [(found.code, found.facts["name"]) for found in restored.damaged] == [("domain-lost", first.hex())]


def test_a_repository_of_which_only_the_objects_are_left_is_restored_on_a_new_computer(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    for folder in (scene.places.state, scene.places.cache, scene.places.repository / "index"):
        shutil.rmtree(folder)

    assert not scene.restore().damaged
    assert bytes_of(scene.folder / "back" / "chats") == bytes_of(scene.chats)


def test_chats_come_back_although_this_computer_can_remember_nothing(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    (scene.folder / "full").symlink_to(scene.folder / "nowhere" / "at" / "all")

    restore(
        replace(scene.places, state=scene.folder / "full" / "state"),
        "latest",
        scene.folder / "back",
        secret=lambda: Secret(passphrase=PASSPHRASE),
        clock=scene.clock,
        tell=scene.tell,
    )

    assert bytes_of(next((scene.folder / "back").iterdir())) == bytes_of(scene.folder / "chats")


def test_a_sparse_file_takes_no_more_place_than_it_took(scene: Scene) -> None:
    """A sparse file of 20 GB came back with 20 GB of zeros written out, and filled the disk."""
    sparse, size = scene.chats / "sparse", 64 << 20
    with sparse.open("wb") as file:
        file.write(b"head")
        file.seek(size // 2)
        file.write(b"middle")
        file.truncate(size)

    scene.take()
    restored = scene.restore()

    back = scene.folder / "back" / "chats" / "sparse"
    assert not restored.damaged
    assert back.read_bytes() == sparse.read_bytes()
    assert back.stat().st_blocks * 512 < size // 2
