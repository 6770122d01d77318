"""Proof of rotation: the chain of certificates by which an app changed its signing key.

    u32 version | nodes, each length-prefixed:
        signed data (certificate, u32 algorithm of the parent's signature) | u32 flags | u32 algorithm for the next | signature

Each node is signed by the one before it. The flags say what the app still grants to an older signer. Sources: AOSP
`ApkSigningBlockUtils.verifyProofOfRotationStruct`, `SigningDetails.CertCapabilities`; apksig `V3SigningCertificateLineage` and
`SigningCertificateLineage` (the form of a file of its own).
"""

from collections.abc import Iterable
from enum import IntFlag
from typing import NamedTuple

from backupkit.guard.apk.algorithms import ALGORITHMS
from backupkit.guard.apk.certificates import certificate_digest, read_certificate
from backupkit.guard.apk.der import NotAsn1
from backupkit.guard.apk.public_keys import KeyMalformed
from backupkit.guard.apk.reasons import PackageNotGenuine, Reason
from backupkit.guard.apk.records import Record, RecordMalformed, items
from backupkit.ids import CertificateDigest

FILE_MAGIC = 0x3EFF39D1
_VERSION = 1
_MOST_NODES = 50
"""Each node costs a signature check; real lineages have a few nodes."""


class Capability(IntFlag):
    """What a newer signer grants to an older one (AOSP `SigningDetails.CertCapabilities`)."""

    INSTALLED_DATA = 1
    SHARED_USER_ID = 2
    PERMISSION = 4
    ROLLBACK = 8
    AUTH = 16

    @classmethod
    def names(cls, flags: int) -> list[str]:
        """Name the known flags that are set, in their order, as `installed-data`, `shared-user-id`."""
        return [one.name.lower().replace("_", "-") for one in cls if flags & one and one.name]


class LineageNode(NamedTuple):
    """One signer of the past or present: its certificate as it lies in the package, and what it is still granted."""

    certificate: bytes
    capabilities: int

    @property
    def digest(self) -> CertificateDigest:
        """SHA-256 of the certificate."""
        return certificate_digest(self.certificate)

    def grants(self, capability: Capability) -> bool:
        """Whether the flag is set. For the current signer Android does not ask."""
        return bool(self.capabilities & capability)


class Lineage(NamedTuple):
    """The signers from the first to the current one."""

    nodes: tuple[LineageNode, ...]

    @property
    def digests(self) -> tuple[CertificateDigest, ...]:
        """SHA-256 of each certificate, oldest first."""
        return tuple(node.digest for node in self.nodes)

    def node(self, certificate: bytes) -> LineageNode | None:
        """Return the node with this certificate, if there is one."""
        for node in self.nodes:
            if node.certificate == certificate:
                return node
        return None


def read_lineage(data: bytes) -> Lineage:
    """Read and check a proof of rotation as it lies in a signer's attribute.

    Raises:
        PackageNotGenuine: malformed, a signature in it is wrong, or a certificate comes twice.
    """
    try:
        return _read(data)
    except (RecordMalformed, NotAsn1, KeyMalformed) as error:
        raise PackageNotGenuine(Reason.LINEAGE_MALFORMED) from error


def read_lineage_file(data: bytes) -> Lineage:
    """Read a lineage that lies in a file of its own: u32 magic, u32 version, and the length-prefixed proof of rotation.

    Raises:
        PackageNotGenuine: as `read_lineage`.
    """
    record = Record(data)
    try:
        magic, version, proof = record.u32(), record.u32(), record.sized()
    except RecordMalformed as error:
        raise PackageNotGenuine(Reason.LINEAGE_MALFORMED) from error
    if magic != FILE_MAGIC or version != _VERSION:
        raise PackageNotGenuine(Reason.LINEAGE_MALFORMED)
    return read_lineage(proof)


def common_history(lineages: Iterable[Lineage]) -> tuple[bytes, ...] | None:
    """Join lineages to one line of certificates, oldest first; None where they part (apksig `consolidateLineages`, since Android 14).

    A signer for some levels may have left older certificates out, and may grant something else than a signer for other levels.
    """
    whole: tuple[bytes, ...] = ()
    for lineage in lineages:
        joined = _join(whole, tuple(node.certificate for node in lineage.nodes))
        if joined is None:
            return None
        whole = joined
    return whole


def _join(one: tuple[bytes, ...], other: tuple[bytes, ...]) -> tuple[bytes, ...] | None:
    """Join two lines where the later begins within the earlier, and both name the same certificates as far as both go."""
    if not one:
        return other
    earlier, later = (other, one) if one[0] in other else (one, other)
    if later[0] not in earlier:
        return None
    start = earlier.index(later[0])
    shared = earlier[start:]
    if shared[: len(later)] != later[: len(shared)]:
        return None
    return earlier[:start] + max(shared, later, key=len)


def _read(data: bytes) -> Lineage:
    record = Record(data)
    if record.u32() != _VERSION:
        raise RecordMalformed
    nodes: list[LineageNode] = []
    parent_info: bytes | None = None
    parent_algorithm = 0
    for item in items(record.rest()):
        if len(nodes) >= _MOST_NODES:
            raise RecordMalformed
        node = Record(item)
        signed = node.sized()
        flags, algorithm, signature = node.u32(), node.u32(), node.sized()
        if parent_info is not None:
            _check_signature(parent_info, parent_algorithm, signed, signature)
        content = Record(signed)
        certificate, signed_algorithm = content.sized(), content.u32()
        if parent_info is not None and signed_algorithm != parent_algorithm:
            raise PackageNotGenuine(Reason.LINEAGE_SIGNATURE_WRONG)
        if any(certificate == earlier.certificate for earlier in nodes):
            raise PackageNotGenuine(Reason.LINEAGE_REPEATS)
        nodes.append(LineageNode(certificate, flags))
        parent_info, parent_algorithm = read_certificate(certificate).public_key_info, algorithm
    if not nodes:
        raise RecordMalformed
    return Lineage(tuple(nodes))


def _check_signature(parent_info: bytes, algorithm: int, signed: bytes, signature: bytes) -> None:
    known = ALGORITHMS.get(algorithm)
    if known is None:
        raise RecordMalformed
    if not known.check(parent_info, signed, signature):
        raise PackageNotGenuine(Reason.LINEAGE_SIGNATURE_WRONG)
