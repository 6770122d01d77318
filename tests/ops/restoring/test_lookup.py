"""Finding what to read, whichever use case reads it."""

import chat_factory
import pytest
from backup_scene import Scene, some_chats
from left_over_scene import lose, store_folder_without_root
from lifecycle_scene import forget, take_days

from backupkit.i18n import Catalogue
from backupkit.ops.exporting.export import export_snapshot
from backupkit.ops.exporting.forms import Voice, Wish
from backupkit.ops.failures import SnapshotNotFound
from backupkit.ops.looking.diff import diff_snapshots
from backupkit.ops.looking.message_diff import diff_messages
from backupkit.ops.looking.show_chats import show_chats
from backupkit.ops.restoring.lookup import open_lookup
from backupkit.ops.searching.search import Question, search_messages
from backupkit.ops.unlock import Secret


def test_a_forgotten_snapshot_is_shown_and_compared_with_its_chats_and_said_to_be_forgotten(scene: Scene) -> None:
    some_chats(scene)
    first, second = take_days(scene, 2)
    forget(scene, first)

    shown, _ = show_chats(scene.places, first, secret=scene.secret, clock=scene.clock, tell=scene.tell)
    files = diff_snapshots(scene.places, first, second, secret=scene.secret, tell=scene.tell)
    messages = diff_messages(scene.places, first, second, secret=scene.secret, tell=scene.tell)

    assert shown.snapshot == files.first == messages.first == first
    assert files.second == second
    assert scene.codes().count("snapshot-forgotten") == 3


def test_folders_that_lost_their_root_are_read_as_chats(scene: Scene) -> None:
    written = chat_factory.write_telegram_chat(scene.folder / "export", messages=12)
    store_folder_without_root(scene, {b"result.json": (written.path / "result.json").read_bytes()})
    lose(scene, "log", "index")

    shown, chats = show_chats(scene.places, "latest", secret=scene.secret, clock=scene.clock, tell=scene.tell)
    found = search_messages(scene.places, Question(has=("image",)), secret=scene.secret, tell=scene.tell)
    exported = export_snapshot(
        scene.places, "latest", scene.folder / "out", Wish("jsonl", Voice(Catalogue("en").say, "en")),
        secret=scene.secret, clock=scene.clock, tell=scene.tell,
    )  # fmt: skip

    assert [one.messages for one in chats[0].conversations] == [12]
    assert found.messages == exported.messages == 12
    assert shown.distrust is not None
    assert found.distrust is not None
    assert exported.distrust is not None
    assert {found.distrust.code, exported.distrust.code} == {shown.distrust.code}


def test_nothing_is_asked_and_nothing_read_twice_for_two_snapshots(scene: Scene) -> None:
    some_chats(scene)
    take_days(scene, 2)
    lose(scene, "log", "snapshots")
    asked: list[Secret] = []

    def ask() -> Secret:
        asked.append(scene.secret())
        return asked[-1]

    lookup = open_lookup(scene.places, ask, scene.tell)
    newest, every = lookup.choose("latest"), lookup.every()

    assert every.known == newest.known
    assert len(every.snapshots) == 2
    assert len(asked) == 1
    assert scene.codes().count("looking-in-packs") == 1


def test_where_nothing_is_lost_an_unknown_id_asks_for_no_secret(scene: Scene) -> None:
    some_chats(scene)
    scene.take()

    def nobody() -> Secret:
        pytest.fail("asked")

    with pytest.raises(SnapshotNotFound):
        open_lookup(scene.places, nobody, scene.tell).choose("abcdef")
