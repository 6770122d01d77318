"""in-toto Statement v1: who says what about which digest. The payload of every envelope that backupkit signs."""

from typing import NamedTuple

from backupkit.codec.canonical import Json, decode_json, encode_canonical
from backupkit.codec.malformed import MalformedObject
from backupkit.proof.fields import Fields, is_hex

PAYLOAD_TYPE = "application/vnd.in-toto+json"
SNAPSHOT_SUBJECT = "snapshot"
"""The name of the subject of every statement that speaks about a snapshot root."""

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
MAX_STATEMENT_BYTES = 512 * 1024


class Statement(NamedTuple):
    """A statement taken apart: the SHA-256 digest it speaks about (64 hex digits) and what it says."""

    digest: str
    predicate: Fields


def build_statement(subject: str, digest: str, predicate_type: str, predicate: dict[str, Json]) -> bytes:
    """Write a statement about one SHA-256 digest as canonical JSON: the payload to sign.

    Raises:
        ValueError: the digest is not 64 hex digits, or a value cannot be written canonically.
    """
    if not is_hex(digest, size=32):
        raise ValueError(digest)
    return encode_canonical(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": subject, "digest": {"sha256": digest}}],
            "predicateType": predicate_type,
            "predicate": predicate,
        }
    )


def parse_statement(
    payload: bytes, predicate_type: str, *, what: str, max_bytes: int = MAX_STATEMENT_BYTES
) -> Statement:
    """Read a statement of one kind about one SHA-256 digest; `what` names it in errors.

    Raises:
        MalformedObject: it is anything else.
    """
    fields = Fields(decode_json(payload, what=what, max_bytes=max_bytes), what=what)
    if fields.text("_type") != STATEMENT_TYPE or fields.text("predicateType") != predicate_type:
        raise MalformedObject(what=what, reason="wrong-statement-type")
    digests = [subject.object("digest").hex("sha256", size=32) for subject in fields.objects("subject")]
    if len(digests) != 1:
        raise MalformedObject(what=what, reason="not-one-subject")
    return Statement(digests[0], fields.object("predicate"))
