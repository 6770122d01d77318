"""What is signed for each snapshot. It names no app, person or file and counts no messages: the log keeps it for ever."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from backupkit.clock import to_rfc3339
from backupkit.codec.canonical import Json, encode_canonical
from backupkit.ids import ChunkId, DomainId, PackName, SnapshotId
from backupkit.proof.fields import Fields
from backupkit.proof.statement import SNAPSHOT_SUBJECT, build_statement, parse_statement

SNAPSHOT_TYPE = "https://backupkit.local/snapshot/v1"
_ROUNDING = 1024 * 1024
_WHAT = "snapshot-statement"


@dataclass(frozen=True, slots=True)
class DomainRoot:
    """Where a domain's part of a snapshot begins: its root chunk, and the pack that holds it."""

    id: DomainId
    root: ChunkId
    pack: PackName


@dataclass(frozen=True, slots=True)
class PackSet:
    """The packs that a snapshot needs: the SHA-256 of their list (64 hex digits), how many, and their bytes in all."""

    digest: str
    count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class SnapshotStatement:
    """One snapshot of one store, as its writer signs it.

    `size_bytes` is rounded up to 1 MiB when written, so that it betrays no single message.
    """

    store: str
    writer: str
    previous: SnapshotId | None
    created_at: datetime
    complete: bool
    domains: tuple[DomainRoot, ...]
    packs: PackSet
    size_bytes: int
    tool_name: str
    tool_version: str
    clock_source: str = "system"

    @property
    def root(self) -> str:
        """The snapshot root that later statements speak about: 64 hex digits over all domain roots."""
        return sha256(encode_canonical(self._domains())).hexdigest()

    def encode(self) -> bytes:
        """Write the statement: the payload to sign, whose SHA-256 is the snapshot's id."""
        return build_statement(
            SNAPSHOT_SUBJECT,
            self.root,
            SNAPSHOT_TYPE,
            {
                "store": self.store,
                "writer": self.writer,
                "previous": self.previous,
                "createdAt": to_rfc3339(self.created_at),
                "clockSource": self.clock_source,
                "complete": self.complete,
                "domains": self._domains(),
                "packs": {"digest": self.packs.digest, "count": self.packs.count, "bytes": self.packs.size_bytes},
                "bytes": -(-self.size_bytes // _ROUNDING) * _ROUNDING,
                "tool": {"name": self.tool_name, "version": self.tool_version},
            },
        )

    def _domains(self) -> list[Json]:
        return [{"id": part.id.hex(), "root": part.root.hex(), "pack": part.pack} for part in self.domains]


def snapshot_id(payload: bytes) -> SnapshotId:
    """Name a snapshot by its statement: SHA-256 of the payload."""
    return SnapshotId(sha256(payload).hexdigest())


def decode_snapshot_statement(payload: bytes) -> SnapshotStatement:
    """Read a snapshot statement, whose subject must be the root over its domains.

    Raises:
        MalformedObject: it is anything else.
    """
    statement = parse_statement(payload, SNAPSHOT_TYPE, what=_WHAT)
    said = statement.predicate
    packs, tool = said.object("packs"), said.object("tool")
    previous = None if said.optional_text("previous") is None else SnapshotId(said.hex("previous", size=32))
    snapshot = SnapshotStatement(
        store=said.text("store"),
        writer=said.text("writer"),
        previous=previous,
        created_at=said.moment("createdAt"),
        clock_source=said.text("clockSource"),
        complete=said.claim("complete"),
        domains=tuple(map(_decode_domain, said.objects("domains"))),
        packs=PackSet(packs.hex("digest", size=32), packs.count("count"), packs.count("bytes")),
        size_bytes=said.count("bytes"),
        tool_name=tool.text("name"),
        tool_version=tool.text("version"),
    )
    if snapshot.root != statement.digest:
        said.refuse("root-does-not-fit")
    return snapshot


def _decode_domain(row: Fields) -> DomainRoot:
    return DomainRoot(
        id=DomainId(bytes.fromhex(row.hex("id", size=16))),
        root=ChunkId(bytes.fromhex(row.hex("root", size=32))),
        pack=PackName(row.hex("pack", size=32)),
    )
