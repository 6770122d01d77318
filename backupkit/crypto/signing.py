"""Ed25519 keys. A check raises; it never answers with a bool that somebody can forget to look at."""

import os
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from backupkit.crypto.failures import SignatureInvalid

PUBLIC_SIZE = 32
SIGNATURE_SIZE = 64


class VerifyKey(NamedTuple):
    """A public signing key, 32 bytes."""

    public: bytes

    def verify(self, signature: bytes, message: bytes, *, what: str) -> None:
        """Check a signature; `what` names the signed thing in the error.

        Raises:
            SignatureInvalid: it does not fit.
        """
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError) as error:
            raise SignatureInvalid(what=what) from error


class SigningKey:
    """A private signing key: the 32-byte seed of RFC 8032. Its text does not show the seed."""

    __slots__ = ("_opened", "seed")

    def __init__(self, seed: bytes) -> None:
        """Open the key: its scalar and its public half are derived once, for however much is signed.

        Raises:
            ValueError: the seed is not 32 bytes.
        """
        self.seed = seed
        self._opened = Ed25519PrivateKey.from_private_bytes(seed)

    def __repr__(self) -> str:
        return "SigningKey()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SigningKey) and self.seed == other.seed

    def __hash__(self) -> int:
        return hash(self.verify_key)

    @classmethod
    def generate(cls) -> "SigningKey":
        """Draw a new key."""
        return cls(os.urandom(32))

    @property
    def verify_key(self) -> VerifyKey:
        """The public half."""
        return VerifyKey(self._opened.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of `message`."""
        return self._opened.sign(message)
