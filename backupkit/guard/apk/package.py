"""Read one package and say who signed it: the door to everything in this folder.

`read_package` returns only what is genuine, and what it returns was judged from exactly the bytes that `Package.sha256` names.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from backupkit.guard.apk.certificates import certificate_digest, read_certificate
from backupkit.guard.apk.content_digest import ContentDigests
from backupkit.guard.apk.level_outcomes import LevelOutcomes
from backupkit.guard.apk.manifest import Manifest, read_manifest
from backupkit.guard.apk.package_file import PackageFile, Stretch
from backupkit.guard.apk.reasons import Doubt, PackageNotGenuine, PackageUndecided, Reason
from backupkit.guard.apk.signing import Signing
from backupkit.guard.apk.signing_block import SigningBlock, find_signing_block
from backupkit.guard.apk.source_stamp import SourceStamp, check_stamp
from backupkit.guard.apk.verification import Claim, Verification
from backupkit.guard.apk.zip_bytes import DEFLATED, STORED, Archive, read_archive, shown
from backupkit.ids import AppPackage, CertificateDigest

NEWEST_KNOWN_SDK = 36
"""The newest API level whose rules are known here (Android 16)."""
MANIFEST = b"AndroidManifest.xml"
"""The entry that makes a zip an Android package."""
MOST_MANIFEST = 32 << 20
_CODE = b"classes.dex"
_RESOURCES = b"resources.arsc"
_MOST_ABIS = 32


class Finding(NamedTuple):
    """Something worth telling that decides nothing."""

    code: str
    detail: str | None = None


class Package(NamedTuple):
    """A genuine package, and what it says about itself."""

    sha256: str
    """Of the whole file, in hex, computed from the bytes that were judged."""
    size: int
    manifest: Manifest
    first_level: int
    last_level: int
    findings: tuple[Finding, ...]
    abis: tuple[str, ...]
    """The processors it brings native code for; none where it brings none."""
    misses_code: bool | None
    """Whether the code that it says it runs is not there (None: a resource says whether it runs any)."""
    packs_resources: bool | None
    """Whether a phone cannot map its table of resources where it lies (None: the table cannot be found)."""
    claims: Callable[[], tuple[Claim, ...]]
    """Says what each of its whole-file signatures says of the content, for whoever compares something with it."""
    answers: dict[int, Signing | PackageNotGenuine]
    """What each level says; `signing_at` asks it."""

    @property
    def package(self) -> AppPackage:
        """The app's package name."""
        return self.manifest.package

    @property
    def version_code(self) -> int:
        """The version, with its major part in the upper 32 bits."""
        return self.manifest.version_code

    @property
    def min_sdk(self) -> int:
        """The lowest API level it installs on."""
        return self.manifest.min_sdk

    @property
    def target_sdk(self) -> int:
        """The API level it was made for."""
        return self.manifest.target_sdk

    @property
    def signing(self) -> Signing:
        """Who signed it, as the newest level that was judged sees it: the device's own, where one was given."""
        return self.signing_at(self.last_level)

    @property
    def levels(self) -> range:
        """The API levels that were judged."""
        return range(self.first_level, self.last_level + 1)

    def signing_at(self, sdk: int) -> Signing:
        """Return who signed it, as a device of this API level sees it.

        Raises:
            PackageNotGenuine: that device would refuse it, though others take it.
            PackageUndecided: this level was not judged: it is below minSdk, above `NEWEST_KNOWN_SDK`, or not the device's.
        """
        answer = self.answers.get(sdk)
        if answer is None:
            raise PackageUndecided(Doubt.LEVEL_NOT_JUDGED, level=sdk)
        if isinstance(answer, PackageNotGenuine):
            raise answer.at(sdk)
        return answer

    def signer_keys(self) -> dict[CertificateDigest, str]:
        """SHA-256 of each signer's public key, by the digest of its certificate."""
        signers = {
            signer for answer in self.answers.values() if isinstance(answer, Signing) for signer in answer.signers
        }
        return {
            certificate_digest(signer): hashlib.sha256(read_certificate(signer).public_key_info).hexdigest()
            for signer in signers
        }

    def at(self, sdk: int) -> Signing | None:
        """Return who signed it, as `signing_at`; None where that level does not take it or was not judged."""
        answer = self.answers.get(sdk)
        return answer if isinstance(answer, Signing) else None


def read_package(path: Path, *, device_sdk: int | None = None) -> Package:
    """Read and judge a package, for one device's API level, or else for every level from its minSdk to the newest known.

    Raises:
        PackageNotGenuine: damaged, altered or wrongly signed for a level that counts.
        PackageUndecided: that cannot be told: a newer scheme, an unknown level, a file that changed while it was read.
    """
    if device_sdk is not None and not 1 <= device_sdk <= NEWEST_KNOWN_SDK:
        raise PackageUndecided(Doubt.LEVEL_UNKNOWN, level=device_sdk)
    return judge_range(path, first=device_sdk, last=device_sdk or NEWEST_KNOWN_SDK, strict=device_sdk is None)


