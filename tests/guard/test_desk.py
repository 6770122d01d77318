"""What the guard remembers from one question to the next, and what it answers where it cannot."""

import hashlib
from datetime import datetime, timedelta
from typing import Any

import pytest
from guard_scene import MAKER, NOON, PINS, STRANGER, WECHAT, Scene, answer, on_disk, question, said

from backupkit.clock import to_rfc3339
from backupkit.guard import desk
from backupkit.guard.consent import ConsentAnswers, GivenConsent
from backupkit.guard.desk import Desk, load_given, load_hook_key, load_policy, save_given, save_policy
from backupkit.guard.examination import examine
from backupkit.guard.ledger import read_ledger, verify_ledger
from backupkit.guard.outcome import Action
from backupkit.guard.package_record import EnrolledBy, Records, enrol
from backupkit.guard.package_source import read_facts
from backupkit.guard.places import write_whole
from backupkit.guard.policy import GuardPolicy, Needs
from backupkit.guard.request import OnDisk, OnRecord, UpdateRequest
from backupkit.guard.verdict import Decision
from backupkit.proof.witness import load as load_witness


def test_an_app_is_known_from_its_record_once_it_was_seen(scene: Scene) -> None:
    by_record: dict[str, Any] = {"installed": OnRecord(WECHAT)}

    unknown = answer(scene, question(scene, **by_record))
    answer(scene, question(scene))
    known = answer(scene, question(scene, **by_record))

    assert (unknown.reason, unknown.judged.package) == ("app-not-enrolled", WECHAT)
    assert said(known) == ("hold", "would-wipe", "no-verified-backup")
    assert known.judged.old_sha256 == hashlib.sha256(scene.installed().read_bytes()).hexdigest()


def test_a_damaged_record_decides_nothing(scene: Scene) -> None:
    answer(scene, question(scene))
    (record,) = (path for path in scene.places.records.rglob("*") if path.is_file())
    record.write_bytes(b"{}")

    for installed in (on_disk(scene.installed()), OnRecord(WECHAT)):
        assert said(answer(scene, question(scene, installed=installed)))[::2] == ("undecided", "record-unreadable")


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


def test_an_old_backup_does_not_become_fresh_by_putting_the_clock_back(scene: Scene) -> None:
    scene.enrol_store()
    scene.issue()
    verified = scene.now
    assert answer(scene, question(scene)).decision is Decision.ALLOW
    scene.now = verified + timedelta(days=9)
    late = answer(scene, question(scene))

    scene.now = verified
    put_back = answer(scene, question(scene))
    harmless = answer(scene, question(scene, scene.package("v20.apk", version_code=20)))

    assert said(late)[::2] == ("hold", "pass-expired")
    assert said(put_back)[::2] == ("hold", "clock-went-back")
    assert put_back.facts["seen"] == to_rfc3339(verified + timedelta(days=9))
    assert harmless.decision is Decision.ALLOW


def test_a_question_that_needs_no_backup_tells_the_guard_the_time_as_well(scene: Scene) -> None:
    scene.enrol_store()
    scene.issue()
    answer(scene, question(scene))
    verified = scene.now
    scene.now = verified + timedelta(days=9)
    answer(scene, question(scene, scene.package("v20.apk", version_code=20)))

    scene.now = verified

    assert said(answer(scene, question(scene)))[::2] == ("hold", "clock-went-back")


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


def test_what_could_not_be_decided_is_in_the_ledger_with_the_app_that_it_was_about(scene: Scene) -> None:
    """An open hold is one of an app, and keeps old snapshots: an entry without a package would let them go."""
    missing = OnDisk(scene.folder / "none.apk")

    answer(scene, question(scene, candidate=missing, package=WECHAT, store="a shop"))
    answer(scene, question(scene, installed=OnRecord(WECHAT), action=Action.UNINSTALL, candidate=None))

    entries = list(read_ledger(scene.places.ledger))
    assert [entry["reason"] for entry in entries] == ["package-unreadable", "app-not-enrolled"]
    assert [entry["package"] for entry in entries] == [WECHAT, WECHAT]
    assert [(entry["action"], entry["store"]) for entry in entries] == [("upgrade", "a shop"), ("uninstall", None)]


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


