"""The `.idsig` file beside a package is compared with it, and never says who signed it."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from apk_factory import (
    V31,
    add_pair,
    build_apk,
    content_digest,
    make_idsig,
    make_key,
    make_lineage,
    sign,
    sign_v1,
    sign_v2,
    u32,
)
from hypothesis import given, strategies as st

from backupkit.guard.apk import idsig as module
from backupkit.guard.apk.idsig import IdsigIssue, compare, read_idsig
from backupkit.guard.apk.package import read_package
from backupkit.guard.apk.records import RecordMalformed
from backupkit.guard.inspect_view import inspect

A, B = make_key("ec", "A"), make_key("rsa", "B")
APK = sign(build_apk(files={"big": os.urandom(300_000)}), A)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "app.apk"
    path.write_bytes(APK)
    return path


def issue(path: Path, idsig: bytes) -> IdsigIssue | None:
    beside = path.with_name(path.name + ".idsig")
    beside.write_bytes(idsig)
    return compare(beside, path, read_package(path))


def test_a_file_that_belongs_to_the_package_holds(path: Path) -> None:
    assert issue(path, make_idsig(APK, A)) is None


@pytest.mark.parametrize("size", [4096 * 127, 4096 * 128, 4096 * 129, 4096 * 128 * 128 + 1])
def test_trees_of_one_two_and_three_levels_are_built_as_the_kernel_builds_them(path: Path, size: int) -> None:
    apk = sign(build_apk(files={"big": bytes(size)}), A)
    path.write_bytes(apk)

    assert issue(path, make_idsig(apk, A)) is None


@pytest.mark.parametrize("salt", [b"salt", bytes(32)])
def test_a_salt_is_refused_because_the_kernel_leaves_it_out(path: Path, salt: bytes) -> None:
    assert issue(path, make_idsig(APK, A, salt=salt)) is IdsigIssue.MALFORMED


@pytest.mark.parametrize(
    "changed",
    [
        lambda whole: whole[:-1],
        lambda whole: whole[:-4096],
        lambda whole: whole + b"\0",
        lambda whole: whole[:-1] + b"\1",
        lambda whole: whole[:-4096] + bytes(4096),
        lambda whole: whole.removesuffix(whole[-4100:]),
    ],
)
def test_a_tree_that_is_not_the_packages_is_told(path: Path, changed: Callable[[bytes], bytes]) -> None:
    assert issue(path, changed(make_idsig(APK, A))) is IdsigIssue.TREE_DIFFERS


def test_a_small_package_is_a_tree_of_one_page(path: Path) -> None:
    apk = sign_v2(build_apk(), B)
    path.write_bytes(apk)

    assert issue(path, make_idsig(apk, B)) is None


def test_a_rotated_signer_has_an_entry_of_its_own(path: Path) -> None:
    apk = sign(build_apk(), B, lineage=make_lineage([A, B]), rotation_min_sdk=33)
    path.write_bytes(apk)
    digest = content_digest(apk, "sha256")

    assert issue(path, make_idsig(apk, A, more=[(V31, B, digest)])) is None
    assert issue(path, make_idsig(apk, A, more=[(V31, A, digest)])) is IdsigIssue.SIGNER_DIFFERS
    assert issue(path, make_idsig(apk, B)) is IdsigIssue.SIGNER_DIFFERS


OTHER = sign(build_apk(version_code=2), A)


@pytest.mark.parametrize(
    ("idsig", "expected"),
    [
        (make_idsig(APK, B), IdsigIssue.SIGNER_DIFFERS),
        (make_idsig(APK, A, package_digest=bytes(32)), IdsigIssue.DIGEST_DIFFERS),
        (make_idsig(APK, A, certificate=B.certificate), IdsigIssue.SIGNATURE_WRONG),
        (make_idsig(OTHER, A), IdsigIssue.SIGNATURE_WRONG),
        (make_idsig(APK, A).replace(b"\2\0\0\0", b"\3\0\0\0", 1), IdsigIssue.MALFORMED),
        (b"", IdsigIssue.MALFORMED),
        (b"\2\0\0\0\xff\xff\xff\xff", IdsigIssue.MALFORMED),
    ],
)
def test_another_packages_file_is_told_apart(path: Path, idsig: bytes, expected: IdsigIssue) -> None:
    assert issue(path, idsig) is expected


@pytest.mark.parametrize("number", [0x7777, 0x0423])
def test_an_algorithm_that_no_idsig_is_signed_with_is_told(path: Path, number: int) -> None:
    """One that nobody knows, and one whose digest is a tree already."""
    before = A.public_key_info + u32(A.algorithm)
    idsig = make_idsig(APK, A)
    assert idsig.count(before) == 1

    assert issue(path, idsig.replace(before, A.public_key_info + u32(number))) is IdsigIssue.MALFORMED


def test_a_payload_outside_what_v3_covers_is_seen_by_the_tree(path: Path) -> None:
    idsig = make_idsig(APK, A)
    path.write_bytes(add_pair(APK, 0x12345678, b"payload"))

    assert issue(path, idsig) is IdsigIssue.SIGNATURE_WRONG


def test_a_package_with_a_jar_signature_alone_has_none(path: Path) -> None:
    apk = sign_v1(build_apk(target_sdk=29), A)
    path.write_bytes(apk)

    assert issue(path, make_idsig(apk, A)) is IdsigIssue.SIGNER_DIFFERS


def test_a_file_longer_than_any_tree_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 8)

    assert issue(path, make_idsig(APK, A)) is IdsigIssue.MALFORMED
    assert compare(path.with_name("absent"), path, read_package(path)) is IdsigIssue.UNREADABLE


@given(st.binary(max_size=200), st.integers(0, 60))
def test_any_bytes_are_an_idsig_or_malformed(data: bytes, at: int) -> None:
    for attempt in (data, make_idsig(b"x", A, package_digest=b"y")[:at] + data):
        with suppress(RecordMalformed):
            read_idsig(attempt)


def codes(seen: dict[str, Any]) -> list[str]:
    return [finding["code"] for finding in seen["findings"]]


def test_beside_a_package_it_is_told_and_given_on_purpose_it_must_fit(path: Path, tmp_path: Path) -> None:
    assert codes(inspect(path, device_sdk=34)[0]) == []

    (tmp_path / "app.apk.idsig").write_bytes(make_idsig(APK, A))
    assert codes(inspect(path, device_sdk=34)[0]) == ["apk-idsig-holds"]

    (tmp_path / "app.apk.idsig").write_bytes(make_idsig(APK, B))
    seen, code = inspect(path, device_sdk=34)
    assert (codes(seen), code, seen["signers"]) == (["apk-idsig-broken"], 0, [A.digest])

    seen, code = inspect(path, device_sdk=34, idsig=tmp_path / "app.apk.idsig")
    assert (code, seen["genuine"], seen["findings"][0]["reason"]) == (41, False, "idsig-mismatch")
