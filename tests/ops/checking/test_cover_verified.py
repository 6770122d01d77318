from datetime import timedelta
from pathlib import Path

import chat_factory
import pytest
from backup_scene import Scene

from backupkit.clock import FixedClock
from backupkit.guard.places import GuardPlaces
from backupkit.ids import AppPackage
from backupkit.ops.checking.cover_verified import cover_verified
from backupkit.ops.checking.coverage import CoverageIssued
from backupkit.ops.checking.drill import drill_snapshot
from backupkit.ops.keys.confirm_recovery import confirm_recovery
from backupkit.ops.repository.guard_files import pins_of
from backupkit.proof.pass_check import CheckedPass, PassPolicy, check_pass

TELEGRAM, WHATSAPP = AppPackage("org.telegram.messenger"), AppPackage("com.whatsapp")
DAY = timedelta(hours=24)


@pytest.fixture
def unconfirmed(bare_scene: Scene) -> Scene:
    bare_scene.initialise(confirm=False)
    chat_factory.write_telegram_chat(bare_scene.folder / "telegram", messages=60)
    return bare_scene


def take(scene: Scene, app: str = "telegram", *, verify: bool = True) -> str:
    return scene.take(scene.folder / app, app=app, verify=verify).snapshot


def confirm(scene: Scene, later: timedelta = timedelta()) -> tuple[CoverageIssued, ...]:
    """Type the words back, and let what was verified before count."""
    confirm_recovery(scene.places, scene.words, scene.clock)
    return cover_verified(scene.places, clock=FixedClock(scene.clock.at + later), tell=scene.tell, max_age=DAY)


def checked(scene: Scene, package: AppPackage) -> CheckedPass:
    return check_pass(
        GuardPlaces(scene.places.guard).pass_of(package).read_bytes(),
        pins=pins_of(scene.repository),
        installed=None,
        challenge=None,
        now=scene.clock.at,
        policy=PassPolicy(),
        witness=None,
    )


def test_what_was_verified_before_the_words_were_typed_back_counts_once_they_are(unconfirmed: Scene) -> None:
    taken = take(unconfirmed)
    before = unconfirmed.clock.at

    (issued,) = confirm(unconfirmed)

    counts = checked(unconfirmed, TELEGRAM).coverage
    assert (counts.snapshot, counts.covered.messages) == (taken, 60)
    # It is as old as the reading, not as the words.
    assert counts.verified_at <= before
    assert issued.package == TELEGRAM
    assert issued.expires == counts.verified_at + DAY


def test_a_drill_before_the_words_counts_as_a_drill(unconfirmed: Scene) -> None:
    take(unconfirmed)
    drill_snapshot(unconfirmed.places, secret=unconfirmed.secret, clock=unconfirmed.clock, tell=unconfirmed.tell)

    confirm(unconfirmed)

    assert checked(unconfirmed, TELEGRAM).coverage.result_of("restore-drill") == "passed"


def test_what_was_only_saved_or_read_too_long_ago_counts_no_more_for_the_words(unconfirmed: Scene) -> None:
    take(unconfirmed, verify=False)
    assert confirm(unconfirmed) == ()
    unconfirmed.verify()
    GuardPlaces(unconfirmed.places.guard).pass_of(TELEGRAM).unlink()

    assert confirm(unconfirmed, later=DAY + timedelta(minutes=1)) == ()

    assert not GuardPlaces(unconfirmed.places.guard).pass_of(TELEGRAM).exists()


def test_each_app_gets_the_pass_of_its_own_newest_verified_snapshot(unconfirmed: Scene) -> None:
    chat_factory.write_whatsapp_android(unconfirmed.folder / "whatsapp", messages=40)
    both = unconfirmed.take(unconfirmed.folder / "whatsapp", app="whatsapp", verify=True).snapshot
    take(unconfirmed)
    newest = take(unconfirmed)
    take(unconfirmed, verify=False)

    issued = confirm(unconfirmed)

    assert {one.package for one in issued} == {TELEGRAM, WHATSAPP}
    assert checked(unconfirmed, WHATSAPP).coverage.snapshot == both
    assert checked(unconfirmed, TELEGRAM).coverage.snapshot == newest


def test_a_computer_that_does_not_write_here_issues_nothing(unconfirmed: Scene, tmp_path: Path) -> None:
    take(unconfirmed)
    (tmp_path / "other").mkdir()
    other = Scene(tmp_path / "other", unconfirmed.words, unconfirmed.clock)
    unconfirmed.places.repository.rename(other.places.repository)

    assert confirm(other) == ()
