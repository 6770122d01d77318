"""AES-256-GCM, used in the two ways the format knows.

`RecordCipher` seals the records of one pack: a fresh key, the record's ordinal as nonce. `seal_blob` seals one small
object under a long-lived key: a fresh salt gives it a key of its own, so there is no nonce to run out or repeat.
GCM alone does not commit to its key, so both are guarded by a commitment that is compared first.
"""

import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backupkit.crypto.derive import derive
from backupkit.crypto.failures import OpenFailed

KEY_SIZE = 32
TAG_SIZE = 16
SALT_SIZE = 32
COMMITMENT_SIZE = 32
BLOB_OVERHEAD = SALT_SIZE + COMMITMENT_SIZE + TAG_SIZE

_BLOB_NONCE = bytes(12)


class RecordCipher:
    """Seals and opens numbered records under a key that is used for one pack only."""

    __slots__ = ("_aead",)

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def seal(self, ordinal: int, plaintext: bytes | bytearray | memoryview, associated: bytes) -> bytes:
        """Return ciphertext and tag, `TAG_SIZE` longer than the plaintext. An ordinal is used once."""
        return self._aead.encrypt(ordinal.to_bytes(12, "big"), plaintext, associated)

    def seal_into(self, ordinal: int, plaintext: bytes | memoryview, associated: bytes, out: memoryview) -> None:
        """Seal as `seal` does, into `out`, which is `TAG_SIZE` longer than the plaintext and does not overlap it."""
        self._aead.encrypt_into(ordinal.to_bytes(12, "big"), plaintext, associated, out)

    def open(self, ordinal: int, sealed: bytes | bytearray | memoryview, associated: bytes) -> bytes:
        """Return the plaintext.

        Raises:
            OpenFailed: the record, its ordinal or its associated data is not what was sealed.
        """
        try:
            return self._aead.decrypt(ordinal.to_bytes(12, "big"), sealed, associated)
        except (InvalidTag, ValueError) as error:
            raise OpenFailed(what="record") from error

    def open_into(self, ordinal: int, sealed: bytes | memoryview, associated: bytes, out: memoryview) -> None:
        """Open as `open` does, into `out`, which is `TAG_SIZE` shorter and does not overlap. After a failure it holds nothing.

        Raises:
            OpenFailed: the record, its ordinal or its associated data is not what was sealed.
        """
        try:
            self._aead.decrypt_into(ordinal.to_bytes(12, "big"), sealed, associated, out)
        except (InvalidTag, ValueError) as error:
            raise OpenFailed(what="record") from error


def seal_blob(key: bytes, plaintext: bytes, *, purpose: str, associated: bytes = b"") -> bytes:
    """Seal one object under `key`: salt (32), key commitment (32), ciphertext and tag."""
    salt = secrets.token_bytes(SALT_SIZE)
    subkey, commitment = _blob_keys(key, salt, purpose)
    return salt + commitment + AESGCM(subkey).encrypt(_BLOB_NONCE, plaintext, associated)


def open_blob(key: bytes, sealed: bytes | memoryview, *, purpose: str, associated: bytes = b"") -> bytes:
    """Open what `seal_blob` sealed for the same purpose and associated data.

    Raises:
        OpenFailed: another key, purpose or associated data, or damage.
    """
    if len(sealed) < BLOB_OVERHEAD:
        raise OpenFailed(what=purpose)
    salt = bytes(sealed[:SALT_SIZE])
    subkey, commitment = _blob_keys(key, salt, purpose)
    if not hmac.compare_digest(commitment, sealed[SALT_SIZE : SALT_SIZE + COMMITMENT_SIZE]):
        raise OpenFailed(what=purpose)
    try:
        return AESGCM(subkey).decrypt(_BLOB_NONCE, sealed[SALT_SIZE + COMMITMENT_SIZE :], associated)
    except InvalidTag as error:
        raise OpenFailed(what=purpose) from error


def _blob_keys(key: bytes, salt: bytes, purpose: str) -> tuple[bytes, bytes]:
    both = derive(key, f"blob/{purpose}", salt=salt, size=KEY_SIZE + COMMITMENT_SIZE)
    return both[:KEY_SIZE], both[KEY_SIZE:]
