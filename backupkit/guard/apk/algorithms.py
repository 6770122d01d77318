"""The signature algorithms of schemes 2 and 3, by the number they have in the file.

Source: source.android.com/docs/security/features/apksigning/v2 ("Signature Algorithm IDs"); AOSP `ApkSigningBlockUtils` and apksig
`SignatureAlgorithm` for the verity variants and for which platform knows which.
"""

from enum import Enum
from typing import NamedTuple

from backupkit.guard.apk.public_keys import (
    DsaKey,
    EcKey,
    KeyMalformed,
    PublicKey,
    RsaKey,
    is_dsa_signature,
    is_ecdsa_signature,
    is_rsa_pkcs1_signature,
    is_rsa_pss_signature,
    read_public_key,
)


class ContentDigest(Enum):
    """How the package's bytes are digested. The value is the strength: Android takes the strongest that it knows."""

    SHA256 = 1
    VERITY = 2
    SHA512 = 3


class _Kind(Enum):
    PSS = "pss"
    PKCS1 = "pkcs1"
    ECDSA = "ecdsa"
    DSA = "dsa"


class SignatureAlgorithm(NamedTuple):
    """One way to sign, with the first API level that knows it."""

    number: int
    kind: _Kind
    digest: str
    content: ContentDigest
    since: int = 24

    def check(self, public_key_info: bytes, data: bytes, signature: bytes) -> bool:
        """Whether the signature over `data` is this key's.

        Raises:
            KeyMalformed: no key, or one of another kind.
        """
        return _check(self, read_public_key(public_key_info), data, signature)


ALGORITHMS = {
    algorithm.number: algorithm
    for algorithm in (
        SignatureAlgorithm(0x0101, _Kind.PSS, "sha256", ContentDigest.SHA256),
        SignatureAlgorithm(0x0102, _Kind.PSS, "sha512", ContentDigest.SHA512),
        SignatureAlgorithm(0x0103, _Kind.PKCS1, "sha256", ContentDigest.SHA256),
        SignatureAlgorithm(0x0104, _Kind.PKCS1, "sha512", ContentDigest.SHA512),
        SignatureAlgorithm(0x0201, _Kind.ECDSA, "sha256", ContentDigest.SHA256),
        SignatureAlgorithm(0x0202, _Kind.ECDSA, "sha512", ContentDigest.SHA512),
        SignatureAlgorithm(0x0301, _Kind.DSA, "sha256", ContentDigest.SHA256),
        SignatureAlgorithm(0x0421, _Kind.PKCS1, "sha256", ContentDigest.VERITY, since=28),
        SignatureAlgorithm(0x0423, _Kind.ECDSA, "sha256", ContentDigest.VERITY, since=28),
        SignatureAlgorithm(0x0425, _Kind.DSA, "sha256", ContentDigest.VERITY, since=28),
    )
}


def strongest(numbers: list[int], level: int) -> SignatureAlgorithm | None:
    """Pick the algorithm that a device of this API level checks: the strongest it knows, the first among equals."""
    best: SignatureAlgorithm | None = None
    for number in numbers:
        algorithm = ALGORITHMS.get(number)
        if algorithm is None or algorithm.since > level:
            continue
        if best is None or algorithm.content.value > best.content.value:
            best = algorithm
    return best


def _check(algorithm: SignatureAlgorithm, key: PublicKey, data: bytes, signature: bytes) -> bool:
    if isinstance(key, RsaKey) and algorithm.kind is _Kind.PKCS1:
        return is_rsa_pkcs1_signature(key, algorithm.digest, data, signature)
    if isinstance(key, RsaKey) and algorithm.kind is _Kind.PSS:
        return is_rsa_pss_signature(key, algorithm.digest, data, signature)
    if isinstance(key, EcKey) and algorithm.kind is _Kind.ECDSA:
        return is_ecdsa_signature(key, algorithm.digest, data, signature)
    if isinstance(key, DsaKey) and algorithm.kind is _Kind.DSA:
        return is_dsa_signature(key, algorithm.digest, data, signature)
    raise KeyMalformed
