"""What `guard inspect` says of one package: the JSON object of the contract, and the exit code that goes with it."""

import hashlib
from pathlib import Path
from typing import Any

from backupkit.errors import ExitCode
from backupkit.guard.apk.idsig import compare
from backupkit.guard.apk.lineage import FILE_MAGIC, Capability, Lineage, read_lineage_file
from backupkit.guard.apk.manifest import Manifest
from backupkit.guard.apk.package import Finding
from backupkit.guard.apk.package_file import PackageFile
from backupkit.guard.apk.package_set import PackageSet, read_package_set
from backupkit.guard.apk.reasons import PackageNotGenuine, PackageUndecided, Reason
from backupkit.guard.apk.signing import Signing

_MOST_LINEAGE = 1 << 20


def inspect(*paths: Path, device_sdk: int | None, idsig: Path | None = None) -> tuple[dict[str, Any], ExitCode]:
    """Read a package, a container, a folder or the files of one app, and describe it.

    Without `device_sdk` every level from its minSdk must agree that it is genuine, those below 24 too, which know the JAR signature alone. The signers are those that the device would choose; without one,
    those of the newest level known here. An `.idsig` file beside a package is compared with it; one that was given must belong to the first.
    A lineage in a file of its own, as apksigner keeps it, is described as far as it goes.
    """
    try:
        if len(paths) == 1 and idsig is None and (alone := _lineage_alone(paths[0])) is not None:
            return alone, ExitCode.DONE
        found = read_package_set(paths, device_sdk=device_sdk, on_every_level=True)
        signing = found.base.signing
        compared = _compared(paths[0], found, idsig)
    except PackageNotGenuine as error:
        return _nothing_known({"code": error.code, **error.facts}), ExitCode.DENY
    except PackageUndecided as error:
        return _nothing_known({"code": error.code, **error.facts}), ExitCode.UNDECIDED
    return _described(found, signing, compared), ExitCode.DONE


def _lineage_alone(path: Path) -> dict[str, Any] | None:
    """Describe a lineage file; None where it is none.

    Raises:
        PackageNotGenuine: it is one, and a signature in it is wrong.
    """
    try:
        with PackageFile(path) as file:
            # No package begins so: a phone asks for `PK` there.
            if file.size < 4 or file.read(0, 4) != FILE_MAGIC.to_bytes(4, "little"):
                return None
            if file.size > _MOST_LINEAGE:
                raise PackageNotGenuine(Reason.LINEAGE_MALFORMED)
            data = file.read(0, file.size)
    except PackageUndecided:
        # A folder, or what cannot be read: the reader of packages says why.
        return None
    lineage = read_lineage_file(data)
    own = {"signers": [lineage.digests[-1]], "lineage": _nodes(lineage), "packaging": "lineage"}
    return _NOTHING | {"genuine": True, "sha256": hashlib.sha256(data).hexdigest(), **own}


def _nodes(lineage: Lineage | None) -> list[dict[str, Any]]:
    nodes = lineage.nodes if lineage else ()
    return [{"sha256": node.digest, "capabilities": Capability.names(node.capabilities)} for node in nodes]


def _compared(path: Path, found: PackageSet, given: Path | None) -> list[Finding]:
    """Compare the `.idsig` file of a package.

    Raises:
        PackageNotGenuine: it was given, and is another's.
    """
    beside = path.with_name(path.name + ".idsig") if given is None else given
    if found.packaging != "package" or (given is None and not beside.is_file()):
        return []
    issue = compare(beside, path, found.base)
    if issue is None:
        return [Finding("apk-idsig-holds")]
    if given is not None:
        raise PackageNotGenuine(Reason.IDSIG_MISMATCH, scheme="v4", entry=issue.value)
    return [Finding("apk-idsig-broken", issue.value)]


def _described(found: PackageSet, signing: Signing, compared: list[Finding]) -> dict[str, Any]:
    package = found.base
    findings = [*package.findings, *found.findings, *compared]
    findings += [Finding("apk-split-missing", missing) for missing in sorted(found.missing_splits)]
    return {
        "type": "package",
        "v": 1,
        "genuine": True,
        "package": package.package,
        "version_code": None if "version_code" in package.manifest.by_resource else package.version_code,
        "signers": list(signing.digests),
        "scheme": signing.scheme,
        "lineage": _nodes(signing.lineage),
        "findings": [{"code": finding.code, "detail": finding.detail} for finding in findings],
        "sha256": found.sha256,
        "packaging": found.packaging,
        "manifest": _manifest(package.manifest),
        "abis": sorted({abi for member in found.members for abi in member.package.abis}),
        "members": [
            {"file": member.name, "split": member.package.manifest.split, "sha256": member.package.sha256}
            for member in found.members
        ],
    }


def _manifest(manifest: Manifest) -> dict[str, Any]:
    return {
        "min_sdk": manifest.min_sdk,
        "target_sdk": manifest.target_sdk,
        "split": manifest.split,
        "needs_splits": manifest.needs_splits,
        "required_split_types": sorted(manifest.required_split_types),
        "shared_user_id": manifest.shared_user_id,
        "shared_user_max_sdk": manifest.shared_user_max_sdk,
        "debuggable": manifest.debuggable,
        "test_only": manifest.test_only,
        "allow_backup": manifest.allow_backup,
        "has_extraction_rules": manifest.has_extraction_rules,
        "has_backup_rules": manifest.has_backup_rules,
        "has_fragile_user_data": manifest.has_fragile_user_data,
        "stores_data": not manifest.no_app_data_storage,
        "target_sandbox": manifest.target_sandbox_version,
        "is_multi_arch": manifest.is_multi_arch,
        "static_library": manifest.static_library,
        "permissions": list(manifest.permissions),
        "permission_groups": list(manifest.permission_groups),
        "providers": list(manifest.providers),
        "key_sets": {name: list(keys) for name, keys in manifest.key_sets.items()},
        "upgrade_key_sets": list(manifest.upgrade_key_sets),
    }


def _nothing_known(finding: dict[str, Any]) -> dict[str, Any]:
    """What was not found genuine says nothing about itself: every word of it may be a lie."""
    return _NOTHING | {"findings": [finding]}


_NOTHING: dict[str, Any] = {
    "type": "package",
    "v": 1,
    "genuine": False,
    "package": None,
    "version_code": None,
    "signers": [],
    "scheme": None,
    "lineage": [],
    "findings": [],
    "sha256": None,
    "packaging": None,
    "manifest": None,
    "abis": [],
    "members": [],
}
