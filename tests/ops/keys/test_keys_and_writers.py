import shutil
import threading
from pathlib import Path

import pytest
from backup_scene import PASSPHRASE, Scene, SteppingClock, bytes_of, some_chats

from backupkit.crypto.failures import CannotUnlock
from backupkit.crypto.slots import RECOVERY_CODE
from backupkit.ops.failures import LastSlot, SlotNotFound, WriterNotFound
from backupkit.ops.keys.confirm_recovery import confirm_recovery, confirmation
from backupkit.ops.keys.keys import (
    add_passphrase,
    enrol_writer,
    list_keys,
    remove_slot,
    sheet_again,
    test_key as try_key,
)
from backupkit.ops.keys.public_keys import public_keys
from backupkit.ops.looking.diff import diff_snapshots
from backupkit.ops.looking.show import show
from backupkit.ops.repository.domains import ensure_domain
from backupkit.ops.repository.guard_files import counts_another
from backupkit.ops.repository.repository import open_repository
from backupkit.ops.repository.snapshots import known_snapshots
from backupkit.ops.unlock import Secret


def passphrase(text: str = PASSPHRASE) -> Secret:
    return Secret(passphrase=text)


def test_each_way_in_is_found_by_trying(scene: Scene) -> None:
    kinds = {line.kind: line for line in list_keys(scene.places)}

    assert kinds[RECOVERY_CODE].confirmed is True
    assert try_key(scene.places, scene.secret).id == kinds[RECOVERY_CODE].id
    assert try_key(scene.places, passphrase).kind == "passphrase"
    with pytest.raises(CannotUnlock):
        try_key(scene.places, lambda: passphrase("wrong"))


def test_a_passphrase_is_added_and_removed_and_two_ways_in_always_stay(scene: Scene) -> None:
    added = add_passphrase(scene.places, scene.secret, "another long passphrase", label="wife", clock=scene.clock)
    assert try_key(scene.places, lambda: passphrase("another long passphrase")).id == added.id

    remove_slot(scene.places, scene.secret, added.id)

    with pytest.raises(CannotUnlock):
        try_key(scene.places, lambda: passphrase("another long passphrase"))
    for line in list_keys(scene.places):
        with pytest.raises(LastSlot):
            remove_slot(scene.places, scene.secret, line.id)
    with pytest.raises(SlotNotFound):
        remove_slot(scene.places, scene.secret, "00000000")


def test_a_new_sheet_makes_the_old_one_worthless_and_must_be_typed_back_again(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    old = scene.words

    sheet = sheet_again(scene.places, passphrase, clock=scene.clock)

    assert confirmation(scene.repository) is None
    with pytest.raises(CannotUnlock):
        try_key(scene.places, lambda: Secret(recovery_words=old))
    scene.words = " ".join(sheet.words_zh)
    confirm_recovery(scene.places, scene.words, scene.clock)
    assert confirmation(scene.repository) is not None
    assert not scene.restore().damaged


def second_computer(scene: Scene, tmp_path: Path) -> Scene:
    """Another computer that reaches the same repository."""
    other = Scene(tmp_path / "second", scene.words, SteppingClock(scene.clock.at))
    other.folder.mkdir()
    (other.folder / "repository").symlink_to(scene.places.repository)
    return other


def test_a_second_computer_writes_after_it_was_enrolled_and_both_read_everything(scene: Scene, tmp_path: Path) -> None:
    some_chats(scene)
    first = scene.take(app="telegram")
    other = second_computer(scene, tmp_path)
    writer = enrol_writer(other.places, other.secret, label="laptop", clock=other.clock)
    assert enrol_writer(other.places, other.secret, label="laptop", clock=other.clock) == writer
    assert counts_another(other.repository) is False, "its guard counts what it will write"

    shutil.copytree(scene.chats, other.chats)
    second = other.take(app="telegram")

    assert second.new_bytes < 16_000
    assert [known.id for known in known_snapshots(scene.repository)] == [first.snapshot, second.snapshot]
    assert [known.statement.writer for known in known_snapshots(scene.repository)][1] == writer
    assert not scene.restore().damaged
    assert {keys.label for keys in public_keys(scene.places)} == {"first", "laptop"}
    assert public_keys(other.places)[0].writer == writer
    with pytest.raises(WriterNotFound):
        public_keys(scene.places, "nobody")


def test_two_computers_that_enrol_at_once_are_both_admitted(scene: Scene, tmp_path: Path) -> None:
    """The config was written over what another computer had written since it was read."""
    others = []
    for name in ("b", "c", "d"):
        (tmp_path / name).mkdir()
        others.append(second_computer(scene, tmp_path / name))
    threads = [
        threading.Thread(
            target=enrol_writer, args=(other.places, other.secret), kwargs={"label": "x", "clock": other.clock}
        )
        for other in others
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(scene.repository.config.writers) == 4
    for other in others:
        some_chats(other)
        other.take()


def test_processes_that_make_the_same_domain_at_once_make_one(scene: Scene) -> None:
    made = []

    def ensure() -> None:
        made.append(ensure_domain(open_repository(scene.places), "telegram", scene.clock)[1])

    threads = [threading.Thread(target=ensure) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 4
    assert len(set(made)) == 1
    assert len(scene.repository.domains()) == 1
    assert set(scene.repository.require_writer().domains) == set(made)


def test_two_snapshots_are_compared_file_by_file(scene: Scene) -> None:
    some_chats(scene)
    first = scene.take()
    scene.write("notes.txt", "changed")
    scene.write("added", "new")
    (scene.chats / "photo.jpg").unlink()
    second = scene.take()

    found = diff_snapshots(scene.places, first.snapshot, second.snapshot, secret=scene.secret)

    assert (found.added, found.removed, found.changed) == (("chats/added",), ("chats/photo.jpg",), ("chats/notes.txt",))
    assert found.same == 2
    assert not found.is_empty
    assert diff_snapshots(scene.places, "latest", "latest", secret=scene.secret).is_empty


def test_a_snapshot_is_shown_with_what_it_holds(scene: Scene) -> None:
    some_chats(scene)
    taken = scene.take(app="telegram")

    (source,) = show(scene.places, "latest", secret=scene.secret).sources

    assert (source.name, source.app, source.package) == ("chats", "telegram", "org.telegram.messenger")
    assert (
        (source.files, source.bytes) == (taken.files, taken.bytes) == (4, sum(map(len, bytes_of(scene.chats).values())))
    )