def test_another_app_beside_this_one_is_not_remembered_as_its_update(scene: Scene) -> None:
    answer(scene, question(scene, scene.package("other.apk", STRANGER, package="com.tencent.MM")))

    record = Records(scene.places.records).read(WECHAT)

    assert record is not None
    assert record.offered == ()


@pytest.mark.parametrize(
    ("place", "data"),
    [
        ("policy", b"[]"),
        ("policy", b'{"needs":"saved"}'),
        ("policy", b" " * (16 << 10) + b"{}"),
        ("pins", b"{}"),
        ("pins", PINS.encode().replace(b'"v":1', b'"v":2')),
        ("owner_key", b"aa\n"),
        ("owner_key", b"a" * 63 + b"\n"),
        ("owner_key", b"aa" * 33),
        ("hook_key", b"aa\n"),
        ("hook_key", b"aa" * 33),
    ],
)
def test_a_file_of_the_guard_that_says_something_else_allows_nothing(scene: Scene, place: str, data: bytes) -> None:
    scene.enrol_store()
    scene.issue()
    update = question(scene)
    assert answer(scene, update).decision is Decision.ALLOW
    path = getattr(scene.places, place)
    path.write_bytes(data)

    verdict = answer(scene, update)

    reason = {"policy": "policy-unusable", "hook_key": "hook-key-unusable"}.get(place, "pins-unusable")
    assert said(verdict)[::2] == ("undecided", reason)
    assert path.read_bytes() == data


def test_a_folder_in_place_of_a_pass_decides_nothing_and_one_in_place_of_a_consent_is_none(scene: Scene) -> None:
    scene.enrol_store()
    scene.issue()
    scene.places.consent_of(WECHAT).mkdir(parents=True)
    waiting = answer(scene, question(scene))
    scene.places.pass_of(WECHAT).unlink()
    scene.places.pass_of(WECHAT).mkdir()

    assert waiting.waits_for_consent
    assert said(answer(scene, question(scene)))[::2] == ("undecided", "pass-unreadable")


@pytest.mark.parametrize("data", [b"", b"garbage", b"[]", b"x" * 5000])
def test_garbage_in_place_of_a_consent_is_no_consent_and_stops_no_question(scene: Scene, data: bytes) -> None:
    scene.enrol_store()
    scene.issue()
    write_whole(scene.places.consent_of(WECHAT), data)

    assert answer(scene, question(scene)).waits_for_consent


def test_the_key_of_the_ledger_is_drawn_once_and_kept(scene: Scene) -> None:
    first = load_hook_key(scene.places)

    assert load_hook_key(scene.places).seed == first.seed
    assert scene.places.hook_key.stat().st_mode & 0o777 == 0o600


def test_the_policy_on_file_counts_unless_the_desk_has_one_of_its_own(scene: Scene) -> None:
    scene.enrol_store()
    scene.issue()
    strict = GuardPolicy(needs=Needs.DRILLED)

    save_policy(scene.places, strict)

    assert load_policy(scene.places) == strict
    assert answer(scene, question(scene)).reason == "pass-policy-not-met"
    assert answer(scene, question(scene), GuardPolicy()).reason == "backup-covers"


def test_consent_that_was_kept_answers_the_next_question_about_this_update(scene: Scene) -> None:
    scene.enrol_store()
    scene.issue()
    needed = answer(scene, question(scene)).consent
    assert needed is not None
    given = GivenConsent(needed.binding.id, scene.now)

    save_given(scene.places, WECHAT, given)

    assert load_given(scene.places, WECHAT) == given
    assert not answer(scene, question(scene)).waits_for_consent
