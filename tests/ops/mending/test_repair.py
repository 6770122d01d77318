"""A damaged repository comes back to what it was, by itself, and says what does not."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from backup_scene import Scene, bytes_of, some_chats
from lifecycle_scene import forget

from backupkit.ops.events import Notice
from backupkit.ops.failures import HistoryRolledBack, NoRepository
from backupkit.ops.keeping.undelete import undelete_snapshots
from backupkit.ops.looking.list_snapshots import list_snapshots
from backupkit.ops.mending import repair as repair_module
from backupkit.ops.mending.parity import write_parity
from backupkit.ops.mending.repair import Repaired, repair_repository
from backupkit.ops.places import Places
from backupkit.ops.repository.snapshots import known_snapshots
from backupkit.ops.repository.statements import read_statement
from backupkit.proof.repair_statement import decode_repair_statement
from backupkit.store import layout
from backupkit.store.backend import ObjectUnreadable
from backupkit.store.objects.pack_list import read_pack_list
from backupkit.store.objects.small_objects import COPIES
from backupkit.store.upkeep.repair import repair_packs

SMALL = (layout.CONFIG, layout.KEYRING, layout.SLOTS, layout.DOMAINS, layout.SNAPSHOTS, layout.STATEMENTS, "log/")


def repair(scene: Scene) -> Repaired:
    return repair_repository(scene.places, clock=scene.clock, tell=scene.tell)


def stored(scene: Scene) -> dict[str, bytes]:
    return bytes_of(scene.places.repository)


def packs(scene: Scene) -> list[str]:
    return list(scene.repository.backend.names(layout.PACKS))


def needed(scene: Scene) -> list[str]:
    """The packs of the newest snapshot."""
    digest = known_snapshots(scene.repository)[-1].statement.packs.digest
    return [listed.ref.name for listed in read_pack_list(scene.repository.backend, digest)]


def flip(scene: Scene, name: str, at: int = -9) -> None:
    path = scene.places.repository / name
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def remove(scene: Scene, name: str) -> None:
    (scene.places.repository / name).unlink()


@pytest.fixture
def saved(scene: Scene) -> Scene:
    """Three snapshots in packs of their own, with parity, and nothing wrong."""
    for seed in range(3):
        some_chats(scene, seed)
        scene.write(f"only-{seed}.txt", f"only in {seed}")
        scene.take()
    assert len(packs(scene)) >= 3
    assert write_parity(scene.places, tell=scene.tell) == 1
    return scene


@pytest.mark.parametrize("harm", [flip, remove])
def test_two_packs_of_a_group_come_back_byte_for_byte(saved: Scene, harm: Callable[[Scene, str], None]) -> None:
    before = stored(saved)
    hurt = packs(saved)[:2]
    for name in hurt:
        harm(saved, name)

    done = repair(saved)

    assert (done.state, len(done.repaired), done.findings) == ("repaired", 2, ())
    after = stored(saved)
    assert {name: after[name] for name in before if not name.endswith("log/checkpoint")} == {
        name: data for name, data in before.items() if not name.endswith("log/checkpoint")
    }
    assert [
        event.facts["name"] for event in saved.told if isinstance(event, Notice) if event.code == "pack-repaired"
    ] == hurt
    assert saved.verify(opened=True).state == "verified"
    assert not saved.restore().damaged
    assert bytes_of(saved.folder / "back" / "chats") == bytes_of(saved.chats)


def test_a_third_lost_pack_is_named_and_all_else_is_restored(saved: Scene) -> None:
    before = stored(saved)
    hurt = packs(saved)[:3]
    for name in hurt:
        remove(saved, name)

    done = repair(saved)

    assert done.state == "damaged"
    assert [found.facts["name"] for found in done.findings] == hurt
    assert {found.code for found in done.findings} == {"pack-beyond-repair"}
    assert done.lost == tuple(sorted(name.rpartition("/")[2] for name in hurt))
    assert {name: data for name, data in stored(saved).items() if name in before} == {
        name: data for name, data in before.items() if name not in hurt
    }


def test_what_does_not_lie_in_the_lost_packs_is_restored(saved: Scene) -> None:
    old = packs(saved)
    some_chats(saved, 3)
    saved.write("only-3.txt", "only in 3")
    saved.take()
    write_parity(saved.places, tell=saved.tell)
    for name in old[:3]:
        flip(saved, name, 5000)

    assert len(repair(saved).lost) == 3

    saved.restore()
    came_back = bytes_of(saved.folder / "back" / "chats")
    assert came_back["only-3.txt"] == b"only in 3"
    assert came_back["photo.jpg"] == (saved.chats / "photo.jpg").read_bytes()
    # What was lost is known now: the next snapshot saves it anew, and is whole.
    saved.take()
    assert saved.verify(opened=True).state == "verified"
    assert not saved.restore(to=saved.folder / "again").damaged
    assert bytes_of(saved.folder / "again" / "chats") == bytes_of(saved.chats)


def test_once_only_forgotten_snapshots_need_what_is_lost_nothing_is_damaged_any_more(scene: Scene) -> None:
    some_chats(scene)
    first = scene.take().snapshot
    scene.write("later.txt", "later")
    second = scene.take().snapshot
    lost = str(scene.largest_pack().relative_to(scene.places.repository))
    flip(scene, lost, 5000)

    hurt = repair(scene)
    assert (hurt.state, hurt.needed_by) == ("damaged", tuple(sorted((first, second))))
    assert hurt.groups == 1
    # The chats are there still: what was lost is known, and saved anew.
    scene.take()
    forget(scene, first)
    assert repair(scene).needed_by == (second,)
    forget(scene, second, accept_shrink=True)
    scene.told.clear()
    done = repair(scene)

    assert (done.state, done.needed_by, done.findings, done.groups) == ("whole", (), (), 0)
    assert done.lost == (lost.rpartition("/")[2],)
    assert "pack-needed-by-nobody" in scene.codes()
    undelete_snapshots(scene.places, (second,), clock=scene.clock, tell=scene.tell)
    assert repair(scene).needed_by == (second,)


@pytest.mark.parametrize("unknown", ["log", "list"])
def test_where_nobody_can_say_who_needs_a_lost_pack_it_is_damage(scene: Scene, unknown: str) -> None:
    some_chats(scene)
    first = scene.take().snapshot
    lost = str(scene.largest_pack().relative_to(scene.places.repository))
    digest = known_snapshots(scene.repository)[-1].statement.packs.digest
    flip(scene, lost, 5000)
    scene.write("later.txt", "later")
    scene.take()
    forget(scene, first)
    if unknown == "list":
        for copy in COPIES:
            (scene.places.repository / f"{copy}{layout.pack_list(digest)}").unlink()
    else:
        for copy in COPIES:
            shutil.rmtree(scene.places.repository / f"{copy}log")

    scene.told.clear()

    with suppress(HistoryRolledBack):
        repair(scene)

    assert "pack-beyond-repair" in scene.codes()
    assert "pack-needed-by-nobody" not in scene.codes()


def test_a_lost_list_beside_a_lost_pack_is_told_once(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    digest = known_snapshots(scene.repository)[-1].statement.packs.digest
    flip(scene, str(scene.largest_pack().relative_to(scene.places.repository)), 5000)
    for copy in COPIES:
        (scene.places.repository / f"{copy}{layout.pack_list(digest)}").unlink()

    done = repair(scene)

    told = [found.facts["name"] for found in done.findings]
    assert layout.pack_list(digest) in told
    assert len(told) == len(set(told))


def test_each_copy_of_each_small_object_is_mended(saved: Scene) -> None:
    saved.verify()
    before = stored(saved)
    names = [name for prefix in SMALL for name in saved.repository.objects.names(prefix)]
    assert len(names) > 15
    for number, name in enumerate(names):
        (flip if number % 2 else remove)(saved, COPIES[number % 3] + name)

    done = repair(saved)

    assert (done.state, done.findings) == ("repaired", ())
    assert done.copies >= len(names)
    after = stored(saved)
    assert {name for name, data in before.items() if after[name] != data} == {copy + layout.LOG_HEAD for copy in COPIES}
    assert saved.verify(opened=True).state == "verified"


def test_a_sound_file_in_the_place_of_another_is_outvoted_by_the_other_copies(saved: Scene) -> None:
    """Failing file systems swap whole files, and a key file's checksum does not say where it belongs."""
    before = stored(saved)
    first, second = saved.repository.objects.names(layout.SLOTS)
    (saved.places.repository / first).write_bytes(before[second])

    assert repair(saved).copies == 1

    after = stored(saved)
    assert (after[first], after[second]) == (before[first], before[second])


