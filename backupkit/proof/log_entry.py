"""A leaf of the log: that something happened to the store, and the digest of the statement that says what.

A leaf holds no names and no counts, because a log can never be erased. It is hashed as the bytes that lie in the store,
so there is one spelling of it: canonical JSON with exactly these fields.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from backupkit.clock import to_rfc3339
from backupkit.codec.canonical import decode_json, encode_canonical
from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.proof.fields import Fields, is_hex
from backupkit.proof.merkle import leaf_hash

VERSION = 1
MAX_ENTRY_BYTES = 1024
KNOWN_TYPES = frozenset(
    {
        "snapshot", "verify", "erase", "hold", "release", "rotate", "import",
        "forget", "undelete", "mark", "sweep", "repack",
    }
)  # fmt: skip
_DIGEST_MARK = "sha256:"
_WHAT = "log-entry"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """The leaf at place `seq` (the first is 0); `subject` is the statement payload's SHA-256 in 64 hex digits.

    `type` may be a word that a newer backupkit made: such an entry still counts and is hashed like any other.
    """

    type: str
    seq: int
    time: datetime
    subject: str

    def encode(self) -> bytes:
        """Write the leaf's bytes."""
        return encode_canonical(
            {
                "v": VERSION,
                "type": self.type,
                "seq": self.seq,
                "time": to_rfc3339(self.time),
                "subject": _DIGEST_MARK + self.subject,
            }
        )

    def require_same(self, data: bytes) -> None:
        """Compare bytes with this leaf's.

        Raises:
            MalformedObject: they are another's.
        """
        if data != self.encode():
            raise MalformedObject(what=_WHAT, reason="another-entry")

    def hash(self) -> bytes:
        """Return the leaf hash that goes into the tree."""
        return leaf_hash(self.encode())


def entry_about(payload: bytes, kind: str, *, seq: int, time: datetime) -> LogEntry:
    """Make the entry that records a signed statement; `kind` is one of `KNOWN_TYPES`.

    Raises:
        ValueError: there is no such kind.
    """
    if kind not in KNOWN_TYPES:
        raise ValueError(kind)
    return LogEntry(kind, seq, time, sha256(payload).hexdigest())


def decode_log_entry(data: bytes) -> LogEntry:
    """Read a leaf.

    Raises:
        MalformedObject: it is none, or not in its one spelling.
        NewerFormat: a newer backupkit wrote it.
    """
    fields = Fields(decode_json(data, what=_WHAT, max_bytes=MAX_ENTRY_BYTES), what=_WHAT)
    version = fields.count("v")
    if version > VERSION:
        raise NewerFormat(what=_WHAT, version=version, known=VERSION)
    kind, subject = fields.text("type", most=32), fields.text("subject")
    if not kind.isascii() or not kind.replace("-", "").isalpha() or not kind.islower():
        fields.refuse("bad-type")
    digest = subject.removeprefix(_DIGEST_MARK)
    if digest == subject or not is_hex(digest, size=32):
        fields.refuse("bad-subject")
    entry = LogEntry(kind, fields.count("seq"), fields.moment("time"), digest)
    if entry.encode() != data:
        raise MalformedObject(what=_WHAT, reason="not-canonical")
    return entry
