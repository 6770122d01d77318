"""What the rules say where something is not known: the device, its level, or a fact about one of the packages."""

from typing import Any

import pytest
from installed_app import APP, A, B, signed

from backupkit.guard.device_facts import Device
from backupkit.guard.device_rules import decide_install
from backupkit.guard.facts import NEWEST_SDK, Demands, PackageFacts, SignerSpan
from backupkit.guard.outcome import Action, DeviceOutcome, Outcome

SHARED = "com.tencent.shared"


def judge(old: PackageFacts, new: PackageFacts, sdk: int | None = None) -> DeviceOutcome:
    return decide_install(old, new, Action.UPGRADE, Device(sdk))


def signed_until(last: int, first: SignerSpan, then: SignerSpan) -> tuple[SignerSpan, ...]:
    return (first._replace(first_sdk=1, last_sdk=last), then._replace(first_sdk=last + 1, last_sdk=NEWEST_SDK))


BY_A, BY_B = SignerSpan(1, NEWEST_SDK, signed(A)), SignerSpan(1, NEWEST_SDK, signed(B))


def test_an_update_without_a_package_is_not_decided() -> None:
    answer = decide_install(APP, None, Action.UPGRADE, Device(33))

    assert (answer.outcome, answer.reason) == (Outcome.UNKNOWN, "candidate-missing")


@pytest.mark.parametrize(
    ("side", "lowest", "expected"),
    [
        ("new", NEWEST_SDK, (Outcome.KEEPS_DATA, "signer-same")),
        ("new", NEWEST_SDK + 1, (Outcome.UNKNOWN, "device-too-new")),
        ("old", NEWEST_SDK + 1, (Outcome.UNKNOWN, "device-too-new")),
        ("old", None, (Outcome.KEEPS_DATA, "signer-same")),
        ("new", None, (Outcome.UNKNOWN, "fact-missing")),
    ],
)
def test_an_unknown_device_is_one_that_both_packages_run_on(side: str, lowest: int | None, expected: Any) -> None:
    old, new = (APP._replace(min_sdk=lowest) if side == one else APP for one in ("old", "new"))

    answer = judge(old, new)

    assert (answer.outcome, answer.reason) == expected


def test_a_level_below_the_installed_app_s_is_no_reason_to_hold() -> None:
    offered = APP._replace(signings=signed_until(32, BY_B, BY_A))

    assert judge(APP, offered).outcome is Outcome.WOULD_WIPE
    assert judge(APP._replace(min_sdk=33), offered).outcome is Outcome.KEEPS_DATA


def test_a_wipe_on_older_levels_only_is_the_answer_for_an_unknown_device() -> None:
    answer = judge(APP, APP._replace(signings=signed_until(32, BY_B, BY_A)))

    assert (answer.outcome, answer.install_result, answer.reason) == (Outcome.WOULD_WIPE, -7, "different-signer")


def test_where_levels_answer_a_wipe_with_different_numbers_none_is_named() -> None:
    answer = judge(APP, APP._replace(shared_user_id=SHARED))

    assert (answer.outcome, answer.install_result, answer.reason) == (Outcome.WOULD_WIPE, None, "shared-user-changed")


def test_a_fact_that_some_levels_need_is_named_as_missing_for_an_unknown_device() -> None:
    answer = judge(APP, APP._replace(target_sdk=None))

    assert (answer.outcome, answer.reason, answer.missing) == (Outcome.UNKNOWN, "fact-missing", "target-too-old")


@pytest.mark.parametrize("sdk", [1, NEWEST_SDK])
def test_the_first_and_the_newest_android_are_known(sdk: int) -> None:
    old, new = (APP._replace(min_sdk=1, version_code=version) for version in (10, 20))

    assert judge(old, new, sdk).outcome is Outcome.KEEPS_DATA


def test_a_group_of_permissions_without_one_in_it_is_asked_for_as_well() -> None:
    answer = judge(APP, APP._replace(demands=Demands(permission_groups=("g",))), 34)

    assert answer.not_judged == ("permission_groups",)


KEYED = APP._replace(upgrade_keys=True, upgrade_key_sets=(("k1",),))
FITTING = Demands(keys=((A, "k1"),))


@pytest.mark.parametrize(
    ("old", "new", "missing"),
    [
        ({"shared_user_id": None}, {}, "shared-user-signer"),
        ({"signings": ()}, {}, "different-signer"),
        ({"signings": (), "shared_user_id": SHARED}, {"shared_user_id": SHARED}, "different-signer"),
        ({"shared_user_id": SHARED}, {"signings": (), "shared_user_id": SHARED}, "signature-too-old"),
        ({**KEYED._asdict(), "shared_user_id": None}, {"demands": FITTING}, "different-signer"),
        (KEYED._asdict(), {"demands": FITTING, "signings": ()}, "signature-too-old"),
        ({"target_sdk": None}, {"target_sdk": 22}, "drops-permission-model"),
    ],
)  # fmt: skip
def test_the_first_rule_that_lacks_a_fact_is_named(old: dict[str, Any], new: dict[str, Any], missing: str) -> None:
    answer = judge(APP._replace(**old), APP._replace(**new), 33)

    assert (answer.outcome, answer.reason, answer.missing) == (Outcome.UNKNOWN, "fact-missing", missing)


def test_a_version_that_the_shop_insists_on_is_not_there_by_guessing() -> None:
    answer = decide_install(APP._replace(version_code=None), APP, Action.UPGRADE, Device(33, required_version=10))

    assert (answer.outcome, answer.missing) == (Outcome.UNKNOWN, "another-version-required")


def test_a_downgrade_that_was_asked_for_needs_both_versions_to_be_known() -> None:
    answer = decide_install(
        APP._replace(debuggable=True, version_code=None), APP, Action.DOWNGRADE, Device(33, is_debuggable_build=True)
    )

    assert (answer.outcome, answer.missing) == (Outcome.UNKNOWN, "older-version")


@pytest.mark.parametrize(("old", "new"), [(None, None), (2, None), (None, 1)])
def test_a_sandbox_that_nobody_named_was_not_lowered(old: int | None, new: int | None) -> None:
    answer = judge(APP._replace(target_sandbox=old), APP._replace(target_sandbox=new), 33)

    assert answer.outcome is Outcome.KEEPS_DATA


def test_a_reinstall_of_what_cannot_be_judged_stays_undecided() -> None:
    answer = decide_install(APP, APP._replace(shared_user_id=None), Action.REINSTALL, Device(33))

    assert (answer.outcome, answer.reason) == (Outcome.UNKNOWN, "fact-missing")
