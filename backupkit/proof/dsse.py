"""DSSE v1.0.2 envelopes: a payload in base64, its type, and signatures over both.

What is signed is PAE("DSSEv1", type, payload): the lengths stand in front, so nothing has to be written canonically and
one payload cannot be passed off as another type. `keyid` is a hint for people; no decision here looks at it.
"""

from collections.abc import Sequence
from typing import Any

from backupkit.codec.canonical import decode_json, encode_canonical
from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.failures import SignatureInvalid
from backupkit.crypto.signing import SigningKey, VerifyKey
from backupkit.proof.base64_text import from_either_base64, to_base64

MAX_ENVELOPE_BYTES = 1024 * 1024
MAX_SIGNATURES = 64


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that are signed, as section "Signature Definition" of the DSSE protocol lays them out."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign_envelope(payload: bytes, payload_type: str, keys: Sequence[SigningKey]) -> bytes:
    """Put a payload into an envelope signed by each of `keys`. The envelope is canonical JSON."""
    signed = pre_authentication_encoding(payload_type, payload)
    return encode_canonical(
        {
            "payload": to_base64(payload),
            "payloadType": payload_type,
            "signatures": [{"keyid": "", "sig": to_base64(key.sign(signed))} for key in keys],
        }
    )


def open_envelope(
    data: bytes,
    keys: VerifyKey | Sequence[VerifyKey],
    payload_type: str,
    *,
    threshold: int = 1,
    max_bytes: int = MAX_ENVELOPE_BYTES,
) -> bytes:
    """Return the payload of an envelope that at least `threshold` different ones of `keys` signed.

    Raises:
        MalformedObject: it is no envelope, too large, or holds another type.
        SignatureInvalid: too few of the keys signed it.
    """
    found_type, payload, signatures = read_envelope(data, max_bytes=max_bytes)
    known = {keys} if isinstance(keys, VerifyKey) else set(keys)
    signed = pre_authentication_encoding(found_type, payload)
    if threshold < 1 or sum(_signed_by(key, signatures, signed) for key in known) < threshold:
        raise SignatureInvalid(what="envelope")
    if found_type != payload_type:
        raise MalformedObject(what="envelope", reason="wrong-payload-type")
    return payload


def read_envelope(data: bytes, *, max_bytes: int = MAX_ENVELOPE_BYTES) -> tuple[str, bytes, list[bytes]]:
    """Take an envelope apart into type, payload and signatures, with nothing checked.

    Raises:
        MalformedObject: it is no envelope, or too large.
    """
    envelope = decode_json(data, what="envelope", max_bytes=max_bytes)
    try:
        return _text(envelope["payloadType"]), from_either_base64(_text(envelope["payload"])), _signatures(envelope)
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedObject(what="envelope", reason="not-an-envelope") from error


def _signatures(envelope: dict[str, Any]) -> list[bytes]:
    rows = envelope["signatures"]
    if not isinstance(rows, list) or not 1 <= len(rows) <= MAX_SIGNATURES:
        raise ValueError("signatures")
    return [from_either_base64(_text(row["sig"])) for row in rows]


def _signed_by(key: VerifyKey, signatures: Sequence[bytes], signed: bytes) -> bool:
    for signature in signatures:
        try:
            key.verify(signature, signed, what="envelope")
        except SignatureInvalid:
            continue
        return True
    return False


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(type(value).__name__)
    return value
