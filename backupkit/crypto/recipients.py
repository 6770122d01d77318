"""Sealing a secret to somebody's public key, so that who writes cannot read.

One suite: HPKE base mode (RFC 9180) with X-Wing (ML-KEM-768 and X25519), HKDF-SHA-256 and AES-256-GCM. Chats are kept
for decades; what is recorded today must not open when X25519 falls.
"""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from backupkit.crypto.failures import OpenFailed

SEED_SIZE = 32
PUBLIC_SIZE = 1184 + 32
WRAP_OVERHEAD = 1120 + 16
"""Bytes that wrapping adds: the X-Wing encapsulation and the GCM tag."""

_SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class Recipient(Protocol):
    """Somebody a secret can be sealed to."""

    def wrap(self, secret: bytes, context: bytes) -> bytes:
        """Seal `secret`; `context` must be given again to open it."""
        ...


class Identity(Protocol):
    """Somebody who can open what was sealed to them."""

    def unwrap(self, wrapped: bytes | memoryview, context: bytes) -> bytes:
        """Open what was wrapped with the same context, or raise `OpenFailed`."""
        ...


@dataclass(frozen=True, slots=True)
class XWingRecipient:
    """A public key: 1,184 bytes of ML-KEM-768, then 32 of X25519 (draft-connolly-cfrg-xwing-kem)."""

    public: bytes

    def __post_init__(self) -> None:
        if len(self.public) != PUBLIC_SIZE:
            raise OpenFailed(what="recipient")

    def wrap(self, secret: bytes, context: bytes) -> bytes:
        """Seal `secret`, `WRAP_OVERHEAD` bytes longer than it."""
        try:
            key = MLKEM768X25519PublicKey(
                MLKEM768PublicKey.from_public_bytes(self.public[:1184]),
                X25519PublicKey.from_public_bytes(self.public[1184:]),
            )
        except ValueError as error:
            raise OpenFailed(what="recipient") from error
        return _SUITE.encrypt(secret, key, context)


@dataclass(frozen=True, slots=True, repr=False)
class XWingIdentity:
    """A private key: a 32-byte seed, stretched with SHAKE-256 into the two parts as X-Wing says."""

    seed: bytes

    @classmethod
    def generate(cls) -> "XWingIdentity":
        """Draw a new identity."""
        return cls(secrets.token_bytes(SEED_SIZE))

    @property
    def recipient(self) -> XWingRecipient:
        """The public half."""
        kem, exchange = self._parts()
        return XWingRecipient(kem.public_key().public_bytes_raw() + exchange.public_key().public_bytes_raw())

    def unwrap(self, wrapped: bytes | memoryview, context: bytes) -> bytes:
        """Open what was wrapped to `recipient` with the same context.

        Raises:
            OpenFailed: sealed to somebody else or for another context, or damaged.
        """
        try:
            return _SUITE.decrypt(wrapped, MLKEM768X25519PrivateKey(*self._parts()), context)
        except (InvalidTag, ValueError) as error:
            raise OpenFailed(what="wrapped-key") from error

    def _parts(self) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
        stretched = hashlib.shake_256(self.seed).digest(96)
        return (
            MLKEM768PrivateKey.from_seed_bytes(stretched[:64]),
            X25519PrivateKey.from_private_bytes(stretched[64:]),
        )
