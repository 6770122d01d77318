"""What is remembered of an installed app, and who may change it."""

import contextlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from backupkit.codec.canonical import decode_json, encode_canonical
from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.guard.facts import (
    Capability,
    LineageNode,
    PackageFacts,
    Scheme,
    SignerSpan,
    SignerView,
    signed_everywhere,
)
from backupkit.guard.package_record import (
    EnrolledBy,
    RecordConflict,
    Records,
    decode_record,
    encode_record,
    enrol,
    observe,
    with_offer,
)
from backupkit.ids import AppPackage, CertificateDigest

A, B = (CertificateDigest(letter * 64) for letter in "ab")
NOW = datetime(2018, 6, 1, tzinfo=UTC)
LATER = datetime(2018, 7, 1, tzinfo=UTC)
WECHAT = AppPackage("com.tencent.mm")
ROTATED = SignerView((B,), (LineageNode(A, Capability(23)), LineageNode(B, Capability(23))), Scheme.V31)
FACTS = PackageFacts(
    package=WECHAT,
    signings=(SignerSpan(24, 29, SignerView((A,), (), Scheme.V1)), SignerSpan(30, 36, None, "target-needs-v2")),
    version_code=10,
    shared_user_id="",
    test_only=False,
    sha256="9" * 64,
)


def test_a_record_survives_being_written_and_read(tmp_path: Path) -> None:
    records = Records(tmp_path / "records")
    facts = FACTS._replace(signings=(*FACTS.signings[:1], SignerSpan(30, 36, ROTATED)))
    record = with_offer(enrol(facts, NOW, by=EnrolledBy.OWNER, label="微信"), FACTS)

    records.write(record)

    assert records.read(WECHAT) == record
    assert records.packages() == [WECHAT]


def test_an_app_never_seen_has_no_record(tmp_path: Path) -> None:
    assert Records(tmp_path).read(WECHAT) is None
    assert Records(tmp_path / "absent").packages() == []


def test_the_first_sight_is_trusted_and_says_so() -> None:
    record = observe(None, FACTS, NOW)

    assert record.enrolled_by is EnrolledBy.FIRST_USE
    assert [seen.version_code for seen in record.versions] == [10]


def test_a_new_version_of_the_same_signer_is_added() -> None:
    record = observe(observe(None, FACTS, NOW), FACTS._replace(version_code=20), LATER)

    assert [seen.version_code for seen in record.versions] == [10, 20]
    assert record.facts.version_code == 20


def test_seeing_the_same_again_changes_nothing() -> None:
    record = observe(None, FACTS, NOW)

    assert observe(record, FACTS, LATER) == record


def test_a_proof_of_rotation_changes_the_signer() -> None:
    before = FACTS._replace(signings=signed_everywhere(SignerView((A,))))
    after = FACTS._replace(signings=signed_everywhere(ROTATED))

    record = observe(observe(None, before, NOW), after, LATER)

    assert record.enrolled_by is EnrolledBy.ROTATION


def test_another_signer_without_proof_is_a_conflict() -> None:
    before = FACTS._replace(signings=signed_everywhere(SignerView((A,))))
    after = FACTS._replace(signings=signed_everywhere(SignerView((B,))))

    with pytest.raises(RecordConflict) as conflict:
        observe(observe(None, before, NOW), after, LATER)

    assert conflict.value.facts == {"package": WECHAT, "recorded": A[:8], "found": B[:8], "sdk": 24}


def test_signers_that_cannot_be_compared_are_a_conflict() -> None:
    old_only = FACTS._replace(signings=(SignerSpan(24, 29, SignerView((A,))),))
    new_only = FACTS._replace(signings=(SignerSpan(30, 36, SignerView((A,))),))

    with pytest.raises(RecordConflict):
        observe(observe(None, old_only, NOW), new_only, LATER)


