"""The installed app as a repository's index lists it: who signed it, and nothing that was not said."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from apk_factory import build_apk, make_key, make_lineage, sign
from hypothesis import given, strategies as st

from backupkit.guard import package_index
from backupkit.guard.desk import Desk
from backupkit.guard.judge import judge
from backupkit.guard.package_index import Listing, ListingUnusable, read_listing
from backupkit.guard.package_record import EnrolledBy, Records, enrol
from backupkit.guard.package_source import read_facts
from backupkit.guard.places import GuardPlaces
from backupkit.guard.policy import GuardPolicy
from backupkit.guard.request import OnDisk, UpdateRequest
from backupkit.guard.verdict import Decision, Verdict
from backupkit.ids import AppPackage

A, B = make_key("ec", "A"), make_key("ec", "B")
NAME = AppPackage("org.example.chat")
NOW = datetime(2018, 6, 1, tzinfo=UTC)


def version(code: int, *signers: str) -> dict[str, Any]:
    sdks = {"minSdkVersion": 24, "targetSdkVersion": 34}
    return {
        "file": {"name": "/x.apk"},
        "manifest": {"versionCode": code, "usesSdk": sdks, "signer": {"sha256": signers}},
    }


def index_of(*versions: dict[str, Any]) -> dict[str, Any]:
    listed = {str(number): one for number, one in enumerate(versions)}
    return {"repo": {}, "packages": {NAME: {"metadata": {"preferredSigner": B.digest}, "versions": listed}}}


@pytest.fixture
def index(tmp_path: Path) -> Path:
    path = tmp_path / "index-v2.json"
    path.write_text(json.dumps(index_of(version(5, A.digest), version(7, A.digest))))
    return path


def refusal(path: Path, code: int | None = None) -> object:
    with pytest.raises(ListingUnusable) as caught:
        read_listing(Listing(path, NAME, code))
    return caught.value.facts["reason"]


def ask(tmp_path: Path, listing: Listing, candidate: bytes) -> Verdict:
    path = tmp_path / "new.apk"
    path.write_bytes(candidate)
    request = UpdateRequest(installed=listing, candidate=OnDisk(path), device_sdk=34)
    return judge(request, pins=None, policy=GuardPolicy(), records=Records(tmp_path / "records"), witness=None, now=NOW)


def test_the_newest_version_counts_unless_one_is_named(index: Path) -> None:
    assert read_listing(Listing(index, NAME)).version_code == 7
    assert read_listing(Listing(index, NAME, 5)).version_code == 5
    assert refusal(index, 6) == "version-not-listed"


def test_versions_of_two_signers_are_nothing_to_compare_with_until_one_is_named(index: Path) -> None:
    index.write_text(json.dumps(index_of(version(10, A.digest), version(20, B.digest))))

    assert refusal(index) == "signers-differ"
    view = read_listing(Listing(index, NAME, 10)).signers_at(34)
    assert view is not None
    assert view.signers == (A.digest,)


@pytest.mark.parametrize(
    ("candidate", "outcome", "decision"),
    [
        (sign(build_apk(NAME, 8), A), "keeps-data", "allow"),
        (sign(build_apk(NAME, 8), B), "would-wipe", "hold"),
        (sign(build_apk(NAME, 8), B, lineage=make_lineage([A, B])), "keeps-data", "allow"),
        (sign(build_apk(NAME, 6), A), "would-wipe", "hold"),
        (sign(build_apk(NAME, 8, shared_user_id="org.example.shared"), A), "would-wipe", "hold"),
    ],
)
def test_an_update_is_compared_with_what_is_listed(
    tmp_path: Path, index: Path, candidate: bytes, outcome: str, decision: str
) -> None:
    verdict = ask(tmp_path, Listing(index, NAME), candidate)

    assert (verdict.outcome.value, verdict.decision.value) == (outcome, decision)


def test_an_index_is_no_sight_of_the_installed_app_so_nothing_is_learned_from_it(tmp_path: Path, index: Path) -> None:
    places = GuardPlaces(tmp_path / "guard")
    path = tmp_path / "new.apk"
    path.write_bytes(sign(build_apk(NAME, 8), A))

    listed = Desk(places).answer(UpdateRequest(Listing(index, NAME), candidate=OnDisk(path), device_sdk=34), NOW)

    assert listed.decision is Decision.ALLOW
    assert Records(places.records).read(NAME) is None


def test_what_was_seen_installed_is_judged_as_well(tmp_path: Path, index: Path) -> None:
    installed = tmp_path / "installed.apk"
    installed.write_bytes(sign(build_apk(NAME, 5), B))
    records = Records(tmp_path / "records")
    records.write(enrol(read_facts(installed, device_sdk=34), NOW, by=EnrolledBy.FIRST_USE))

    verdict = ask(tmp_path, Listing(index, NAME), sign(build_apk(NAME, 8), A))

    assert verdict.outcome.value == "would-wipe"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"7",
        b"[" * 200_000,
        b'{"packages": []}',
        json.dumps({"packages": {NAME: {"versions": []}}}).encode(),
        json.dumps(index_of({"manifest": {}})).encode(),
        json.dumps(index_of(version(1))).encode(),
        json.dumps(index_of(version(1, "A" * 64))).encode(),
        json.dumps(
            index_of(version(1, A.digest) | {"manifest": {"versionCode": 1.5, "signer": {"sha256": [A.digest]}}})
        ).encode(),
        json.dumps(index_of(version(1, *[A.digest] * 11))).encode(),
    ],
)
def test_what_is_no_index_says_nothing(index: Path, data: bytes) -> None:
    index.write_bytes(data)

    assert refusal(index) == "malformed"


def test_an_app_that_is_not_listed_and_a_file_that_is_not_there_say_nothing(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refusal(index.with_name("absent")) == "unreadable"
    with pytest.raises(ListingUnusable):
        read_listing(Listing(index, AppPackage("org.example.other")))
    monkeypatch.setattr(package_index, "MOST_BYTES", 10)
    assert refusal(index) == "too-large"


leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
jsons = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner))


@given(jsons, jsons, jsons)
def test_any_json_is_a_listing_or_unusable(
    tmp_path_factory: pytest.TempPathFactory, root: Any, app: Any, manifest: Any
) -> None:
    path = tmp_path_factory.mktemp("index") / "index.json"
    for attempt in (
        root,
        {"packages": {NAME: app}},
        {"packages": {NAME: {"versions": {"x": {"manifest": manifest}}}}},
    ):
        path.write_text(json.dumps(attempt))
        with pytest.raises(ListingUnusable):
            read_listing(Listing(path, NAME))


def test_an_app_that_is_listed_twice_says_nothing(index: Path) -> None:
    one, other = (json.dumps({"versions": {"1": version(5, signer.digest)}}) for signer in (B, A))
    index.write_text(f'{{"packages": {{"{NAME}": {one}, "{NAME}": {other}}}}}')

    assert refusal(index) == "malformed"


def test_a_pipe_in_place_of_an_index_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert refusal(tmp_path / "pipe") == "unreadable"


@pytest.mark.parametrize("piece", [b"{},", b"[[]],", b"1,"])
def test_an_index_of_more_things_than_any_is_not_taken_apart(index: Path, piece: bytes) -> None:
    """Sixty megabytes of empty objects took two gigabytes of memory."""
    index.write_bytes(b'{"packages":[' + piece * 5_000_001 + b"1]}")

    assert refusal(index) == "too-large"
