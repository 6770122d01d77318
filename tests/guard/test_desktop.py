"""Programs of the system that keep chats: a change goes through where a verified backup of their app counts."""

from datetime import timedelta

import pytest
from guard_scene import NOON, WECHAT, Scene, said

from backupkit.guard.desk import Desk, load_pins, save_pass
from backupkit.guard.desktop import WATCHED, DesktopChange, decide_desktop, is_system_package, read_watch, watched_with
from backupkit.guard.judge import Known
from backupkit.guard.ledger import read_ledger
from backupkit.guard.outcome import Action
from backupkit.guard.policy import GuardPolicy, Needs
from backupkit.guard.verdict import Decision, Verdict
from backupkit.ids import AppPackage
from backupkit.proof.coverage_pass import Check, CoveredApp
from backupkit.proof.witness import load as load_witness

REMOVAL = DesktopChange("wechat-universal", Action.UNINSTALL, WECHAT, "pacman")
QQ = AppPackage("com.tencent.mobileqq")


def answer(scene: Scene, policy: GuardPolicy | None = None) -> Verdict:
    return Desk(scene.places, policy).answer_desktop(REMOVAL, scene.now)


def test_a_change_goes_through_where_a_backup_counts_and_the_head_is_kept(scene: Scene) -> None:
    scene.enrol_store()
    scene.issue()

    verdict = answer(scene)

    assert said(verdict) == ("allow", "keeps-data", "desktop-covered")
    assert not verdict.would_erase
    assert verdict.coverage is not None
    assert verdict.coverage.snapshot == "5a" * 32
    assert (verdict.judged.package, verdict.judged.app_name, verdict.judged.store) == (
        WECHAT,
        "wechat-universal",
        "pacman",
    )
    witness = load_witness(scene.places.witness)
    assert witness is not None
    assert witness.size == len(scene.leaves)
    assert [entry["decision"] for entry in read_ledger(scene.places.ledger)] == ["allow"]


def test_who_signed_the_app_on_a_phone_says_nothing_of_a_program(scene: Scene) -> None:
    scene.enrol_store()
    scene.issue(scene.coverage(), app=CoveredApp(WECHAT))

    assert said(answer(scene))[0] == "allow"


def test_without_a_backup_or_without_a_paired_store_it_is_held(scene: Scene) -> None:
    bare = answer(scene)
    scene.issue()
    unpaired = answer(scene)

    assert said(bare) == ("hold", "unknown", "no-verified-backup")
    assert said(unpaired) == ("hold", "unknown", "no-pinned-store")
    assert bare.would_erase
    assert unpaired.suggestions == ("backupkit snapshot", "backupkit verify")


def test_a_pass_of_another_app_that_lies_in_its_place_covers_nothing(scene: Scene) -> None:
    scene.enrol_store()
    other = scene.issue(scene.coverage(), app=CoveredApp(QQ))
    save_pass(scene.places, WECHAT, other)

    verdict = answer(scene)

    assert said(verdict)[::2] == ("hold", "pass-wrong-app")
    assert verdict.facts == {"covered": QQ, "installed": WECHAT}


@pytest.mark.parametrize(
    ("hours", "policy", "reason"),
    [
        (25, GuardPolicy(), "pass-expired"),
        (3, GuardPolicy(max_backup_age=timedelta(hours=2)), "pass-too-old"),
        (0, GuardPolicy(needs=Needs.DRILLED), "pass-policy-not-met"),
        (0, GuardPolicy(needs_second_copy=True), "pass-policy-not-met"),
    ],
)
def test_the_owners_policy_counts_for_programs_too(scene: Scene, hours: int, policy: GuardPolicy, reason: str) -> None:
    scene.enrol_store()
    scene.issue()
    scene.now += timedelta(hours=hours)

    assert said(answer(scene, policy))[::2] == ("hold", reason)


def test_a_store_that_was_set_back_is_noticed_here_too(scene: Scene) -> None:
    scene.enrol_store()
    scene.issue()
    answer(scene)

    scene.issue(scene.coverage(leaves=scene.leaves[:5]))

    assert said(answer(scene))[::2] == ("hold", "log-rolled-back")


def test_no_changed_byte_of_a_pass_lets_a_program_be_changed(scene: Scene) -> None:
    """What no signature covers, such as the hint at the key, could be changed here, and the pass counted all the same."""
    scene.enrol_store()
    data = scene.issue()
    known = Known(pins=load_pins(scene.places), policy=GuardPolicy(), witness=None, now=scene.now, pass_data=data)
    assert decide_desktop(REMOVAL, known).verdict.decision is Decision.ALLOW
    reasons = set()

    for place in range(len(data)):
        changed = bytes((*data[:place], data[place] ^ 1, *data[place + 1 :]))
        verdict = decide_desktop(REMOVAL, known._replace(pass_data=changed)).verdict
        assert verdict.decision is Decision.HOLD, place
        reasons.add(verdict.reason)
    with_more = data.replace(b'"keyid":""', b'"keyid":"","more":1')

    assert reasons == {"pass-malformed", "pass-signature-invalid"}
    assert decide_desktop(REMOVAL, known._replace(pass_data=with_more)).verdict.reason == "pass-malformed"


def test_a_check_that_failed_holds(scene: Scene) -> None:
    scene.enrol_store()
    coverage = scene.coverage()
    scene.issue(coverage, checks=(coverage.checks[0], Check("keys-recoverable", "failed")))

    assert said(answer(scene))[::2] == ("hold", "pass-policy-not-met")


@pytest.mark.parametrize("name", ["a", "wechat-universal", "libfoo+2", "@scope_x", "a" * 255])
def test_names_of_system_packages_are_known(name: str) -> None:
    assert is_system_package(name)


@pytest.mark.parametrize("name", ["", "-a", ".a", "a b", "a/b", "a\n", "微信", "a" * 256])
def test_other_texts_are_no_names_of_system_packages(name: str) -> None:
    assert not is_system_package(name)


@pytest.mark.parametrize(
    "text", ["", "wechat-git", "wechat-git=", "=com.tencent.mm", "-x=com.tencent.mm", "a=not a name"]
)
def test_what_names_no_package_and_app_is_refused(text: str) -> None:
    assert read_watch("wechat-git=com.tencent.mm") == ("wechat-git", WECHAT)

    with pytest.raises(ValueError, match="^" + text.replace(".", r"\.") + "$"):
        read_watch(text)


def test_the_owner_adds_to_what_is_watched_and_leaves_out_of_it() -> None:
    watched = watched_with([("wechat-git", WECHAT)], ["linuxqq"])

    assert watched["wechat-git"] == WECHAT
    assert watched.keys() == {*WATCHED, "wechat-git"} - {"linuxqq"}
    for more, but in (([], ["unknown"]), ([("linuxqq", QQ)], ["linuxqq"]), ([("x", QQ)], ["x"])):
        with pytest.raises(ValueError, match=but[0]):
            watched_with(more, but)


def test_the_moment_of_the_question_is_the_one_that_counts(scene: Scene) -> None:
    scene.enrol_store()
    scene.issue()
    scene.now = NOON - timedelta(hours=2)

    assert said(answer(scene))[::2] == ("hold", "pass-from-the-future")