def test_only_the_owner_can_replace_a_signer_without_proof(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.write(observe(None, FACTS, NOW))
    replaced = enrol(FACTS._replace(signings=signed_everywhere(SignerView((B,)))), LATER, by=EnrolledBy.OWNER)

    records.write(replaced)

    assert records.read(WECHAT) == replaced


def test_unknown_fields_survive_a_rewrite() -> None:
    fields = decode_json(encode_record(observe(None, FACTS, NOW)), what="record", max_bytes=1 << 20)
    newer = decode_record(encode_canonical({**fields, "archived_on": "2018-06-02T00:00:00Z"}))

    again = decode_json(
        encode_record(observe(newer, FACTS._replace(version_code=11), LATER)), what="record", max_bytes=1 << 20
    )

    assert again["archived_on"] == "2018-06-02T00:00:00Z"


def test_a_newer_record_is_refused_as_newer() -> None:
    fields = decode_json(encode_record(observe(None, FACTS, NOW)), what="record", max_bytes=1 << 20)

    with pytest.raises(NewerFormat):
        decode_record(encode_canonical({**fields, "v": 2}))


def test_the_record_of_another_app_is_refused(tmp_path: Path) -> None:
    (tmp_path / "com.tencent.mobileqq.json").write_bytes(encode_record(observe(None, FACTS, NOW)))

    with pytest.raises(MalformedObject):
        Records(tmp_path).read(AppPackage("com.tencent.mobileqq"))


@given(st.data())
def test_a_damaged_record_is_a_typed_error_or_another_valid_record(data: st.DataObject) -> None:
    whole = bytearray(encode_record(observe(None, FACTS, NOW)))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] = data.draw(st.integers(0, 255))

    with contextlib.suppress(MalformedObject, NewerFormat):
        decode_record(bytes(whole))


@given(st.recursive(st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=3), st.lists))
def test_any_value_in_any_field_is_a_typed_error(value: object) -> None:
    fields = decode_json(encode_record(observe(None, FACTS, NOW)), what="record", max_bytes=1 << 20)

    for name in ("type", "package", "versions", "signings", "facts", "enrolled_at", "enrolled_by"):
        with contextlib.suppress(MalformedObject, NewerFormat):
            decode_record(encode_canonical({**fields, name: value}))


@pytest.mark.parametrize("version", [2**53, 2**63 - 1, -(2**63), -1])
def test_a_version_of_any_size_that_android_knows_is_kept(tmp_path: Path, version: int) -> None:
    records = Records(tmp_path)

    records.write(enrol(FACTS._replace(version_code=version), NOW, by=EnrolledBy.OWNER))

    found = records.read(WECHAT)
    assert found is not None
    assert (found.facts.version_code, found.versions[0].version_code) == (version, version)


@pytest.mark.parametrize("version", ["", "-", "7a", "٣", str(2**63), "9" * 5000, "-0x1"])
def test_a_version_that_is_no_number_of_androids_is_a_typed_error(version: str) -> None:
    fields = decode_json(encode_record(enrol(FACTS, NOW, by=EnrolledBy.OWNER)), what="r", max_bytes=1 << 20)
    fields["facts"]["version_code"] = version

    with pytest.raises(MalformedObject):
        decode_record(encode_canonical(fields))


@pytest.mark.parametrize(
    "name", ["../policy", "/tmp/x", "..", "a/../../b", "a\nb", "com.tencent.mm\0", "名字", "a" * 224]
)
def test_no_record_leaves_its_folder(tmp_path: Path, name: str) -> None:
    records = Records(tmp_path / "guard" / "records")
    record = enrol(FACTS._replace(package=AppPackage(name)), NOW, by=EnrolledBy.OWNER)

    with pytest.raises(MalformedObject):
        records.write(record)
    with pytest.raises(MalformedObject):
        records.read(AppPackage(name))

    assert list(tmp_path.rglob("*")) == []


def test_the_longest_name_that_android_takes_has_room_for_its_files(tmp_path: Path) -> None:
    package = AppPackage("a." + "b" * 221)
    records = Records(tmp_path)

    records.write(enrol(FACTS._replace(package=package), NOW, by=EnrolledBy.OWNER))

    assert records.packages() == [package]


def test_a_record_that_could_not_be_read_again_does_not_take_the_place_of_one_that_can(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.write(enrol(FACTS, NOW, by=EnrolledBy.OWNER))
    too_many = tuple(("c" * 64,) * 300 for _ in range(60))

    with pytest.raises(MalformedObject):
        records.write(enrol(FACTS._replace(upgrade_key_sets=too_many), NOW, by=EnrolledBy.OWNER))

    found = records.read(WECHAT)
    assert found is not None
    assert found.facts == FACTS
