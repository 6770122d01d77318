"""What `guard inspect` says of one package: the JSON object of the contract, and the exit code that goes with it."""

from pathlib import Path
from typing import Any

from backupkit.errors import ExitCode
from backupkit.guard.apk.lineage import Capability
from backupkit.guard.apk.package import Package, read_package
from backupkit.guard.apk.reasons import PackageNotGenuine, PackageUndecided
from backupkit.guard.apk.signing import Signing


def inspect(path: Path, *, device_sdk: int | None) -> tuple[dict[str, Any], ExitCode]:
    """Read a package and describe it. Without `device_sdk` every level from its minSdk must agree that it is genuine.

    The signers are those that the device would choose; without one, those of the newest level known here.
    """
    try:
        package = read_package(path, device_sdk=device_sdk)
        signing = package.signing
    except PackageNotGenuine as error:
        return _nothing_known({"code": error.code, **error.facts}), ExitCode.DENY
    except PackageUndecided as error:
        return _nothing_known({"code": error.code, **error.facts}), ExitCode.UNDECIDED
    return _described(package, signing), ExitCode.DONE


def _described(package: Package, signing: Signing) -> dict[str, Any]:
    nodes = signing.lineage.nodes if signing.lineage else ()
    return {
        "type": "package",
        "v": 1,
        "genuine": True,
        "package": package.package,
        "version_code": package.version_code,
        "signers": list(signing.digests),
        "scheme": signing.scheme,
        "lineage": [{"sha256": node.digest, "capabilities": Capability.names(node.capabilities)} for node in nodes],
        "findings": [{"code": finding.code, "detail": finding.detail} for finding in package.findings],
        "sha256": package.sha256,
    }


def _nothing_known(finding: dict[str, Any]) -> dict[str, Any]:
    """What was not found genuine says nothing about itself: every word of it may be a lie."""
    return {
        "type": "package",
        "v": 1,
        "genuine": False,
        "package": None,
        "version_code": None,
        "signers": [],
        "scheme": None,
        "lineage": [],
        "findings": [finding],
        "sha256": None,
    }
