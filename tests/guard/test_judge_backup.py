"""Which backup covers the chats that an update would wipe, and how much there is to lose."""

from datetime import timedelta

import pytest
from apk_factory import make_key
from guard_scene import WECHAT, Scene, answer, question, said

from backupkit.guard import judge as judge_module
from backupkit.guard.desk import load_pins
from backupkit.guard.examination import examine
from backupkit.guard.outcome import Action
from backupkit.guard.package_record import Records
from backupkit.guard.policy import GuardPolicy, Needs
from backupkit.guard.verdict import Decision, Loss
from backupkit.guard.wording import wording
from backupkit.i18n import LANGUAGES, messages
from backupkit.ids import AppPackage, CertificateDigest
from backupkit.proof.coverage_pass import RESTORE_DRILL, SECOND_COPY, Check


@pytest.mark.parametrize(
    ("changes", "policy", "reason"),
    [
        ({"hours": 25}, GuardPolicy(), "pass-expired"),
        ({"hours": 3}, GuardPolicy(max_backup_age=timedelta(hours=2)), "pass-too-old"),
        ({"hours": -2}, GuardPolicy(), "pass-from-the-future"),
        ({}, GuardPolicy(needs=Needs.DRILLED), "pass-policy-not-met"),
        ({}, GuardPolicy(needs_second_copy=True), "pass-policy-not-met"),
        ({}, GuardPolicy(needs_challenge=True), "challenge-missing"),
    ],
)
def test_a_pass_that_does_not_meet_the_policy_holds(
    scene: Scene, changes: dict[str, int], policy: GuardPolicy, reason: str
) -> None:
    scene.enrol_store()
    scene.issue()
    scene.now += timedelta(**changes)

    assert said(answer(scene, question(scene), policy)) == ("hold", "would-wipe", reason)


def test_a_drilled_and_copied_backup_meets_the_strictest_policy(scene: Scene) -> None:
    scene.enrol_store()
    coverage = scene.coverage()
    checks = (*coverage.checks, Check(RESTORE_DRILL, "passed"), Check(SECOND_COPY, "passed"))
    scene.issue(coverage, checks=checks, challenge="c0" * 16)
    policy = GuardPolicy(needs=Needs.DRILLED, needs_second_copy=True, needs_challenge=True)

    right = answer(scene, question(scene, challenge=b"\xc0" * 16), policy)
    wrong = answer(scene, question(scene, challenge=b"\xc1" * 16), policy)

    assert right.decision is Decision.ALLOW
    assert wrong.reason == "pass-wrong-challenge"


def test_the_pass_of_another_signers_app_covers_nothing(scene: Scene) -> None:
    scene.enrol_store()
    coverage = scene.coverage()
    scene.issue(coverage, app=coverage.app._replace(signers=(CertificateDigest(make_key("ec", "other").digest),)))

    assert answer(scene, question(scene)).reason == "pass-wrong-signer"


def test_a_pass_that_no_longer_counts_still_says_how_much_there_is_to_lose(scene: Scene) -> None:
    scene.enrol_store()
    scene.issue(verified_at=scene.now - timedelta(days=3), time_created=scene.now - timedelta(days=3))

    held = answer(scene, question(scene, loss=Loss(messages=50_000)))
    data = bytearray(scene.places.pass_of(WECHAT).read_bytes())
    data[data.index(b'"sig":"') + 12] ^= 1
    scene.places.pass_of(WECHAT).write_bytes(data)
    forged = answer(scene, question(scene))

    assert said(held) == ("hold", "would-wipe", "pass-too-old")
    assert held.coverage is None
    assert held.loss is not None
    assert (held.loss.messages, held.loss.conversations, held.loss.bytes) == (50_000, 96, 11_000_000_000)
    assert (forged.decision, forged.loss) == (Decision.HOLD, None)


def test_without_a_paired_store_no_pass_counts(scene: Scene) -> None:
    scene.issue()

    assert said(answer(scene, question(scene))) == ("hold", "would-wipe", "no-pinned-store")


def test_no_changed_byte_of_a_pass_gives_allow(scene: Scene) -> None:
    scene.enrol_store()
    data = scene.issue()
    request = question(scene, deadline=timedelta(seconds=2))
    facts_read = examine(request, Records(scene.places.records), scene.now)
    known = judge_module.Known(pins=None, policy=GuardPolicy(), witness=None, now=scene.now)
    reasons = set()
    for place in range(0, len(data), 3):
        changed = bytes((*data[:place], data[place] ^ 1, *data[place + 1 :]))
        verdict = judge_module.conclude(
            facts_read, known._replace(pins=load_pins(scene.places), pass_data=changed)
        ).verdict
        assert verdict.decision is Decision.HOLD
        reasons.add(verdict.reason)

    assert reasons == {"pass-malformed", "pass-signature-invalid"}


