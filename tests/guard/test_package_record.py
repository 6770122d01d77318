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


@pytest.mark.parametrize("seen", [FACTS, FACTS._replace(version_code=11, sha256="8" * 64)], ids=["same", "newer"])
def test_what_was_consented_to_and_never_installed_is_not_taken_for_the_app_later(seen: PackageFacts) -> None:
    """Once the app is seen as it was, or as its maker's own update, an old consent vouches for nobody any more."""
    by_maker = signed_everywhere(SignerView((A,)))
    stranger = FACTS._replace(signings=signed_everywhere(SignerView((B,))), sha256="7" * 64)
    record = with_offer(observe(None, FACTS._replace(signings=by_maker), NOW), stranger)
    assert observe(record, stranger, LATER).enrolled_by is EnrolledBy.OWNER

    record = observe(record, seen._replace(signings=by_maker), LATER)

    assert record.offered == ()
    with pytest.raises(RecordConflict):
        observe(record, stranger, LATER)


def test_what_nobody_knows_of_an_app_is_kept_as_not_known(tmp_path: Path) -> None:
    facts = FACTS._replace(
        version_code=None, shared_user_id=None, test_only=None, upgrade_key_sets=None, revisions=None, sha256=None
    )

    Records(tmp_path).write(enrol(facts, NOW, by=EnrolledBy.OWNER))

    kept = Records(tmp_path).read(WECHAT)
    assert kept is not None
    assert kept.facts == facts.as_installed()


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


@pytest.mark.parametrize("revisions", [{"": None}, {"": "2"}, {"": True}, [["", 2]], 2])
def test_a_revision_that_is_no_number_is_a_typed_error(revisions: object) -> None:
    fields = decode_json(encode_record(enrol(FACTS, NOW, by=EnrolledBy.OWNER)), what="r", max_bytes=1 << 20)
    fields["facts"]["revisions"] = revisions

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


def record_with(part: str = "", **changes: object) -> bytes:
    """A record with fields changed: of its top, of its facts, or of its first span of levels."""
    facts = FACTS._replace(signings=(SignerSpan(24, 36, ROTATED),))
    fields = decode_json(encode_record(enrol(facts, NOW, by=EnrolledBy.OWNER)), what="r", max_bytes=1 << 20)
    place = {"": fields, "facts": fields["facts"], "span": fields["signings"][0], "seen": fields["versions"][0]}[part]
    place.update(changes)
    return encode_canonical(fields)


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("", {"type": "verdict"}),
        ("", {"type": "verdict", "v": 2}),
        ("", {"v": 0}),
        ("", {"package": 7}),
        ("", {"label": 7}),
        ("", {"enrolled_at": 7}),
        ("", {"enrolled_by": "store"}),
        ("", {"signings": []}),
        ("", {"offered": [{"signings": [], "facts": {}}]}),
        ("facts", {"version_code": True}),
        ("facts", {"version_code": "1_000"}),
        ("facts", {"version_code": "+7"}),
        ("facts", {"version_code": " 7"}),
        ("facts", {"version_code": str(-(2**63) - 1)}),
        ("facts", {"version_code": "0" * 21}),
        ("facts", {"min_sdk": "21"}),
        ("facts", {"test_only": 1}),
        ("facts", {"sha256": 7}),
        ("facts", {"shared_user_id": 7}),
        ("facts", {"upgrade_key_sets": [["k1"]]}),
        ("seen", {"sha256": 7}),
        ("seen", {"version_code": "x"}),
        ("span", {"first_sdk": None}),
        ("span", {"last_sdk": None}),
        ("span", {"first_sdk": 37}),
        ("span", {"first_sdk": "24"}),
        ("span", {"signers": []}),
        ("span", {"signers": None}),
        ("span", {"signers": [7]}),
        ("span", {"signers": ["a" * 63]}),
        ("span", {"signers": ["A" * 64]}),
        ("span", {"scheme": "v9"}),
        ("span", {"lineage": [{"sha256": "a" * 64, "capabilities": "all"}]}),
    ],
)
def test_a_record_with_a_field_that_nobody_wrote_so_is_malformed(part: str, changes: dict[str, object]) -> None:
    """What it says decides whether a signer is another one, so nothing in it is guessed at."""
    assert decode_record(record_with()).enrolled_by is EnrolledBy.OWNER

    with pytest.raises(MalformedObject):
        decode_record(record_with(part, **changes))


def test_a_newer_record_of_something_else_is_no_newer_record() -> None:
    with pytest.raises(MalformedObject) as caught:
        decode_record(record_with(type="verdict", v=2))

    assert caught.value.facts["reason"] == "wrong-type"


def test_whose_word_a_signer_rests_on_changes_only_with_the_signer() -> None:
    by_owner = enrol(FACTS, NOW, by=EnrolledBy.OWNER)

    assert observe(by_owner, FACTS._replace(version_code=20), LATER).enrolled_by is EnrolledBy.OWNER


def test_another_package_never_continues_a_record() -> None:
    with pytest.raises(RecordConflict) as conflict:
        observe(observe(None, FACTS, NOW), FACTS._replace(package=AppPackage("com.tencent.mobileqq")), LATER)

    assert conflict.value.facts == {"package": WECHAT, "recorded": "", "found": "", "sdk": 0}


@pytest.mark.parametrize("level", [24, 36])
def test_another_signer_on_one_level_only_is_a_conflict(level: int) -> None:
    same, other = SignerView((A,)), SignerView((B,))
    before = FACTS._replace(signings=signed_everywhere(same))
    spans = (SignerSpan(1, level - 1, same), SignerSpan(level, level, other), SignerSpan(level + 1, 99, same))

    with pytest.raises(RecordConflict) as conflict:
        observe(observe(None, before, NOW), before._replace(signings=spans), LATER)

    assert conflict.value.facts["sdk"] == level


def test_numbers_that_json_holds_are_written_as_numbers() -> None:
    def written(version: int) -> object:
        record = encode_record(enrol(FACTS._replace(version_code=version), NOW, by=EnrolledBy.OWNER))
        return decode_json(record, what="r", max_bytes=1 << 20)["facts"]["version_code"]

    assert [written(10), written(2**53 - 1), written(2**53)] == [10, 2**53 - 1, str(2**53)]


def test_only_the_newest_versions_and_offers_are_remembered() -> None:
    record = enrol(FACTS, NOW, by=EnrolledBy.OWNER)
    for number in range(11, 230):
        record = observe(record, FACTS._replace(version_code=number), LATER)
    for number in range(300, 320):
        record = with_offer(record, FACTS._replace(version_code=number))

    assert [seen.version_code for seen in record.versions] == list(range(30, 230))
    assert [offered.version_code for offered in record.offered] == list(range(312, 320))


def test_a_file_that_is_still_being_written_is_no_record(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.write(enrol(FACTS, NOW, by=EnrolledBy.OWNER))
    (tmp_path / ".com.tencent.mobileqq.json").write_bytes(b"")

    assert records.packages() == [WECHAT]


def test_what_may_be_installed_is_remembered_once() -> None:
    record = enrol(FACTS, NOW, by=EnrolledBy.OWNER)
    newer = FACTS._replace(version_code=20)

    offered = with_offer(record, newer)

    assert with_offer(offered, newer) == offered
    assert with_offer(record, FACTS) == record
    assert observe(offered, FACTS, LATER) == record
