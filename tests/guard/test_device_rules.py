"""The table of Android's update rules, row by row, on plain values."""

from pathlib import Path
from typing import Any

import pytest
from installed_app import APP, A, B, C, D, signed

from backupkit.guard.candidate_rules import CANDIDATE_RULES
from backupkit.guard.device_facts import Device
from backupkit.guard.device_rules import decide_install
from backupkit.guard.facts import (
    Capability,
    Demands,
    LineageNode,
    PackageFacts,
    Scheme,
    SignerSpan,
    SignerView,
    join_spans,
    signed_everywhere,
)
from backupkit.guard.outcome import Action, DeviceOutcome, Outcome, SignerChange
from backupkit.guard.rule import IfForced
from backupkit.guard.update_rules import UPDATE_RULES
from backupkit.ids import AppPackage, CertificateDigest

DEFAULT = Capability.INSTALLED_DATA | Capability.SHARED_USER_ID | Capability.PERMISSION | Capability.AUTH


def node(certificate: CertificateDigest, capabilities: Capability = DEFAULT) -> LineageNode:
    return LineageNode(certificate, capabilities)


ROTATED = signed(B, lineage=(node(A), node(B)))


def app(view: SignerView | None = None, **changes: Any) -> PackageFacts:
    if view is not None:
        changes["signings"] = signed_everywhere(view)
    return APP._replace(**changes)


def judge(
    old: PackageFacts, new: PackageFacts, *, action: Action = Action.UPGRADE, sdk: int | None = 33
) -> DeviceOutcome:
    return decide_install(old, new, action, Device(sdk))


def keeps(change: SignerChange = SignerChange.SAME) -> DeviceOutcome:
    reason = {"same": "signer-same", "rotated": "signer-rotated", "rolled-back": "signer-rolled-back"}[change.value]
    return DeviceOutcome(Outcome.KEEPS_DATA, 1, reason, change)


def test_an_update_by_the_same_signer_keeps_the_chats() -> None:
    assert judge(app(), app(version_code=20)) == keeps()


def test_an_update_by_another_signer_would_wipe_as_in_2018() -> None:
    answer = judge(app(), app(signed(B), version_code=20))

    assert answer == DeviceOutcome(Outcome.WOULD_WIPE, -7, "different-signer", SignerChange.REPLACED)


def test_a_proved_rotation_keeps_the_chats() -> None:
    assert judge(app(), app(ROTATED, version_code=20)) == keeps(SignerChange.ROTATED)


def test_a_rotation_that_takes_the_old_signer_its_data_would_wipe() -> None:
    revoked = signed(B, lineage=(node(A, DEFAULT & ~Capability.INSTALLED_DATA), node(B)))

    assert judge(app(), app(revoked)).outcome is Outcome.WOULD_WIPE


def test_going_back_to_an_older_signer_needs_its_rollback_right() -> None:
    with_right = signed(B, lineage=(node(A, DEFAULT | Capability.ROLLBACK), node(B)))

    assert judge(app(ROTATED), app()).install_result == -7
    assert judge(app(with_right), app()) == keeps(SignerChange.ROLLED_BACK)


def test_lineages_that_parted_would_wipe() -> None:
    other_branch = signed(C, lineage=(node(A), node(C)))

    assert judge(app(ROTATED), app(other_branch)).install_result == -7


def test_the_current_signer_counts_whatever_its_own_flags_say() -> None:
    powerless = signed(B, lineage=(node(A, Capability(0)), node(B, Capability(0))))

    assert judge(app(signed(B)), app(powerless)) == keeps()


@pytest.mark.parametrize("new", [(B, A), (A, B)])
def test_several_signers_are_compared_as_a_set(new: tuple[CertificateDigest, ...]) -> None:
    assert judge(app(signed(A, B)), app(signed(*new))) == keeps()


@pytest.mark.parametrize("new", [(A,), (B,), (A, C), (A, B, C), (A, A)])
def test_several_signers_cannot_change_in_any_other_way(new: tuple[CertificateDigest, ...]) -> None:
    assert judge(app(signed(A, B)), app(signed(*new))).install_result == -7


def test_one_certificate_that_signed_twice_is_another_set_than_once() -> None:
    assert judge(app(signed(A, A)), app(signed(A, A))) == keeps()
    assert judge(app(signed(A, A)), app(signed(A))).install_result == -7


def test_one_signer_cannot_become_several() -> None:
    assert judge(app(), app(signed(A, B))).install_result == -7


