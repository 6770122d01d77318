"""From a package that was read and found genuine to the facts that the device rules judge by."""

from pathlib import Path
from typing import TYPE_CHECKING

from backupkit.guard.facts import (
    NO_SHARED_USER,
    Capability,
    LineageNode,
    PackageFacts,
    Scheme,
    SignerSpan,
    SignerView,
    join_spans,
)

if TYPE_CHECKING:
    from backupkit.guard.apk.package import Package
    from backupkit.guard.apk.signing import Signing


def read_facts(path: Path, *, device_sdk: int | None) -> PackageFacts:
    """Read a package file.

    Raises:
        PackageNotGenuine: damaged, altered, or not signed as this device demands.
        PackageUndecided: that cannot be told.
    """
    # Imported here: a question about an app on record, with nothing offered, needs no package reader and starts sooner.
    from backupkit.guard.apk.package import read_package  # noqa: PLC0415

    return facts_of(read_package(path, device_sdk=device_sdk))


def facts_of(package: "Package") -> PackageFacts:
    """Take over what a package says of itself and who signed it for each level."""
    manifest = package.manifest
    return PackageFacts(
        package=package.package,
        signings=join_spans(_span(package, sdk) for sdk in package.levels),
        version_code=package.version_code,
        min_sdk=package.min_sdk,
        target_sdk=package.target_sdk,
        shared_user_id=manifest.shared_user_id or NO_SHARED_USER,
        shared_user_max_sdk=manifest.shared_user_max_sdk,
        target_sandbox=manifest.target_sandbox_version,
        test_only=manifest.test_only,
        debuggable=manifest.debuggable,
        upgrade_keys=bool(manifest.upgrade_key_sets),
        stores_data=not manifest.no_app_data_storage,
        is_base=manifest.split is None,
        sha256=package.sha256,
    )


def _span(package: "Package", sdk: int) -> SignerSpan:
    from backupkit.guard.apk.reasons import PackageNotGenuine  # noqa: PLC0415

    try:
        return SignerSpan(sdk, sdk, view_of(package.signing_at(sdk)))
    except PackageNotGenuine as error:
        return SignerSpan(sdk, sdk, None, error.reason.value)


def view_of(signing: "Signing") -> SignerView:
    """Take over one level's signers and lineage."""
    nodes = signing.lineage.nodes if signing.lineage else ()
    return SignerView(
        signing.digests,
        tuple(LineageNode(node.digest, Capability(node.capabilities & _ALL)) for node in nodes),
        Scheme.from_label(signing.scheme),
    )


_ALL = sum(Capability)
