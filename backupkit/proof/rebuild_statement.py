"""What is signed when a log was begun anew because the old one was lost or could not be believed.

It says how much of the old log was kept and how much this machine had seen of it. Whoever remembers an old head will see a rollback
or a fork; this statement tells that the owner, who opened the keyring for it, meant it.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from backupkit.clock import to_rfc3339
from backupkit.codec.canonical import encode_canonical
from backupkit.codec.malformed import MalformedObject
from backupkit.ids import SnapshotId
from backupkit.proof.statement import build_statement, parse_statement

REBUILD_TYPE = "https://backupkit.local/rebuild/v1"
REBUILD_SUBJECT = "snapshots-entered-again"
MOST_NAMED = 2048
_WHAT = "rebuild-statement"


@dataclass(frozen=True, slots=True)
class RebuildStatement:
    """One rebuilding. `kept_size` entries stayed, `seen_size` was the newest head this machine remembered (0: none).

    `snapshots` were entered again; of those `from_packs` had no signed statement left and got a new one. `gone` are
    named by the entries that stayed, and nobody can say any more what they need. `reason` is the code of what was wrong.
    """

    store: str
    reason: str
    kept_size: int
    seen_size: int
    snapshots: tuple[SnapshotId, ...]
    snapshot_count: int
    gone: tuple[SnapshotId, ...]
    from_packs: int
    config_made_anew: bool
    rebuilt_at: datetime

    def encode(self) -> bytes:
        """Write the statement: the payload to sign. Of a long list the first `MOST_NAMED` are named."""
        named = [*self.snapshots][:MOST_NAMED]
        return build_statement(
            REBUILD_SUBJECT,
            _digest(named),
            REBUILD_TYPE,
            {
                "store": self.store,
                "reason": self.reason,
                "keptSize": self.kept_size,
                "seenSize": self.seen_size,
                "snapshots": [*named],
                "snapshotCount": self.snapshot_count,
                "gone": [str(one) for one in self.gone[:MOST_NAMED]],
                "fromPacks": self.from_packs,
                "configMadeAnew": self.config_made_anew,
                "rebuiltAt": to_rfc3339(self.rebuilt_at),
            },
        )


def decode_rebuild_statement(payload: bytes) -> RebuildStatement:
    """Read such a statement.

    Raises:
        MalformedObject: it is anything else, or its subject is not its list of snapshots.
    """
    statement = parse_statement(payload, REBUILD_TYPE, what=_WHAT)
    said = statement.predicate
    snapshots = tuple(map(SnapshotId, said.hexes("snapshots", size=32)))
    read = RebuildStatement(
        store=said.text("store"),
        reason=said.text("reason"),
        kept_size=said.count("keptSize"),
        seen_size=said.count("seenSize"),
        snapshots=snapshots,
        snapshot_count=said.count("snapshotCount"),
        gone=tuple(map(SnapshotId, said.hexes("gone", size=32))),
        from_packs=said.count("fromPacks"),
        config_made_anew=said.claim("configMadeAnew"),
        rebuilt_at=said.moment("rebuiltAt"),
    )
    if read.encode() != payload:
        raise MalformedObject(what=_WHAT, reason="subject-differs")
    return read


def _digest(snapshots: list[SnapshotId]) -> str:
    return sha256(encode_canonical([*snapshots])).hexdigest()
