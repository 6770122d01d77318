import json
import shlex
import shutil
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import chat_factory
import pytest
from backup_scene import Scene

from backupkit.capture.stable_read import read_stable
from backupkit.capture.unreadable import SourceUnreadable, Unreadable
from backupkit.chats.losing.ledger_build import TICK_NS
from backupkit.clock import FixedClock
from backupkit.guard.loss_hint import decode_hint
from backupkit.guard.places import GuardPlaces
from backupkit.ids import AppPackage
from backupkit.ops.checking.accept_shrink import accept_shrink
from backupkit.ops.events import Found
from backupkit.ops.guarding.loss import LossLevel, preview_loss
from backupkit.ops.keeping.copy import copy_repository
from backupkit.ops.looking.status import Status, status
from backupkit.ops.repository.guard_files import pins_of
from backupkit.ops.saving import save_file
from backupkit.proof.pass_check import CheckedPass, PassPolicy, check_pass
from backupkit.proof.refusals import LogProofMissing
from backupkit.proof.witness import WitnessState, save as save_witness

TELEGRAM, WHATSAPP = AppPackage("org.telegram.messenger"), AppPackage("com.whatsapp")
DAY = timedelta(hours=24)


def checked_after_verify(scene: Scene) -> WitnessState:
    """What a guard remembers after one more verification."""
    scene.verify()
    return checked(scene, TELEGRAM).witness


def checked(
    scene: Scene, package: AppPackage, witness: WitnessState | None = None, later: timedelta = timedelta()
) -> CheckedPass:
    """What a guard makes of the pass on file."""
    return check_pass(
        GuardPlaces(scene.places.guard).pass_of(package).read_bytes(),
        pins=pins_of(scene.repository),
        installed=None,
        challenge=None,
        now=scene.clock.at + later,
        policy=PassPolicy(),
        witness=witness,
    )


def telegram(scene: Scene, messages: int = 60) -> chat_factory.Written:
    """Write an export, and be gone from it for a tick of the clock, as everybody is who types a command afterwards."""
    shutil.rmtree(scene.folder / "telegram", ignore_errors=True)
    written = chat_factory.write_telegram_chat(scene.folder / "telegram", messages=messages)
    done = time.time_ns()
    while time.time_ns() <= done + 2 * TICK_NS:
        time.sleep(0.01)
    return written


def take_telegram(scene: Scene) -> None:
    scene.take(scene.folder / "telegram", app="telegram", verify=True)


def look(scene: Scene, later: timedelta = timedelta()) -> Status:
    return status(scene.places, max_age=DAY, clock=FixedClock(scene.clock.at + later))


def test_a_snapshot_of_nothing_gives_no_pass_and_leaves_the_one_there_is(scene: Scene) -> None:
    telegram(scene)
    take_telegram(scene)
    before = checked(scene, TELEGRAM).coverage.covered
    shutil.rmtree(scene.folder / "telegram")
    (scene.folder / "telegram").mkdir()

    taken = scene.take(scene.folder / "telegram", app="telegram", package=str(WHATSAPP), verify=True)
    take_telegram(scene)

    assert (taken.state, taken.coverage) == ("verified", ())
    assert not GuardPlaces(scene.places.guard).pass_of(WHATSAPP).exists()
    assert checked(scene, TELEGRAM).coverage.covered == before


def test_a_part_of_the_chats_does_not_stand_for_all_of_them_until_its_owner_says_so(scene: Scene) -> None:
    telegram(scene, messages=60)
    take_telegram(scene)
    telegram(scene, messages=20)

    part = scene.take(scene.folder / "telegram", app="telegram", verify=True)
    assert (part.state, part.coverage) == ("verified", ())
    (told,) = [event.facts for event in scene.told if isinstance(event, Found) and event.code == "pass-withheld"]
    assert (told["name"], told["before"], told["after"]) == ("telegram", 60, 20)
    assert checked(scene, TELEGRAM).coverage.covered.messages == 60

    accept_shrink(scene.places, "latest", scene.tell)
    assert [one.package for one in scene.verify().coverage] == [TELEGRAM]
    assert checked(scene, TELEGRAM).coverage.covered.messages == 20

    # From there on it is compared with what was accepted.
    telegram(scene, messages=21)
    assert scene.take(scene.folder / "telegram", app="telegram", verify=True).coverage
    telegram(scene, messages=2)
    assert not scene.take(scene.folder / "telegram", app="telegram", verify=True).coverage


