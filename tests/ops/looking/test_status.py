"""What one look tells on the computer that takes the snapshots, on another one, and of a copy."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from backup_scene import Scene, some_chats

from backupkit.ops.keeping.let_go_source import SourceNeverSaved, let_go_source
from backupkit.ops.looking.status import Status, status
from backupkit.ops.places import Places
from backupkit.store import layout


def look(scene: Scene, repository: Path | None = None) -> Status:
    places = Places(repository or scene.places.repository, scene.places.state, scene.places.cache)
    return status(places, max_age=timedelta(hours=24), clock=scene.clock, tell=scene.tell)


def test_another_computer_is_told_to_restore_and_not_that_nothing_is_saved_or_typed_back(scene: Scene) -> None:
    some_chats(scene)
    scene.take(verify=True)
    shutil.rmtree(scene.folder / "state")

    found = look(scene)

    assert (found.sources, found.repository.snapshots, found.can_write) == ((), 1, False)
    assert found.next == ("backupkit restore latest --to DIR",)


def test_a_copy_is_called_one(scene: Scene) -> None:
    some_chats(scene)
    scene.take(verify=True)
    shutil.copytree(scene.places.repository, scene.folder / "copy")

    found = look(scene, scene.folder / "copy")

    assert found.copy_of == str(scene.places.repository)
    assert look(scene).copy_of is None


def test_damage_is_to_be_repaired_before_it_is_saved_anew(scene: Scene) -> None:
    some_chats(scene)
    scene.take(verify=True)
    for name in list(scene.repository.backend.names(layout.PACKS)):
        path = scene.places.repository / name
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    scene.verify()

    found = look(scene)

    assert found.next == ("backupkit repair", f"backupkit snapshot {scene.chats}")


def test_damage_comes_before_the_words_that_were_not_typed_back(bare_scene: Scene) -> None:
    bare_scene.initialise(confirm=False)
    some_chats(bare_scene)
    bare_scene.take(verify=True)
    bare_scene.damage_largest_pack()
    bare_scene.verify()

    assert look(bare_scene).next[:2] == ("backupkit repair", "backupkit key confirm")


def test_a_source_whose_folder_was_renamed_is_said_to_be_gone_until_its_owner_lets_it_go(scene: Scene) -> None:
    some_chats(scene)
    scene.take(verify=True)
    scene.clock.at += timedelta(days=2)
    scene.chats.rename(scene.folder / "renamed")

    (found,) = look(scene).sources
    steps = look(scene).next
    gone = let_go_source(scene.places, found.name, tell=scene.tell)

    assert (found.exists, found.stale) == (False, True)
    assert f"backupkit snapshot {scene.chats}" not in steps
    assert gone.path == found.path
    after = look(scene)
    assert (after.sources, after.let_go, after.stale) == ((), (found.path,), False)


def test_what_was_let_go_and_is_saved_again_counts_again(scene: Scene) -> None:
    some_chats(scene)
    scene.take(verify=True)
    let_go_source(scene.places, str(scene.chats), tell=scene.tell)

    scene.take()

    found = look(scene)
    assert (found.let_go, [one.path for one in found.sources]) == ((), [str(scene.chats)])


def test_a_source_that_the_settings_do_not_name_is_said_to_be_so(scene: Scene) -> None:
    some_chats(scene)
    scene.take(verify=True)

    def in_settings(*configured: Path) -> bool:
        found = status(scene.places, max_age=timedelta(hours=24), clock=scene.clock, configured=configured)
        return found.sources[0].in_settings

    assert in_settings()
    assert in_settings(scene.chats)
    assert not in_settings(scene.folder / "other")


def test_a_source_is_let_go_by_a_path_or_a_name_that_no_other_has(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    other = scene.folder / "other" / "chats"
    shutil.copytree(scene.chats, other)
    scene.take(other)

    for wrong in ("chats", "nothing"):
        with pytest.raises(SourceNeverSaved) as refused:
            let_go_source(scene.places, wrong, tell=scene.tell)
        assert str(other) in str(refused.value.facts["known"])
    assert let_go_source(scene.places, str(other), tell=scene.tell).path == str(other)
