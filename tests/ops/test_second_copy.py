"""A copy of a repository is only read: its log stays the original's."""

import shutil

import pytest
from backup_scene import PASSPHRASE, Scene, bytes_of, some_chats

from backupkit.ops.failures import HistoryRolledBack, RepositoryIsCopy
from backupkit.ops.initialise import initialise
from backupkit.ops.places import Places


class SceneOfCopy(Scene):
    """The same computer, with `--repo` naming the copy."""

    @property
    def places(self) -> Places:
        return Places(self.folder / "usb", self.folder / "state", self.folder / "cache")


def copied(scene: Scene) -> SceneOfCopy:
    """The same computer, looking at a copy of its repository on another disk."""
    there = scene.folder / "usb"
    shutil.rmtree(there, ignore_errors=True)
    shutil.copytree(scene.places.repository, there)
    return SceneOfCopy(scene.folder, scene.words, scene.clock)


def test_checking_a_copy_changes_nothing_and_the_original_goes_on(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    copy = copied(scene)
    before = bytes_of(copy.places.repository)

    found = copy.verify()

    assert found.state == "verified"
    assert found.coverage == ()
    assert bytes_of(copy.places.repository) == before
    assert "copy-only-read" in copy.codes()
    assert scene.take(verify=True).state == "verified"


def test_an_old_copy_is_noticed_and_a_snapshot_into_a_copy_is_refused(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    copy = copied(scene)
    scene.take()

    with pytest.raises(HistoryRolledBack):
        copy.verify()
    with pytest.raises(RepositoryIsCopy):
        copied(scene).take()


def test_a_copy_takes_the_place_of_an_original_that_is_gone(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    copy = copied(scene)
    shutil.rmtree(scene.places.repository)

    assert copy.take(verify=False).state == "saved"
    assert copy.verify().state == "verified"
    assert "copy-only-read" not in copy.codes()


def test_a_repository_that_was_moved_goes_on_also_when_a_new_one_lies_in_its_old_place(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    moved = copied(scene)
    shutil.rmtree(scene.places.repository)
    initialise(scene.places, passphrase=PASSPHRASE, clock=scene.clock, tell=scene.tell)

    assert moved.take(verify=False).state == "saved"
    assert scene.take().state == "saved"
