"""What a guard knows a store by: its log's name and its two public keys, taken over once, when both sides were seen."""

from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from backupkit.codec.canonical import decode_json, encode_canonical
from backupkit.codec.malformed import NewerFormat
from backupkit.crypto.signing import PUBLIC_SIZE, VerifyKey
from backupkit.proof.base64_text import to_base64
from backupkit.proof.fields import Fields

VERSION = 1
MAX_PINS_BYTES = 4096
_WHAT = "pins"


class Pins(NamedTuple):
    """The store `origin`: `log_key` signs its log's head, `attest_key` its statements and passes.

    They are two keys, because a signature under one must never count as one under the other.
    """

    origin: str
    log_key: VerifyKey
    attest_key: VerifyKey

    def encode(self) -> bytes:
        """Write the pins as canonical JSON."""
        return encode_canonical(
            {
                "v": VERSION,
                "origin": self.origin,
                "logKey": to_base64(self.log_key.public),
                "attestKey": to_base64(self.attest_key.public),
            }
        )

    def fingerprint(self) -> str:
        """Return 32 hex digits for a person to compare on two screens when the store is enrolled."""
        return sha256(self.encode()).hexdigest()[:32]


@lru_cache(maxsize=4)
def decode_pins(data: bytes) -> Pins:
    """Read pins.

    Raises:
        MalformedObject: they are anything else.
        NewerFormat: a newer backupkit wrote them.
    """
    fields = Fields(decode_json(data, what=_WHAT, max_bytes=MAX_PINS_BYTES), what=_WHAT)
    version = fields.count("v")
    if version > VERSION:
        raise NewerFormat(what=_WHAT, version=version, known=VERSION)
    return Pins(
        fields.text("origin"),
        VerifyKey(fields.base64("logKey", size=PUBLIC_SIZE)),
        VerifyKey(fields.base64("attestKey", size=PUBLIC_SIZE)),
    )
