"""Keys from keys: HKDF-SHA-256 with a label for each purpose, so that no two uses share a key."""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def derive(secret: bytes, label: str, *, salt: bytes = b"", context: bytes = b"", size: int = 32) -> bytes:
    """Derive `size` bytes from a uniformly random `secret` (RFC 5869).

    `label` names the purpose, ASCII; `context` binds the key to an object, such as a repository id.
    """
    info = b"backupkit/1/" + label.encode("ascii") + b"\x00" + context
    return HKDF(SHA256(), size, salt or None, info).derive(secret)
