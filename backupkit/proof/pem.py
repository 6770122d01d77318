"""Ed25519 public keys as the tools of every system read them: PEM for openssl, one line for ssh-keygen.

Written byte by byte: both formats are a fixed prefix in front of the 32-byte key, and no parser has to be loaded.
"""

from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.signing import PUBLIC_SIZE, VerifyKey
from backupkit.proof.base64_text import from_base64, to_base64

# SubjectPublicKeyInfo of RFC 8410: SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING of 32 bytes }
_DER_PREFIX = bytes.fromhex("302a300506032b6570032100")
_PEM_BEGIN = "-----BEGIN PUBLIC KEY-----"
_PEM_END = "-----END PUBLIC KEY-----"

SSH_KEY_TYPE = b"ssh-ed25519"


def public_pem(key: VerifyKey) -> str:
    """Write a public key as PEM: three lines."""
    return f"{_PEM_BEGIN}\n{to_base64(_DER_PREFIX + key.public)}\n{_PEM_END}\n"


def read_public_pem(text: str) -> VerifyKey:
    """Read what `public_pem` and `openssl pkey -pubout` write for an Ed25519 key.

    Raises:
        MalformedObject: it is anything else.
    """
    lines = text.strip().splitlines()
    if len(lines) != 3 or lines[0] != _PEM_BEGIN or lines[2] != _PEM_END:
        raise MalformedObject(what="public-key", reason="not-pem")
    try:
        der = from_base64(lines[1])
    except ValueError as error:
        raise MalformedObject(what="public-key", reason="not-pem") from error
    if len(der) != len(_DER_PREFIX) + PUBLIC_SIZE or not der.startswith(_DER_PREFIX):
        raise MalformedObject(what="public-key", reason="not-ed25519")
    return VerifyKey(der[len(_DER_PREFIX) :])


def ssh_string(data: bytes) -> bytes:
    """Write a string as SSH does (RFC 4251 section 5): a 32-bit length, then the bytes."""
    return len(data).to_bytes(4, "big") + data


def ssh_blob(key: VerifyKey) -> bytes:
    """Return the public key as SSH sends it (RFC 8709): the type's name, then the 32 bytes."""
    return ssh_string(SSH_KEY_TYPE) + ssh_string(key.public)


def public_ssh(key: VerifyKey) -> str:
    """Write a public key as in `authorized_keys`, without a comment."""
    return f"{SSH_KEY_TYPE.decode()} {to_base64(ssh_blob(key))}"
