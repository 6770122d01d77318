"""Which signature decides on which device, and whether it holds.

A device takes the newest scheme that it knows and finds: v3.1 from API level 33, v3 from 28, v2 from 24, else v1. A scheme that is found and
broken is a rejection, never a reason to try an older one. Sources: AOSP `ApkSignatureVerifier.verifySignatures`,
`ApkSignatureSchemeV3Verifier.verify`; apksig `ApkVerifier.verify` for what must hold over a range of levels.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from backupkit.guard.apk.algorithms import ContentDigest
from backupkit.guard.apk.lineage import Lineage, common_history
from backupkit.guard.apk.manifest import Manifest
from backupkit.guard.apk.newer_scheme import NEWER_SCHEME_LEVEL, newer_scheme_from
from backupkit.guard.apk.reasons import Doubt, PackageNotGenuine, PackageUndecided, Reason
from backupkit.guard.apk.signature_v2 import SINCE as V2_SINCE, SchemeV2
from backupkit.guard.apk.signature_v3 import NO_END, V3_SINCE, V31_SINCE, RotatingSigner, SchemeV3
from backupkit.guard.apk.signer import CheckedSigner
from backupkit.guard.apk.signing import Scheme, Signing
from backupkit.guard.apk.signing_block import V2, V3, V31, SigningBlock
from backupkit.guard.apk.zip_bytes import Archive

if TYPE_CHECKING:
    from backupkit.guard.apk.signature_v1 import SchemeV1

_SANDBOX_SINCE = 26
_TARGET_RULE_SINCE = 30
_TARGET_RULE_FROM = 30


class Claim(NamedTuple):
    """What one signature says of the content: scheme, the signer's certificate, and every digest it gives."""

    scheme: str
    certificate: bytes
    digests: frozenset[bytes]


class Draft(NamedTuple):
    """A signing whose signatures were checked, and whose content digests were not compared yet."""

    scheme: Scheme
    signers: tuple[bytes, ...]
    lineage: Lineage | None = None
    unchecked: tuple[CheckedSigner, ...] = ()

    def settle(self, digests: dict[ContentDigest, bytes]) -> Signing:
        """Compare the content.

        Raises:
            PackageNotGenuine: it is not what was signed.
        """
        for signer in self.unchecked:
            signer.check_content(digests)
        return Signing(self.scheme, self.signers, self.lineage)