def test_another_package_name_is_a_second_app() -> None:
    answer = judge(app(), app(signed(B), package=AppPackage("com.tencent.MM")))

    assert (answer.outcome, answer.install_result) == (Outcome.PARALLEL_APP, 1)


@pytest.mark.parametrize(
    ("changes", "sdk", "code"),
    [
        ({"min_sdk": 34}, 33, -12),
        ({"test_only": True}, 33, -15),
        ({"target_sdk": 22}, 34, -29),
        ({"target_sdk": 23}, 35, -29),
        ({"target_sdk": 23}, 36, -29),
        ({"target_sdk": 22}, 33, -26),
        ({"target_sdk": 22}, 23, -26),
        ({"target_sandbox": 1}, 33, -27),
    ],
)
def test_what_android_refuses_for_itself_leaves_the_chats_safe(changes: dict[str, Any], sdk: int, code: int) -> None:
    answer = judge(app(target_sandbox=2), app(**changes), sdk=sdk)

    assert (answer.outcome, answer.install_result) == (Outcome.REFUSED_SAFE, code)


@pytest.mark.parametrize("sdk", [24, 36, None])
def test_a_package_for_a_release_in_development_is_refused_by_every_release(sdk: int | None) -> None:
    answer = judge(app(), app(signed(B), demands=Demands(for_development=True)), sdk=sdk)

    assert (answer.outcome, answer.install_result, answer.reason) == (Outcome.REFUSED_SAFE, -12, "android-too-old")


@pytest.mark.parametrize(("target", "sdk"), [(23, 34), (24, 35), (24, 36), (23, 33)])
def test_a_target_at_the_floor_is_installed(target: int, sdk: int) -> None:
    assert judge(app(), app(target_sdk=target), sdk=sdk) == keeps()


@pytest.mark.parametrize(
    ("old", "new", "sdk", "code"),
    [
        # Each rule at the value or level where it begins, and right before.
        ({"target_sdk": 23}, {"target_sdk": 22}, 33, -26),
        ({"target_sdk": 22}, {"target_sdk": 21}, 33, 1),
        ({"target_sdk": 23}, {"target_sdk": 22}, 22, 1),
        ({"target_sandbox": 2}, {"target_sandbox": 2}, 33, 1),
        ({"target_sandbox": 1}, {"target_sandbox": 2}, 33, 1),
        ({"target_sandbox": 2}, {"target_sandbox": 1}, 33, -27),
        ({"stores_data": True}, {"stores_data": False}, 31, -7),
        ({"stores_data": False}, {"stores_data": True}, 31, -7),
        ({"stores_data": True}, {"stores_data": False}, 30, 1),
        ({"stores_data": None}, {"stores_data": True}, 31, 1),
        ({"version_code": 10}, {"version_code": 10}, 33, 1),
        ({"version_code": 10}, {"version_code": 9}, 33, -25),
        ({}, {"min_sdk": 33}, 33, 1),
    ],
)
def test_each_rule_begins_where_android_begins_it(
    old: dict[str, Any], new: dict[str, Any], sdk: int, code: int
) -> None:
    assert judge(app(**old), app(**new), sdk=sdk).install_result == code


def test_a_device_that_holds_an_app_below_the_floor_is_not_said_to_refuse_its_update() -> None:
    old = app(target_sdk=22)

    assert judge(old, app(target_sdk=22), sdk=35) == keeps()
    assert judge(old, app(signed(B), target_sdk=22), sdk=35).outcome is Outcome.WOULD_WIPE


def test_a_split_without_its_base_is_refused() -> None:
    assert judge(app(), app(is_base=False)).install_result == -28


def test_an_update_cannot_change_whether_the_app_stores_data() -> None:
    answer = judge(app(stores_data=True), app(stores_data=False))

    assert (answer.outcome, answer.install_result) == (Outcome.WOULD_WIPE, -7)


def test_a_test_only_package_passes_the_target_floor_and_meets_its_own_refusal() -> None:
    assert judge(app(), app(target_sdk=22, test_only=True), sdk=34).install_result == -15


def test_an_app_for_android_11_needs_more_than_a_v1_signature() -> None:
    v1 = signed(A, scheme=Scheme.V1)

    assert judge(app(), app(v1, target_sdk=34), sdk=30).install_result == -103
    assert judge(app(), app(v1, target_sdk=34), sdk=29) == keeps()
    assert judge(app(), app(v1, target_sdk=29), sdk=36) == keeps()
    assert judge(app(), app(v1, target_sdk=30), sdk=30).install_result == -103


