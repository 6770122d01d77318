"""APK Signature Schemes v3 (API level 28) and v3.1 (API level 33): one signer for each range of API levels, with its lineage.

v3.1 lies in a block of its own beside v3, so that older devices keep the old signer and newer ones get the rotated one. Sources:
source.android.com/docs/security/features/apksigning/v3 and v3-1; AOSP `ApkSignatureSchemeV3Verifier`; apksig `V3SchemeVerifier`.
"""

from typing import NamedTuple

from backupkit.guard.apk.algorithms import strongest
from backupkit.guard.apk.lineage import Lineage, common_history, read_lineage
from backupkit.guard.apk.reasons import PackageNotGenuine, Reason
from backupkit.guard.apk.records import Record, RecordMalformed
from backupkit.guard.apk.signer import CheckedSigner, SignerRecord, check_signer, read_signers

V3_SINCE = 28
NO_END = (1 << 31) - 1
"""What a signer names for its last level where it is for every level to come."""
V31_SINCE = 33
_TWO_SINCE = 36
_MOST_SIGNERS = 10
"""Android sets no bound; each costs signature checks, and real packages have one or two."""
_PROOF_OF_ROTATION = 0x3BA06F8C
_ROTATION_MIN_SDK = 0x559F8B02
_TARGETS_DEV_RELEASE = 0xC2A6B3BA
_HYBRID = (0xBF940529, 0x9F06B79C)
"""Attributes of scheme 3.2: this package has, or had, a signature of a kind that is not judged here."""


class RotatingSigner(NamedTuple):
    """A checked signer of scheme 3 or 3.1, with its attributes read."""

    checked: CheckedSigner
    lineage: Lineage | None
    rotation_min_sdk: int | None
    targets_dev_release: bool
    newer_scheme_from: int | None = None
    """From which level on a signature of a newer scheme stands in its place, as its attributes say."""


class SchemeV3:
    """The v3 or v3.1 block of one package. Signers are checked when a level asks for them, once."""

    def __init__(self, value: bytes, scheme: str) -> None:
        """Split the block.

        Raises:
            PackageNotGenuine: malformed, or without a signer.
        """
        self.scheme = scheme
        self._records = read_signers(value, scheme)
        if len(self._records) > _MOST_SIGNERS:
            raise PackageNotGenuine(Reason.TOO_MANY_SIGNERS, scheme=scheme)
        self._checked: dict[int, RotatingSigner | PackageNotGenuine] = {}

    @property
    def first_level(self) -> int:
        """The lowest API level that any signer names: what v3 must say about v3.1."""
        return min(record.sdks.first for record in self._records if record.sdks)

    def passed_on_from(self, level: int) -> int | None:
        """What a device of this level, for which the block has no signer, takes for its lowest level: v3 must say the same.

        The signer for a release in development that a released device skips counts alone from there on (AOSP `verifyAdditionalAttributes`).
        """
        lowest: int | None = None
        for index, record in enumerate(self._records):
            assert record.sdks is not None
            first = record.sdks.first
            if not record.sdks.holds(level):
                lowest = first if lowest is None else min(lowest, first)
            elif self._signer(index, record).targets_dev_release and first == level:
                lowest = first
        return lowest

    @property
    def last_level(self) -> int:
        """The highest API level that any signer names; of a package for all devices it has no end."""
        return max(record.sdks.last for record in self._records if record.sdks)

    def signer_at(self, level: int) -> RotatingSigner | None:
        """Return the signer for this level, or None where the block is not meant for it.

        Raises:
            PackageNotGenuine: the device would refuse the package.
        """
        found = []
        for index, record in enumerate(self._records):
            # A signer for other levels is not even looked at by the device.
            if record.sdks is None or not record.sdks.holds(level):
                continue
            signer = self._signer(index, record)
            # A development release carries the number of the release before it, so a signer meant for it names that number; a
            # released device of that number must not take it.
            if self.scheme == "v3.1" and signer.targets_dev_release and record.sdks.first == level:
                continue
            found.append(signer)
        if len(found) == 2 and self.scheme == "v3.1" and level >= _TWO_SINCE:
            # One for the last release and one for the release in development: the latter was meant. Older devices refuse the two (AOSP
            # `verifyV31Signers`, which Android 15 does not have).
            meant = [signer for signer in found if signer.targets_dev_release]
            if len(meant) == 1:
                found = meant
        if len(found) > 1:
            raise PackageNotGenuine(Reason.SEVERAL_SIGNERS, scheme=self.scheme)
        return found[0] if found else None

    def check_all(self) -> list[RotatingSigner]:
        """Check the signers of every range, and that the ranges fit together, as apksig does for a range of levels.

        Raises:
            PackageNotGenuine: any of them is wrong.
        """
        signers = [self._signer(index, record) for index, record in enumerate(self._records)]
        signers.sort(key=lambda signer: signer.checked.sdks.last if signer.checked.sdks else 0)
        lineages: list[Lineage] = []
        before: RotatingSigner | None = None
        for signer in signers:
            _check_known_from_the_first(signer)
            if before is not None:
                _check_neighbours(before, signer, self.scheme)
            before = signer
            if signer.lineage is not None:
                if lineages and len(signer.lineage.nodes) < len(lineages[-1].nodes):
                    raise PackageNotGenuine(Reason.LINEAGES_INCONSISTENT, scheme=self.scheme)
                lineages.append(signer.lineage)
        if common_history(lineages) is None:
            raise PackageNotGenuine(Reason.LINEAGES_INCONSISTENT, scheme=self.scheme)
        return signers

    def _signer(self, index: int, record: SignerRecord) -> RotatingSigner:
        if index not in self._checked:
            try:
                self._checked[index] = _check(record)
            except PackageNotGenuine as error:
                self._checked[index] = error
        signer = self._checked[index]
        if isinstance(signer, PackageNotGenuine):
            raise signer
        return signer


