"""A pass counts only as it was issued: nothing in it that no signature covers.

DSSE leaves `keyid` and unknown fields unsigned, and a reader must ignore them. A guard need not: whatever changed them
touched the pass after it was issued, and the next change may not be as harmless.
"""

from functools import lru_cache

from backupkit.codec.canonical import decode_json
from backupkit.codec.malformed import MalformedObject
from backupkit.proof.coverage_pass import MAX_PASS_BYTES
from backupkit.proof.refusals import PassMalformed


@lru_cache(maxsize=32)
def require_as_issued(data: bytes) -> None:
    """Check the unsigned parts of a pass' envelope.

    Raises:
        PassMalformed: there is something in them that `coverage_pass.issue` does not write.
    """
    try:
        envelope = decode_json(data, what="coverage-pass", max_bytes=MAX_PASS_BYTES)
        rows = envelope["signatures"]
        is_plain = set(envelope) == {"payload", "payloadType", "signatures"} and all(
            set(row) == {"keyid", "sig"} and row["keyid"] == "" for row in rows
        )
    except (MalformedObject, KeyError, TypeError) as error:
        raise PassMalformed(detail="envelope") from error
    if not is_plain:
        raise PassMalformed(detail="unsigned-fields")
