"""What one look tells on the computer that takes the snapshots, on another one, and of a copy."""

import shutil
from datetime import timedelta
from pathlib import Path

from backup_scene import Scene, some_chats

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
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    scene.verify()

    found = look(scene)

    assert found.next == ("backupkit repair", f"backupkit snapshot {scene.chats}")