def test_a_v1_signature_with_an_unknown_target_is_not_decided_from_android_11_on() -> None:
    v1, unsaid = signed(A, scheme=Scheme.V1), SignerView((A,))

    assert judge(app(), app(unsaid), sdk=29) == keeps()
    for candidate in (app(v1, target_sdk=None), app(unsaid)):
        answer = judge(app(), candidate, sdk=30)
        assert (answer.outcome, answer.missing) == (Outcome.UNKNOWN, "signature-too-old")


def test_a_level_at_which_nobody_said_who_signed_is_not_decided() -> None:
    answer = judge(app(), app(signings=(SignerSpan(24, 32, signed(A)),)), sdk=33)

    assert (answer.outcome, answer.missing) == (Outcome.UNKNOWN, "signature-too-old")


def test_a_signature_that_the_device_refuses_leaves_the_chats_safe() -> None:
    spans = (SignerSpan(1, 29, signed(A)), SignerSpan(30, 36, None, "target-needs-v2"))

    answer = judge(app(), app(signings=spans), sdk=31)

    assert (answer.outcome, answer.install_result) == (Outcome.REFUSED_SAFE, -103)


@pytest.mark.parametrize("action", [Action.UPGRADE, Action.DOWNGRADE])
def test_an_older_version_would_wipe_if_forced(action: Action) -> None:
    answer = judge(app(), app(version_code=9), action=action)

    assert (answer.outcome, answer.install_result) == (Outcome.WOULD_WIPE, -25)


def test_a_debuggable_app_may_be_downgraded_with_its_data_when_asked() -> None:
    debuggable = app(debuggable=True)

    assert judge(debuggable, app(version_code=9), action=Action.DOWNGRADE) == keeps()
    assert judge(debuggable, app(version_code=9)).install_result == -25


@pytest.mark.parametrize(("sdk", "code"), [(32, -8), (33, -24)])
@pytest.mark.parametrize(("old", "new"), [("", "chat.group"), ("chat.group", ""), ("chat.group", "other.group")])
def test_a_changed_shared_user_id_would_wipe(sdk: int, code: int, old: str, new: str) -> None:
    answer = judge(app(shared_user_id=old), app(shared_user_id=new), sdk=sdk)

    assert (answer.outcome, answer.install_result) == (Outcome.WOULD_WIPE, code)


def test_who_left_the_shared_user_id_cannot_come_back() -> None:
    old = app(shared_user_id="chat.group", shared_user_max_sdk=32)

    assert judge(old, app(shared_user_id="chat.group"), sdk=33).install_result == -24
    assert judge(old, app(shared_user_id="chat.group"), sdk=32) == keeps()


@pytest.mark.parametrize(("last", "sdk", "code"), [(33, 33, 1), (33, 34, -24), (31, 32, 1), (0, 34, 1)])
def test_a_shared_user_id_is_left_above_its_last_level_and_from_android_13_on(last: int, sdk: int, code: int) -> None:
    old = app(shared_user_id="chat.group", shared_user_max_sdk=last)

    assert judge(old, app(shared_user_id="chat.group"), sdk=sdk).install_result == code


def test_a_rotation_that_takes_the_shared_user_right_would_wipe() -> None:
    revoked = signed(B, lineage=(node(A, DEFAULT & ~Capability.SHARED_USER_ID), node(B)))
    shared: dict[str, Any] = {"shared_user_id": "chat.group"}

    assert judge(app(**shared), app(revoked, **shared)).install_result == -8
    assert judge(app(**shared), app(ROTATED, **shared)) == keeps(SignerChange.ROTATED)
    assert judge(app(), app(revoked)) == keeps(SignerChange.ROTATED)


def test_another_history_of_the_same_signer_would_wipe_in_a_shared_user_id_only() -> None:
    shared: dict[str, Any] = {"shared_user_id": "chat.group"}
    after_a, after_d = (signed(B, lineage=(node(first), node(B))) for first in (A, D))
    further = signed(C, lineage=(node(D), node(B), node(C)))

    answer = judge(app(after_a, **shared), app(after_d, **shared))

    assert (answer.outcome, answer.reason, answer.install_result) == (Outcome.WOULD_WIPE, "shared-user-signer", -8)
    assert judge(app(after_a, **shared), app(further, **shared)).install_result == -8
    assert judge(app(after_a, **shared), app(signed(B), **shared)) == keeps()
    assert judge(app(after_a), app(after_d)) == keeps()


