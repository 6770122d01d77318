"""What a witness answers with: its own signature on a log's head, with the time (C2SP tlog-cosignature v1.0.1, Ed25519).

It says: at this moment, this is the largest head of this log that I have seen, and it continues all those before. So a
store can show to anybody that a guard has followed it. A cosigning key signs nothing else.
"""

from datetime import UTC, datetime

from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.failures import SignatureInvalid
from backupkit.crypto.signing import SIGNATURE_SIZE, SigningKey, VerifyKey
from backupkit.proof.checkpoint import parse_checkpoint
from backupkit.proof.note import SignatureLine, is_key_name, key_id, read_note

COSIGNATURE = 0x04
_TIME_SIZE = 8
_LATEST = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())


def cosign(head: bytes, name: str, key: SigningKey, at: datetime) -> str:
    """Return the signature line of the witness `name`, to be appended to the head, which was checked and kept before.

    Raises:
        MalformedObject: it is no head.
        ValueError: the name cannot be a key's name, or the time is not after 1970.
    """
    text = read_note(head).text
    parse_checkpoint(text)
    time = int(at.timestamp())
    if not is_key_name(name) or not 0 < time <= _LATEST:
        raise ValueError(name)
    signature = key.sign(_signed(time, text))
    identity = key_id(name, key.verify_key.public, kind=COSIGNATURE)
    return str(SignatureLine(name, identity, time.to_bytes(_TIME_SIZE, "big") + signature))


def verify_cosignature(head: bytes, name: str, key: VerifyKey) -> datetime:
    """Return when the witness `name` last saw this head as the largest one.

    Raises:
        MalformedObject: it is no head, or the witness's line is no cosignature.
        SignatureInvalid: the witness did not sign it.
    """
    note = read_note(head)
    parse_checkpoint(note.text)
    times = [_open(raw, note.text, key) for raw in note.of(name, key_id(name, key.public, kind=COSIGNATURE))]
    if not times:
        raise SignatureInvalid(what="cosignature")
    return datetime.fromtimestamp(max(times), UTC)


def _open(raw: bytes, text: str, key: VerifyKey) -> int:
    time = int.from_bytes(raw[:_TIME_SIZE], "big")
    if len(raw) != _TIME_SIZE + SIGNATURE_SIZE or not 0 < time <= _LATEST:
        raise MalformedObject(what="cosignature", reason="not-a-timestamped-signature")
    key.verify(raw[_TIME_SIZE:], _signed(time, text), what="cosignature")
    return time


def _signed(time: int, text: str) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()
