"""Agreement with Android's own tool, row by row, over the judged corpus. Counts are printed with -s."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backupkit.guard.apk.lineage import Capability, Lineage, read_lineage_file
from backupkit.guard.apk.package import NEWEST_KNOWN_SDK, Package, judge_range, read_package
from backupkit.guard.apk.reasons import PackageNotGenuine, PackageUndecided, Reason, apksig_issues
from backupkit.guard.apk.source_stamp import StampIssue
from backupkit.guard.inspect_view import inspect

pytestmark = pytest.mark.corpus

APKSIG_WANTS_V1_BELOW = 24

Row = dict[str, Any]

# apksig's answer for a range of levels without end names the signer of a level that no device has: the rotated signer of these packages is
# for API level 10000. The signer at the newest level there is, is the one of the v3 block.
SIGNER_OF_NO_DEVICE = {
    "apk/v31-rsa-2048_2-tgt-10000-dev-release.apk",
    "apk/v31-rsa-2048_2-tgt-10000-1-tgt-28.apk",
}

STAMP_ISSUES = {
    "SOURCE_STAMP_SIG_MISSING": StampIssue.SIGNATURE_MISSING,
    "SOURCE_STAMP_DID_NOT_VERIFY": StampIssue.DID_NOT_VERIFY,
    "SOURCE_STAMP_MALFORMED_ATTRIBUTE": StampIssue.ATTRIBUTE_MALFORMED,
    "SOURCE_STAMP_INVALID_TIMESTAMP": StampIssue.TIME_INVALID,
    "SOURCE_STAMP_POR_CERT_MISMATCH": StampIssue.LINEAGE_END_MISMATCH,
    "SOURCE_STAMP_CERTIFICATE_MISMATCH_BETWEEN_SIGNATURE_BLOCK_AND_APK": StampIssue.CERTIFICATE_MISMATCH,
    "SOURCE_STAMP_MALFORMED_SIGNATURE": StampIssue.MALFORMED,
}


@pytest.fixture(scope="session")
def packages(corpus: Path) -> Path:
    return corpus / "apk"


def rows(folder: Path, name: str) -> Iterator[Row]:
    for line in (folder / name).read_text("utf-8").splitlines():
        yield json.loads(line)


def agree(name: str, folder: Path, check: Callable[[Row], str | None]) -> None:
    """Ask `check` about every row: it says what is wrong with our answer, or None. Disagreements fail together."""
    disagreements = []
    count = 0
    for row in rows(folder, name):
        count += 1
        wrong = check(row)
        if wrong:
            disagreements.append(f"{row.get('id', '')} {row.get('file', '')}: {wrong}")
    print(f"\n{name}: {count - len(disagreements)} of {count} rows agree")  # noqa: T201  # what the report quotes
    assert count
    assert not disagreements, "\n".join(disagreements)


def judged(path: Path, row: Row) -> Package | PackageNotGenuine:
    """Judge a package over the row's range of levels, by apksig's rule for levels below 24 where apksig was asked to verify."""
    try:
        return judge_range(
            path,
            first=row["min_sdk"],
            last=row["max_sdk"] or NEWEST_KNOWN_SDK,
            strict=True,
            # A device that installs, and a stamp that is read, say nothing of the levels below.
            signed_up_to=APKSIG_WANTS_V1_BELOW if row["api"] == "verify" else 0,
        )
    except PackageNotGenuine as error:
        return error


def test_verify_rows_have_our_verdict_signer_and_reason(packages: Path) -> None:
    def check(row: Row) -> str | None:
        answer = judged(packages / row["file"], row)
        if row["api"] == "source_stamp" or row["expect"] == "no_verdict_asserted":
            return None
        if row["expect"] == "verified":
            if isinstance(answer, PackageNotGenuine):
                return f"refused: {answer}"
            expected = row.get("signer_sha256")
            if expected and row["file"] not in SIGNER_OF_NO_DEVICE and list(answer.signing.digests) != expected:
                return f"signers {answer.signing.digests}"
            return None
        if isinstance(answer, Package):
            return "taken for genuine"
        issues = row["expect_error_any_of"] or (["ApkFormatException"] if row["expect"] == "format_error" else [])
        if issues and apksig_issues(answer.reason, answer.scheme).isdisjoint(issues):
            return f"{answer.reason} is not {issues}"
        return None

    agree("verify.jsonl", packages, check)


def test_inspecting_for_every_level_agrees_with_apksigs_own_range(packages: Path) -> None:
    """What `guard inspect FILE` says without a device, for every row that asks about the range of levels in the manifest."""

    def check(row: Row, expected: bool) -> str | None:
        seen, _ = inspect(packages / row["file"], device_sdk=None)
        return None if seen["genuine"] == expected else f"{seen['findings']}"

    def check_verify(row: Row) -> str | None:
        # An installation on a device is no question about a range.
        is_asked = row["api"] == "verify" and row["expect"] in {"verified", "rejected", "format_error"}
        if not is_asked or (row["min_sdk"], row["max_sdk"]) != (None, None):
            return None
        return check(row, row["expect"] == "verified")

    def check_run(row: Row) -> str | None:
        is_expected = row["exception"] is None and row["result"]["verified"]
        return check(row, is_expected) if row["min_sdk"] is None else None

    agree("verify.jsonl", packages, check_verify)
    agree("attacks.jsonl", packages, lambda row: check(row, row["expect"] == "verified"))
    agree("reference.jsonl", packages, check_run)


def test_what_android_installs_or_refuses_does_the_same_on_every_level_here(packages: Path) -> None:
    def check(row: Row) -> str | None:
        if row["api"] != "android_install":
            return None
        expected = row["expect"] == "verified"
        wrong = [
            level
            for level in range(24, NEWEST_KNOWN_SDK + 1)
            if inspect(packages / row["file"], device_sdk=level)[0]["genuine"] != expected
        ]
        return f"otherwise on {wrong}" if wrong else None

    agree("verify.jsonl", packages, check)


def test_source_stamps_are_reported_and_decide_nothing(packages: Path) -> None:
    def check(row: Row) -> str | None:
        issues, status = row.get("expect_stamp_issue") or [], row.get("expect_stamp_status")
        if not issues and status is None:
            return None
        answer = judged(packages / row["file"], row)
        if isinstance(answer, PackageNotGenuine):
            return f"refused: {answer}"
        found = {finding.code: finding.detail for finding in answer.findings}
        if status == "CERT_DIGEST_MISMATCH":
            # The stamp holds, and is not the one that was asked for: we say whose it is, and whoever asks compares.
            own = found.get("apk-source-stamp-holds")
            return None if own not in {None, row["expected_stamp_cert_sha256"]} else f"{found}"
        if status == "STAMP_VERIFIED":
            return None if "apk-source-stamp-holds" in found else f"{found}"
        expected = {STAMP_ISSUES[issue].value for issue in issues}
        return None if found.get("apk-source-stamp-broken") in expected else f"{found}"

    agree("verify.jsonl", packages, check)


def test_attacks_are_refused_and_harmless_oddities_are_not(packages: Path) -> None:
    def check(row: Row) -> str | None:
        try:
            package = read_package(packages / row["file"])
        except (PackageNotGenuine, PackageUndecided) as error:
            return f"refused: {error}" if row["expect"] == "verified" else None
        if row["expect"] != "verified":
            return "taken for genuine"
        expected = row["expect_signer_sha256"]
        return None if expected in {None, *package.signing.digests} else f"signers {package.signing.digests}"

    agree("attacks.jsonl", packages, check)


def test_lineage_files_give_each_certificate_with_its_capabilities(packages: Path) -> None:
    names = {
        "installed_data": Capability.INSTALLED_DATA,
        "shared_uid": Capability.SHARED_USER_ID,
        "permission": Capability.PERMISSION,
        "rollback": Capability.ROLLBACK,
        "auth": Capability.AUTH,
    }

    def check(row: Row) -> str | None:
        try:
            lineage: Lineage | None = read_lineage_file((packages / row["file"]).read_bytes())
        except PackageNotGenuine as error:
            return None if "exception" in row else f"refused: {error}"
        if lineage is None or "exception" in row:
            return "taken for right"
        found = [
            {"cert": node.digest, "caps": {name: node.grants(flag) for name, flag in names.items()}}
            for node in lineage.nodes
        ]
        seen, _ = inspect(packages / row["file"], device_sdk=None)
        told = [(one["sha256"], one["capabilities"]) for one in seen["lineage"]]
        if told != [(node.digest, Capability.names(node.capabilities)) for node in lineage.nodes]:
            return f"{told}"
        return None if found == row["lineage"] else f"{found}"

    agree("lineage.jsonl", packages, check)


def test_both_packages_of_every_update_are_read_at_every_level_of_its_devices(packages: Path) -> None:
    def check(row: Row) -> str | None:
        for side in ("old", "new"):
            for level in range(row["device_sdk_min"], row["device_sdk_max"] + 1):
                try:
                    read_package(packages / row[side], device_sdk=level)
                except PackageNotGenuine as error:
                    if row["kind"] != "apk-invalid" or error.reason is not Reason.SCHEME_TOO_OLD_FOR_TARGET:
                        return f"{side} at {level}: {error}"
        return None

    agree("updates.jsonl", packages, check)


def test_every_reference_run_of_apksig_is_repeated(packages: Path) -> None:
    """One level (28, 33) as a device sees it, or the whole range as apksig sees it."""

    def check(row: Row) -> str | None:
        path, level = packages / row["file"], row["min_sdk"]
        is_expected = row["exception"] is None and row["result"]["verified"]
        try:
            if level is None:
                package = judge_range(
                    path, first=None, last=NEWEST_KNOWN_SDK, strict=True, signed_up_to=APKSIG_WANTS_V1_BELOW
                )
            else:
                package = read_package(path, device_sdk=level)
        except PackageNotGenuine as error:
            return f"refused: {error}" if is_expected else None
        if level is not None and (scheme := _taken_by_android(row["result"], level)) is not None:
            return None if package.signing.scheme == scheme else package.signing.scheme
        # Without v1, apksig refuses below 24; the plain question passes such levels over. Asked as apksig asks, we refuse too.
        if not is_expected:
            return "taken for genuine"
        return _wrong_signer(package, row["result"], level or NEWEST_KNOWN_SDK)

    def _taken_by_android(result: Row | None, level: int) -> str | None:
        """The scheme by which a device takes what apksig refuses over the same single level, for a reason that no device has."""
        errors = set(result["errors"]) if result else set()
        if errors == {"V3_MISSING_SDK_VERSIONS"} and level >= 33:
            # apksig asks a v3.1 block that begins above the level to cover it; Android goes on to v3.
            begins = [signer["min_sdk"] for signer in result["v31_signers"]] if result else []
            return "v3" if begins and min(begins) > level else None
        # A device that finds v3.1 does not look whether v3 is there as well (fdroid fakesigner, PoC 6).
        return "v3.1" if errors == {"V31_BLOCK_FOUND_WITHOUT_V3_BLOCK"} and level >= 33 else None

    def _wrong_signer(package: Package, result: Row, level: int) -> str | None:
        signing = package.signing_at(level)
        ranges = {"v3": result["v3_signers"], "v3.1": result["v31_signers"]}.get(signing.scheme)
        if ranges is None:
            return None if list(signing.digests) == result["signer_certs"] else f"signers {signing.digests}"
        (signer,) = [one for one in ranges if one["min_sdk"] <= level <= one["max_sdk"]]
        if signing.digests != (signer["cert"],):
            return f"signers {signing.digests}"
        lineage = None if signing.lineage is None else list(signing.lineage.digests)
        expected = None if signer["lineage"] is None else [node["cert"] for node in signer["lineage"]]
        return None if lineage == expected else f"lineage {lineage}"

    agree("reference.jsonl", packages, check)
