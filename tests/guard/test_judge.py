"""The judgement as a whole: packages in, a verdict out, nothing raised."""

import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from apk_factory import V3, ZipEntry, build_apk, make_key, make_zip, read_zip, sign, without_pair
from guard_scene import MAKER, NOON, OWNER, STRANGER, WECHAT, Scene, on_disk

from backupkit.guard import desk, device_rules, examination, judge as judge_module
from backupkit.guard.consent import ConsentAnswers, ConsentBinding, sign_token
from backupkit.guard.desk import Desk, load_hook_key, load_pins
from backupkit.guard.examination import examine
from backupkit.guard.judge import judge
from backupkit.guard.ledger import read_ledger, verify_ledger
from backupkit.guard.outcome import Action
from backupkit.guard.package_record import EnrolledBy, Records, enrol
from backupkit.guard.package_source import read_facts
from backupkit.guard.policy import ConsentFrom, GuardPolicy, Needs
from backupkit.guard.request import ConsentToken, OnDisk, OnRecord, UpdateRequest
from backupkit.guard.verdict import Decision, Loss, Verdict
from backupkit.ids import AppPackage, CertificateDigest
from backupkit.proof.coverage_pass import RESTORE_DRILL, SECOND_COPY, Check
from backupkit.proof.witness import load as load_witness


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def question(scene: Scene, offered: Path | None = None, **changes: Any) -> UpdateRequest:
    candidate = on_disk(offered or scene.offered_by_stranger())
    given: dict[str, Any] = {
        "installed": on_disk(scene.installed()),
        "candidate": candidate,
        "device_sdk": 33,
        "app_name": "微信",
    }
    return UpdateRequest(**{**given, **changes})


def answer(scene: Scene, request: UpdateRequest, policy: GuardPolicy | None = None) -> Verdict:
    return Desk(scene.places, policy).answer(request, scene.now)


def said(verdict: Verdict) -> tuple[str, str, str]:
    return verdict.decision.value, verdict.outcome.value, verdict.reason


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


def test_what_the_device_would_refuse_is_denied_and_the_chats_are_safe(scene: Scene) -> None:
    verdict = answer(scene, question(scene, scene.package("v20.apk", version_code=20, min_sdk=34)))

    assert said(verdict) == ("deny", "refused-safe", "android-too-old")
    assert (verdict.install_result, verdict.would_erase) == (-12, False)