def test_the_numbers_of_another_apps_pass_are_not_told_as_this_ones(scene: Scene) -> None:
    scene.enrol_store()
    coverage = scene.coverage()
    scene.issue(coverage, app=coverage.app._replace(package=AppPackage("com.tencent.mobileqq")))

    held = answer(scene, question(scene))

    assert (held.reason, held.loss) == ("pass-wrong-app", None)


def test_the_times_that_the_question_names_stay(scene: Scene) -> None:
    scene.enrol_store()
    scene.issue()
    oldest, newest = scene.now - timedelta(days=4000), scene.now - timedelta(minutes=1)

    loss = answer(scene, question(scene, loss=Loss(oldest=oldest, newest=newest))).loss

    assert loss is not None
    assert (loss.oldest, loss.newest, loss.messages) == (oldest, newest, 48_211)


def test_a_check_that_failed_or_was_not_done_is_not_told_as_passed(scene: Scene) -> None:
    scene.enrol_store()
    coverage = scene.coverage()
    scene.issue(coverage, checks=(*coverage.checks, Check(RESTORE_DRILL, "failed"), Check(SECOND_COPY, "not-done")))

    told = answer(scene, question(scene)).coverage

    assert told is not None
    assert told.checks == ("every-byte-read", "keys-recoverable")


def test_the_pass_that_the_question_names_is_the_one_that_is_read(scene: Scene) -> None:
    scene.enrol_store()
    named = scene.folder / "handed-over.pass"
    named.write_bytes(scene.issue())
    scene.places.pass_of(WECHAT).unlink()

    assert answer(scene, question(scene, pass_path=named)).reason == "backup-covers"
    assert answer(scene, question(scene)).reason == "no-verified-backup"
    assert answer(scene, question(scene, pass_path=scene.folder / "absent")).reason == "no-verified-backup"


def test_a_named_pass_that_cannot_be_read_decides_nothing(scene: Scene) -> None:
    scene.enrol_store()
    scene.issue()

    assert said(answer(scene, question(scene, pass_path=scene.folder)))[::2] == ("undecided", "pass-unreadable")


@pytest.mark.parametrize(
    ("check", "policy", "helps"),
    [
        ("restore-drill", GuardPolicy(needs=Needs.DRILLED), ("backupkit drill",)),
        ("second-copy", GuardPolicy(needs_second_copy=True), ("backupkit copy --to DIR",)),
        ("keys-recoverable", GuardPolicy(), ("backupkit key confirm", "backupkit verify")),
        ("every-byte-read", GuardPolicy(), ("backupkit verify",)),
    ],
)
def test_a_check_that_is_missing_is_named_with_the_command_that_does_it(
    scene: Scene, check: str, policy: GuardPolicy, helps: tuple[str, ...]
) -> None:
    """ "backupkit verify" was advised for every check, and whoever did that went round in a circle."""
    scene.enrol_store()
    coverage = scene.coverage()
    scene.issue(coverage, checks=tuple(one for one in coverage.checks if one.name != check))

    held = answer(scene, question(scene), policy)

    assert said(held) == ("hold", "would-wipe", "pass-policy-not-met")
    assert held.suggestions == helps
    chosen = wording(held)
    for language in LANGUAGES:
        assert messages(language)[chosen.advice.key].startswith(helps[0].partition(" --")[0])
    assert {f"check.{check}.what", f"check.{check}.why"} <= {sentence.key for sentence in chosen.more}


def test_where_an_update_keeps_the_chats_that_is_advised_before_any_check(scene: Scene) -> None:
    scene.enrol_store()
    scene.issue()
    newer = scene.package("v20.apk", version_code=20)

    held = answer(scene, question(scene, newer, action=Action.REINSTALL), GuardPolicy(needs_second_copy=True))

    assert said(held)[::2] == ("hold", "pass-policy-not-met")
    assert held.suggestions == ("install-as-update",)


def test_nobody_is_told_to_save_into_a_repository_that_was_set_back(scene: Scene) -> None:
    scene.enrol_store()
    scene.issue()
    assert answer(scene, question(scene)).decision is Decision.ALLOW

    scene.issue(scene.coverage(leaves=scene.leaves[:5]))
    shorter = answer(scene, question(scene))
    scene.issue(scene.coverage(leaves=[*scene.leaves[:6], b"\1" * 32]))
    forked = answer(scene, question(scene))

    assert (shorter.reason, forked.reason) == ("log-rolled-back", "log-forked")
    assert shorter.suggestions == forked.suggestions == ("keep-the-installed-app",)
