"""A copy of a repository is only read: its log stays the original's."""

import shutil
from datetime import timedelta

import chat_factory
import pytest
from backup_scene import PASSPHRASE, Scene, bytes_of, some_chats

from backupkit.guard.places import GuardPlaces
from backupkit.ids import AppPackage
from backupkit.ops.failures import CopyIsOlder, HistoryRolledBack, RepositoryIsCopy
from backupkit.ops.keys.initialise import initialise
from backupkit.ops.places import Places
from backupkit.proof.coverage_pass import MAX_PASS_BYTES, SECOND_COPY, decode_coverage_pass
from backupkit.proof.dsse import read_envelope

TELEGRAM = AppPackage("org.telegram.messenger")


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


def test_a_whole_copy_on_another_disk_is_named_in_the_next_pass_for_a_time(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def second_copy() -> str:
        assert scene.verify().coverage
        data = GuardPlaces(scene.places.guard).pass_of(TELEGRAM).read_bytes()
        _, payload, _ = read_envelope(data, max_bytes=MAX_PASS_BYTES)
        return decode_coverage_pass(payload).result_of(SECOND_COPY)

    chat_factory.write_telegram_chat(scene.folder / "telegram", messages=20)
    scene.take(scene.folder / "telegram", app="telegram")
    copied(scene).verify()
    on_the_same_disk = second_copy()
    monkeypatch.setattr("backupkit.ops.checking.verify.on_same_disk", lambda *_: False)
    copied(scene).verify()

    assert (on_the_same_disk, second_copy()) == ("not-done", "passed")
    scene.clock.at += timedelta(hours=25)
    assert second_copy() == "not-done"
    scene.repository.second_copies.path.write_bytes(b"garbage")
    assert second_copy() == "not-done"


def test_a_damaged_copy_counts_for_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backupkit.ops.checking.verify.on_same_disk", lambda *_: False)
    some_chats(scene)
    scene.take()
    copy = copied(scene)
    pack = next(path for path in sorted((copy.places.repository / "packs").rglob("*")) if path.is_file())
    pack.write_bytes(pack.read_bytes()[:-1])

    assert copy.verify().state == "damaged"
    assert not scene.repository.second_copies.path.exists()


def test_an_old_copy_is_noticed_and_a_snapshot_into_a_copy_is_refused(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    copy = copied(scene)
    scene.take()

    with pytest.raises(CopyIsOlder) as older:
        copy.verify()
    assert older.value.facts["path"] == str(copy.places.repository)
    with pytest.raises(RepositoryIsCopy):
        copied(scene).take()


def test_an_old_copy_whose_original_is_gone_lacks_what_was_newer(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    copy = copied(scene)
    scene.take()
    scene.places.repository.rename(scene.folder / "unplugged")

    with pytest.raises(HistoryRolledBack) as lacking:
        copy.verify()

    assert lacking.value.code == "history-rolled-back"


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
