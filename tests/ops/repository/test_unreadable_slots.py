"""Key slots that a failing disk does not give are there all the same: nobody is told that keys are lost, or that a passphrase is wrong."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from backup_scene import PASSPHRASE, Scene
from simulated_backends import BadSectorBackend

from backupkit.crypto.failures import CannotUnlock
from backupkit.crypto.slots import RECOVERY_CODE
from backupkit.ops.events import Notice
from backupkit.ops.keys.confirm_recovery import confirm_recovery
from backupkit.ops.keys.keys import add_passphrase, list_keys, remove_slot, sheet_again, test_key as try_key
from backupkit.ops.repository.repository import Repository
from backupkit.ops.unlock import Secret
from backupkit.store import layout
from backupkit.store.backend import ObjectUnreadable
from backupkit.store.backends.posix_backend import PosixBackend
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


@pytest.fixture
def lost_sheet(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of the recovery slot, which the disk does not give from now on."""
    (slot,) = (line.id for line in list_keys(scene.places) if line.kind == RECOVERY_CODE)
    bad = {copy + layout.slot(slot) for copy in COPIES}
    opened = "backupkit.ops.repository.repository.PosixBackend"
    monkeypatch.setattr(opened, lambda folder: BadSectorBackend(PosixBackend(folder), bad))
    return slot


def passphrase() -> Secret:
    return Secret(passphrase=PASSPHRASE)


@pytest.mark.parametrize(
    "attempt",
    [
        lambda scene, _: try_key(scene.places, scene.secret),
        lambda scene, _: add_passphrase(scene.places, scene.secret, "another one", label="", clock=scene.clock),
        lambda scene, _: sheet_again(scene.places, scene.secret, clock=scene.clock),
        lambda scene, _: confirm_recovery(scene.places, scene.words, scene.clock),
        lambda scene, slot: remove_slot(scene.places, passphrase, slot),
    ],
    ids=["test", "add", "sheet", "confirm", "remove"],
)
def test_every_command_for_keys_tells_of_the_disk_and_not_of_a_wrong_secret(
    scene: Scene, lost_sheet: str, attempt: Callable[[Scene, str], object]
) -> None:
    with pytest.raises(ObjectUnreadable, match="EIO"):
        attempt(scene, lost_sheet)


def test_a_new_sheet_says_that_an_old_one_may_stay_in_force(
    scene: Scene, lost_sheet: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = scene.words
    sheet = sheet_again(scene.places, passphrase, clock=scene.clock, tell=scene.tell)

    assert Notice("slot-unread", {"slot": lost_sheet}) in scene.told
    assert try_key(scene.places, lambda: Secret(recovery_words=" ".join(sheet.words_en))).kind == RECOVERY_CODE

    monkeypatch.undo()
    assert try_key(scene.places, lambda: Secret(recovery_words=old)).id == lost_sheet
    remove_slot(scene.places, passphrase, lost_sheet)
    with pytest.raises(CannotUnlock):
        try_key(scene.places, lambda: Secret(recovery_words=old))
