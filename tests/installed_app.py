"""An installed app as the device rules see it, in plain values: where no package is needed."""

from collections.abc import Sequence

from backupkit.guard.facts import NO_SHARED_USER, LineageNode, PackageFacts, Scheme, SignerView, signed_everywhere
from backupkit.ids import AppPackage, CertificateDigest

A, B, C, D = (CertificateDigest(letter * 64) for letter in "abcd")
"""Four signers."""


def signed(*signers: CertificateDigest, lineage: Sequence[LineageNode] = (), scheme: Scheme = Scheme.V3) -> SignerView:
    return SignerView(signers, tuple(lineage), scheme)


APP = PackageFacts(
    package=AppPackage("com.tencent.mm"),
    signings=signed_everywhere(signed(A)),
    version_code=10,
    min_sdk=21,
    target_sdk=34,
    shared_user_id=NO_SHARED_USER,
    test_only=False,
    debuggable=False,
    upgrade_keys=False,
)
"""Signed by A."""
