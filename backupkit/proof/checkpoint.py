"""The head of a log as a C2SP tlog-checkpoint v1.0.0: three lines and a signature.

    origin
    tree size in decimal
    base64 of the 32-byte root

The key's name is the origin. We write no extension lines, because nobody audits them; lines that others wrote are read
over, as the specification asks.
"""

from typing import NamedTuple

from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.signing import SigningKey, VerifyKey
from backupkit.proof.base64_text import from_base64, to_base64
from backupkit.proof.merkle import EMPTY_ROOT, HASH_SIZE
from backupkit.proof.note import is_key_name, open_note, read_note, sign_note

MAX_SIZE = 2**53 - 1
"""The most leaves a log may say it has: what every JSON reader can still count."""


class Checkpoint(NamedTuple):
    """A log's name, how many leaves it has, and the root over them."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Write the three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{to_base64(self.root)}\n"


def sign_checkpoint(checkpoint: Checkpoint, key: SigningKey) -> bytes:
    """Sign a head with the log's key."""
    return sign_note(checkpoint.text(), checkpoint.origin, key)


def verify_checkpoint(data: bytes, origin: str, key: VerifyKey) -> Checkpoint:
    """Return the head of the log `origin` that `key` signed.

    Raises:
        MalformedObject: it is no checkpoint, or another log's.
        SignatureInvalid: no signature by this key, or one that does not fit.
    """
    checkpoint = parse_checkpoint(open_note(data, origin, key))
    if checkpoint.origin != origin:
        raise MalformedObject(what="checkpoint", reason="another-origin")
    return checkpoint


def claimed_checkpoint(data: bytes) -> Checkpoint:
    """Return what a checkpoint says, with no signature checked: for messages, never for decisions.

    Raises:
        MalformedObject: it is no checkpoint.
    """
    return parse_checkpoint(read_note(data).text)


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the signed lines of a checkpoint.

    Raises:
        MalformedObject: they are anything else.
    """
    lines = text.split("\n")
    if len(lines) < 4 or not all(lines[:-1]):
        raise MalformedObject(what="checkpoint", reason="not-three-lines")
    origin, decimal, encoded = lines[:3]
    if not is_key_name(origin):
        raise MalformedObject(what="checkpoint", reason="bad-origin")
    try:
        root = from_base64(encoded)
    except ValueError as error:
        raise MalformedObject(what="checkpoint", reason="bad-root") from error
    size = parse_size(decimal)
    if len(root) != HASH_SIZE or (size == 0 and root != EMPTY_ROOT):
        raise MalformedObject(what="checkpoint", reason="bad-root")
    return Checkpoint(origin, size, root)


def parse_size(decimal: str) -> int:
    """Read a tree size: ASCII digits without leading zeros.

    Raises:
        MalformedObject: anything else, or over `MAX_SIZE`.
    """
    is_plain = decimal.isascii() and decimal.isdigit() and len(decimal) <= 16
    if not is_plain or (decimal != "0" and decimal.startswith("0")) or int(decimal) > MAX_SIZE:
        raise MalformedObject(what="checkpoint", reason="bad-size")
    return int(decimal)
