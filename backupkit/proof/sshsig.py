"""SSHSIG signatures (OpenSSH `PROTOCOL.sshsig`), so that `ssh-keygen -Y verify` checks what we signed.

The namespace says what a signature is for. One made for a snapshot is worth nothing as an attestation.
"""

from hashlib import sha256, sha512

from backupkit.codec.cursor import Cursor
from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.failures import SignatureInvalid
from backupkit.crypto.signing import SIGNATURE_SIZE, SigningKey, VerifyKey
from backupkit.proof.base64_text import from_base64, to_base64
from backupkit.proof.pem import SSH_KEY_TYPE, public_ssh, ssh_blob, ssh_string

SNAPSHOT_NAMESPACE = "snapshot@backupkit.local"
ATTESTATION_NAMESPACE = "attestation@backupkit.local"

MAX_ARMOURED_BYTES = 16 * 1024
_BEGIN = "-----BEGIN SSH SIGNATURE-----"
_END = "-----END SSH SIGNATURE-----"
_COLUMNS = 70
_MAGIC = b"SSHSIG"
_VERSION = 1
_MAX_FIELD = 4096
_HASHES = {b"sha256": sha256, b"sha512": sha512}


def sign_ssh(message: bytes, key: SigningKey, namespace: str) -> bytes:
    """Sign a message for one purpose; the answer is what `ssh-keygen -Y sign` writes into its `.sig` file."""
    signature = ssh_string(SSH_KEY_TYPE) + ssh_string(key.sign(_signed(message, namespace.encode(), b"sha512")))
    blob = b"".join(
        (
            _MAGIC,
            _VERSION.to_bytes(4, "big"),
            ssh_string(ssh_blob(key.verify_key)),
            ssh_string(namespace.encode()),
            ssh_string(b""),
            ssh_string(b"sha512"),
            ssh_string(signature),
        )
    )
    encoded = to_base64(blob)
    lines = [encoded[start : start + _COLUMNS] for start in range(0, len(encoded), _COLUMNS)]
    return "\n".join([_BEGIN, *lines, _END, ""]).encode("ascii")


def verify_ssh(message: bytes, armoured: bytes, key: VerifyKey, namespace: str) -> None:
    """Check that `key` signed the message for this purpose.

    Raises:
        MalformedObject: it is no SSH signature of a kind known here (Ed25519 with SHA-256 or SHA-512).
        SignatureInvalid: by another key, for another purpose, or over another message.
    """
    fields = Cursor(_disarm(armoured), what="ssh-signature")
    if bytes(fields.take(len(_MAGIC))) != _MAGIC or fields.u32() != _VERSION:
        raise MalformedObject(what="ssh-signature", reason="wrong-version")
    public, found_namespace, reserved, algorithm, signature = (bytes(fields.sized(most=_MAX_FIELD)) for _ in range(5))
    fields.finish()
    if algorithm not in _HASHES or reserved:
        raise MalformedObject(what="ssh-signature", reason="unknown-algorithm")
    inner = Cursor(signature, what="ssh-signature")
    if bytes(inner.sized(most=_MAX_FIELD)) != SSH_KEY_TYPE:
        raise MalformedObject(what="ssh-signature", reason="unknown-algorithm")
    raw = bytes(inner.sized(most=SIGNATURE_SIZE))
    inner.finish()
    if public != ssh_blob(key) or found_namespace != namespace.encode():
        raise SignatureInvalid(what="ssh-signature")
    key.verify(raw, _signed(message, found_namespace, algorithm), what="ssh-signature")


def allowed_signers_line(principal: str, key: VerifyKey, *namespaces: str) -> str:
    """Write the line of an `allowed_signers` file that lets a key sign for these purposes only."""
    return f'{principal} namespaces="{",".join(namespaces)}" {public_ssh(key)}\n'


def _signed(message: bytes, namespace: bytes, algorithm: bytes) -> bytes:
    digest = _HASHES[algorithm](message).digest()
    return _MAGIC + b"".join(map(ssh_string, (namespace, b"", algorithm, digest)))


def _disarm(armoured: bytes) -> bytes:
    if len(armoured) > MAX_ARMOURED_BYTES:
        raise MalformedObject(what="ssh-signature", reason="too-large")
    try:
        lines = armoured.decode("ascii").split("\n")
        if lines[0] != _BEGIN or _END not in lines or any(lines[lines.index(_END) + 1 :]):
            raise MalformedObject(what="ssh-signature", reason="not-armoured")
        return from_base64("".join(lines[1 : lines.index(_END)]))
    except ValueError as error:
        raise MalformedObject(what="ssh-signature", reason="not-base64") from error
