"""What is said of one package."""

import hashlib
from pathlib import Path

import pytest
from apk_factory import V32, add_pair, build_apk, make_key, make_lineage, sign

from backupkit.guard.apk.package_set import read_package_set
from backupkit.guard.apk.reasons import PackageNotGenuine
from backupkit.guard.inspect_view import inspect

A, B = make_key("ec", "A"), make_key("ec", "B")
KEYS = [
    "type", "v", "genuine", "package", "version_code", "signers", "scheme", "lineage", "findings", "sha256",
    "packaging", "manifest", "abis", "members",
]  # fmt: skip


@pytest.fixture
def rotated(tmp_path: Path) -> Path:
    path = tmp_path / "rotated.apk"
    path.write_bytes(sign(build_apk(version_code=7), B, lineage=make_lineage([A, B]), rotation_min_sdk=33))
    return path


@pytest.mark.parametrize(("sdk", "signer", "scheme"), [(32, A, "v3"), (33, B, "v3.1"), (None, B, "v3.1")])
def test_the_signers_are_the_devices_own_choice(rotated: Path, sdk: int | None, signer: object, scheme: str) -> None:
    seen, code = inspect(rotated, device_sdk=sdk)

    assert code == 0
    assert list(seen) == KEYS
    assert (seen["genuine"], seen["package"], seen["version_code"]) == (True, "org.example.chat", 7)
    assert seen["signers"] == [(A if signer is A else B).digest]
    assert seen["scheme"] == scheme


def test_a_lineage_names_what_each_signer_may_still_do(rotated: Path) -> None:
    seen, _ = inspect(rotated, device_sdk=33)

    assert [node["sha256"] for node in seen["lineage"]] == [A.digest, B.digest]
    assert seen["lineage"][0]["capabilities"] == ["installed-data", "shared-user-id", "permission", "auth"]


def test_a_lineage_file_says_what_it_grants_and_names_its_last_signer(tmp_path: Path) -> None:
    path = tmp_path / "release.lineage"
    path.write_bytes(make_lineage([A, B], [9, 0]).file())

    seen, code = inspect(path, device_sdk=None)

    assert code == 0
    assert list(seen) == KEYS
    assert (seen["genuine"], seen["packaging"], seen["package"], seen["scheme"]) == (True, "lineage", None, None)
    assert seen["signers"] == [B.digest]
    assert seen["lineage"] == [
        {"sha256": A.digest, "capabilities": ["installed-data", "rollback"]},
        {"sha256": B.digest, "capabilities": []},
    ]
    assert seen["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("damage", ["signature", "end", "length"])
def test_a_lineage_file_that_does_not_hold_is_not_genuine(tmp_path: Path, damage: str) -> None:
    path, data = tmp_path / "release.lineage", make_lineage([A, B]).file()
    broken = {"signature": data[:-1] + bytes([data[-1] ^ 1]), "end": data[:-1], "length": data + bytes(1 << 20)}
    path.write_bytes(broken[damage])

    seen, code = inspect(path, device_sdk=33)

    assert code == 41
    assert (seen["genuine"], seen["lineage"], seen["packaging"]) == (False, [], None)
    assert seen["findings"][0]["reason"].startswith("lineage-")


def test_a_lineage_is_no_package(tmp_path: Path) -> None:
    path = tmp_path / "release.lineage"
    path.write_bytes(make_lineage([A, B]).file())

    assert inspect(path, path, device_sdk=33)[1] == 41
    assert inspect(path, device_sdk=33, idsig=path)[1] == 41
    with pytest.raises(PackageNotGenuine):
        read_package_set([path], device_sdk=33)


def test_a_damaged_package_says_nothing_of_itself(rotated: Path) -> None:
    rotated.write_bytes(rotated.read_bytes()[:-1])

    seen, code = inspect(rotated, device_sdk=33)

    assert code == 41
    assert list(seen) == KEYS
    assert (seen["genuine"], seen["signers"], seen["package"], seen["sha256"]) == (False, [], None, None)
    assert seen["findings"][0]["code"] == "package-not-genuine"


def test_a_newer_scheme_is_undecided(tmp_path: Path) -> None:
    path = tmp_path / "newer.apk"
    path.write_bytes(add_pair(sign(build_apk(), A), V32, b"from the future"))

    seen, code = inspect(path, device_sdk=36)

    assert code == 42
    assert seen["genuine"] is False


@pytest.mark.parametrize(("sdk", "code"), [(None, 41), (23, 41), (24, 0), (36, 0)])
def test_a_package_that_its_oldest_devices_would_refuse_is_not_genuine_on_every_level(
    tmp_path: Path, sdk: int | None, code: int
) -> None:
    path = tmp_path / "no-jar-signature.apk"
    path.write_bytes(sign(build_apk(min_sdk=23), A, schemes=("v2",)))

    seen, found = inspect(path, device_sdk=sdk)

    assert found == code
    if code:
        assert (seen["findings"][0]["reason"], seen["findings"][0]["level"]) == ("unsigned-for-level", 23)


def test_a_package_without_scheme_2_is_genuine_where_no_device_ever_needed_the_jar(tmp_path: Path) -> None:
    path = tmp_path / "v3.apk"
    path.write_bytes(sign(build_apk(min_sdk=24), A, schemes=("v3",)))

    seen, code = inspect(path, device_sdk=None)

    assert code == 0
    assert {"code": "apk-unsigned-for-levels", "detail": "24-27"} in seen["findings"]