def test_a_refusal_that_removal_does_not_cure_wins_over_a_wipe() -> None:
    answer = judge(app(), app(signed(B), min_sdk=34))

    assert (answer.outcome, answer.install_result) == (Outcome.REFUSED_SAFE, -12)


def test_uninstalling_always_wipes() -> None:
    assert decide_install(app(), None, Action.UNINSTALL, Device()).outcome is Outcome.WOULD_WIPE


@pytest.mark.parametrize(
    ("new", "reason", "result"),
    [
        (app(version_code=20), "update-instead", 1),
        (app(signed(B)), "different-signer", -7),
        (app(min_sdk=35), "reinstall-fails", -12),
        (app(package=AppPackage("com.other")), "removes-another-app", 1),
    ],
)
def test_reinstalling_wipes_even_what_an_update_would_keep(new: PackageFacts, reason: str, result: int) -> None:
    answer = judge(app(), new, action=Action.REINSTALL)

    assert (answer.outcome, answer.reason, answer.install_result) == (Outcome.WOULD_WIPE, reason, result)


def test_the_same_packages_keep_on_one_android_and_wipe_on_the_next() -> None:
    v31 = (SignerSpan(1, 32, signed(A)), SignerSpan(33, 36, ROTATED))
    old = app(signings=v31)

    assert judge(old, app(), sdk=32) == keeps()
    assert judge(old, app(), sdk=33).install_result == -7


def test_an_unknown_device_is_judged_by_its_worst_level() -> None:
    old = app(signings=(SignerSpan(1, 32, signed(A)), SignerSpan(33, 36, ROTATED)))

    answer = judge(old, app(), sdk=None)

    assert (answer.outcome, answer.install_result) == (Outcome.WOULD_WIPE, -7)
    assert answer.signer_change is SignerChange.REPLACED


def test_an_unknown_device_that_might_refuse_is_not_decided() -> None:
    answer = judge(app(), app(target_sdk=23), sdk=None)

    assert (answer.outcome, answer.reason) == (Outcome.UNKNOWN, "depends-on-device")


def test_levels_that_the_package_does_not_run_on_do_not_count() -> None:
    assert judge(app(), app(min_sdk=30), sdk=None) == keeps()


@pytest.mark.parametrize("sdk", [0, 37, 10000])
def test_an_android_that_is_not_known_is_not_decided(sdk: int) -> None:
    assert judge(app(), app(), sdk=sdk).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("side", "missing"),
    [
        ("old", "version_code"),
        ("old", "shared_user_id"),
        ("new", "version_code"),
        ("new", "min_sdk"),
        ("new", "test_only"),
        ("new", "shared_user_id"),
    ],
)
def test_an_unknown_fact_never_becomes_allow(side: str, missing: str) -> None:
    old = app(**({missing: None} if side == "old" else {}))
    new = app(**({missing: None} if side == "new" else {}))

    answer = judge(old, new)

    assert (answer.outcome, answer.reason) == (Outcome.UNKNOWN, "fact-missing")
    assert answer.missing


def test_a_wipe_that_is_certain_is_said_even_where_other_facts_are_missing() -> None:
    assert judge(app(shared_user_id=None), app(signed(B), test_only=None)).install_result == -7


def test_an_app_with_upgrade_key_sets_is_not_decided_by_certificates() -> None:
    assert judge(app(upgrade_keys=True), app()).outcome is Outcome.UNKNOWN


def test_every_refusal_says_what_force_would_do() -> None:
    assert {rule.if_forced for rule in CANDIDATE_RULES} == {IfForced.FAILS}
    assert {rule.if_forced for rule in UPDATE_RULES} == {IfForced.WIPES, IfForced.REFUSED}
    assert len({rule.reason for rule in CANDIDATE_RULES + UPDATE_RULES}) == len(CANDIDATE_RULES + UPDATE_RULES)


def test_neighbouring_levels_that_agree_become_one_span() -> None:
    spans = join_spans([SignerSpan(sdk, sdk, signed(A if sdk < 33 else B)) for sdk in range(24, 37)])

    assert [(span.first_sdk, span.last_sdk) for span in spans] == [(24, 32), (33, 36)]


@pytest.mark.parametrize("page", ["apk-rules.md", "apk-rules.zh-CN.md"])
def test_every_rule_is_written_down_with_its_code(page: str) -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference" / page).read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| -")]

    assert [
        rule.reason for rule in (*CANDIDATE_RULES, *UPDATE_RULES) if not any(f"`{rule.reason}`" in row for row in rows)
    ] == []
