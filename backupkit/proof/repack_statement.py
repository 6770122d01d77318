"""What is signed when packs that are mostly dead are replaced: which packs hold from now on what is needed of each.

Snapshots name their packs under a signature and for ever. From the place of this statement in the log on, a pack that it replaces
stands for those that replace it, in every snapshot's list, and no new snapshot may need it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from backupkit.clock import to_rfc3339
from backupkit.codec.canonical import Json, encode_canonical
from backupkit.codec.malformed import MalformedObject
from backupkit.ids import DomainId, PackName, SnapshotId
from backupkit.proof.fields import Fields, is_hex
from backupkit.proof.statement import build_statement, parse_statement
from backupkit.proof.sweep_statement import MOST_SNAPSHOTS, NamedPack

REPACK_TYPE = "https://backupkit.local/repack/v1"
REPACK_SUBJECT = "repacked-packs"
MOST_REPLACED = 512
"""Most packs that one statement replaces, and most replacements that it names in all are four times as many."""

_WHAT = "repack-statement"
_MOST_SIZE = 1 << 40

Replacement = tuple[PackName, int]
"""A pack of the same domain, and its size in bytes."""


@dataclass(frozen=True, slots=True)
class RepackStatement:
    """Which packs are replaced, each by what, and the forgotten snapshots that needed more of them than was carried over."""

    store: str
    replaced: Mapping[NamedPack, tuple[Replacement, ...]]
    snapshots: tuple[SnapshotId, ...]
    repacked_at: datetime

    def encode(self) -> bytes:
        """Write the statement: the payload to sign."""
        rows: list[Json] = [
            {"pack": _name(pack), "by": [{"pack": name, "bytes": size} for name, size in sorted(self.replaced[pack])]}
            for pack in sorted(self.replaced)
        ]
        return build_statement(
            REPACK_SUBJECT,
            _digest(rows),
            REPACK_TYPE,
            {
                "store": self.store,
                "replaced": rows,
                "snapshots": [*self.snapshots],
                "repackedAt": to_rfc3339(self.repacked_at),
            },
        )


def decode_repack_statement(payload: bytes) -> RepackStatement:
    """Read a repack statement.

    Raises:
        MalformedObject: it is anything else, or its subject is not its list of replaced packs.
    """
    statement = parse_statement(payload, REPACK_TYPE, what=_WHAT)
    said = statement.predicate
    rows = tuple(said.objects("replaced"))
    if not 0 < len(rows) <= MOST_REPLACED:
        said.refuse("too-many")
    replaced = dict(map(_row, rows))
    snapshots = tuple(map(SnapshotId, said.hexes("snapshots", size=32)))
    read = RepackStatement(said.text("store"), replaced, snapshots, said.moment("repackedAt"))
    if len(replaced) != len(rows) or len(snapshots) > MOST_SNAPSHOTS or read.encode() != payload:
        raise MalformedObject(what=_WHAT, reason="subject-differs")
    return read


def _row(row: Fields) -> tuple[NamedPack, tuple[Replacement, ...]]:
    domain, _, pack = row.text("pack", most=97).partition("/")
    if not is_hex(domain, size=16) or not is_hex(pack, size=32):
        row.refuse("bad-pack")
    by = tuple((PackName(one.hex("pack", size=32)), one.count("bytes")) for one in row.objects("by"))
    if any(size > _MOST_SIZE for _, size in by):
        row.refuse("bad-size")
    return (DomainId(bytes.fromhex(domain)), PackName(pack)), by


def _name(pack: NamedPack) -> str:
    return f"{pack[0].hex()}/{pack[1]}"


def _digest(rows: list[Json]) -> str:
    return hashlib.sha256(encode_canonical(rows)).hexdigest()
