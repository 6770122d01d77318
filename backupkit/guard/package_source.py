"""From a package that was read and found genuine to the facts that the device rules judge by."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from backupkit.guard.apk.reasons import Doubt, PackageUndecided
from backupkit.guard.facts import (
    NO_SHARED_USER,
    Capability,
    Demands,
    LineageNode,
    PackageFacts,
    Scheme,
    SignerSpan,
    SignerView,
    join_spans,
)
from backupkit.guard.rule import any_of

if TYPE_CHECKING:
    from backupkit.guard.apk.manifest import Manifest
    from backupkit.guard.apk.package import Package
    from backupkit.guard.apk.package_set import PackageSet
    from backupkit.guard.apk.signing import Signing

_Item = TypeVar("_Item")


def read_facts(*paths: Path, device_sdk: int | None) -> PackageFacts:
    """Read what would be installed in one go: a package file, a container, a folder or the files of one app.

    Raises:
        PackageNotGenuine: damaged, altered, or not signed as this device demands.
        PackageUndecided: that cannot be told.
    """
    # Imported here: a question about an app on record, with nothing offered, needs no package reader and starts sooner.
    from backupkit.guard.apk.package_set import read_package_set  # noqa: PLC0415

    return facts_of(read_package_set(paths, device_sdk=device_sdk))


def files_behind(path: Path) -> list[Path]:
    """Every file that is read for a path, the folder itself included where it is one: each of them may be swapped.

    Raises:
        PackageUndecided: the folder cannot be listed, or the path cannot be followed.
    """
    try:
        if not path.is_dir():
            return [path]
    except OSError as error:
        # Too long a name, or a folder on the way that may not be entered.
        raise PackageUndecided(Doubt.UNREADABLE) from error
    from backupkit.guard.apk.package_set import files_of  # noqa: PLC0415

    return [path, *files_of(path)]


def facts_of(found: "PackageSet") -> PackageFacts:
    """Take over what a package says of itself and who signed it for each level."""
    package = found.base
    manifest = package.manifest
    unknown = manifest.by_resource
    return PackageFacts(
        package=package.package,
        signings=join_spans(_span(package, sdk) for sdk in package.levels),
        version_code=None if "version_code" in unknown else package.version_code,
        min_sdk=package.min_sdk,
        target_sdk=None if "target_sdk" in unknown else package.target_sdk,
        shared_user_id=None if "shared_user_id" in unknown else manifest.shared_user_id or NO_SHARED_USER,
        shared_user_max_sdk=manifest.shared_user_max_sdk,
        target_sandbox=manifest.target_sandbox_version,
        test_only=None if "test_only" in unknown else manifest.test_only,
        debuggable=manifest.debuggable,
        upgrade_keys=bool(manifest.upgrade_key_sets),
        stores_data=not manifest.no_app_data_storage,
        is_base=manifest.split is None,
        sha256=found.sha256,
        upgrade_key_sets=_upgrade_key_sets(manifest),
        demands=_demands(found),
        revisions=_revisions(found),
    )


def _revisions(found: "PackageSet") -> tuple[tuple[str, int], ...] | None:
    manifests = [package.manifest for package in (found.base, *found.splits)]
    if any("revision_code" in one.by_resource for one in manifests):
        return None
    return tuple((one.split or "", one.revision_code) for one in manifests)


_MOST_KEY_SETS = 64


def _upgrade_key_sets(manifest: "Manifest") -> tuple[tuple[str, ...], ...] | None:
    """The sets of public keys of which one must sign an update; None where a set or a key cannot be told."""
    sets = [manifest.key_sets.get(name, ()) for name in manifest.upgrade_key_sets[: _MOST_KEY_SETS + 1]]
    is_known = len(sets) <= _MOST_KEY_SETS and all(keys and all(keys) for keys in sets)
    return tuple(tuple(sorted(set(keys))) for keys in sets) if is_known else None


def _demands(found: "PackageSet") -> Demands:
    every = [found.base, *found.splits]
    return Demands(
        abis=tuple(sorted({abi for package in every for abi in package.abis})),
        is_multi_arch=found.base.manifest.is_multi_arch,
        permissions=_joined(package.manifest.permissions for package in every),
        permissions_in=_joined(package.manifest.permissions_in for package in every),
        permission_groups=_joined(package.manifest.permission_groups for package in every),
        providers=_joined(package.manifest.providers for package in every),
        static_library=found.base.manifest.static_library is not None,
        misses_splits=bool(found.missing_splits),
        misses_code=found.base.misses_code,
        packs_resources=any_of([package.packs_resources for package in every]),
        for_development=found.base.manifest.is_for_development,
        keys=tuple(sorted(found.base.signer_keys().items())),
    )


def _joined(parts: Iterable[Iterable[_Item]]) -> tuple[_Item, ...]:
    return tuple(dict.fromkeys(item for part in parts for item in part))


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
