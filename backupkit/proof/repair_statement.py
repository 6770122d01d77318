"""What is signed when a repository was repaired: how much was read, and which packs came back and which did not."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from backupkit.clock import to_rfc3339
from backupkit.codec.canonical import encode_canonical
from backupkit.codec.malformed import MalformedObject
from backupkit.ids import PackName
from backupkit.proof.statement import build_statement, parse_statement

REPAIR_TYPE = "https://backupkit.local/repair/v1"
REPAIR_SUBJECT = "repaired-packs"
MOST_NAMED = 2048
"""Most packs that each list names, so that a statement stays small; the counts count them all."""

_WHAT = "repair-statement"


@dataclass(frozen=True, slots=True)
class RepairStatement:
    """One repair. `repaired` and `lost` are the packs that are whole again, and those that no parity could bring back."""

    store: str
    repaired: tuple[PackName, ...]
    lost: tuple[PackName, ...]
    repaired_count: int
    lost_count: int
    copies: int
    packs: int
    bytes_read: int
    repaired_at: datetime

    def encode(self) -> bytes:
        """Write the statement: the payload to sign. Of a long list the first `MOST_NAMED` are named."""
        repaired, lost = sorted(self.repaired)[:MOST_NAMED], sorted(self.lost)[:MOST_NAMED]
        return build_statement(
            REPAIR_SUBJECT,
            _digest(repaired),
            REPAIR_TYPE,
            {
                "store": self.store,
                "repaired": [*repaired],
                "lost": [*lost],
                "repairedCount": self.repaired_count,
                "lostCount": self.lost_count,
                "copies": self.copies,
                "packs": self.packs,
                "bytesRead": self.bytes_read,
                "repairedAt": to_rfc3339(self.repaired_at),
            },
        )


def decode_repair_statement(payload: bytes) -> RepairStatement:
    """Read a repair statement.

    Raises:
        MalformedObject: it is anything else, or its subject is not its list of repaired packs.
    """
    statement = parse_statement(payload, REPAIR_TYPE, what=_WHAT)
    said = statement.predicate
    repaired = tuple(map(PackName, said.hexes("repaired", size=32)))
    if _digest([*repaired]) != statement.digest:
        raise MalformedObject(what=_WHAT, reason="subject-differs")
    return RepairStatement(
        store=said.text("store"),
        repaired=repaired,
        lost=tuple(map(PackName, said.hexes("lost", size=32))),
        repaired_count=said.count("repairedCount"),
        lost_count=said.count("lostCount"),
        copies=said.count("copies"),
        packs=said.count("packs"),
        bytes_read=said.count("bytesRead"),
        repaired_at=said.moment("repairedAt"),
    )


def _digest(packs: list[PackName]) -> str:
    return hashlib.sha256(encode_canonical([*packs])).hexdigest()
