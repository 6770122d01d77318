import dataclasses
import os
import stat
import time
from pathlib import Path

import pytest
from backup_scene import PASSPHRASE, Scene, some_chats

from backupkit.crypto.slots import RECOVERY_CODE
from backupkit.guard.places import GuardPlaces
from backupkit.ops.failures import NoRepository, RepositoryExists, WrongRecoveryWords
from backupkit.ops.keys.confirm_recovery import confirm_recovery, confirmation
from backupkit.ops.keys.initialise import initialise
from backupkit.ops.places import Places, on_same_disk, write_private
from backupkit.ops.repository.guard_files import pins_of, write_pins
from backupkit.ops.repository.repository import is_initialised, open_repository
from backupkit.store import layout


def test_a_new_repository_has_two_ways_in_and_one_writer(scene: Scene) -> None:
    repository = scene.repository

    assert len(repository.slots()) == 2
    assert [slot.kind for slot in repository.slots()].count(RECOVERY_CODE) == 1
    assert [writer.id for writer in repository.config.writers] == [repository.require_writer().writer.id]
    assert [entry.type for entry in repository.log.read().entries] == ["rotate"]


def test_making_a_repository_where_one_is_leaves_it_as_it_was(scene: Scene) -> None:
    before = scene.repository.config

    with pytest.raises(RepositoryExists):
        initialise(scene.places, passphrase=PASSPHRASE, clock=scene.clock, tell=scene.tell)

    assert scene.repository.config == before


def test_what_a_run_that_died_before_the_config_left_is_replaced(bare_scene: Scene) -> None:
    bare_scene.initialise()
    repository = bare_scene.repository
    for name in list(repository.backend.names("")):
        if not name.endswith(layout.KEYRING) and layout.SLOTS not in name:
            repository.backend.delete(name)
    assert not is_initialised(bare_scene.places)

    bare_scene.initialise()

    assert len(bare_scene.repository.slots()) == 2
    some_chats(bare_scene)
    bare_scene.take()
    assert not bare_scene.restore().damaged


def test_nobody_else_may_look_into_what_this_machine_keeps(scene: Scene) -> None:
    some_chats(scene)
    scene.take(verify=True)

    kept = [path for path in scene.places.state.rglob("*") if path.is_file()]

    assert kept
    assert not [path for path in kept if stat.S_IMODE(path.stat().st_mode) & 0o077]
    assert not stat.S_IMODE(scene.memory.stat().st_mode) & 0o077


def test_words_of_another_repository_confirm_nothing(scene: Scene, tmp_path: Path) -> None:
    other = Scene(tmp_path / "other")
    other.folder.mkdir()
    other.initialise(confirm=False)

    with pytest.raises(WrongRecoveryWords):
        confirm_recovery(other.places, scene.words, other.clock)
    assert confirmation(other.repository) is None


@pytest.mark.parametrize("damage", [b"", b"[]", b"7", b'{"fingerprint":1,"at":2}', b'{"fingerprint":"x","at":"2018"}'])
def test_a_damaged_memory_of_the_confirmation_is_no_confirmation(scene: Scene, damage: bytes) -> None:
    (scene.memory / "recovery-confirmed.json").write_bytes(damage)

    assert confirmation(scene.repository) is None


def test_a_second_repository_does_not_take_the_place_of_the_pinned_one(scene: Scene, tmp_path: Path) -> None:
    first = pins_of(scene.repository)
    elsewhere = Places(tmp_path / "second", scene.places.state, scene.places.cache)
    initialise(elsewhere, passphrase=PASSPHRASE, clock=scene.clock, tell=scene.tell)

    assert not write_pins(open_repository(elsewhere))
    assert GuardPlaces(scene.places.guard).pins.read_bytes() == first.encode()
    assert write_pins(scene.repository)


def test_a_folder_that_is_no_repository_is_none(tmp_path: Path) -> None:
    places = Places(tmp_path / "no", tmp_path / "state", tmp_path / "cache")

    with pytest.raises(NoRepository):
        open_repository(places)
    (tmp_path / "no").mkdir()
    (tmp_path / "no" / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(NoRepository):
        open_repository(places)
    with pytest.raises(NoRepository):
        open_repository(dataclasses.replace(places, repository=tmp_path / "no" / "holiday.jpg"))


def test_a_place_that_does_not_exist_counts_as_where_it_would_be(tmp_path: Path) -> None:
    assert on_same_disk(tmp_path / "not" / "there", tmp_path)
    assert not on_same_disk(Path("/proc/self"), tmp_path)


def test_a_private_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "kept" / "file"
    write_private(path, b"old")
    path.with_name("folder").mkdir()

    with pytest.raises(OSError, match="folder"):
        write_private(path.with_name("folder"), b"new")

    assert path.read_bytes() == b"old"
    assert sorted(one.name for one in path.parent.iterdir()) == ["file", "folder"]


def test_what_a_killed_writer_left_beside_a_private_file_goes_once_it_is_old(tmp_path: Path) -> None:
    path = tmp_path / "kept" / "writer"
    write_private(path, b"keys")
    left, young, of_another = (path.with_name(f".{name}.tmp") for name in ("writer.1-aa", "writer.2-bb", "place.1-aa"))
    for one in (left, young, of_another):
        one.write_bytes(b"half")
    for one in (left, of_another):
        os.utime(one, (time.time() - 4000,) * 2)

    write_private(path, b"new keys")

    assert {one.name for one in path.parent.iterdir()} == {"writer", young.name, of_another.name}
    assert path.read_bytes() == b"new keys"
