"""Who signed a package, as a device of one API level sees it."""

from typing import Literal, NamedTuple, TypeAlias

from backupkit.guard.apk.certificates import certificate_digest
from backupkit.guard.apk.lineage import Lineage
from backupkit.ids import CertificateDigest

Scheme: TypeAlias = Literal["v1", "v2", "v3", "v3.1"]


class Signing(NamedTuple):
    """The signature that decides: its scheme, the signers' certificates as they lie in the package, and the lineage, if there is one."""

    scheme: Scheme
    signers: tuple[bytes, ...]
    lineage: Lineage | None = None

    @property
    def digests(self) -> tuple[CertificateDigest, ...]:
        """SHA-256 of each signer's certificate, in the package's order."""
        return tuple(certificate_digest(signer) for signer in self.signers)
