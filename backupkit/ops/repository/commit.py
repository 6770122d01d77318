"""The moment a snapshot comes to be: pack list, statement, signatures, and the log's head."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from backupkit import __version__
from backupkit.ids import ChunkId, DomainId, PackName, SnapshotId
from backupkit.ops.failures import PacksSwept
from backupkit.ops.repository.lifecycle import lifecycle_of
from backupkit.ops.repository.repository import Repository
from backupkit.proof.dsse import sign_envelope
from backupkit.proof.log_entry import LogEntry
from backupkit.proof.snapshot_statement import DomainRoot, PackSet, SnapshotStatement, snapshot_id
from backupkit.proof.sshsig import SNAPSHOT_NAMESPACE, sign_ssh
from backupkit.proof.statement import PAYLOAD_TYPE
from backupkit.store import layout
from backupkit.store.backend import AlreadyExists, ObjectMissing
from backupkit.store.layout import PackRef
from backupkit.store.objects.pack_list import publish_pack_list


@dataclass(frozen=True, slots=True)
class DomainPart:
    """A domain's part of a snapshot: its root chunk and the pack that holds it, all packs it needs, and its sources' bytes."""

    domain: DomainId
    root: ChunkId
    pack: PackName
    packs: frozenset[PackRef]
    size: int


@dataclass(frozen=True, slots=True)
class Committed:
    """A snapshot that came to be, and the bytes of all packs that it needs."""

    snapshot: SnapshotId
    stored_bytes: int


def commit_snapshot(
    repository: Repository, parts: Sequence[DomainPart], *, complete: bool, at: datetime, since: int
) -> Committed:
    """Sign a snapshot of these parts and commit it. `since` is the log's size when the parts began to be built.

    The packs and their index lie there already. Then the pack list, the statement, its signatures; last the log: until
    its head is replaced, all this is unreachable and harmless.

    Raises:
        PacksSwept: a sweep deletes packs that the parts need.
    """
    writer = repository.require_writer().writer
    needed = {ref for part in parts for ref in part.packs}

    def require_there(before: Sequence[LogEntry]) -> None:
        """See that nothing that the log names before this snapshot deletes or replaces what it needs. After it, nothing will."""
        lost = needed & lifecycle_of(repository, before).unusable
        if not lifecycle_of(repository, before[since:]).is_certain:
            # A sweep that came meanwhile, and nobody knows of what. What was built on was needed before it, or is new.
            lost = needed
        if lost:
            raise PacksSwept(count=len(lost))

    history = repository.log.read()
    require_there(history.entries)
    taken = history.subjects("snapshot")
    try:
        digest, count, size = publish_pack_list(repository.backend, needed)
    except ObjectMissing:
        require_there(repository.log.read().entries)
        raise
    statement = SnapshotStatement(
        store=repository.origin,
        writer=writer.id,
        previous=SnapshotId(taken[-1].subject) if taken else None,
        created_at=at,
        complete=complete,
        domains=tuple(DomainRoot(part.domain, part.root, part.pack) for part in parts),
        packs=PackSet(digest, count, size),
        size_bytes=sum(part.size for part in parts),
        tool_name="backupkit",
        tool_version=__version__,
    )
    payload, snapshot = publish_snapshot(repository, statement)
    repository.log.append("snapshot", payload, writer, at, admit=require_there)
    return Committed(snapshot, size)


def publish_snapshot(repository: Repository, statement: SnapshotStatement) -> tuple[bytes, SnapshotId]:
    """Sign and store a snapshot's statement, and return its payload and id. Until the log names it, it counts for nothing."""
    writer, payload = repository.require_writer().writer, statement.encode()
    snapshot = snapshot_id(payload)
    # The same statement in the same second is the same snapshot: what lies there already is right.
    with suppress(AlreadyExists):
        repository.objects.create(
            layout.snapshot_signature(snapshot), sign_ssh(payload, writer.attest, SNAPSHOT_NAMESPACE)
        )
    with suppress(AlreadyExists):
        repository.objects.create(layout.snapshot(snapshot), sign_envelope(payload, PAYLOAD_TYPE, [writer.attest]))
    return payload, snapshot
