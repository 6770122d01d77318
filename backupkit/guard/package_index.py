"""An app as an F-Droid repository's `index-v2.json` lists it: who signed it and which version, before anything is downloaded.

Only the certificates' digests are there, no history of rotations: what another signer offers is judged from its package. An index names a signer
for each version, and nothing stops it from naming two; unless a version is named, they must all agree. Source: fdroidserver `index.py`
(`packages.*.versions.*.manifest.signer.sha256`).
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from backupkit.errors import BackupkitError, ExitCode
from backupkit.guard.facts import NO_SHARED_USER, PackageFacts, SignerView, signed_everywhere
from backupkit.guard.places import read_small
from backupkit.ids import AppPackage, CertificateDigest

MOST_BYTES = 64 << 20
"""The index of f-droid.org has some 50 MB."""
_MOST_GROUPS, _MOST_COMMAS = 2_000_000, 5_000_000
"""How many objects and values it may have. Read into memory, each takes many times the two bytes that it may have in the file."""
_MOST_SIGNERS = 10
_HEX = frozenset("0123456789abcdef")


class Listing(NamedTuple):
    """An app in an index. `version_code` None: the newest one, if all versions have one signer."""

    file: Path
    package: AppPackage
    version_code: int | None = None


class ListingUnusable(BackupkitError):
    """An index does not say who signed an app.

    Facts: `package`, `reason` (unreadable, too-large, malformed, not-listed, version-not-listed, signers-differ).
    """

    code = "listing-unusable"
    exit_code = ExitCode.UNDECIDED


def read_listing(listing: Listing) -> PackageFacts:
    """Read what an index says of an app.

    Raises:
        ListingUnusable: nothing that could be relied on.
    """
    try:
        # A pipe would be waited for for ever.
        data = read_small(listing.file, most=MOST_BYTES)
    except (OSError, ValueError) as error:
        raise _unusable(listing, "unreadable") from error
    if data is None:
        raise _unusable(listing, "unreadable")
    if len(data) > MOST_BYTES or data.count(b"{") + data.count(b"[") > _MOST_GROUPS or data.count(b",") > _MOST_COMMAS:
        raise _unusable(listing, "too-large")
    try:
        return decode_listing(data, listing)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _unusable(listing, "malformed") from error


def decode_listing(data: bytes, listing: Listing) -> PackageFacts:
    """Take an app out of an index.

    Raises:
        ListingUnusable: it is not listed, or its versions have different signers.
        ValueError, TypeError, KeyError, AttributeError, RecursionError: it is no such index.
    """
    app = json.loads(data, object_pairs_hook=_unique)["packages"].get(listing.package)
    if app is None:
        raise _unusable(listing, "not-listed")
    versions = [_version(listing.package, file) for file in app["versions"].values()]
    if listing.version_code is not None:
        versions = [one for one in versions if one.version_code == listing.version_code]
    if not versions:
        raise _unusable(listing, "version-not-listed")
    if len({frozenset(_signers(one)) for one in versions}) > 1:
        raise _unusable(listing, "signers-differ")
    return max(versions, key=lambda one: one.version_code or 0)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Of an app that is listed twice, one reader takes the first and another the last.
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _version(package: AppPackage, fields: dict[str, Any]) -> PackageFacts:
    manifest = fields["manifest"]
    signers = tuple(CertificateDigest(one) for one in manifest["signer"]["sha256"])
    if not 0 < len(signers) <= _MOST_SIGNERS or any(len(one) != 64 or not _HEX.issuperset(one) for one in signers):
        raise ValueError(package)
    levels = manifest.get("usesSdk") or {}
    return PackageFacts(
        package=package,
        signings=signed_everywhere(SignerView(signers)),
        version_code=_number(manifest["versionCode"]),
        min_sdk=_number(levels.get("minSdkVersion")),
        target_sdk=_number(levels.get("targetSdkVersion")),
        # No index says it. An app that shares its user id is then held where the update says so, and never let through for it.
        shared_user_id=NO_SHARED_USER,
    )


def _signers(facts: PackageFacts) -> tuple[CertificateDigest, ...]:
    view = facts.signings[0].view
    return view.signers if view else ()


def _number(value: Any) -> int | None:
    if value is not None and type(value) is not int:
        raise TypeError(value)
    return value


def _unusable(listing: Listing, reason: str) -> ListingUnusable:
    return ListingUnusable(package=listing.package, reason=reason)
