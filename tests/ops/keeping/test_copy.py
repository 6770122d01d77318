"""A second copy: the same objects, never over anything newer or foreign, and counted by the guard only on another disk."""

import shutil
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest
from backup_scene import PASSPHRASE, Scene, bytes_of, some_chats
from chat_factory import write_telegram_chat
from lifecycle_scene import forget, listed

from backupkit.guard.places import GuardPlaces
from backupkit.ids import AppPackage
from backupkit.ops.events import Progress
from backupkit.ops.failures import CopyForked, CopyIsNewer, CopyOfAnother, CopyToItself
from backupkit.ops.keeping.copy import Copied, copy_repository
from backupkit.ops.keeping.repack import repack
from backupkit.ops.keeping.sweep import sweep
from backupkit.ops.keys.initialise import initialise
from backupkit.ops.mending.parity import write_parity
from backupkit.ops.places import Places
from backupkit.proof.coverage_pass import SECOND_COPY, decode_coverage_pass
from backupkit.proof.dsse import open_envelope
from backupkit.proof.statement import PAYLOAD_TYPE
from backupkit.store.objects.small_objects import COPIES


class SceneOfCopy(Scene):
    """The same computer, with `--repo` naming the copy."""

    @property
    def places(self) -> Places:
        return Places(self.folder / "usb", self.folder / "state", self.folder / "cache")


def copied(scene: Scene, to: Path | None = None) -> Copied:
    return copy_repository(scene.places, to or scene.folder / "usb", clock=scene.clock, tell=scene.tell)


def seen_from(scene: Scene) -> SceneOfCopy:
    return SceneOfCopy(scene.folder, scene.words, scene.clock)


def objects_of(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in bytes_of(folder).items() if not name.startswith(".")}