def test_an_older_snapshot_is_compared_with_those_before_it_only(scene: Scene) -> None:
    telegram(scene, messages=20)
    first = scene.take(scene.folder / "telegram", app="telegram")
    telegram(scene, messages=60)
    take_telegram(scene)

    assert [one.package for one in scene.verify(first.snapshot).coverage] == [TELEGRAM]


def test_a_verified_snapshot_of_a_known_app_gives_a_pass_that_a_guard_believes(scene: Scene) -> None:
    written = telegram(scene)
    take_telegram(scene)

    coverage = checked(scene, TELEGRAM).coverage

    assert (coverage.covered.messages, coverage.covered.conversations) == (written.messages, written.conversations)
    assert coverage.log.origin == scene.repository.origin
    # Beside it lies the note that nothing was missing then.
    note = decode_hint(GuardPlaces(scene.places.guard).hint_of(TELEGRAM).read_bytes())
    assert (note.not_in_backup, note.messages, note.snapshot) == (0, written.messages, coverage.snapshot)


def test_a_hook_that_saw_any_recent_head_is_served_with_a_proof(scene: Scene) -> None:
    telegram(scene)
    seen = []
    for _ in range(6):
        take_telegram(scene)
        seen.append(checked(scene, TELEGRAM).witness)

    for witness in seen:
        assert checked(scene, TELEGRAM, witness).witness.size == seen[-1].size


def test_the_hook_of_this_computer_is_served_however_long_ago_it_was_asked(scene: Scene) -> None:
    """Between the heads of the last runs and those at powers of two lies the one that a seldom asked hook saw."""
    chat_factory.write_telegram_chat(scene.chats, messages=5)
    scene.take(app="telegram", package=TELEGRAM)
    while (at_eight := checked_after_verify(scene)).size < 8:
        pass
    seen = checked_after_verify(scene)
    save_witness(GuardPlaces(scene.places.guard).witness, seen)
    for _ in range(20):
        scene.verify()

    now = checked(scene, TELEGRAM, seen).witness

    assert (at_eight.size, seen.size) == (8, 9)
    assert now.size - seen.size >= 20
    # Hooks elsewhere are served if they saw a head at a power of two.
    assert checked(scene, TELEGRAM, at_eight).witness == now
    GuardPlaces(scene.places.guard).witness.unlink()
    scene.verify()
    with pytest.raises(LogProofMissing):
        # What the computer does not know, it cannot prove: the head that was seen is what counts here.
        checked(scene, TELEGRAM, seen)


def test_the_pass_of_another_app_is_renewed_with_the_new_head_and_covers_no_longer_for_it(scene: Scene) -> None:
    telegram(scene)
    chat_factory.write_whatsapp_android(scene.folder / "whatsapp", messages=20)
    take_telegram(scene)
    before = checked(scene, TELEGRAM)
    scene.take(scene.folder / "whatsapp", app="whatsapp", verify=True)
    newest = checked(scene, WHATSAPP, before.witness).witness

    renewed = checked(scene, TELEGRAM, newest)

    assert renewed.witness == newest
    assert (
        renewed.coverage._replace(log=before.coverage.log, time_created=before.coverage.time_created) == before.coverage
    )
    assert renewed.coverage.expires == before.coverage.expires


def test_a_damaged_pass_on_file_is_not_renewed_and_stops_nobody(scene: Scene) -> None:
    telegram(scene)
    path = GuardPlaces(scene.places.guard).pass_of(WHATSAPP)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"garbage")

    take_telegram(scene)

    assert path.read_bytes() == b"garbage"
    assert checked(scene, TELEGRAM)


def test_an_incomplete_snapshot_gives_no_pass(scene: Scene, tmp_path: Path) -> None:
    telegram(scene)
    asked = iter(range(10_000))
    scene.take(scene.folder / "telegram", app="telegram", stop=lambda: next(asked) > 3)

    assert not scene.verify().coverage
    assert not GuardPlaces(scene.places.guard).pass_of(TELEGRAM).exists()


