"""What is signed when packs are to be deleted: first that nothing needs them, a day or more later that they go.

The first may still be overtaken by a snapshot that needs such a pack. The second may not: from its place in the log on, no
snapshot can be committed that needs one.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from backupkit.clock import to_rfc3339
from backupkit.codec.canonical import encode_canonical
from backupkit.codec.malformed import MalformedObject
from backupkit.ids import DomainId, PackName, SnapshotId
from backupkit.proof.fields import Fields, is_hex
from backupkit.proof.statement import build_statement, parse_statement

MARK_TYPE = "https://backupkit.local/sweep-mark/v1"
SWEEP_TYPE = "https://backupkit.local/sweep/v1"
MARK_SUBJECT = "marked-packs"
SWEEP_SUBJECT = "swept-packs"
MOST_PACKS = 2048
MOST_SNAPSHOTS = 1024
"""Most packs and snapshots that one statement names, so that it stays small."""

NamedPack = tuple[DomainId, PackName]


@dataclass(frozen=True, slots=True)
class MarkStatement:
    """Packs, sorted, that nothing in the first `log_size` entries of the log needs."""

    store: str
    packs: tuple[NamedPack, ...]
    log_size: int
    marked_at: datetime

    def encode(self) -> bytes:
        """Write the statement: the payload to sign."""
        named = _named(self.packs)
        return build_statement(
            MARK_SUBJECT,
            _digest(named),
            MARK_TYPE,
            {
                "store": self.store,
                "packs": [*named],
                "logSize": self.log_size,
                "markedAt": to_rfc3339(self.marked_at),
            },
        )


@dataclass(frozen=True, slots=True)
class SweepStatement:
    """Packs, sorted, that are deleted from now on, and the snapshots that cannot be restored any more without them."""

    store: str
    packs: tuple[NamedPack, ...]
    snapshots: tuple[SnapshotId, ...]
    swept_at: datetime

    def encode(self) -> bytes:
        """Write the statement: the payload to sign."""
        named = _named(self.packs)
        return build_statement(
            SWEEP_SUBJECT,
            _digest(named),
            SWEEP_TYPE,
            {
                "store": self.store,
                "packs": [*named],
                "snapshots": [*self.snapshots],
                "sweptAt": to_rfc3339(self.swept_at),
            },
        )


def decode_mark_statement(payload: bytes) -> MarkStatement:
    """Read a mark statement.

    Raises:
        MalformedObject: it is anything else, or its subject is not its list of packs.
    """
    what = "mark-statement"
    statement = parse_statement(payload, MARK_TYPE, what=what)
    said = statement.predicate
    packs = _packs(said, statement.digest, what)
    return MarkStatement(said.text("store"), packs, said.count("logSize"), said.moment("markedAt"))


def decode_sweep_statement(payload: bytes) -> SweepStatement:
    """Read a sweep statement.

    Raises:
        MalformedObject: it is anything else, or its subject is not its list of packs.
    """
    what = "sweep-statement"
    statement = parse_statement(payload, SWEEP_TYPE, what=what)
    said = statement.predicate
    packs = _packs(said, statement.digest, what)
    snapshots = tuple(map(SnapshotId, said.hexes("snapshots", size=32)))
    return SweepStatement(said.text("store"), packs, snapshots, said.moment("sweptAt"))


def _named(packs: Sequence[NamedPack]) -> list[str]:
    return [f"{domain.hex()}/{pack}" for domain, pack in packs]


def _packs(said: Fields, digest: str, what: str) -> tuple[NamedPack, ...]:
    named = said.texts("packs", most=97)
    if not 0 < len(named) <= MOST_PACKS or [*named] != sorted(set(named)):
        raise MalformedObject(what=what, reason="not-sorted")
    if _digest(named) != digest:
        raise MalformedObject(what=what, reason="subject-differs")
    found = []
    for one in named:
        domain, _, pack = one.partition("/")
        if not is_hex(domain, size=16) or not is_hex(pack, size=32):
            raise MalformedObject(what=what, reason="bad-packs")
        found.append((DomainId(bytes.fromhex(domain)), PackName(pack)))
    return tuple(found)


def _digest(named: Sequence[str]) -> str:
    return hashlib.sha256(encode_canonical([*named])).hexdigest()
