"""What is signed when a snapshot was verified: how, how much was read, and what came of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

from backupkit.clock import to_rfc3339
from backupkit.ids import SnapshotId
from backupkit.proof.statement import SNAPSHOT_SUBJECT, build_statement, parse_statement

VERIFY_TYPE = "https://backupkit.local/verify/v1"

Method = Literal["sealed", "open", "drill"]
"""`sealed`: every pack's bytes hash to its name. `open`: everything was opened too. `drill`: restored and compared too."""

Result = Literal["passed", "failed"]


@dataclass(frozen=True, slots=True)
class VerifyStatement:
    """One verification of one snapshot. `snapshot_root` and `snapshot` are 64 hex digits each."""

    store: str
    snapshot: SnapshotId
    snapshot_root: str
    method: Method
    result: Result
    bytes_read: int
    packs: int
    verified_at: datetime

    def encode(self) -> bytes:
        """Write the statement: the payload to sign."""
        return build_statement(
            SNAPSHOT_SUBJECT,
            self.snapshot_root,
            VERIFY_TYPE,
            {
                "store": self.store,
                "snapshot": self.snapshot,
                "method": self.method,
                "result": self.result,
                "bytesRead": self.bytes_read,
                "packs": self.packs,
                "verifiedAt": to_rfc3339(self.verified_at),
            },
        )


def decode_verify_statement(payload: bytes) -> VerifyStatement:
    """Read a verify statement.

    Raises:
        MalformedObject: it is anything else.
    """
    statement = parse_statement(payload, VERIFY_TYPE, what="verify-statement")
    said = statement.predicate
    return VerifyStatement(
        store=said.text("store"),
        snapshot=SnapshotId(said.hex("snapshot", size=32)),
        snapshot_root=statement.digest,
        method=cast("Method", said.one_of("method", frozenset({"sealed", "open", "drill"}))),
        result=cast("Result", said.one_of("result", frozenset({"passed", "failed"}))),
        bytes_read=said.count("bytesRead"),
        packs=said.count("packs"),
        verified_at=said.moment("verifiedAt"),
    )
