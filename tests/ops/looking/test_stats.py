from datetime import timedelta

import chat_factory
from backup_scene import Scene
from lifecycle_scene import forget, take_days

from backupkit.ops.looking.stats import stats
from backupkit.ops.repository.snapshots import known_snapshots


def test_the_kinds_add_up_to_every_file_of_the_repository(scene: Scene) -> None:
    take_days(scene, 3)

    found = stats(scene.places)

    files = [path for path in (scene.folder / "repository").rglob("*") if path.is_file() and path.name[0] != "."]
    assert found.stored_bytes == sum(path.stat().st_size for path in files)
    assert sum(kind.files for kind in found.stored) == len(files)
    assert {kind.kind: kind.files for kind in found.stored}["packs"] == len(
        [path for path in files if "packs" in path.parts]
    )


def test_each_month_tells_what_its_own_snapshots_added(scene: Scene) -> None:
    scene.clock.at = scene.clock.at.replace(day=29)
    take_days(scene, 4)

    found = stats(scene.places)

    assert [(month.month, month.snapshots) for month in found.months] == [("2018-06", 2), ("2018-07", 2)]
    packs = next(kind for kind in found.stored if kind.kind == "packs")
    assert sum(month.new_bytes or 0 for month in found.months) == packs.stored_bytes
    assert all(month.new_bytes for month in found.months)


def test_a_snapshot_that_adds_nothing_adds_no_bytes(scene: Scene) -> None:
    take_days(scene, 1)
    scene.clock.at += timedelta(days=40)
    scene.take()

    june, july = stats(scene.places).months

    assert june.new_bytes
    assert july.snapshots == 1
    # The second names the same files; only its own record of them is new.
    assert july.new_bytes is not None
    assert july.new_bytes <= june.new_bytes


def test_messages_are_those_of_the_newest_snapshot_and_unknown_where_nobody_counts(scene: Scene) -> None:
    take_days(scene, 1)
    assert stats(scene.places).months[0].messages is None
    for messages in (20, 60):
        chat_factory.write_telegram_chat(scene.folder / f"telegram-{messages}", messages=messages)
        scene.take(scene.folder / f"telegram-{messages}", app="telegram")

    found = stats(scene.places)

    assert found.months[0].messages == 80
    assert [(source.name, source.messages) for source in found.by_source if source.app == "telegram"] == [
        ("telegram-20", 20),
        ("telegram-60", 60),
    ]


def test_what_was_forgotten_is_counted_apart_and_still_tells_what_it_stored(scene: Scene) -> None:
    first, _second = take_days(scene, 2)
    before = stats(scene.places)
    forget(scene, first)

    after = stats(scene.places)

    assert (after.snapshots, after.forgotten) == (1, 1)
    assert after.saved_bytes < before.saved_bytes
    assert after.months == before.months


def test_a_lost_pack_list_makes_its_month_unknown_and_not_smaller(scene: Scene) -> None:
    take_days(scene, 1)
    digest = known_snapshots(scene.repository)[0].statement.packs.digest
    for path in (scene.folder / "repository").rglob(digest):
        path.unlink()

    assert stats(scene.places).months[0].new_bytes is None