def judge_range(path: Path, *, first: int | None, last: int, strict: bool, signed_up_to: int = 0) -> Package:
    """Judge a package over API levels from `first` (None: its minSdk) to `last`.

    `strict` and `signed_up_to` are as in `LevelOutcomes`: apksig asks for a signature on every level below 24, and a phone shop does not.

    Raises:
        PackageNotGenuine: a level in the range would refuse it.
        PackageUndecided: that cannot be told.
    """
    with PackageFile(path) as file:
        archive = read_archive(file)
        judging = Judging(
            archive,
            package_manifest(archive),
            Judged(first, last, strict=strict, signed_up_to=signed_up_to),
        )
        whole, _ = file.sweep([judging.stretch()])
    return judging.settle(whole)


class Judged(NamedTuple):
    """Which levels are judged, and how: see `judge_range`."""

    first: int | None
    last: int
    strict: bool
    signed_up_to: int = 0


class Judging:
    """One package on its way to a verdict: its signatures are checked, its content is not compared yet."""

    def __init__(self, archive: Archive, manifest: Manifest, judged: Judged) -> None:
        """Check all signatures.

        Raises:
            PackageNotGenuine, PackageUndecided: as `read_package`.
        """
        self.manifest = manifest
        self.archive = archive
        # Here, and not when the content is compared: what is read before the sweep is read in it once more.
        self._packs_resources = packs_resources(archive)
        self._block = find_signing_block(archive)
        first = max(manifest.min_sdk, 1) if judged.first is None else judged.first
        if first > judged.last:
            raise PackageUndecided(Doubt.LEVEL_UNKNOWN, level=first)
        self._levels = range(first, judged.last + 1)
        verification = Verification(archive, self._block, manifest)
        self._claims = verification.claims
        self._newer_scheme_from = verification.newer_scheme_from
        self._outcomes = LevelOutcomes(
            verification,
            self._levels,
            strict=judged.strict,
            signed_up_to=judged.signed_up_to,
            has_end=judged.last < NEWEST_KNOWN_SDK,
        )
        self._stamp = check_stamp(archive, self._block, self._outcomes.claims())
        self._digests = ContentDigests(archive, self._block, self._outcomes.needed())

    def stretch(self, start: int = 0) -> Stretch:
        """Say which bytes must be swept before `settle`, for a package that begins at `start` of the file."""
        return self._digests.stretch(start)

    def settle(self, sha256: str) -> Package:
        """Compare the content, of which `sha256` is the digest.

        Raises:
            PackageNotGenuine: it is not what was signed.
        """
        answers = self._outcomes.settle(self._digests.finish())
        findings = _findings(self._block, self._stamp, answers)
        if self._newer_scheme_from is not None:
            findings = (*findings, Finding("apk-newer-scheme-ahead", str(self._newer_scheme_from)))
        first, last = self._levels[0], self._levels[-1]
        return Package(
            sha256,
            self.archive.file.size,
            self.manifest,
            first,
            last,
            findings,
            native_abis(self.archive),
            False if _CODE in self.archive.by_name else self.manifest.has_code,
            self._packs_resources,
            self._claims,
            answers,
        )


def package_manifest(archive: Archive) -> Manifest:
    """Read the manifest of a package.

    Raises:
        PackageNotGenuine: there is none, or no phone reads it.
    """
    entry = archive.by_name.get(MANIFEST)
    if entry is None:
        raise PackageNotGenuine(Reason.MANIFEST_MISSING)
    # The phone's reader of resources expands method 8 alone and takes every other for stored (AOSP `ApkAssets::Open`); its verifier, and apksig, expand
    # all but 0. Of another method, one entry could hold two manifests.
    if entry.method not in {STORED, DEFLATED}:
        raise PackageNotGenuine(Reason.MANIFEST_MALFORMED)
    return read_manifest(archive.read(entry, most=MOST_MANIFEST))


def native_abis(archive: Archive) -> tuple[str, ...]:
    """Name the processors that the package brings native code for, from its `lib/<abi>/*.so` entries, sorted."""
    found = set()
    for name in archive.by_name:
        if name.startswith(b"lib/") and name.endswith(b".so") and name.count(b"/") == 2:
            found.add(shown(name.split(b"/")[1]))
            if len(found) == _MOST_ABIS:
                break
    return tuple(sorted(found))


def packs_resources(archive: Archive) -> bool | None:
    """Whether the table of resources is compressed, or begins at no multiple of four (AOSP `AssetManager.containsAllocatedTable`)."""
    entry = archive.by_name.get(_RESOURCES)
    if entry is None:
        return False
    try:
        start, _ = archive.data_range(entry)
    except PackageNotGenuine:
        # A whole-file signature covers it as it is, so this is no reason to call the package altered.
        return None
    return entry.method == DEFLATED or start % 4 != 0


def _findings(
    block: SigningBlock, stamp: SourceStamp | None, answers: dict[int, Signing | PackageNotGenuine]
) -> tuple[Finding, ...]:
    findings = [Finding("apk-signature-repeated", f"0x{number:08x}") for number in sorted(block.repeated)]
    if block.is_cut_short:
        findings.append(Finding("apk-signing-block-cut-short"))
    if stamp is not None and stamp.issue is None:
        findings.append(Finding("apk-source-stamp-holds", stamp.certificate))
    elif stamp is not None and stamp.issue is not None:
        findings.append(Finding("apk-source-stamp-broken", stamp.issue.value))
    refusing = [level for level, answer in answers.items() if isinstance(answer, PackageNotGenuine)]
    if refusing:
        findings.append(Finding("apk-unsigned-for-levels", f"{min(refusing)}-{max(refusing)}"))
    return tuple(findings)