def test_a_snapshot_that_lacks_one_file_gives_no_pass_though_every_byte_of_it_is_read_back(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = read_stable

    def refuse_one(path: Any, store: Any) -> Any:
        if Path(path).name == "secret.txt":
            raise SourceUnreadable(Path(path), Unreadable.PERMISSION_DENIED)
        return read(path, store)

    telegram(scene)
    (scene.folder / "telegram" / "secret.txt").write_text("not for you")
    with monkeypatch.context() as patch:
        patch.setattr(save_file, "read_stable", refuse_one)
        taken = scene.take(scene.folder / "telegram", app="telegram", verify=True)

    assert (taken.state, taken.complete, len(taken.unreadable)) == ("verified", False, 1)
    assert not scene.verify().coverage
    assert not GuardPlaces(scene.places.guard).pass_of(TELEGRAM).exists()
    take_telegram(scene)
    assert GuardPlaces(scene.places.guard).pass_of(TELEGRAM).exists()


def test_without_the_words_typed_back_there_is_a_notice_in_place_of_a_pass(bare_scene: Scene) -> None:
    bare_scene.initialise(confirm=False)
    telegram(bare_scene)

    take_telegram(bare_scene)

    assert "recovery-not-confirmed" in bare_scene.codes()
    assert not GuardPlaces(bare_scene.places.guard).pass_of(TELEGRAM).exists()


def test_the_status_says_what_is_saved_how_well_and_what_to_do_next(scene: Scene) -> None:
    assert look(scene).stale
    assert look(scene).next == ("backupkit snapshot PATH",)
    telegram(scene)
    scene.take(scene.folder / "telegram", app="telegram")
    assert look(scene).sources[0].state == "saved"
    assert look(scene).next == ("backupkit verify",)

    scene.verify()

    fresh = look(scene)
    assert (fresh.stale, fresh.sources[0].state, fresh.next) == (False, "verified", ())
    assert fresh.sources[0].messages == 60
    old = look(scene, timedelta(hours=25))
    assert (old.stale, old.sources[0].state) == (True, "stale")
    assert old.next == (f"backupkit snapshot {scene.folder / 'telegram'}",)


def test_the_next_command_can_be_typed_where_the_path_has_spaces(scene: Scene) -> None:
    chats = scene.folder / "my chats"
    chat_factory.write_telegram_chat(chats, messages=5)
    scene.take(chats, app="telegram")
    scene.verify()

    (command,) = look(scene, timedelta(hours=25)).next

    assert shlex.split(command) == ["backupkit", "snapshot", str(chats)]


def test_what_would_be_lost_is_told_in_messages(scene: Scene) -> None:
    telegram(scene)
    source = scene.folder / "telegram"
    assert preview_loss(scene.places, TELEGRAM, source).level is LossLevel.NOT_COVERED
    scene.take(source, app="telegram")
    assert preview_loss(scene.places, TELEGRAM, source).level is LossLevel.NOT_COVERED
    scene.verify()
    assert preview_loss(scene.places, TELEGRAM, source).uncovered == 0

    telegram(scene, 75)

    gap = preview_loss(scene.places, TELEGRAM, source)
    assert (gap.level, gap.uncovered, gap.messages) == (LossLevel.COVERED_WITH_GAP, 15, 75)
    assert [(one.uncovered, one.messages) for one in gap.by_conversation] == [(15, 75)]
    assert sum(day.uncovered for day in gap.by_conversation[0].days) == 15
    telegram(scene, 40)
    assert preview_loss(scene.places, TELEGRAM, source).level is LossLevel.COVERED


def test_where_the_memory_of_a_snapshot_is_lost_the_loss_is_unknown_until_the_next(scene: Scene) -> None:
    telegram(scene)
    take_telegram(scene)
    source = scene.folder / "telegram"
    assert preview_loss(scene.places, TELEGRAM, source).level is LossLevel.COVERED

    shutil.rmtree(scene.repository.cache / "ledgers")
    lost = preview_loss(scene.places, TELEGRAM, source)
    assert (lost.level, lost.messages, lost.uncovered) == (LossLevel.UNKNOWN, 60, None)

    take_telegram(scene)
    assert preview_loss(scene.places, TELEGRAM, source).level is LossLevel.COVERED


def test_a_mapping_in_an_export_cannot_say_that_an_app_is_covered(scene: Scene) -> None:
    """Whoever made the export may have written into it what they like."""
    scene.write("copy/records.json", json.dumps([{"body": f"said {number}"} for number in range(3)]).encode())
    scene.write(
        "copy/backupkit-mapping.toml",
        f'mapping = 1\napp = "telegram"\npackage = "{TELEGRAM}"\n[message]\ntext = "body"\n'.encode(),
    )
    scene.take(scene.chats / "copy", verify=True)
    claimed = GuardPlaces(scene.places.guard).pass_of(AppPackage(TELEGRAM)).exists()

    scene.take(scene.chats / "copy", package=TELEGRAM, verify=True)

    assert not claimed
    assert GuardPlaces(scene.places.guard).pass_of(AppPackage(TELEGRAM)).exists()


def test_a_verification_of_the_future_is_no_young_one(scene: Scene) -> None:
    """A clock that once stood in 2106 made `status` say "verified" for eighty years."""
    telegram(scene)
    take_telegram(scene)

    assert not look(scene, -timedelta(minutes=4)).stale
    assert look(scene, -timedelta(minutes=6)).stale
    assert look(scene, -timedelta(minutes=6)).sources[0].state == "stale"


def test_a_snapshot_that_lacks_files_is_not_called_safe(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of three files could not be read, and `status` said that every source has a verified backup."""

    def refuse(path: Path, _store: object) -> None:
        raise SourceUnreadable(path, Unreadable.PERMISSION_DENIED)

    telegram(scene)
    (scene.folder / "telegram" / "secret.txt").write_text("not for you")

    with monkeypatch.context() as patch:
        patch.setattr(save_file, "read_stable", refuse)
        taken = scene.take(scene.folder / "telegram", app="telegram", verify=True)

    assert (taken.state, taken.complete) == ("verified", False)
    assert (look(scene).stale, look(scene).sources[0].state) == (True, "stale")
    assert look(scene).sources[0].unreadable == len(taken.unreadable) > 0
    take_telegram(scene)
    assert not look(scene).stale


def test_a_snapshot_of_nothing_is_not_called_safe(scene: Scene) -> None:
    scene.take(verify=True)

    assert (look(scene).stale, look(scene).sources[0].state) == (True, "stale")


def test_the_status_says_until_when_the_guard_counts_a_source_and_what_makes_it_count_again(scene: Scene) -> None:
    """Every source had a verified backup, the guard held every update all the same, and nothing said why."""
    telegram(scene)
    take_telegram(scene)
    (covered,) = look(scene).sources
    GuardPlaces(scene.places.guard).pass_of(TELEGRAM).unlink()

    without = look(scene)

    assert covered.last_verified_at is not None
    assert (covered.guard_until, covered.not_covered) == (covered.last_verified_at + DAY, False)
    assert (without.sources[0].guard_until, without.sources[0].not_covered) == (None, True)
    assert (without.stale, without.next) == (False, ("backupkit verify",))
    scene.verify()
    assert not look(scene).sources[0].not_covered


def test_the_status_promises_no_cover_by_a_pass_that_has_ended_or_was_signed_by_nobody(scene: Scene) -> None:
    telegram(scene)
    take_telegram(scene)
    on_file = GuardPlaces(scene.places.guard).pass_of(TELEGRAM)

    later = look(scene, DAY + timedelta(minutes=1))
    on_file.write_bytes(on_file.read_bytes().replace(b'"payload":"e', b'"payload":"f', 1))
    changed = look(scene)

    # What is stale is told as that.
    assert (later.sources[0].guard_until, later.sources[0].not_covered) == (None, False)
    assert (changed.sources[0].guard_until, changed.sources[0].not_covered) == (None, True)


def test_a_source_that_another_app_has_no_pass_for_is_told_nothing_of_the_guard(scene: Scene) -> None:
    scene.write("notes.txt", "no chats")
    scene.take(verify=True)

    (source,) = look(scene).sources

    assert (source.package, source.guard_until, source.not_covered) == (None, None, False)


def test_the_next_command_reads_the_snapshot_back_that_was_not_even_where_it_is_not_the_latest(scene: Scene) -> None:
    """`backupkit verify` reads the latest one, so whoever followed the advice read the wrong one for ever."""
    telegram(scene)
    unread = scene.take(scene.folder / "telegram", app="telegram").snapshot
    scene.write("notes.txt", "no chats")
    scene.take(verify=True)

    (command,) = look(scene).next

    assert command == f"backupkit verify {unread[:8]}"
    scene.verify(command.split()[-1])
    assert look(scene).next == ()


def test_a_repository_on_this_disk_is_no_worry_once_the_newest_snapshots_are_on_another(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    telegram(scene)
    take_telegram(scene)
    copy_repository(scene.places, scene.folder / "on the same disk", clock=scene.clock, tell=scene.tell)
    assert not look(scene).copied_elsewhere
    monkeypatch.setattr("backupkit.ops.keeping.copy.on_same_disk", lambda *_: False)
    copy_repository(scene.places, scene.folder / "usb", clock=scene.clock, tell=scene.tell)

    copied = look(scene, timedelta(days=40))
    take_telegram(scene)

    assert copied.copied_elsewhere
    assert not look(scene).copied_elsewhere