def test_a_copy_holds_the_same_objects_and_a_second_run_copies_nothing(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    write_parity(scene.places, tell=scene.tell)

    first = copied(scene)
    again = copied(scene)

    assert (first.state, first.snapshots, first.findings) == ("whole", 1, ())
    assert (again.objects, again.bytes, again.snapshots) == (0, 0, 1)
    assert objects_of(scene.folder / "usb") == objects_of(scene.places.repository)
    assert seen_from(scene).verify().state == "verified"
    shutil.rmtree(scene.places.repository)
    seen_from(scene).restore()
    assert bytes_of(scene.folder / "back/chats") == bytes_of(scene.chats)


def test_a_copy_on_the_same_disk_is_made_and_does_not_count(scene: Scene) -> None:
    some_chats(scene)
    scene.take()

    assert not copied(scene).second_copy
    assert "copy-same-disk" in scene.codes()
    assert not scene.repository.second_copies.path.exists()


def test_a_copy_on_another_disk_counts_in_the_passes_on_file_and_in_later_ones(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backupkit.ops.keeping.copy.on_same_disk", lambda *_: False)
    write_telegram_chat(scene.chats, messages=5)
    first = scene.take(package="org.telegram.messenger", verify=True)

    before = second_copy_in_pass(scene)
    done = copied(scene)
    after = second_copy_in_pass(scene)
    scene.verify(first.snapshot)
    verified_later = second_copy_in_pass(scene)
    scene.write("more.txt", "more")
    scene.take(package="org.telegram.messenger", verify=True)

    assert done.second_copy
    assert (before, after, verified_later, second_copy_in_pass(scene)) == ("not-done", "passed", "passed", "not-done")


def second_copy_in_pass(scene: Scene) -> str:
    data = GuardPlaces(scene.places.guard).pass_of(AppPackage("org.telegram.messenger")).read_bytes()
    key = scene.repository.require_writer().writer.attest.verify_key
    said = decode_coverage_pass(open_envelope(data, key, PAYLOAD_TYPE))
    return next(check.result for check in said.checks if check.name == SECOND_COPY)


def test_an_interrupted_copy_is_an_older_copy_and_the_next_run_goes_on(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    copied(scene)
    head = (scene.folder / "usb/log/checkpoint").read_bytes()
    for day in range(3):
        scene.write(f"{day}.bin", bytes([day]) * 70_000)
        scene.take()
    asked: list[int] = []

    def soon() -> bool:
        asked.append(1)
        return len(asked) > 3

    stopped = copy_repository(scene.places, scene.folder / "usb", clock=scene.clock, tell=scene.tell, stop=soon)

    assert (stopped.state, stopped.second_copy) == ("stopped", False)
    assert (scene.folder / "usb/log/checkpoint").read_bytes() == head
    assert copied(scene).snapshots == 4
    assert objects_of(scene.folder / "usb") == objects_of(scene.places.repository)


def test_a_copy_never_goes_over_what_is_newer_or_has_another_history(scene: Scene, tmp_path: Path) -> None:
    some_chats(scene)
    scene.take()
    old = scene.copy_to(tmp_path / "older")
    scene.write("new.txt", "new")
    scene.take()
    copied(scene)
    there = bytes_of(scene.folder / "usb")

    with pytest.raises(CopyIsNewer):
        copied(old, scene.folder / "usb")
    for number in range(2):
        old.write("other.txt", f"other {number}")
        old.clock.at += timedelta(days=1)
        old.take()
    with pytest.raises(CopyForked):
        copied(old, scene.folder / "usb")

    assert bytes_of(scene.folder / "usb") == there


def test_a_copy_never_goes_into_anything_else(scene: Scene, tmp_path: Path) -> None:
    some_chats(scene)
    scene.take()
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "keyring").write_text("the keys of the house")
    other = Places(tmp_path / "other", tmp_path / "state", tmp_path / "cache")
    initialise(other, passphrase=PASSPHRASE, clock=scene.clock, tell=scene.tell)
    (tmp_path / "file").write_text("a file")

    for place in (photos, other.repository, tmp_path / "file", tmp_path):
        before = bytes_of(place)
        with pytest.raises((CopyOfAnother, CopyToItself)):
            copied(scene, place)
        assert bytes_of(place) == before
    for place in (scene.places.repository, scene.places.repository / "packs", scene.folder):
        with pytest.raises(CopyToItself):
            copied(scene, place)


def test_what_is_damaged_is_not_copied_and_named_and_the_copy_keeps_its_own(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    copied(scene)
    pack = min(scene.repository.packs())
    there = objects_of(scene.folder / "usb")
    (scene.places.repository / pack.name).write_bytes(b"x" * 10)

    done = copied(scene)
    (scene.places.repository / pack.name).unlink()
    lost_here = copied(scene)

    assert (done.state, [one.code for one in done.findings]) == ("damaged", ["original-damaged-copy-whole"])
    assert done.is_original_damaged
    assert (done.objects, done.bytes) == (0, 0)
    assert (lost_here.state, lost_here.snapshots) == ("whole", 1)
    assert objects_of(scene.folder / "usb") == there
    assert seen_from(scene).verify().state == "verified"


def test_a_pack_damaged_in_the_copy_by_its_size_is_copied_again(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    copied(scene)
    pack = min(scene.repository.packs())
    (scene.folder / "usb" / pack.name).write_bytes(b"short")

    assert copied(scene).objects == 1
    assert seen_from(scene).verify().state == "verified"


def test_what_was_swept_goes_from_the_copy_too(scene: Scene) -> None:
    scene.write("one.bin", b"\x01first" * 9000)
    first = scene.take().snapshot
    (scene.chats / "one.bin").unlink()
    scene.write("two.bin", b"\x02second" * 9000)
    second = scene.take().snapshot
    write_parity(scene.places, tell=scene.tell)
    forget(scene, first, accept_shrink=True)
    copied(scene)
    for wait in (timedelta(days=31), timedelta(hours=25)):
        scene.clock.at += wait
        sweep(scene.places, clock=scene.clock, tell=scene.tell)

    done = copied(scene)

    assert (done.deleted_packs, done.snapshots) == (2, 1)
    assert objects_of(scene.folder / "usb").keys() >= objects_of(scene.places.repository).keys()
    packs = {path.name for path in (scene.folder / "usb/packs").rglob("*") if path.is_file()}
    assert packs == {ref.pack for ref in scene.repository.packs()}
    assert listed(seen_from(scene)) == [second]
    assert seen_from(scene).verify().state == "verified"


def test_progress_ends_at_its_own_total(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    told: list[Progress] = []

    copy_repository(
        scene.places,
        scene.folder / "usb",
        clock=scene.clock,
        tell=lambda event: told.append(event) if isinstance(event, Progress) else None,
    )

    assert (told[-1].done_bytes, told[-1].done_files) == (told[-1].total_bytes, told[-1].total_files)


def spoil_packs(folder: Path) -> list[Path]:
    """Change a byte of every pack in a copy, and no size: as a run leaves them whose disk lied, or a tool that fills holes later."""
    packs = [path for path in (folder / "packs").rglob("*") if path.is_file()]
    for path in packs:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(bytes(data))
    return packs


def test_what_an_earlier_run_left_is_hashed_before_it_counts(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    # Another tool made the copy, and was cut off where it had made room for the packs and not filled it.
    shutil.copytree(scene.places.repository, scene.folder / "usb")
    spoilt = spoil_packs(scene.folder / "usb")

    done = copied(scene)

    assert done.state == "whole"
    assert scene.codes().count("second-copy-damaged") == len(spoilt) > 0
    assert done.objects == len(spoilt)
    assert done.checked >= len(spoilt)
    assert objects_of(scene.folder / "usb") == objects_of(scene.places.repository)
    assert copied(scene).checked == 0


def test_everything_is_read_back_again_when_that_is_asked_for_or_another_disk_lies_there(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    first = copied(scene)
    assert first.checked == 0
    spoilt = spoil_packs(scene.folder / "usb")

    unread = copied(scene)
    checked = copy_repository(scene.places, scene.folder / "usb", clock=scene.clock, tell=scene.tell, check=True)

    assert (unread.checked, unread.objects) == (0, 0)
    assert (checked.state, checked.objects) == ("whole", len(spoilt))
    spoil_packs(scene.folder / "usb")
    (scene.folder / "usb" / ".backupkit-copy").unlink()
    assert copied(scene).objects == len(spoilt)
    assert objects_of(scene.folder / "usb") == objects_of(scene.places.repository)


def test_what_is_damaged_on_both_sides_is_named_and_never_remembered_as_read(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    copied(scene)
    spoil_packs(scene.folder / "usb")
    spoil_packs(scene.places.repository)

    runs = [copy_repository(scene.places, scene.folder / "usb", clock=scene.clock, tell=scene.tell, check=True)]
    runs.append(copied(scene))

    assert [run.state for run in runs] == ["damaged", "damaged"]
    assert all({one.code for one in run.findings} == {"original-damaged"} for run in runs)
    assert "second-copy-damaged" not in scene.codes()


def test_a_snapshot_that_neither_side_has_whole_is_no_whole_copy(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    pack = min(scene.repository.packs())
    (scene.places.repository / pack.name).unlink()

    done = copied(scene)

    assert (done.state, done.snapshots, done.second_copy) == ("damaged", 0, False)
    assert [one.code for one in done.findings] == ["original-lacks-packs"]


def test_a_copy_follows_what_was_repacked_and_restores_by_itself(scene: Scene) -> None:
    scene.write("kept.bin", bytes(range(256)) * 120)
    scene.write("goes.bin", b"\x07gone" * 20_000)
    first = str(scene.take().snapshot)
    (scene.chats / "goes.bin").unlink()
    second = scene.take().snapshot
    copied(scene)
    forget(scene, first, accept_shrink=True)
    scene.clock.at += timedelta(days=31)

    repack(scene.places, secret=scene.secret, clock=scene.clock, tell=scene.tell, most_unused=0.0)
    between = copied(scene)
    sweep(scene.places, clock=scene.clock, tell=scene.tell)
    scene.clock.at += timedelta(hours=25)
    sweep(scene.places, clock=scene.clock, tell=scene.tell)
    after = copied(scene)

    assert (between.state, between.snapshots, after.state, after.snapshots) == ("whole", 1, "whole", 1)
    assert after.deleted_packs >= 1
    assert bytes_of(scene.folder / "usb/packs") == bytes_of(scene.places.repository / "packs")
    shutil.rmtree(scene.places.repository)
    seen = seen_from(scene)
    assert seen.verify(second).state == "verified"
    seen.restore(second)
    assert bytes_of(scene.folder / "back/chats") == bytes_of(scene.chats)


def test_a_file_with_a_hole_longer_than_any_is_not_read_into_memory_and_not_copied(scene: Scene) -> None:
    some_chats(scene)
    scene.take()
    copied(scene)
    pack = scene.largest_pack()
    with pack.open("r+b") as file:
        file.truncate(20 << 30)

    again = copied(scene)

    assert [found.code for found in again.findings] == ["original-damaged-copy-whole"]
    assert seen_from(scene).verify().state == "verified"


SMALL_OBJECTS = ["slots/", "domains/", "packlists/", "snapshots/", "statements/"]


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        *product(["keyring", "config", "log/", *SMALL_OBJECTS], ["flipped", "cut", "empty"]),
        # Without any of the other three the repository could not be opened.
        *product(SMALL_OBJECTS, ["all copies flipped"]),
    ],
)
def test_damage_to_a_small_object_of_the_repository_never_comes_into_a_copy(scene: Scene, kind: str, how: str) -> None:
    some_chats(scene)
    scene.take(verify=True)
    copied(scene)
    usb = scene.folder / "usb"
    good = objects_of(usb)
    root = scene.places.repository
    for name in [name for name in good if name.startswith(kind)]:
        for copy in COPIES if how.startswith("all") else COPIES[:1]:
            data = bytearray((root / (copy + name)).read_bytes())
            data[len(data) // 2] ^= 1
            (root / (copy + name)).write_bytes({"cut": bytes(data[:-9]), "empty": b""}.get(how, bytes(data)))

    again = copied(scene)

    assert objects_of(usb) == good
    assert {found.code for found in again.findings} == ({"original-damaged"} if how.startswith("all") else set())
    seen_from(scene).restore()
    assert bytes_of(scene.folder / "back/chats") == bytes_of(scene.chats)


def test_a_copy_that_lost_its_keyring_is_still_one_while_one_of_the_three_is_there(scene: Scene) -> None:
    """It was taken for something else, and never brought up to date again."""
    some_chats(scene)
    scene.take()
    copied(scene)
    (scene.folder / "usb" / "keyring").unlink()

    assert copied(scene).state == "whole"
    assert objects_of(scene.folder / "usb") == objects_of(scene.places.repository)
