"""Signed notes: text with signature lines below it (C2SP signed-note v1.0.0), signed with Ed25519.

    text lines
    (an empty line)
    — <key name> base64(key id, 4 bytes || signature)

A key is found by its name and id together, and signatures of keys nobody asked about are ignored: that is how a log
rotates its key and how witnesses add theirs.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.failures import SignatureInvalid
from backupkit.crypto.signing import SigningKey, VerifyKey
from backupkit.proof.base64_text import from_base64, to_base64

MAX_NOTE_BYTES = 256 * 1024
MAX_SIGNATURES = 64
"""The specification asks for at least 16."""

ED25519 = 0x01
_SIGNATURE_START = "\N{EM DASH} "


class SignatureLine(NamedTuple):
    """One signature of a note: whose, and the bytes after the key id."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"{_SIGNATURE_START}{self.name} {to_base64(self.key_id + self.signature)}\n"


class Note(NamedTuple):
    """A note taken apart. Nothing in `text` may be believed before a signature was checked."""

    text: str
    signatures: tuple[SignatureLine, ...]

    def of(self, name: str, key_id: bytes) -> Iterator[bytes]:
        """Yield the signatures that say they are by this key."""
        return (line.signature for line in self.signatures if (line.name, line.key_id) == (name, key_id))


def key_id(name: str, public: bytes, *, kind: int = ED25519) -> bytes:
    """Return the four bytes that a signature line names its key by; `kind` is the signature type byte."""
    return sha256(name.encode("utf-8") + b"\n" + bytes((kind,)) + public).digest()[:4]


def is_key_name(name: str) -> bool:
    """Say whether a key may have this name: not empty, and neither spaces, plus signs nor control characters in it."""
    return bool(name) and not any(mark.isspace() or mark == "+" or mark < " " for mark in name)


def sign_note(text: str, name: str, key: SigningKey) -> bytes:
    """Sign a note's text, which ends in a newline, under a key name.

    Raises:
        ValueError: the text or the name cannot be in a note.
    """
    if not is_key_name(name) or not text.endswith("\n") or _has_controls(text):
        raise ValueError(name)
    line = SignatureLine(name, key_id(name, key.verify_key.public), key.sign(text.encode("utf-8")))
    return f"{text}\n{line}".encode()


def read_note(data: bytes) -> Note:
    """Take a note apart without believing it.

    Raises:
        MalformedObject: it is not a signed note.
    """
    if len(data) > MAX_NOTE_BYTES:
        raise MalformedObject(what="note", reason="too-large")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedObject(what="note", reason="not-utf-8") from error
    text, blank, signatures = whole.rpartition("\n\n")
    if not blank or not signatures.endswith("\n") or _has_controls(whole):
        raise MalformedObject(what="note", reason="not-a-signed-note")
    lines = signatures[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise MalformedObject(what="note", reason="too-many-signatures")
    return Note(text + "\n", tuple(map(_read_signature_line, lines)))


def open_note(data: bytes, name: str, key: VerifyKey) -> str:
    """Return the text of a note that `key` signed under `name`.

    Raises:
        MalformedObject: it is not a signed note.
        SignatureInvalid: no signature by this key, or one that does not fit.
    """
    note = read_note(data)
    found = list(note.of(name, key_id(name, key.public)))
    if not found:
        raise SignatureInvalid(what="note")
    # A line that names our key and does not verify spoils the note, whatever other lines say (signed-note, "Signatures").
    for signature in found:
        key.verify(signature, note.text.encode("utf-8"), what="note")
    return note.text


def _read_signature_line(line: str) -> SignatureLine:
    if not line.startswith(_SIGNATURE_START):
        raise MalformedObject(what="note", reason="not-a-signature-line")
    name, space, encoded = line.removeprefix(_SIGNATURE_START).partition(" ")
    try:
        raw = from_base64(encoded)
    except ValueError as error:
        raise MalformedObject(what="note", reason="signature-not-base64") from error
    if not space or not is_key_name(name) or len(raw) < 5:
        raise MalformedObject(what="note", reason="not-a-signature-line")
    return SignatureLine(name, raw[:4], raw[4:])


def _has_controls(text: str) -> bool:
    return any(mark < " " and mark != "\n" for mark in text)
