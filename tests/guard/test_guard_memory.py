"""What the guard keeps between two questions, when something else lies in its place."""

import errno
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from guard_scene import NOON, WECHAT, Scene, on_disk

from backupkit.guard.desk import Desk, load_hook_key
from backupkit.guard.desktop import DesktopChange
from backupkit.guard.outcome import Action
from backupkit.guard.places import GuardPlaces
from backupkit.guard.request import UpdateRequest


def answer(scene: Scene) -> tuple[str, str]:
    """Ask about the update of 2018; return the decision and the reason."""
    request = UpdateRequest(on_disk(scene.installed()), candidate=on_disk(scene.offered_by_stranger()), device_sdk=33)
    verdict = Desk(scene.places).answer(request, NOON)
    return verdict.decision.value, verdict.reason


IN_THE_PLACE: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a folder": Path.mkdir,
    "a link to nothing": lambda path: path.symlink_to("/nowhere/at/all"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "an endless file": lambda path: path.symlink_to("/dev/zero"),
    "half of it": lambda path: path.write_bytes(b'{"origin":"backupkit.local/st'),
}


@pytest.mark.parametrize("what", IN_THE_PLACE)
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("witness.json", "witness-unusable"),
        ("pins.json", "pins-unusable"),
        ("policy.json", "policy-unusable"),
        ("owner.pub", "pins-unusable"),
        ("hook.key", "hook-key-unusable"),
        ("records/com.tencent.mm.json", "record-unreadable"),
    ],
)
def test_what_lies_in_the_place_of_the_memory_is_named_and_never_waited_for(
    scene: Scene, name: str, reason: str, what: str
) -> None:
    scene.enrol_store()
    scene.issue()
    answer(scene)
    path = scene.places.root / name
    path.unlink(missing_ok=True)

    IN_THE_PLACE[what](path)

    assert answer(scene) == ("undecided", reason)


def test_a_folder_that_cannot_be_written_is_told_as_that_and_not_as_our_mistake(scene: Scene) -> None:
    scene.enrol_store()
    scene.issue()
    # Not even root writes there.
    scene.places.records.symlink_to("/proc/self")
    in_the_way_of_records = answer(scene)
    scene.places.records.unlink()
    lock = scene.places.witness.with_name("witness.json.lock")
    lock.unlink()
    lock.mkdir()
    in_the_way_of_the_lock = answer(scene)

    assert in_the_way_of_records == in_the_way_of_the_lock == ("undecided", "memory-unwritable")


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o720, 0o702])
@pytest.mark.parametrize("name", [".", "records", "passes", "consents", "hints"])
def test_a_folder_that_others_may_write_in_counts_for_nothing(scene: Scene, name: str, mode: int) -> None:
    """A consent in it could be anybody's, and so could the repository whose backups count."""
    scene.enrol_store()
    scene.issue()
    assert answer(scene) == ("allow", "backup-covers")
    folder = scene.places.root / name
    folder.mkdir(exist_ok=True)

    folder.chmod(mode)
    open_to_others = answer(scene)
    folder.chmod(0o755)

    assert open_to_others == ("undecided", "memory-open")
    assert answer(scene) == ("allow", "backup-covers")


def test_a_package_of_the_system_is_not_decided_over_an_open_folder_either(scene: Scene) -> None:
    scene.enrol_store()
    scene.places.root.chmod(0o777)
    change = DesktopChange("wechat", Action.UNINSTALL, WECHAT, "apt")

    assert Desk(scene.places).answer_desktop(change, NOON).reason == "memory-open"


@pytest.mark.parametrize("has_hard_links", [True, False])
def test_of_many_first_questions_at_once_all_sign_with_the_one_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_hard_links: bool
) -> None:
    """Threads of one server shared the name under which a new key lay, and a line of the ledger bore a key that nobody has."""
    if not has_hard_links:
        monkeypatch.setattr(os, "link", refuse_links)

    for number in range(20):
        places = GuardPlaces(tmp_path / str(number))
        places.root.mkdir()
        with ThreadPoolExecutor(8) as pool:
            keys = {key.seed for key in pool.map(lambda _, places=places: load_hook_key(places), range(8))}

        assert keys == {load_hook_key(places).seed}
        assert [path.name for path in places.root.iterdir()] == ["hook.key"]


def refuse_links(*_given: object) -> None:
    raise PermissionError(errno.EPERM, "no hard links on this file system")
