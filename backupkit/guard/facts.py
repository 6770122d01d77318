"""What the device rules need to know of an app: plain values, wherever they came from.

A pulled package, an offered package and a package record all become `PackageFacts`, so the rules are one set of pure
functions. `None` always means "not known", never "not there": a rule that needs an unknown fact cannot say allow.

Certificates are named by the SHA-256 of their bytes as they lie in the package. Android compares the bytes themselves;
two different certificates with one SHA-256 would be a collision.
"""

from collections.abc import Iterable
from enum import IntEnum, IntFlag
from typing import NamedTuple

from backupkit.ids import AppPackage, CertificateDigest

OLDEST_SDK = 24
NEWEST_SDK = 36
"""The Android levels whose rules are written down here; an unknown device is judged at all of them."""

NO_SHARED_USER = ""
"""`shared_user_id` of a package that is known to declare none."""


class Capability(IntFlag):
    """What a signer in a lineage still grants to an older one (AOSP `SigningDetails.CertCapabilities`)."""

    INSTALLED_DATA = 1
    SHARED_USER_ID = 2
    PERMISSION = 4
    ROLLBACK = 8
    AUTH = 16


class Scheme(IntEnum):
    """The signature scheme in force, oldest first."""

    V1 = 10
    V2 = 20
    V3 = 30
    V31 = 31

    @property
    def label(self) -> str:
        """How it is written in JSON: `v1`, `v2`, `v3`, `v3.1`."""
        return {Scheme.V1: "v1", Scheme.V2: "v2", Scheme.V3: "v3", Scheme.V31: "v3.1"}[self]

    @classmethod
    def from_label(cls, label: str) -> "Scheme":
        """Read what `label` writes.

        Raises:
            ValueError: an unknown scheme.
        """
        for scheme in cls:
            if scheme.label == label:
                return scheme
        raise ValueError(label)


class LineageNode(NamedTuple):
    """One signer in a proof of rotation, and what it still may do."""

    certificate: CertificateDigest
    capabilities: Capability


class SignerView(NamedTuple):
    """Who signed a package, as one Android level sees it.

    `lineage` runs from the oldest signer to the current one, and is empty where nothing was rotated.
    """

    signers: tuple[CertificateDigest, ...]
    lineage: tuple[LineageNode, ...] = ()
    scheme: Scheme | None = None

    def is_signed_like(self, other: "SignerView") -> bool:
        """Whether both have the same set of signers, in any order (AOSP `Signature.areExactMatch`)."""
        return len(self.signers) == len(other.signers) and set(self.signers) == set(other.signers)

    def grants(self, other: "SignerView", capability: Capability) -> bool:
        """Whether this side accepts `other` for a capability (AOSP `SigningDetails.checkCapability`).

        Several signers cannot rotate, so for them only the same set counts, and then everything is granted.
        """
        if not self.signers or not other.signers:
            return False
        if len(other.signers) > 1:
            return self.is_signed_like(other)
        (certificate,) = other.signers
        # The last node is the current signer: it has every capability, whatever its flags say.
        if any(node.certificate == certificate and capability in node.capabilities for node in self.lineage[:-1]):
            return True
        return self.signers == (certificate,)

    def descends_from(self, other: "SignerView") -> bool:
        """Whether `other`'s signer is this one's or an older one in its lineage, whatever it still may do."""
        if len(other.signers) != 1:
            return self.is_signed_like(other)
        return self.signers == other.signers or any(node.certificate == other.signers[0] for node in self.lineage)

    def shares_history(self, other: "SignerView") -> bool:
        """Whether both signers are of one history (AOSP `SigningDetails.hasCommonAncestor`, `getDescendantOrSelf`).

        One may know less of it, at either end. Two that tell it differently are strangers, whoever signs today.
        """
        if not self.lineage or not other.lineage:
            return self.descends_from(other) or other.descends_from(self)
        one, two = ([node.certificate for node in view.lineage] for view in (self, other))
        longer, shorter = (one, two) if two[-1] in one else (two, one)
        if shorter[-1] not in longer:
            return False
        before = longer[: longer.index(shorter[-1])]
        return all(old == new for old, new in zip(reversed(before), reversed(shorter[:-1]), strict=False))


class SignerSpan(NamedTuple):
    """Android levels `first_sdk` to `last_sdk`, both included, that see the same signers.

    `view` is None where these levels would not accept the package's signature; `refusal` then says why.
    """

    first_sdk: int
    last_sdk: int
    view: SignerView | None
    refusal: str | None = None


class Demands(NamedTuple):
    """What an offered package asks of the device and of the apps beside it. Of an installed app nobody needs it.

    `keys` names the public key of each signer's certificate; `permissions_in` are pairs of a declared permission and its group.
    """

    abis: tuple[str, ...] = ()
    is_multi_arch: bool = False
    permissions: tuple[str, ...] = ()
    permissions_in: tuple[tuple[str, str], ...] = ()
    permission_groups: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    static_library: bool = False
    misses_splits: bool = False
    misses_code: bool | None = False
    packs_resources: bool | None = False
    for_development: bool = False
    keys: tuple[tuple[CertificateDigest, str], ...] = ()


class PackageFacts(NamedTuple):
    """An app as the device rules see it. Every None is a fact that nobody knows."""

    package: AppPackage
    signings: tuple[SignerSpan, ...]
    version_code: int | None = None
    min_sdk: int | None = None
    target_sdk: int | None = None
    shared_user_id: str | None = None
    shared_user_max_sdk: int | None = None
    target_sandbox: int | None = None
    test_only: bool | None = None
    debuggable: bool | None = None
    upgrade_keys: bool | None = None
    stores_data: bool | None = None
    is_base: bool | None = None
    sha256: str | None = None
    upgrade_key_sets: tuple[tuple[str, ...], ...] | None = None
    demands: Demands | None = None
    revisions: tuple[tuple[str, int], ...] | None = ()
    """The revision of each part of the app, by its split's name ("" is the base). Where nobody said, it is 0, as in nearly every app."""

    def as_installed(self) -> "PackageFacts":
        """What stays worth knowing once the app is installed."""
        return self if self.demands is None else self._replace(demands=None)

    def signing_at(self, sdk: int) -> SignerSpan | None:
        """The span that holds an Android level, or None where nothing is known of it."""
        return next((span for span in self.signings if span.first_sdk <= sdk <= span.last_sdk), None)

    def signers_at(self, sdk: int) -> SignerView | None:
        """Who signed the package for an Android level; None where unknown or not accepted there."""
        span = self.signing_at(sdk)
        return span.view if span else None


def signed_everywhere(view: SignerView) -> tuple[SignerSpan, ...]:
    """One span over every known level: for a signer that is known without the package."""
    return (SignerSpan(1, NEWEST_SDK, view),)


def join_spans(spans: Iterable[SignerSpan]) -> tuple[SignerSpan, ...]:
    """Make neighbours that say the same into one span. The spans come in rising order and do not overlap."""
    joined: list[SignerSpan] = []
    for span in spans:
        last = joined[-1] if joined else None
        if last and last.last_sdk + 1 == span.first_sdk and (last.view, last.refusal) == (span.view, span.refusal):
            joined[-1] = SignerSpan(last.first_sdk, span.last_sdk, span.view, span.refusal)
        else:
            joined.append(span)
    return tuple(joined)
