"""Key slots that a failing disk does not give are there all the same: nobody is told that keys are lost, or that a passphrase is wrong."""

from dataclasses import replace

import pytest
from backup_scene import Scene
from simulated_backends import BadSectorBackend

from backupkit.ops.repository.repository import Repository
from backupkit.ops.unlock import Secret
from backupkit.store import layout
from backupkit.store.backend import ObjectUnreadable
from backupkit.store.objects.small_objects import COPIES, SmallObjects


def on_a_failing_disk(scene: Scene, *kinds: str) -> Repository:
    repository = scene.repository
    bad = {copy + layout.slot(slot.id) for slot in repository.slots() if slot.kind in kinds for copy in COPIES}
    return replace(repository, objects=SmallObjects(BadSectorBackend(repository.backend, bad), lambda _: None))


def test_slots_that_the_disk_does_not_give_are_not_told_as_lost_keys(scene: Scene) -> None:
    repository = on_a_failing_disk(scene, "passphrase", "recovery-code")

    with pytest.raises(ObjectUnreadable, match="EIO"):
        repository.unlock(scene.secret)


def test_right_recovery_words_are_not_told_as_wrong_where_their_slot_is_what_cannot_be_read(scene: Scene) -> None:
    repository = on_a_failing_disk(scene, "recovery-code")

    with pytest.raises(ObjectUnreadable, match="EIO"):
        repository.unlock(scene.secret)


def test_one_slot_that_can_be_read_opens_everything(scene: Scene) -> None:
    repository = on_a_failing_disk(scene, "passphrase")

    assert repository.unlock(scene.secret) == scene.repository.unlock(scene.secret)
    with pytest.raises(ObjectUnreadable, match="EIO"):
        repository.unlock(lambda: Secret(passphrase="another"))
