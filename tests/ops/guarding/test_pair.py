"""One repository's backups count for the guard. Another takes its place on its owner's word, and then works."""

from datetime import timedelta
from pathlib import Path

import chat_factory
import pytest
from backup_scene import Scene

from backupkit.crypto.failures import CannotUnlock
from backupkit.guard.places import GuardPlaces
from backupkit.ids import AppPackage
from backupkit.ops.events import Notice
from backupkit.ops.guarding.pair import pair_guard
from backupkit.ops.repository.guard_files import counts_another, pins_of
from backupkit.ops.unlock import Secret
from backupkit.proof.pass_check import PassPolicy, check_pass
from backupkit.proof.pins import decode_pins
from backupkit.proof.refusals import ClockWentBack, PassRefused
from backupkit.proof.witness import load, save

TELEGRAM = AppPackage("org.telegram.messenger")


@pytest.fixture
def second(scene: Scene) -> Scene:
    """A new repository of the same computer, whose guard counts the first one's backups."""
    other = Scene(scene.folder, clock=scene.clock)
    scene.places.repository.rename(scene.folder / "first")
    other.initialise()
    return other


def check(scene: Scene) -> None:
    """Ask about the pass on file as the guard does; keep what it saw of the log."""
    places = GuardPlaces(scene.places.guard)
    checked = check_pass(
        places.pass_of(TELEGRAM).read_bytes(), pins=decode_pins(places.pins.read_bytes()), installed=None, challenge=None,
        now=scene.clock.at, policy=PassPolicy(), witness=load(places.witness),
    )  # fmt: skip
    save(places.witness, checked.witness)


def test_a_new_repository_says_that_another_one_counts(second: Scene) -> None:
    assert "guard-counts-another" in second.codes()
    assert counts_another(second.repository)


def test_after_pairing_the_new_ones_backups_count_and_the_old_ones_do_not(scene: Scene, tmp_path: Path) -> None:
    export = chat_factory.write_telegram_chat(tmp_path / "telegram", messages=30).path.parent
    scene.take(export, app="telegram", verify=True)
    check(scene)
    old = GuardPlaces(scene.places.guard).pass_of(TELEGRAM).read_bytes()
    scene.places.repository.rename(scene.folder / "first")
    other = Scene(scene.folder, clock=scene.clock)
    other.initialise()
    other.take(export, app="telegram", verify=True)
    with pytest.raises(PassRefused):
        check(other)

    paired = pair_guard(other.places, secret=other.secret, clock=other.clock, tell=other.tell)

    assert (paired.changed, paired.origin) == (True, other.repository.origin)
    check(other)
    assert not pair_guard(other.places, secret=other.secret, clock=other.clock, tell=other.tell).changed
    GuardPlaces(other.places.guard).pass_of(TELEGRAM).write_bytes(old)
    with pytest.raises(PassRefused):
        check(other)


def test_who_cannot_open_the_repository_cannot_make_it_count(scene: Scene, second: Scene) -> None:
    before = GuardPlaces(second.places.guard).pins.read_bytes()

    with pytest.raises(CannotUnlock):
        pair_guard(second.places, secret=lambda: Secret(recovery_words=scene.words), clock=scene.clock)

    assert GuardPlaces(second.places.guard).pins.read_bytes() == before != pins_of(second.repository).encode()


def test_a_guard_that_counts_nobody_yet_is_paired(scene: Scene) -> None:
    GuardPlaces(scene.places.guard).pins.unlink()
    assert counts_another(scene.repository) is None

    assert pair_guard(scene.places, secret=scene.secret, clock=scene.clock).changed
    assert counts_another(scene.repository) is False
    assert not [event for event in scene.told if isinstance(event, Notice) and event.code == "guard-counts-another"]


def test_a_guard_whose_memory_of_the_log_is_damaged_is_paired_anew(scene: Scene, tmp_path: Path) -> None:
    """The sentence about `witness-unusable` says so."""
    export = chat_factory.write_telegram_chat(tmp_path / "telegram", messages=30).path.parent
    scene.take(export, app="telegram", verify=True)
    check(scene)
    witness = GuardPlaces(scene.places.guard).witness
    witness.write_bytes(witness.read_bytes()[:40])

    assert pair_guard(scene.places, secret=scene.secret, clock=scene.clock).changed

    check(scene)
    assert not pair_guard(scene.places, secret=scene.secret, clock=scene.clock).changed


def test_a_guard_that_was_asked_under_a_clock_that_was_ahead_is_paired_anew_and_still_knows_the_log(
    scene: Scene, tmp_path: Path
) -> None:
    """The sentence about `clock-went-back` says so."""
    export = chat_factory.write_telegram_chat(tmp_path / "telegram", messages=30).path.parent
    scene.take(export, app="telegram", verify=True)
    check(scene)
    places = GuardPlaces(scene.places.guard)
    seen = load(places.witness)
    assert seen is not None
    save(places.witness, seen.noted(scene.clock.at + timedelta(days=4000)))
    with pytest.raises(ClockWentBack):
        check(scene)

    paired = pair_guard(scene.places, secret=scene.secret, clock=scene.clock)

    assert (paired.changed, paired.forgot_time) == (False, True)
    check(scene)
    assert load(places.witness) == seen._replace(at=None)
    assert not pair_guard(scene.places, secret=scene.secret, clock=scene.clock).forgot_time
