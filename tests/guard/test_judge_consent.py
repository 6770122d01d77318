"""Consent over chats that an update would wipe: for this update, in two steps, or by the owner's token."""

import hashlib
from datetime import timedelta

import pytest
from guard_scene import OWNER, STRANGER, WECHAT, Scene, answer, on_disk, question, said

from backupkit.guard.consent import ConsentAnswers, ConsentBinding, ConsentBy, GivenConsent, sign_token
from backupkit.guard.desk import load_pins
from backupkit.guard.examination import examine
from backupkit.guard.judge import Known, conclude
from backupkit.guard.outcome import Action
from backupkit.guard.package_record import Records
from backupkit.guard.policy import ConsentFrom, GuardPolicy
from backupkit.guard.request import ConsentToken
from backupkit.guard.verdict import Decision


def test_consent_in_two_steps_is_given_for_exactly_this_update(scene: Scene) -> None:
    scene.enrol_store()
    scene.issue()
    needed = answer(scene, question(scene)).consent
    assert needed is not None
    answers = ConsentAnswers(needed.binding.id, understood=True, typed="微信")

    given = answer(scene, question(scene, consent=answers))
    other = answer(scene, question(scene, scene.package("other.apk", STRANGER, version_code=21), consent=answers))

    assert given.consent is not None
    assert given.consent.to_json()["state"] == "given"
    assert given.consent.to_json()["by"] == "person"
    assert said(other) == ("hold", "would-wipe", "consent-refused")
    assert other.facts["detail"] == "another-update"
    assert other.suggestions == given.suggestions == ("keep-the-installed-app",)


def test_a_consent_binding_names_package_both_files_snapshot_and_end(scene: Scene) -> None:
    scene.enrol_store()
    scene.issue()
    installed, offered = scene.installed(), scene.offered_by_stranger()

    consent = answer(scene, question(scene, offered, installed=on_disk(installed))).consent

    assert consent is not None
    assert consent.binding.to_json() == {
        "package": WECHAT,
        "old_sha256": hashlib.sha256(installed.read_bytes()).hexdigest(),
        "new_sha256": hashlib.sha256(offered.read_bytes()).hexdigest(),
        "snapshot": "5a" * 32,
        "expires": "2018-06-02T11:00:00Z",
    }


def test_an_owner_who_wants_tokens_is_not_overruled_by_two_screens(scene: Scene) -> None:
    scene.enrol_store()
    scene.issue()
    policy = GuardPolicy(consent_from=ConsentFrom.TOKEN)
    held = answer(scene, question(scene), policy)
    assert held.consent is not None
    binding = held.consent.binding
    answers = ConsentAnswers(binding.id, understood=True, typed="微信")

    by_person = answer(scene, question(scene, consent=answers), policy)
    by_token = answer(scene, question(scene, consent=ConsentToken(sign_token(binding, OWNER))), policy)
    forged = answer(scene, question(scene, consent=ConsentToken(b"{}")), policy)

    assert said(held) == said(by_person) == ("hold", "would-wipe", "consent-refused")
    assert said(by_token) == ("allow", "would-wipe", "backup-covers")
    assert forged.decision is Decision.HOLD


def test_a_token_for_yesterdays_update_is_refused(scene: Scene) -> None:
    scene.enrol_store()
    scene.issue()
    needed = answer(scene, question(scene)).consent
    assert needed is not None
    stale = sign_token(ConsentBinding(WECHAT, None, "0" * 64, needed.binding.snapshot, needed.binding.expires), OWNER)

    assert answer(scene, question(scene, consent=ConsentToken(stale))).reason == "consent-refused"


def test_uninstalling_with_a_covering_backup_asks_twice(scene: Scene) -> None:
    scene.enrol_store()
    scene.issue()

    verdict = answer(scene, question(scene, action=Action.UNINSTALL, candidate=None))

    assert said(verdict) == ("allow", "would-wipe", "backup-covers")
    assert verdict.consent is not None
    assert verdict.consent.binding.new_sha256 is None


def test_an_uninstallation_with_consent_leaves_what_is_known_of_the_app_as_it_was(scene: Scene) -> None:
    scene.enrol_store()
    scene.issue()
    removal = question(scene, action=Action.UNINSTALL, candidate=None)
    needed = answer(scene, removal).consent
    assert needed is not None
    before = Records(scene.places.records).read(WECHAT)
    answers = ConsentAnswers(needed.binding.id, understood=True, typed="微信")

    verdict = answer(scene, removal._replace(consent=answers))

    assert verdict.decision is Decision.ALLOW
    assert not verdict.waits_for_consent
    assert Records(scene.places.records).read(WECHAT) == before


@pytest.mark.parametrize(("minutes", "by"), [(0, ConsentBy.PERSON), (59, ConsentBy.PERSON), (60, None), (-1, None)])
def test_what_was_consented_to_at_the_terminal_counts_for_an_hour(
    scene: Scene, minutes: int, by: ConsentBy | None
) -> None:
    scene.enrol_store()
    scene.issue()
    examined = examine(question(scene), Records(scene.places.records), scene.now)
    known = Known(load_pins(scene.places), GuardPolicy(), None, scene.now, scene.places.pass_of(WECHAT).read_bytes())
    needed = conclude(examined, known).verdict.consent
    assert needed is not None
    given = GivenConsent(needed.binding.id, scene.now - timedelta(minutes=minutes))

    consent = conclude(examined, known._replace(given=given)).verdict.consent
    another = conclude(examined, known._replace(given=given._replace(id="0" * 32))).verdict.consent

    assert consent is not None
    assert consent.given_by is by
    assert another is not None
    assert another.given_by is None