class Verification:
    """The signatures of one package. Each is checked once, when a level first needs it."""

    def __init__(self, archive: Archive, block: SigningBlock, manifest: Manifest) -> None:
        """Look at what is there."""
        self._block = block
        self.newer_scheme_from = newer_scheme_from(block)
        """The first level that may look at a scheme which is not known here, or None."""
        self._manifest = manifest
        self._archive = archive
        self._jar: SchemeV1 | None = None
        self._v2 = SchemeV2(block.values[V2]) if V2 in block.values else None
        self._v3 = _Lazy(lambda: SchemeV3(block.values[V3], "v3"))
        self._v31 = _Lazy(lambda: SchemeV3(block.values[V31], "v3.1"))

    def draft(self, level: int) -> Draft:
        """Check what a device of this level checks, except for the content digests.

        Raises:
            PackageNotGenuine: the device would refuse the package.
            PackageUndecided: it may look at a newer scheme than those known here.
        """
        # v3.2 signs with a classical and a post-quantum key, and the latter is the identity on devices that know it. A guard that
        # looked past it would name the wrong signer (AOSP ApkSignatureSchemeV3Verifier.verifyV32Signers).
        if self.newer_scheme_from is not None and level >= self.newer_scheme_from:
            raise PackageUndecided(Doubt.NEWER_SCHEME, level=level)
        draft = self._newest(level)
        # Apps made for API level 30 and up must use a newer scheme (AOSP ApkSignatureVerifier, since level 30).
        is_too_old = level >= _TARGET_RULE_SINCE and self._manifest.target_sdk >= _TARGET_RULE_FROM
        if draft.scheme == "v1" and is_too_old:
            raise PackageNotGenuine(Reason.SCHEME_TOO_OLD_FOR_TARGET, scheme="v1")
        return draft

    def check_blocks(self, last: int, *, has_end: bool = True) -> tuple[CheckedSigner, ...]:
        """Check the signers of every range of levels, not only of those that are asked, as apksig does up to the level `last`.

        Unless `has_end`, levels to come are meant as well: the signers must not leave them out. Returns the signers, whose content digests were not
        compared yet: some are for levels that nobody asks about.

        Raises:
            PackageNotGenuine: one of them is wrong, or two blocks that belong together do not.
        """
        signers: list[RotatingSigner] = []
        if last >= V31_SINCE and V31 in self._block.values:
            signers += self._v31.get().check_all()
            # Android would install it, but apksig takes it for cut apart, and readers that know v3 alone see no signer at all.
            if V3 not in self._block.values:
                raise PackageNotGenuine(Reason.V31_WITHOUT_V3, scheme="v3.1")
            if not has_end and self._v31.get().last_level < NO_END:
                raise PackageNotGenuine(Reason.SDK_RANGE_MISSING, scheme="v3.1")
        for signer in self._all_v3(last):
            signers.append(signer)
            if last >= V31_SINCE:
                self._check_rotation(signer, lambda v31: v31.first_level)
        if not has_end and V3 in self._block.values:
            wanted = self._v31.get().first_level - 1 if V31 in self._block.values else NO_END
            if self._v3.get().last_level < wanted:
                raise PackageNotGenuine(Reason.SDK_RANGE_MISSING, scheme="v3")
        return tuple(signer.checked for signer in signers)

    def check_jar(self, levels: range) -> None:
        """Check the JAR signature over a whole range, where it decides on the oldest level of it, as apksig does.

        Raises:
            PackageNotGenuine: some level of the range would refuse it, or older and newer devices would take different signer infos.
        """
        if levels[0] < V2_SINCE <= levels[-1]:
            self._v1().check_range(levels, found_schemes=self._found_schemes())

    def check_schemes_agree(self, signings: list[Signing], last: int) -> None:
        """Where older and newer devices are both meant, they must see one app: the same signers, or one signer's history.

        Raises:
            PackageNotGenuine: they see different ones (apksig `ApkVerifier`, "signer identities match").
        """
        v1 = next((signing.signers for signing in signings if signing.scheme == "v1"), None)
        v2 = next((signing.signers for signing in signings if signing.scheme == "v2"), None)
        if v1 is not None and v2 is not None and set(v1) != set(v2):
            raise PackageNotGenuine(Reason.SCHEMES_DISAGREE)
        old, v3 = v1 or v2, self._all_v3(last)
        if not v3 or old is None:
            return
        # What v3.1 rotated away from must be what older devices see, or newer ones see another app under the same name.
        rotated = self._v31.get().check_all() if last >= V31_SINCE and V31 in self._block.values else []
        history, later = _history(v3), _history(rotated)
        if later and old != later[:1]:
            raise PackageNotGenuine(Reason.SCHEMES_DISAGREE)
        # Several signers without a history are one app only beside v3.1, where one signer may have several ranges before the rotation.
        is_one = {signer.checked.certificate for signer in v3} == set(old) and (len(v3) == 1 or bool(later))
        agrees = old == history[:1] if history else len(old) == 1 and is_one
        if not agrees:
            raise PackageNotGenuine(Reason.SCHEMES_DISAGREE)

    def claims(self) -> tuple[Claim, ...]:
        """Return what every whole-file signature says of the content, whichever level it is for. A broken one says nothing."""
        found: list[CheckedSigner] = []
        values = self._block.values
        with suppress(PackageNotGenuine):
            if self._v2 is not None:
                found += self._v2.signers_at(V3_SINCE, has_v3=True)
        for scheme, number in ((self._v3, V3), (self._v31, V31)):
            with suppress(PackageNotGenuine):
                found += [signer.checked for signer in scheme.get().check_all()] if number in values else []
        return tuple(
            Claim(one.scheme, one.certificate, frozenset(digest for _, digest in one.digests)) for one in found
        )

    def jar_manifest(self) -> bytes:
        """Return the JAR manifest, or nothing where there is none."""
        return self._v1().manifest()

    def _v1(self) -> "SchemeV1":
        # Imported here: most packages are decided by a newer scheme, and the reader of the old one is the largest of all.
        if self._jar is None:
            from backupkit.guard.apk.signature_v1 import SchemeV1  # noqa: PLC0415

            self._jar = SchemeV1(self._archive)
        return self._jar

    def _all_v3(self, last: int) -> list[RotatingSigner]:
        return self._v3.get().check_all() if last >= V3_SINCE and V3 in self._block.values else []

    def _is_signed_for_newer(self, level: int) -> bool:
        """Whether the package is signed, but by no scheme that this level knows. Devices of that level refuse to install it and lose nothing."""
        newer = {V2, V3, V31} if level < V2_SINCE else {V3, V31} if level < V3_SINCE else set()
        return not newer.isdisjoint(self._block.values)

    def _newest(self, level: int) -> Draft:
        values = self._block.values
        if level >= V31_SINCE and V31 in values:
            signer = self._v31.get().signer_at(level)
            if signer is not None:
                return _rotating("v3.1", signer, level)
        if level >= V3_SINCE and V3 in values:
            signer = self._v3.get().signer_at(level)
            if signer is None:
                raise PackageNotGenuine(Reason.SDK_RANGE_MISSING, scheme="v3")
            if level >= V31_SINCE:
                self._check_rotation(signer, lambda v31: v31.passed_on_from(level))
            return _rotating("v3", signer, level)
        if level >= V2_SINCE and self._v2 is not None:
            signers = tuple(self._v2.signers_at(level, has_v3=V3 in values))
            return Draft("v2", tuple(signer.certificate for signer in signers), None, signers)
        # Apps with a stricter sandbox must use a newer scheme (AOSP ApkSignatureVerifier; apksig asks before it looks at v1).
        if level >= _SANDBOX_SINCE and self._manifest.target_sandbox_version > 1:
            raise PackageNotGenuine(Reason.SCHEME_TOO_OLD_FOR_SANDBOX, scheme="v1")
        try:
            return Draft("v1", self._v1().signers_at(level, found_schemes=self._found_schemes()))
        except PackageNotGenuine as error:
            if error.reason is Reason.UNSIGNED and self._is_signed_for_newer(level):
                raise PackageNotGenuine(Reason.UNSIGNED_FOR_LEVEL, scheme="v1") from error
            raise

    def _found_schemes(self) -> set[int]:
        return {number for number, pair in ((2, V2), (3, V3)) if pair in self._block.values}

    def _check_rotation(self, signer: RotatingSigner, begins: Callable[[SchemeV3], int | None]) -> None:
        """v3 says from which level on v3.1 takes over; if that block is gone, it was cut off."""
        if signer.rotation_min_sdk is None:
            return
        if V31 not in self._block.values:
            raise PackageNotGenuine(Reason.V31_STRIPPED, scheme="v3")
        if begins(self._v31.get()) != signer.rotation_min_sdk:
            raise PackageNotGenuine(Reason.V31_RANGE_MISMATCH, scheme="v3")


def _history(signers: list[RotatingSigner]) -> tuple[bytes, ...]:
    """All certificates that the signers' lineages name, oldest first; their `check_all` made sure that they are one line."""
    return common_history(signer.lineage for signer in signers if signer.lineage is not None) or ()


class _Lazy:
    """A scheme's block, split when it is first needed; a broken one is a rejection each time."""

    def __init__(self, read: Callable[[], SchemeV3]) -> None:
        self._read = read
        self._scheme: SchemeV3 | None = None

    def get(self) -> SchemeV3:
        if self._scheme is None:
            self._scheme = self._read()
        return self._scheme


def _rotating(scheme: Scheme, signer: RotatingSigner, level: int) -> Draft:
    newer = signer.newer_scheme_from
    if newer is not None and level >= min(newer, NEWER_SCHEME_LEVEL):
        raise PackageUndecided(Doubt.NEWER_SCHEME, level=level)
    return Draft(scheme, (signer.checked.certificate,), signer.lineage, (signer.checked,))