def test_a_package_signed_too_simply_for_its_android_is_refused_safely(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "v1.apk"
    path.write_bytes(sign(build_apk(package=WECHAT, version_code=20, target_sdk=34), MAKER, schemes=("v1",)))

    verdict = answer(scene, question(scene, path))

    assert (verdict.outcome.value, verdict.install_result) == ("refused-safe", -103)


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


def test_an_app_is_known_from_its_record_once_it_was_seen(scene: Scene) -> None:
    by_record: dict[str, Any] = {"installed": OnRecord(WECHAT)}

    unknown = answer(scene, question(scene, **by_record))
    answer(scene, question(scene))
    known = answer(scene, question(scene, **by_record))

    assert unknown.reason == "app-not-enrolled"
    assert said(known) == ("hold", "would-wipe", "no-verified-backup")
    assert known.judged.old_sha256 == hashlib.sha256(scene.installed().read_bytes()).hexdigest()


def test_nobody_can_teach_the_guard_another_signer_by_showing_another_installed_app(scene: Scene) -> None:
    answer(scene, question(scene))
    claimed = scene.package("claimed.apk", STRANGER, version_code=10)

    verdict = answer(scene, question(scene, installed=on_disk(claimed)))

    assert said(verdict)[::2] == ("undecided", "record-conflict")
    record = Records(scene.places.records).read(WECHAT)
    assert record is not None
    signers = record.facts.signers_at(33)
    assert signers is not None
    assert signers.signers == (MAKER.digest,)


def test_what_was_allowed_may_be_installed_already_so_both_are_judged(scene: Scene) -> None:
    answer(scene, question(scene, scene.package("v20.apk", version_code=20)))
    by_record = OnRecord(WECHAT)

    older = answer(scene, question(scene, scene.package("v15.apk", version_code=15), installed=by_record))
    newer = answer(scene, question(scene, scene.package("v30.apk", version_code=30), installed=by_record))
    seen_again = answer(scene, question(scene, scene.package("v15.apk", version_code=15)))

    assert (older.decision, older.install_result) == (Decision.HOLD, -25)
    assert newer.decision is Decision.ALLOW
    assert seen_again.decision is Decision.ALLOW


def test_after_an_allowed_rotation_going_back_is_held(scene: Scene) -> None:
    answer(scene, question(scene, scene.rotated()))

    back = answer(scene, question(scene, scene.package("v30.apk", version_code=30), installed=OnRecord(WECHAT)))

    assert said(back)[:2] == ("hold", "would-wipe")


def test_the_very_package_that_was_consented_to_becomes_the_installed_app(scene: Scene) -> None:
    scene.enrol_store()
    scene.issue()
    offered = scene.offered_by_stranger()
    needed = answer(scene, question(scene, offered)).consent
    assert needed is not None
    before = answer(scene, question(scene, offered, installed=on_disk(offered)))
    answer(scene, question(scene, offered, consent=ConsentAnswers(needed.binding.id, understood=True, typed="微信")))

    newer = scene.package("v30.apk", STRANGER, version_code=30)
    another = answer(scene, question(scene, newer, installed=on_disk(newer)))
    installed = answer(scene, question(scene, newer, installed=on_disk(offered)))

    assert before.reason == another.reason == "record-conflict"
    assert said(installed) == ("allow", "keeps-data", "signer-same")


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


def test_uninstalling_with_a_covering_backup_asks_twice(scene: Scene) -> None:
    scene.enrol_store()
    scene.issue()

    verdict = answer(scene, question(scene, action=Action.UNINSTALL, candidate=None))

    assert said(verdict) == ("allow", "would-wipe", "backup-covers")
    assert verdict.consent is not None
    assert verdict.consent.binding.new_sha256 is None


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


def test_a_store_that_was_set_back_or_forked_is_noticed(scene: Scene) -> None:
    scene.enrol_store()
    scene.issue()
    assert answer(scene, question(scene)).decision is Decision.ALLOW
    shorter, forked = scene.leaves[:5], [*scene.leaves[:6], b"\x01" * 32]

    scene.issue(scene.coverage(leaves=shorter))
    rolled_back = answer(scene, question(scene))
    scene.issue(scene.coverage(leaves=forked))
    changed = answer(scene, question(scene))
    scene.leaves += [b"\x02" * 32]
    scene.issue(scene.coverage())
    unproved = answer(scene, question(scene))
    scene.issue(scene.coverage(since=7))
    grown = answer(scene, question(scene))

    assert said(rolled_back) == ("hold", "would-wipe", "log-rolled-back")
    assert said(changed) == ("hold", "would-wipe", "log-forked")
    assert said(unproved) == ("hold", "would-wipe", "log-proof-missing")
    assert grown.decision is Decision.ALLOW
    witness = load_witness(scene.places.witness)
    assert witness is not None
    assert witness.size == 8


def test_the_log_head_is_kept_before_an_allow_is_spoken(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.enrol_store()
    scene.issue()

    def disk_full(*_given: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("backupkit.proof.witness.save", disk_full)

    assert said(answer(scene, question(scene)))[::2] == ("undecided", "memory-unwritable")


def test_an_allow_that_cannot_be_recorded_is_not_spoken(scene: Scene) -> None:
    scene.places.ledger.mkdir(parents=True)

    allowed = answer(scene, question(scene, scene.package("v20.apk", version_code=20)))
    held = answer(scene, question(scene))

    assert said(allowed)[::2] == ("undecided", "ledger-unwritable")
    assert said(held)[::2] == ("hold", "no-verified-backup")


@pytest.mark.parametrize(
    ("place", "reason"),
    [("policy", "policy-unusable"), ("pins", "pins-unusable"), ("owner_key", "pins-unusable")],
)
def test_a_damaged_file_of_the_guard_holds(scene: Scene, place: str, reason: str) -> None:
    scene.enrol_store()
    scene.issue()
    getattr(scene.places, place).write_bytes(b"\xff not what it should be")

    assert said(answer(scene, question(scene)))[::2] == ("undecided", reason)


def test_a_damaged_witness_is_not_taken_for_a_store_never_seen(scene: Scene) -> None:
    scene.enrol_store()
    scene.issue()
    answer(scene, question(scene))
    scene.places.witness.write_bytes(b"{}")

    assert said(answer(scene, question(scene)))[::2] == ("undecided", "witness-unusable")


def test_an_unsafe_policy_on_file_is_not_obeyed(scene: Scene) -> None:
    scene.places.root.mkdir(parents=True)
    scene.places.policy.write_bytes(b'{"when-unsure":"allow"}')

    verdict = answer(scene, question(scene, scene.package("v20.apk", version_code=20)))

    assert said(verdict)[::2] == ("undecided", "policy-unusable")


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


def test_every_decision_is_in_the_ledger(scene: Scene) -> None:
    scene.enrol_store()
    answer(scene, question(scene))
    scene.issue()
    answer(scene, question(scene, store="a shop"))
    answer(scene, question(scene, candidate=OnDisk(scene.folder / "none.apk")))

    entries = list(read_ledger(scene.places.ledger))

    assert [entry["decision"] for entry in entries] == ["hold", "allow", "undecided"]
    assert [entry["consent"] for entry in entries] == [None, "needed", None]
    assert entries[1]["store"] == "a shop"
    assert entries[1]["snapshot"] == "5a" * 32
    assert verify_ledger(scene.places.ledger, load_hook_key(scene.places).verify_key).entries == 3


def test_the_owner_can_enrol_a_new_signer(scene: Scene) -> None:
    answer(scene, question(scene))
    facts = read_facts(scene.offered_by_stranger(), device_sdk=None)
    Records(scene.places.records).write(enrol(facts, scene.now, by=EnrolledBy.OWNER))

    newer = scene.package("v30.apk", STRANGER, version_code=30)
    verdict = answer(scene, question(scene, newer, installed=OnRecord(WECHAT)))

    assert said(verdict) == ("allow", "keeps-data", "signer-same")


def test_of_two_questions_at_once_the_later_knows_what_the_earlier_allowed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Version 30 was allowed and may be installed by now: version 20 is then no update any more."""
    places, later = scene.places, NOON + timedelta(seconds=1)
    first, second = (scene.package(f"{number}.apk", version_code=number) for number in (20, 30))
    Desk(places).answer(UpdateRequest(installed=on_disk(scene.installed()), candidate=on_disk(scene.installed())), NOON)
    real = examine
    interrupted: list[bool] = []

    def slow(request: UpdateRequest, records: Records, now: datetime) -> Any:
        examined = real(request, records, now)
        if not interrupted:
            interrupted.append(True)
            Desk(places).answer(UpdateRequest(installed=OnRecord(WECHAT), candidate=on_disk(second)), later)
        return examined

    monkeypatch.setattr(desk, "examine", slow)
    verdict = Desk(places).answer(UpdateRequest(installed=OnRecord(WECHAT), candidate=on_disk(first)), later)
    record = Records(places.records).read(WECHAT)
    assert record is not None
    assert {offered.version_code for offered in record.offered} == {30}
    assert verdict.decision is not Decision.ALLOW
