"""What the latest snapshot does not hold is named, so that nobody takes a part for everything."""

import shutil
from pathlib import Path

from backup_scene import Scene
from lifecycle_scene import forget

from backupkit.ops.restoring.elsewhere import Elsewhere


def two_apps(scene: Scene) -> tuple[Path, Path]:
    """Two folders as two apps export them."""
    return scene.write("telegram/result.txt", "here").parent, scene.write("whatsapp/chat.txt", "there").parent


def test_a_restore_of_the_latest_names_the_sources_that_other_snapshots_hold(scene: Scene) -> None:
    telegram, whatsapp = two_apps(scene)
    scene.take(whatsapp)
    second = scene.take(whatsapp, telegram)
    scene.take(telegram)

    restored = scene.restore()

    assert restored.elsewhere == (Elsewhere(second.snapshot, ("whatsapp",)),)


def test_a_computer_that_took_no_snapshot_names_them_too(scene: Scene) -> None:
    telegram, whatsapp = two_apps(scene)
    first = scene.take(whatsapp)
    scene.take(telegram)
    shutil.rmtree(scene.folder / "state")

    restored = scene.restore()

    assert restored.elsewhere == (Elsewhere(first.snapshot, ("whatsapp",)),)


def test_nothing_is_named_where_the_latest_holds_all_or_somebody_chose(scene: Scene) -> None:
    telegram, whatsapp = two_apps(scene)
    first = scene.take(telegram)
    scene.take(telegram, whatsapp)

    assert scene.restore().elsewhere == ()
    assert scene.restore(first.snapshot, scene.folder / "chosen").elsewhere == ()
    assert scene.restore("latest", scene.folder / "one", only=("telegram",)).elsewhere == ()


def test_a_forgotten_snapshot_is_not_named(scene: Scene) -> None:
    telegram, whatsapp = two_apps(scene)
    first = scene.take(whatsapp)
    scene.take(telegram)
    forget(scene, first.snapshot, accept_shrink=True)

    assert scene.restore().elsewhere == ()
