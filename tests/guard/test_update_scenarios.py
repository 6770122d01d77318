"""Updates as Android answers them, from real packages to the verdict: the table of AOSP's rules, each at the levels where it begins and ends.

Sources: `PackageManagerServiceUtils.verifySignatures`, `SigningDetails.checkCapability`, `InstallPackageHelper.preparePackage`, and the CTS tests
`PkgInstallSignatureVerificationTest`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from apk_factory import (
    V2,
    V3,
    V31,
    AppKey,
    build_apk,
    make_key,
    make_lineage,
    make_signer,
    sequence,
    sign,
    sign_v2,
    sign_v3,
    sign_v31,
    sized,
    with_pairs,
    without_pair,
)

from backupkit.guard.judge import judge
from backupkit.guard.outcome import Action
from backupkit.guard.package_record import Records
from backupkit.guard.policy import GuardPolicy
from backupkit.guard.request import OnDisk, UpdateRequest
from backupkit.guard.verdict import Verdict

A, B, C, D = make_key("rsa", "A"), make_key("ec", "B"), make_key("rsa", "C"), make_key("ec", "D")
ALL, DATA, SHARED_USER, ROLLBACK = 23, 1, 2, 8
"""What a rotation grants unless somebody says otherwise, and single rights."""
Make = Callable[[], bytes]
Levels = tuple[int, int]

KEEPS, WIPES, SAFE, PARALLEL, FALSE = "keeps-data", "would-wipe", "refused-safe", "parallel-app", "not-genuine"
DECISIONS = {KEEPS: "allow", WIPES: "hold", SAFE: "deny", PARALLEL: "allow", FALSE: "deny"}


class Row(NamedTuple):
    """One update: what is installed, what is offered, on which levels, and what becomes of it."""

    old: Make
    new: Make
    levels: Levels
    outcome: str
    code: int


def old(*keys: AppKey, **how: Any) -> Make:
    return partial(_made, 10, keys, how)


def new(*keys: AppKey, **how: Any) -> Make:
    return partial(_made, 20, keys, how)


def _made(version: int, keys: tuple[AppKey, ...], how: dict[str, Any]) -> bytes:
    facts = dict(how)
    signing = {name: facts.pop(name) for name in ("lineage", "schemes", "rotation_min_sdk") if name in facts}
    return sign(build_apk(version_code=facts.pop("version", version), **facts), *keys, **signing)


def history(*keys: AppKey, grants: list[int] | None = None) -> dict[str, Any]:
    return {"lineage": make_lineage(keys, grants)}


def rotated(*keys: AppKey, grants: list[int] | None = None, begins: int | None = None, make: Any = new) -> Make:
    found: Make = make(keys[-1], lineage=make_lineage(keys, grants), rotation_min_sdk=begins)
    return found


def for_development(version: int) -> bytes:
    """What the signing tool writes for a rotation at 34: from 33 on, for the release in development after it."""
    apk = sign_v3(sign_v2(build_apk(version_code=version), A, names_v3=True), A, rotation_min_sdk=33)
    return sign_v31(apk, B, make_lineage([A, B]), targets_dev_release=True)


def with_decoy(first: AppKey, second: AppKey) -> bytes:
    apk = build_apk(version_code=20)
    return with_pairs(apk, [(V2, sized(sequence([make_signer(apk, key)]))) for key in (first, second)])


EVERY, SINCE_P, BEFORE_P = (24, 36), (28, 36), (24, 27)
TO_B, B_BEFORE = rotated(A, B), rotated(A, B, make=old)
SCENARIOS: dict[str, Row] = {
    "the same signer": Row(old(A), new(A), EVERY, KEEPS, 1),
    "another signer": Row(old(A), new(B), EVERY, WIPES, -7),
    "a certificate issued again": Row(old(A), new(make_key("rsa", "A", 2)), EVERY, WIPES, -7),
    "a rotation": Row(old(A), TO_B, EVERY, KEEPS, 1),
    "a rotation of two steps": Row(old(A), rotated(A, B, C), SINCE_P, KEEPS, 1),
    "a rotation that goes on": Row(B_BEFORE, rotated(A, B, C), SINCE_P, KEEPS, 1),
    "a rotation that goes on from the middle": Row(B_BEFORE, rotated(B, C), SINCE_P, KEEPS, 1),
    "the same, on devices that never saw the middle": Row(B_BEFORE, rotated(B, C), BEFORE_P, WIPES, -7),
    "a rotation of somebody else's": Row(old(A), rotated(B, C), SINCE_P, WIPES, -7),
    "a history that is forgotten": Row(B_BEFORE, new(B), SINCE_P, KEEPS, 1),
    "the same, on devices that saw the first signer": Row(B_BEFORE, new(B), BEFORE_P, WIPES, -7),
    "a history that is added": Row(old(B), TO_B, SINCE_P, KEEPS, 1),
    "the same, on devices that see the first signer": Row(old(B), TO_B, BEFORE_P, WIPES, -7),
    "histories that part": Row(B_BEFORE, rotated(A, C), SINCE_P, WIPES, -7),
    "back without the right": Row(B_BEFORE, new(A), SINCE_P, WIPES, -7),
    "back on devices that never rotated": Row(B_BEFORE, new(A), BEFORE_P, KEEPS, 1),
    "back with the right": Row(rotated(A, B, grants=[ALL | ROLLBACK, ALL], make=old), new(A), SINCE_P, KEEPS, 1),
    "back with the right of another": Row(
        rotated(A, B, C, grants=[ALL | ROLLBACK, ALL, ALL], make=old), new(B), SINCE_P, WIPES, -7
    ),
    "back over two": Row(rotated(A, B, C, grants=[ALL | ROLLBACK, ALL, ALL], make=old), new(A), SINCE_P, KEEPS, 1),
    "without the data's right": Row(old(A), rotated(A, B, grants=[ALL & ~DATA, ALL]), SINCE_P, WIPES, -7),
    "with the data's right alone": Row(old(A), rotated(A, B, grants=[DATA, 0]), SINCE_P, KEEPS, 1),
    "with the right to go back alone": Row(old(A), rotated(A, B, grants=[ROLLBACK, 0]), SINCE_P, WIPES, -7),
    "the first without it, the middle with it": Row(
        old(B), rotated(A, B, C, grants=[ALL & ~DATA, ALL, ALL]), SINCE_P, KEEPS, 1
    ),
    "two signers in another order": Row(old(A, D), new(D, A), EVERY, KEEPS, 1),
    "one signer less": Row(old(A, D), new(A), EVERY, WIPES, -7),
    "one signer more": Row(old(A), new(A, D), EVERY, WIPES, -7),
    "one of two signers replaced": Row(old(A, D), new(A, B), EVERY, WIPES, -7),
    "two signers, then a rotation": Row(old(A, D), TO_B, EVERY, WIPES, -7),
    "at 34, the tool's way, where it counts": Row(partial(for_development, 10), new(A), (34, 36), WIPES, -7),
    "at 34, the tool's way, before": Row(partial(for_development, 10), new(A), (24, 33), KEEPS, 1),
    "to 34, the tool's way": Row(old(A), partial(for_development, 20), EVERY, KEEPS, 1),
    "another scheme": Row(old(A), new(A, schemes=["v2"]), EVERY, KEEPS, 1),
    "an older scheme": Row(
        old(A, target_sdk=29), new(A, schemes=["v1"], target_sdk=29), EVERY, KEEPS, 1
    ),
    "too old a scheme": Row(old(A), new(A, schemes=["v1"]), (30, 36), SAFE, -103),
    "too old a scheme, before": Row(old(A), new(A, schemes=["v1"]), (24, 29), KEEPS, 1),
    "too old a scheme by a stranger": Row(old(A), new(B, schemes=["v1"]), (30, 36), SAFE, -103),
    "a decoy behind": Row(old(A), partial(with_decoy, A, B), EVERY, KEEPS, 1),
    "a decoy in front": Row(old(A), partial(with_decoy, B, A), EVERY, WIPES, -7),
    "v3 cut off": Row(old(A), lambda: without_pair(new(A)(), V3), SINCE_P, FALSE, -103),
    "v2 cut off": Row(old(A), lambda: without_pair(new(A)(), V2), BEFORE_P, FALSE, -103),
    "v3.1 cut off": Row(old(A), lambda: without_pair(rotated(A, B, begins=33)(), V31), (33, 36), FALSE, -103),
    "v3.1 cut off, before": Row(old(A), lambda: without_pair(rotated(A, B, begins=33)(), V31), (24, 32), KEEPS, 1),
    "changed code": Row(old(A), lambda: new(A)().replace(b"dex\n035", b"dex\n036"), EVERY, FALSE, -103),
    "no signature": Row(old(A), partial(build_apk, version_code=20), EVERY, FALSE, -103),
    "no package": Row(old(A), lambda: b"hello" * 100, EVERY, FALSE, -100),
    "an older version": Row(old(A, version=30), new(A), EVERY, WIPES, -25),
    "an older version by its major part": Row(old(A, version=1 << 32), new(A), EVERY, WIPES, -25),
    "for tests only": Row(old(A), new(A, test_only=True), EVERY, SAFE, -15),
    "for newer devices": Row(old(A), new(A, min_sdk=33), (24, 32), SAFE, -12),
    "for newer devices, by a stranger": Row(old(A), new(B, min_sdk=33), (24, 32), SAFE, -12),
    "back to old permissions": Row(old(A), new(A, target_sdk=22), (24, 33), SAFE, -26),
    "back to old permissions, by a stranger": Row(old(A), new(B, target_sdk=22), (24, 33), WIPES, -7),
    "too old a target for 34": Row(old(A), new(A, target_sdk=22), (34, 36), SAFE, -29),
    "too old a target for 35": Row(old(A), new(A, target_sdk=23), (35, 36), SAFE, -29),
    "a target that 34 still takes": Row(old(A), new(A, target_sdk=23), (24, 34), KEEPS, 1),
    "a lower sandbox": Row(old(A, target_sandbox_version=2), new(A), EVERY, SAFE, -27),
    "another name": Row(old(A), new(A, package="org.example.Chat"), EVERY, PARALLEL, 1),
    "another name and signer": Row(old(A), new(B, package="org.example.chat2"), EVERY, PARALLEL, 1),
    "into a shared user id, before 33": Row(old(A), new(A, shared_user_id="a.b"), (24, 32), WIPES, -8),
    "into a shared user id": Row(old(A), new(A, shared_user_id="a.b"), (33, 36), WIPES, -24),
    "out of a shared user id": Row(old(A, shared_user_id="a.b"), new(A), (33, 36), WIPES, -24),
    "to another shared user id": Row(
        old(A, shared_user_id="a.b"), new(A, shared_user_id="a.c"), (33, 36), WIPES, -24
    ),
    "a rotation in a shared user id": Row(
        old(A, shared_user_id="a.b"), new(B, shared_user_id="a.b", **history(A, B)), SINCE_P, KEEPS, 1
    ),
    "the same without its right": Row(
        old(A, shared_user_id="a.b"),
        new(B, shared_user_id="a.b", **history(A, B, grants=[ALL & ~SHARED_USER, ALL])),
        SINCE_P,
        WIPES,
        -8,
    ),
    "no more data of its own": Row(old(A), new(A, no_app_data_storage=True), (31, 36), WIPES, -7),
    "no more data of its own, before": Row(old(A), new(A, no_app_data_storage=True), (24, 30), KEEPS, 1),
    "data that may be kept at removal, by a stranger": Row(
        old(A, has_fragile_user_data=True), new(D, has_fragile_user_data=True), EVERY, WIPES, -7
    ),
    "a part alone": Row(old(A), new(A, split="config.zh"), EVERY, SAFE, -28),
}  # fmt: skip
for begins in (33, 34, 35):
    there, here = rotated(A, B, begins=begins, make=old), rotated(A, B, begins=begins)
    since, before = (begins, 36), (24, begins - 1)
    SCENARIOS |= {
        f"to a rotation at {begins}": Row(old(A), here, EVERY, KEEPS, 1),
        f"from a rotation at {begins} back": Row(there, new(A), since, WIPES, -7),
        f"from a rotation at {begins} back, before": Row(there, new(A), before, KEEPS, 1),
        f"from a rotation at {begins} on": Row(there, new(B), since, KEEPS, 1),
        f"from a rotation at {begins} on, before": Row(there, new(B), before, WIPES, -7),
        f"from 28 to {begins}": Row(B_BEFORE, here, since, KEEPS, 1),
        f"from 28 to {begins}, between": Row(B_BEFORE, here, (28, begins - 1), WIPES, -7),
        f"from {begins} to 28": Row(there, TO_B, EVERY, KEEPS, 1),
        f"without the data's right at {begins}": Row(
            old(A), rotated(A, B, grants=[ALL & ~DATA, ALL], begins=begins), since, WIPES, -7
        ),
        f"back with the right at {begins}": Row(
            rotated(A, B, grants=[ALL | ROLLBACK, ALL], begins=begins, make=old), new(A), EVERY, KEEPS, 1
        ),
    }


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., Verdict]:
    """Write the two packages of a scenario, and return what answers for a level."""

    def ask(row: Row, sdk: int | None, action: Action = Action.UPGRADE) -> Verdict:
        for name, make in (("old", row.old), ("new", row.new)):
            if not (tmp_path / name).exists():
                (tmp_path / name).write_bytes(make())
        request = UpdateRequest(
            installed=OnDisk(tmp_path / "old"), candidate=OnDisk(tmp_path / "new"), device_sdk=sdk, action=action
        )
        now = datetime(2018, 6, 1, tzinfo=UTC)
        records = Records(tmp_path / "records")
        return judge(request, pins=None, policy=GuardPolicy(), records=records, witness=None, now=now)

    return ask


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_update_is_answered_as_android_answers_it(ask: Callable[..., Verdict], name: str) -> None:
    row = SCENARIOS[name]

    for sdk in sorted({*row.levels, *range(28, 35, 3)} & set(range(row.levels[0], row.levels[1] + 1))):
        verdict = ask(row, sdk)
        found = (sdk, verdict.outcome.value, verdict.install_result, verdict.decision.value)
        assert found == (sdk, row.outcome, row.code, DECISIONS[row.outcome]), verdict.reason


@pytest.mark.parametrize("name", [name for name, row in SCENARIOS.items() if row.outcome == WIPES])
def test_where_one_level_would_wipe_an_unknown_device_is_not_allowed(ask: Callable[..., Verdict], name: str) -> None:
    assert ask(SCENARIOS[name], None).decision.value != "allow"


@pytest.mark.parametrize("name", [name for name, row in SCENARIOS.items() if row.outcome in {KEEPS, SAFE, PARALLEL}])
def test_removing_the_app_first_is_never_allowed_without_a_backup(ask: Callable[..., Verdict], name: str) -> None:
    row = SCENARIOS[name]

    verdict = ask(row, row.levels[0], Action.REINSTALL)

    assert verdict.decision.value in {"hold", "deny"}
    assert verdict.would_erase
