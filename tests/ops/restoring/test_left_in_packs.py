"""What a use case finds in the packs themselves: snapshots by their roots, and folders that lost theirs."""

from datetime import timedelta
from pathlib import Path

import pytest
from backup_scene import Scene, bytes_of, some_chats
from left_over_scene import lose, store_folder_without_root

from backupkit.crypto.failures import CannotUnlock
from backupkit.ops.failures import LogDamaged, OnlyPacksLeft, SnapshotNotFound
from backupkit.ops.looking.list_snapshots import list_in_packs, list_snapshots, list_what_is_left
from backupkit.ops.restoring.left_in_packs import find_in_packs
from backupkit.ops.unlock import Secret
from backupkit.store import layout


def test_a_domain_without_any_root_gives_its_topmost_folders(scene: Scene) -> None:
    files = {b"one.txt": b"one " * 500, b"two.txt": b"two " * 500}
    top = store_folder_without_root(scene, files)

    restored = scene.restore("latest", from_packs=True)

    assert restored.damaged == ()
    assert [folder.name for folder in restored.folders] == [f"folder-{top.hex()[:8]}"]
    back = bytes_of(scene.folder / "back" / f"folder-{top.hex()[:8]}" / "chats")
    assert back == {name.decode(): data for name, data in files.items()}


def test_folders_without_a_root_come_beside_the_snapshots_of_other_domains(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    top = store_folder_without_root(scene, {b"one.txt": b"one " * 500})

    restored = scene.restore("latest", from_packs=True)

    assert {folder.name for folder in restored.folders} == {"chats", f"folder-{top.hex()[:8]}"}
    assert bytes_of(scene.folder / "back" / "chats") == bytes_of(scene.chats)


def test_each_root_stands_with_the_newest_whole_root_of_every_other_domain_by_then(
    scene: Scene, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "o.txt").write_text("other")
    some_chats(scene)
    for source in (scene.chats, other, scene.chats):
        scene.take(source)
        scene.clock.at += timedelta(days=1)
    keyring = scene.repository.unlock(scene.secret)

    found, loose = find_in_packs(scene.repository, keyring, scene.tell)

    assert loose == []
    assert [len(one.known.statement.domains) for one in found] == [1, 2, 2]
    names = [[source.name for source in one.known.facts.sources] for one in found if one.known.facts]
    assert [sorted(one) for one in names] == [["chats"], ["chats", "other"], ["chats", "other"]]
    assert found[1].known.statement.created_at < found[2].known.statement.created_at


def test_with_statements_left_nothing_has_to_be_opened_to_list_them(scene: Scene) -> None:
    some_chats(scene)
    taken = scene.take()
    lose(scene, "log/")
    scene.memory.joinpath("seen-checkpoint").unlink()
    with pytest.raises(LogDamaged) as fresh:
        list_snapshots(scene.places)

    def never() -> Secret:
        raise AssertionError

    left = list_what_is_left(scene.places, secret=never, tell=scene.tell, reason=fresh.value)

    assert [line.snapshot for line in left.lines] == [taken.snapshot]
    assert left.distrust is fresh.value


def test_without_statements_the_packs_are_opened_and_said_to_be_all_that_is_left(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    lose(scene, "log/", layout.SNAPSHOTS)
    reason = LogDamaged(size=0, reason="no-head")

    left = list_what_is_left(scene.places, secret=scene.secret, tell=scene.tell, reason=reason)

    assert len(left.lines) == 1
    assert left.lines[0].sources == ("chats",)
    assert isinstance(left.distrust, OnlyPacksLeft)
    assert list_in_packs(scene.places, secret=scene.secret, tell=scene.tell) == list(left.lines)
    with pytest.raises(CannotUnlock):
        list_in_packs(scene.places, secret=lambda: Secret(passphrase="wrong"), tell=scene.tell)


def test_a_log_that_can_be_believed_has_the_last_word_about_what_is_not_there(scene: Scene) -> None:
    some_chats(scene)
    scene.take()

    with pytest.raises(SnapshotNotFound):
        scene.restore("abcdef0123")
    assert "looking-in-packs" not in scene.codes()
