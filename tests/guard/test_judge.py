"""The judgement as a whole: packages in, a verdict out, nothing raised."""

from pathlib import Path
from typing import Any

import pytest
from apk_factory import V3, ZipEntry, build_apk, make_zip, read_zip, sign, without_pair
from guard_scene import MAKER, STRANGER, WECHAT, Scene, answer, question, said

from backupkit.guard import device_rules, examination
from backupkit.guard.advice import BACK_UP_FIRST, KEEP_THE_APP, UPDATE_INSTEAD
from backupkit.guard.judge import judge
from backupkit.guard.outcome import Action
from backupkit.guard.package_record import Records
from backupkit.guard.policy import GuardPolicy
from backupkit.guard.request import OnDisk
from backupkit.guard.verdict import Loss
from backupkit.ids import AppPackage


def test_an_update_by_the_same_maker_is_allowed(scene: Scene) -> None:
    verdict = answer(scene, question(scene, scene.package("v20.apk", version_code=20)))

    assert said(verdict) == ("allow", "keeps-data", "signer-same")
    assert (verdict.install_result, verdict.would_erase, verdict.loss, verdict.consent) == (1, False, None, None)


def test_a_proved_rotation_is_allowed(scene: Scene) -> None:
    assert said(answer(scene, question(scene, scene.rotated()))) == ("allow", "keeps-data", "signer-rotated")


def test_the_accident_of_2018_is_held_until_a_backup_covers_the_chats(scene: Scene) -> None:
    scene.enrol_store()
    request = question(scene, loss=Loss(messages=50_000, not_in_backup=1_789))

    before = answer(scene, request)
    scene.issue()
    after = answer(scene, request)

    assert said(before) == ("hold", "would-wipe", "no-verified-backup")
    assert before.install_result == -7
    assert before.loss == Loss(messages=50_000, not_in_backup=1_789)
    assert said(after) == ("allow", "would-wipe", "backup-covers")
    assert after.would_erase
    assert (before.suggestions, after.suggestions) == (BACK_UP_FIRST, (KEEP_THE_APP,))
    assert after.consent is not None
    assert after.consent.to_json()["state"] == "needed"
    assert after.loss is not None
    assert after.loss.to_json() == {
        "messages": 50_000,
        "conversations": 96,
        "media": 6_502,
        "bytes": 11_000_000_000,
        "oldest": "2015-09-05T12:00:00Z",
        "newest": "2018-06-01T09:00:00Z",
        "not_in_backup": 1_789,
        "as_of": None,
    }


def test_what_the_device_would_refuse_is_denied_and_the_chats_are_safe(scene: Scene) -> None:
    verdict = answer(scene, question(scene, scene.package("v20.apk", version_code=20, min_sdk=34)))

    assert said(verdict) == ("deny", "refused-safe", "android-too-old")
    assert (verdict.install_result, verdict.would_erase) == (-12, False)


def test_a_package_signed_too_simply_for_its_android_is_refused_safely(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "v1.apk"
    path.write_bytes(sign(build_apk(package=WECHAT, version_code=20, target_sdk=34), MAKER, schemes=("v1",)))

    verdict = answer(scene, question(scene, path))

    assert (verdict.outcome.value, verdict.install_result) == ("refused-safe", -103)
    assert not verdict.would_erase

    removal = answer(scene, question(scene, path, action=Action.REINSTALL))

    assert said(removal)[:2] == ("deny", "not-genuine")
    assert (removal.install_result, removal.would_erase) == (-103, True)


def test_another_app_is_allowed_with_its_notice(scene: Scene) -> None:
    verdict = answer(scene, question(scene, scene.package("other.apk", STRANGER, package="com.tencent.MM")))

    assert said(verdict) == ("allow", "parallel-app", "another-app")


def _changed(apk: bytes, place: int) -> bytes:
    return apk[:place] + bytes((apk[place] ^ 1,)) + apk[place + 1 :]


_V2 = sign(build_apk(package=WECHAT, version_code=20), MAKER, schemes=("v2",))
_CODE = _V2.index(b"dex\n035") + 20


@pytest.mark.parametrize(
    ("apk", "sdk", "code"),
    [
        (build_apk(package=WECHAT, version_code=20), 33, -103),
        (_changed(_V2, _CODE), 33, -103),
        (without_pair(sign(build_apk(package=WECHAT, version_code=20), MAKER), V3), 33, -103),
        (sign(build_apk(package=WECHAT, version_code=20), MAKER, schemes=("v3",)), 27, -103),
        (b"no package", 33, -100),
        (_V2 + b"behind", 33, -100),
        (b"dex\n035" + _V2, 33, -100),
        (make_zip([*read_zip(_V2), ZipEntry(b"classes.dex", b"another")]), 33, -100),
        (b"no package", None, -100),
        (_changed(_V2, _CODE), None, None),
        (make_zip([ZipEntry(b"classes.dex", b"")]), 33, None),
    ],
)
def test_what_is_not_genuine_has_androids_code_where_every_device_would_answer_so(
    scene: Scene, tmp_path: Path, apk: bytes, sdk: int | None, code: int | None
) -> None:
    path = tmp_path / "bad.apk"
    path.write_bytes(apk)

    verdict = answer(scene, question(scene, path, device_sdk=sdk))

    assert said(verdict) == ("deny", "not-genuine", "package-not-genuine")
    assert verdict.install_result == code


@pytest.mark.parametrize("place", [200, -40])
def test_a_damaged_package_is_denied(scene: Scene, place: int) -> None:
    path = scene.package("v20.apk", version_code=20)
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)

    verdict = answer(scene, question(scene, path))

    assert said(verdict) == ("deny", "not-genuine", "package-not-genuine")