def _check_known_from_the_first(signer: RotatingSigner) -> None:
    """A signer names no level that knows none of its algorithms (apksig `getSignaturesToVerify`)."""
    assert signer.checked.sdks is not None
    if strongest([number for number, _ in signer.checked.digests], signer.checked.sdks.first) is None:
        raise PackageNotGenuine(Reason.NO_SUPPORTED_ALGORITHM, scheme=signer.checked.scheme)


def _check_neighbours(before: RotatingSigner, after: RotatingSigner, scheme: str) -> None:
    assert before.checked.sdks is not None
    assert after.checked.sdks is not None
    last, first = before.checked.sdks.last, after.checked.sdks.first
    if first != last + 1 and not (first == last and after.targets_dev_release):
        raise PackageNotGenuine(Reason.SDK_RANGES_INCONSISTENT, scheme=scheme)


def _check(record: SignerRecord) -> RotatingSigner:
    assert record.sdks is not None
    if record.sdks.first < 0 or record.sdks.first > record.sdks.last:
        raise PackageNotGenuine(Reason.SDK_RANGE_INVALID, scheme=record.scheme)
    checked = check_signer(record, max(record.sdks.first, V3_SINCE))
    lineage: Lineage | None = None
    rotation_min_sdk: int | None = None
    newer: list[int] = []
    for number, value in checked.attributes:
        if number == _PROOF_OF_ROTATION:
            if lineage is not None:
                raise PackageNotGenuine(Reason.LINEAGE_MALFORMED, scheme=record.scheme)
            lineage = _own_lineage(value, checked)
        elif number == _ROTATION_MIN_SDK:
            # It speaks of a v3.1 block beside its own, so within v3.1 it speaks of one that is not there (AOSP `verifyAdditionalAttributes`).
            if record.scheme == "v3.1":
                raise PackageNotGenuine(Reason.V31_STRIPPED, scheme=record.scheme)
            try:
                rotation_min_sdk = Record(value).sdk()
            except RecordMalformed as error:
                raise PackageNotGenuine(Reason.ATTRIBUTE_MALFORMED, scheme=record.scheme) from error
        elif number in _HYBRID:
            newer.append(_level_of(value))
    return RotatingSigner(
        checked,
        lineage,
        rotation_min_sdk,
        any(number == _TARGETS_DEV_RELEASE for number, _ in checked.attributes),
        min(newer, default=None),
    )


def _level_of(value: bytes) -> int:
    """From which level on an attribute speaks; from the first where it cannot be read."""
    try:
        return max(Record(value).sdk(), 0)
    except RecordMalformed:
        return 0


def _own_lineage(value: bytes, checked: CheckedSigner) -> Lineage:
    try:
        lineage = read_lineage(value)
    except PackageNotGenuine as error:
        raise PackageNotGenuine(error.reason, scheme=checked.scheme) from error
    # A lineage that ends in somebody else would lend this signer a history that is not its own.
    if lineage.nodes[-1].certificate != checked.certificate:
        raise PackageNotGenuine(Reason.LINEAGE_END_MISMATCH, scheme=checked.scheme)
    return lineage