def test_an_object_without_a_sound_copy_is_named(saved: Scene) -> None:
    [name, *_] = saved.repository.objects.names(layout.STATEMENTS)
    for copy in COPIES:
        (saved.places.repository / (copy + name)).write_bytes(b"?")

    done = repair(saved)

    assert [(found.code, found.facts["name"]) for found in done.findings] == [("object-lost", name)]


def test_a_second_repair_finds_nothing_to_do(saved: Scene) -> None:
    flip(saved, packs(saved)[0])
    repair(saved)
    before = stored(saved)

    done = repair(saved)

    assert (done.state, done.repaired, done.copies, done.groups) == ("whole", (), 0, 0)
    assert stored(saved) == before


def test_parity_that_is_missing_or_damaged_is_written(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    assert repair(scene).groups == 1
    parity = sorted(scene.repository.backend.names(layout.PARITY))
    before = stored(scene)
    flip(scene, parity[0])
    remove(scene, parity[1])

    assert repair(scene).groups == 1
    assert stored(scene) == before


def test_a_repair_is_signed_and_logged_and_no_verification(saved: Scene) -> None:
    flip(saved, needed(saved)[0], 5000)
    assert saved.verify().state == "damaged"

    done = repair(saved)

    entry = saved.repository.log.read().entries[-1]
    said = decode_repair_statement(read_statement(saved.repository, entry.subject))
    assert (entry.type, said.repaired, said.lost) == ("verify", done.repaired, ())
    # A repair is no reading back: only a verification takes the word "damaged" away.
    assert list_snapshots(saved.places)[-1].state == "damaged"
    assert saved.verify().state == "verified"


def test_a_repaired_pack_is_built_on_again(saved: Scene) -> None:
    flip(saved, needed(saved)[0], 5000)
    saved.verify()
    assert saved.repository.damaged_packs.known()

    repair(saved)

    assert not saved.repository.damaged_packs.known()


def test_a_machine_that_may_not_write_snapshots_repairs_all_the_same(saved: Scene, tmp_path: Path) -> None:
    before = stored(saved)
    flip(saved, packs(saved)[0])
    (saved.places.state).rename(tmp_path / "elsewhere")

    assert repair(saved).state == "repaired"
    assert stored(saved) == before


def test_a_repair_that_is_cut_off_leaves_a_usable_repository(saved: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    before = bytes_of(saved.places.repository / "packs")
    hurt = packs(saved)[:2]
    for name in hurt:
        flip(saved, name)

    def cut_off(*arguments: object) -> object:
        yield next(iter(repair_packs(*arguments)))  # type: ignore[arg-type] # passed on as they are
        raise ObjectUnreadable(name="disk", reason="EIO")

    with monkeypatch.context() as patch:
        patch.setattr(repair_module, "repair_packs", cut_off)
        with pytest.raises(ObjectUnreadable):
            repair(saved)

    now = bytes_of(saved.places.repository / "packs")
    assert [name for name in before if now[name] != before[name]] == [hurt[1].removeprefix("packs/")]
    assert len(saved.repository.damaged_packs.known()) == 1
    assert repair(saved).state == "repaired"
    assert bytes_of(saved.places.repository / "packs") == before
    assert saved.verify(opened=True).state == "verified"


def test_an_older_copy_of_the_repository_is_repaired_and_then_refused(saved: Scene) -> None:
    older = {copy: (saved.places.repository / (copy + layout.LOG_HEAD)).read_bytes() for copy in COPIES}
    saved.verify()
    for copy, data in older.items():
        (saved.places.repository / (copy + layout.LOG_HEAD)).write_bytes(data)
    before = bytes_of(saved.places.repository / "packs")
    flip(saved, packs(saved)[0])

    with pytest.raises(HistoryRolledBack):
        repair(saved)

    assert bytes_of(saved.places.repository / "packs") == before


def test_a_log_that_does_not_add_up_does_not_keep_packs_from_being_repaired(saved: Scene) -> None:
    before = bytes_of(saved.places.repository / "packs")
    for copy in COPIES:
        remove(saved, copy + layout.log_entry(1))
    flip(saved, packs(saved)[0])

    done = repair(saved)

    assert [found.code for found in done.findings] == ["log-unreadable"]
    assert len(done.repaired) == 1
    assert bytes_of(saved.places.repository / "packs") == before


def test_a_lost_pack_list_is_named_and_its_packs_are_still_looked_at(saved: Scene) -> None:
    [name, *_] = saved.repository.backend.names(layout.PACK_LISTS)
    for copy in COPIES:
        remove(saved, copy + name)
    flip(saved, packs(saved)[0])

    done = repair(saved)

    assert [(found.code, found.facts["name"]) for found in done.findings] == [("object-lost", name)]
    assert len(done.repaired) == 1


def test_a_second_copy_is_repaired_and_its_log_is_left_alone(saved: Scene, tmp_path: Path) -> None:
    """An entry in the copy's log would make the original look rolled back."""
    second = Places(tmp_path / "usb", saved.places.state, saved.places.cache)
    shutil.copytree(saved.places.repository, second.repository)
    before = bytes_of(second.repository)
    (second.repository / packs(saved)[0]).unlink()

    assert repair_repository(second, clock=saved.clock, tell=saved.tell).state == "repaired"

    assert bytes_of(second.repository) == before
    assert saved.verify().state == "verified"


def test_pack_lists_of_the_first_repositories_get_their_copies_where_parity_is_written(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    folders = [scene.places.repository / place / "packlists" for place in ("", "copies/1", "copies/2")]
    for folder in folders[1:]:
        shutil.rmtree(folder)

    write_parity(scene.places, tell=scene.tell)

    assert bytes_of(folders[1]) == bytes_of(folders[2]) == bytes_of(folders[0]) != {}
    assert scene.codes().count("copy-missing") == 2
    write_parity(scene.places, tell=scene.tell)
    assert scene.codes().count("copy-missing") == 2


def copied(scene: Scene) -> Path:
    return Path(shutil.copytree(scene.places.repository, scene.folder / "usb"))


def test_packs_that_never_had_parity_come_back_from_a_second_copy(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    before, usb = stored(scene), copied(scene)
    first, second, *_ = needed(scene)
    flip(scene, first)
    (scene.places.repository / second).unlink()

    done = repair_repository(scene.places, clock=scene.clock, tell=scene.tell, copy=usb)

    assert (done.state, done.lost, len(done.repaired)) == ("repaired", (), 2)
    assert {name: stored(scene)[name] for name in before if name.startswith(layout.PACKS)} == {
        name: data for name, data in before.items() if name.startswith(layout.PACKS)
    }
    assert scene.codes().count("pack-from-copy") == 2


def test_what_is_damaged_in_the_copy_too_is_left_as_it_is_and_named(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    name = needed(scene)[0]
    flip(scene, name, at=-9)
    usb = copied(scene)
    flip(scene, name, at=-10)
    before = stored(scene)[name]

    done = repair_repository(scene.places, clock=scene.clock, tell=scene.tell, copy=usb)

    assert (done.state, len(done.lost)) == ("damaged", 1)
    assert stored(scene)[name] == before


def test_a_folder_without_a_copy_is_told_before_anything_is_read(scene: Scene) -> None:
    some_chats(scene)
    scene.take()

    with pytest.raises(NoRepository):
        repair_repository(scene.places, clock=scene.clock, tell=scene.tell, copy=scene.folder / "nothing")