def test_a_damaged_installed_package_decides_nothing(scene: Scene) -> None:
    broken = scene.folder / "broken.apk"
    broken.write_bytes(scene.installed().read_bytes()[:-9])

    assert said(answer(scene, question(scene, installed=OnDisk(broken))))[::2] == (
        "undecided",
        "installed-not-genuine",
    )


@pytest.mark.parametrize("side", ["installed", "candidate"])
def test_a_file_other_than_the_one_meant_voids_the_answer(scene: Scene, side: str) -> None:
    swapped: dict[str, Any] = {side: OnDisk(scene.package("v20.apk", version_code=20), "0" * 64)}

    assert said(answer(scene, question(scene, **swapped)))[::2] == ("undecided", "package-swapped")


def test_a_file_that_is_replaced_while_it_is_judged_voids_the_answer(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, evil = scene.package("v20.apk", version_code=20), scene.offered_by_stranger()
    request = question(scene, good, candidate=OnDisk(good))
    real = device_rules.decide_install

    def swap_then_decide(*given: Any) -> Any:
        evil.replace(good)
        return real(*given)

    monkeypatch.setattr(examination, "decide_install", swap_then_decide)

    assert said(answer(scene, request))[::2] == ("undecided", "package-swapped")


@pytest.mark.parametrize("name", ["installed", "candidate"])
def test_a_file_that_is_not_there_decides_nothing(scene: Scene, name: str) -> None:
    absent: dict[str, Any] = {name: OnDisk(scene.folder / "none.apk")}
    request = question(scene, **absent)

    assert said(answer(scene, request))[::2] == ("undecided", "package-unreadable")


@pytest.mark.parametrize("name", ["installed", "candidate"])
def test_a_path_that_cannot_be_followed_is_told_as_one(scene: Scene, name: str) -> None:
    too_long: dict[str, Any] = {name: OnDisk(Path("/" + "a" * 4000))}

    assert said(answer(scene, question(scene, **too_long)))[::2] == ("undecided", "package-undecided")


def test_a_question_about_another_app_than_the_installed_decides_nothing(scene: Scene) -> None:
    verdict = answer(scene, question(scene, package=AppPackage("com.tencent.mobileqq")))

    assert verdict.reason == "package-mismatch"


@pytest.mark.parametrize("action", [Action.REINSTALL, Action.UNINSTALL])
def test_removing_the_app_is_held_even_for_its_own_update(scene: Scene, action: Action) -> None:
    verdict = answer(scene, question(scene, scene.package("v20.apk", version_code=20), action=action))

    assert said(verdict)[:2] == ("hold", "would-wipe")
    assert verdict.would_erase


def test_reinstalling_what_would_not_install_is_denied(scene: Scene) -> None:
    scene.enrol_store()
    scene.issue()
    unfit = scene.package("v20.apk", version_code=20, min_sdk=34)

    verdict = answer(scene, question(scene, unfit, action=Action.REINSTALL))

    assert said(verdict) == ("deny", "would-wipe", "reinstall-fails")


def test_reinstalling_something_damaged_is_denied_and_would_erase(scene: Scene) -> None:
    path = scene.package("v20.apk", version_code=20)
    path.write_bytes(path.read_bytes()[:-1])

    verdict = answer(scene, question(scene, path, action=Action.REINSTALL))

    assert said(verdict)[:2] == ("deny", "not-genuine")
    assert verdict.would_erase


def test_whatever_raises_inside_is_undecided(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_given: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(examination, "decide_install", explode)
    request = question(scene)

    verdict = answer(scene, request)
    alone = judge(
        request,
        pins=None,
        policy=GuardPolicy(),
        records=Records(scene.places.records),
        witness=None,
        now=scene.now,
    )

    assert said(verdict) == said(alone) == ("undecided", "unknown", "guard-failed")
    assert verdict.exit_code == 42


def test_judging_alone_remembers_nothing(scene: Scene) -> None:
    records = Records(scene.places.records)

    verdict = judge(question(scene), pins=None, policy=GuardPolicy(), records=records, witness=None, now=scene.now)

    assert said(verdict) == ("hold", "would-wipe", "no-verified-backup")
    assert not scene.places.root.exists()


def test_what_was_wrong_with_a_package_is_told_with_the_entry(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "doubled.apk"
    path.write_bytes(make_zip([*read_zip(_V2), ZipEntry(b"classes.dex", b"another")]))

    verdict = answer(scene, question(scene, path))

    assert (verdict.facts["detail"], verdict.facts["entry"]) == ("duplicate-entry", "classes.dex")


def test_only_an_answer_that_may_cost_the_chats_speaks_of_a_loss(scene: Scene) -> None:
    loss = Loss(messages=50_000)
    unfit = scene.package("v20.apk", version_code=20, min_sdk=34)

    refused = answer(scene, question(scene, unfit, loss=loss))
    removed = answer(scene, question(scene, unfit, loss=loss, action=Action.REINSTALL))

    assert (refused.would_erase, refused.loss) == (False, None)
    assert (removed.would_erase, removed.loss) == (True, loss)


def test_what_the_rules_cannot_answer_may_erase(scene: Scene) -> None:
    verdict = answer(scene, question(scene, scene.package("v20.apk", version_code=20, target_sdk=23), device_sdk=None))

    assert said(verdict) == ("undecided", "unknown", "depends-on-device")
    assert verdict.would_erase


def test_a_removal_that_the_update_makes_needless_is_answered_with_the_update(scene: Scene) -> None:
    needless = answer(scene, question(scene, scene.package("v20.apk", version_code=20), action=Action.REINSTALL))
    needed = answer(scene, question(scene, action=Action.REINSTALL))

    assert needless.suggestions == (UPDATE_INSTEAD,)
    assert needed.suggestions == BACK_UP_FIRST


def test_an_answer_to_nothing_says_no_more_than_its_reason(scene: Scene) -> None:
    verdict = answer(scene, question(scene, package=AppPackage("com.tencent.mobileqq")))

    assert verdict.facts == {"package": "com.tencent.mobileqq", "found": WECHAT}


def test_splits_of_two_signers_have_androids_own_code(scene: Scene, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "base.apk").write_bytes(sign(build_apk(package=WECHAT, version_code=20), MAKER))
    split = build_apk(package=WECHAT, version_code=20, split="config.zh", min_sdk=None, target_sdk=None)
    (folder / "zh.apk").write_bytes(sign(split, STRANGER))

    verdict = answer(scene, question(scene, candidate=OnDisk(folder)))

    assert said(verdict)[:2] == ("deny", "not-genuine")
    assert verdict.install_result == -104


def test_a_question_that_names_the_installed_package_is_answered(scene: Scene) -> None:
    update = scene.package("v20.apk", version_code=20)

    assert answer(scene, question(scene, update, package=WECHAT)).reason == "signer-same"


def test_an_update_without_a_package_to_install_decides_nothing(scene: Scene) -> None:
    assert said(answer(scene, question(scene, candidate=None)))[::2] == ("undecided", "candidate-missing")


def test_a_package_beside_an_uninstallation_is_not_looked_at(scene: Scene) -> None:
    verdict = answer(scene, question(scene, candidate=OnDisk(scene.folder / "none.apk"), action=Action.UNINSTALL))

    assert said(verdict) == ("hold", "would-wipe", "no-verified-backup")
    assert verdict.judged.new_sha256 is None
