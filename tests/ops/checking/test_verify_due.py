from datetime import timedelta

from backup_scene import Scene, some_chats

from backupkit.ops.checking.verify_due import VerifiedAgain, verify_due
from backupkit.ops.repository.snapshots import known_snapshots
from backupkit.store import layout

DAY = timedelta(days=1)
NOTHING = VerifiedAgain(0, frozenset())


def again(scene: Scene, *sources: str) -> VerifiedAgain:
    return verify_due(scene.places, sources or ("chats",), clock=scene.clock, tell=scene.tell, max_age=DAY)


def test_what_was_verified_two_thirds_of_its_time_ago_is_verified_again_and_counts_anew(scene: Scene) -> None:
    some_chats(scene)
    scene.take(verify=True)
    fresh = again(scene)
    scene.clock.at += timedelta(hours=15)
    not_yet = again(scene)
    scene.clock.at += timedelta(hours=2)
    due, at = again(scene), scene.clock.at

    (known,) = known_snapshots(scene.repository)
    assert (fresh, not_yet, due) == (NOTHING, NOTHING, VerifiedAgain(1, frozenset()))
    assert known.state == "verified"
    assert known.verified_at is not None
    assert at - known.verified_at < timedelta(minutes=1)
    assert again(scene) == NOTHING


def test_only_the_newest_snapshot_of_a_source_is_read_and_each_once(scene: Scene) -> None:
    some_chats(scene)
    scene.write("../letters/a.txt", "dear all")
    letters = scene.chats.parent / "letters"
    scene.take()
    scene.take(scene.chats, letters)

    assert again(scene, "chats", "letters") == VerifiedAgain(1, frozenset())
    assert [one.state for one in known_snapshots(scene.repository)] == ["saved", "verified"]
    assert again(scene, "another") == NOTHING


def test_a_damaged_backup_names_its_sources_and_is_not_read_again(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    largest = max(
        (scene.places.repository / name for name in scene.repository.backend.names(layout.PACKS)),
        key=lambda path: path.stat().st_size,
    )
    data = largest.read_bytes()
    largest.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))

    assert again(scene) == VerifiedAgain(1, frozenset({"chats"}))
    assert again(scene) == VerifiedAgain(0, frozenset({"chats"}))

    scene.take(verify=True)
    assert again(scene) == NOTHING


def test_a_clock_that_was_put_back_makes_no_check_young_for_ever(scene: Scene) -> None:
    some_chats(scene)
    scene.take(verify=True)
    scene.clock.at -= timedelta(days=400)

    assert again(scene).snapshots == 1
