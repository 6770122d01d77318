"""What is signed when snapshots are forgotten, and when that is taken back.

Neither changes a byte of what was saved. What was forgotten stays restorable until a sweep deletes its packs.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

from backupkit.clock import to_rfc3339
from backupkit.codec.canonical import encode_canonical
from backupkit.codec.malformed import MalformedObject
from backupkit.ids import SnapshotId
from backupkit.proof.statement import build_statement, parse_statement

FORGET_TYPE = "https://backupkit.local/forget/v1"
UNDELETE_TYPE = "https://backupkit.local/undelete/v1"
FORGET_SUBJECT = "forgotten-snapshots"
UNDELETE_SUBJECT = "undeleted-snapshots"
MOST_SNAPSHOTS = 2048
"""Most snapshots that one statement names, so that it stays small."""

Reason = Literal["asked", "retention"]
"""`asked`: the owner named the snapshots. `retention`: a rule let them go."""


@dataclass(frozen=True, slots=True)
class ForgetStatement:
    """Snapshots that nobody needs any more, sorted by id."""

    store: str
    snapshots: tuple[SnapshotId, ...]
    reason: Reason
    forgotten_at: datetime

    def encode(self) -> bytes:
        """Write the statement: the payload to sign."""
        return build_statement(
            FORGET_SUBJECT,
            _digest(self.snapshots),
            FORGET_TYPE,
            {
                "store": self.store,
                "snapshots": [*self.snapshots],
                "reason": self.reason,
                "forgottenAt": to_rfc3339(self.forgotten_at),
            },
        )


@dataclass(frozen=True, slots=True)
class UndeleteStatement:
    """Snapshots that are wanted again, sorted by id."""

    store: str
    snapshots: tuple[SnapshotId, ...]
    undeleted_at: datetime

    def encode(self) -> bytes:
        """Write the statement: the payload to sign."""
        return build_statement(
            UNDELETE_SUBJECT,
            _digest(self.snapshots),
            UNDELETE_TYPE,
            {
                "store": self.store,
                "snapshots": [*self.snapshots],
                "undeletedAt": to_rfc3339(self.undeleted_at),
            },
        )


def decode_forget_statement(payload: bytes) -> ForgetStatement:
    """Read a forget statement.

    Raises:
        MalformedObject: it is anything else, or its subject is not its list of snapshots.
    """
    statement = parse_statement(payload, FORGET_TYPE, what="forget-statement")
    said = statement.predicate
    return ForgetStatement(
        store=said.text("store"),
        snapshots=_named(said.hexes("snapshots", size=32), statement.digest, "forget-statement"),
        reason=cast("Reason", said.one_of("reason", frozenset({"asked", "retention"}))),
        forgotten_at=said.moment("forgottenAt"),
    )


def decode_undelete_statement(payload: bytes) -> UndeleteStatement:
    """Read an undelete statement.

    Raises:
        MalformedObject: it is anything else, or its subject is not its list of snapshots.
    """
    statement = parse_statement(payload, UNDELETE_TYPE, what="undelete-statement")
    said = statement.predicate
    return UndeleteStatement(
        store=said.text("store"),
        snapshots=_named(said.hexes("snapshots", size=32), statement.digest, "undelete-statement"),
        undeleted_at=said.moment("undeletedAt"),
    )


def _named(found: tuple[str, ...], digest: str, what: str) -> tuple[SnapshotId, ...]:
    snapshots = tuple(map(SnapshotId, found))
    if not 0 < len(snapshots) <= MOST_SNAPSHOTS or [*snapshots] != sorted(set(snapshots)):
        raise MalformedObject(what=what, reason="not-sorted")
    if _digest(snapshots) != digest:
        raise MalformedObject(what=what, reason="subject-differs")
    return snapshots


def _digest(snapshots: Sequence[SnapshotId]) -> str:
    return hashlib.sha256(encode_canonical([*snapshots])).hexdigest()
