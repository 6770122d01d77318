"""Snapshots found in the packs themselves: where log and signed statements are gone, and where even the config is.

A root says what it holds of one domain and when it was made, and nothing of other domains. So each root that is found gives
one snapshot: it, and of every other domain the newest whole root that was there by then. What is found is authentic, chunk by
chunk; that it is all there was, or the newest, nobody can prove any more. What was forgotten is found too.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from backupkit import __version__
from backupkit.clock import from_rfc3339
from backupkit.crypto.keyring import Keyring
from backupkit.errors import BackupkitError
from backupkit.ids import ChunkId, DomainId, PackName, SnapshotId
from backupkit.ops.chats.snapshot_chats import domain_lost, domain_reader
from backupkit.ops.events import Found, Severity, Tell
from backupkit.ops.failures import (
    SnapshotAmbiguous,
    SnapshotForgotten,
    SnapshotSwept,
)
from backupkit.ops.memory.journal import TakenFacts, facts_of
from backupkit.ops.repository.repository import Repository
from backupkit.ops.repository.snapshots import KnownSnapshot
from backupkit.proof.snapshot_statement import DomainRoot, PackSet, SnapshotStatement
from backupkit.store.domains.domain_reader import DomainReader
from backupkit.store.finding import Finding
from backupkit.store.layout import PackRef
from backupkit.store.objects.pack_list import ListedPack
from backupkit.store.trees.contents import reachable_chunks
from backupkit.store.trees.manifest import Manifest, Source, read_manifest
from backupkit.store.upkeep.salvage import FoundSnapshot, find_loose_folders, find_snapshots

_NEVER = datetime.fromtimestamp(0, UTC)
_UNNAMED = "0" * 64
"""In place of the digest of a list that nobody signed."""

_CHOICE_IS_WRONG = (SnapshotAmbiguous, SnapshotForgotten, SnapshotSwept)


@dataclass(frozen=True, slots=True)
class InPacks:
    """A snapshot that was found by a root, and the root: what else belongs to it was found by others."""

    root: ChunkId
    known: KnownSnapshot


def find_in_packs(
    repository: Repository, keyring: Keyring, tell: Tell
) -> tuple[list[InPacks], list[tuple[DomainId, Source]]]:
    """Return the snapshots whose roots lie in the packs, oldest first, and the folders of domains that have no root left.

    Their ids are those of their roots: nothing that was signed names them.
    """
    roots: list[tuple[datetime, DomainId, DomainRoot, Manifest]] = []
    loose: list[tuple[DomainId, Source]] = []
    for domain in repository.domains():
        try:
            reader = domain_reader(repository, repository.open_domain(domain, keyring), tell)
        except BackupkitError as error:
            tell(domain_lost(domain, error))
            continue
        before = len(roots)
        for found in find_snapshots(reader):
            if isinstance(found, FoundSnapshot):
                pack = reader.where(found.root)
                assert pack is not None
                roots.append(
                    (_moment(found.manifest), domain, DomainRoot(domain, found.root, pack.pack), found.manifest)
                )
            else:
                tell(Found(found.code, Severity.ERROR, found.facts))
        if len(roots) == before:
            loose += [(domain, _loose(tree)) for tree in find_loose_folders(reader)]
    roots.sort(key=lambda one: (one[0], one[2].root))
    newest: dict[DomainId, tuple[DomainRoot, Manifest]] = {}
    snapshots: list[InPacks] = []
    for at, domain, root, manifest in roots:
        parts = {**newest, domain: (root, manifest)}
        known = _snapshot_of(repository, parts, at, complete=manifest.complete)
        snapshots.append(InPacks(root.root, replace(known, seq=len(snapshots))))
        if manifest.complete or domain not in newest or not newest[domain][1].complete:
            newest[domain] = (root, manifest)
    return snapshots, loose


def packs_under(
    reader: DomainReader, root: ChunkId, manifest: Manifest, tell: Callable[[Finding], None]
) -> set[PackRef]:
    """Return the packs that a root needs. `tell` is called for what cannot be found in any."""
    packs: set[PackName] = set()
    for chunk in _chunks_under(reader, root, manifest, tell):
        place = reader.where(chunk)
        if place is None:
            tell(Finding("chunk-lost", chunk.hex(), "in-no-pack", chunks=(chunk,)))
        else:
            packs.add(place.pack)
    present = set(reader.present_packs())
    for pack in packs - present:
        tell(Finding("pack-damaged", PackRef(reader.address.domain, pack).name, "object-missing"))
    return {PackRef(reader.address.domain, pack) for pack in packs & present}


def packs_of_found(
    repository: Repository, known: KnownSnapshot, keyring: Keyring, note: Callable[[Finding], None], tell: Tell
) -> list[ListedPack]:
    """Return the packs that a snapshot needs which was found in packs. `note` is called for what is lost."""
    listed = []
    for part in known.statement.domains:
        reader = domain_reader(repository, repository.open_domain(part.id, keyring), tell)
        needed = packs_under(reader, part.root, read_manifest(reader, part.root), note)
        listed += [ListedPack(ref, repository.backend.size(ref.name)) for ref in needed]
    return sorted(listed)


def _chunks_under(
    reader: DomainReader, root: ChunkId, manifest: Manifest, tell: Callable[[Finding], None]
) -> Iterator[ChunkId]:
    yield root
    for source in manifest.sources:
        yield from reachable_chunks(reader, source.tree, tell)


def _snapshot_of(
    repository: Repository, parts: dict[DomainId, tuple[DomainRoot, Manifest]], at: datetime, *, complete: bool
) -> KnownSnapshot:
    sources = [source for _, manifest in parts.values() for source in manifest.sources]
    statement = SnapshotStatement(
        store=repository.origin,
        writer="",
        previous=None,
        created_at=at,
        complete=complete,
        domains=tuple(root for _, (root, _) in sorted(parts.items())),
        packs=PackSet(_UNNAMED, 0, 0),
        size_bytes=sum(source.bytes for source in sources),
        tool_name="backupkit",
        tool_version=__version__,
    )
    facts = TakenFacts(statement.root, "", complete, tuple(facts_of(source) for source in sources))
    state = "saved" if complete else "partial"
    return KnownSnapshot(SnapshotId(statement.root), 0, statement, state, None, facts)


def loose_snapshot(repository: Repository) -> KnownSnapshot:
    """Return what stands for a snapshot where folders are all that is left: it names nothing, and was made at no time."""
    return _snapshot_of(repository, {}, _NEVER, complete=False)


def _loose(tree: ChunkId) -> Source:
    name = f"folder-{tree.hex()[:8]}"
    return Source(name, name.encode(), tree, 0, 0, "")


def _moment(manifest: Manifest) -> datetime:
    try:
        return from_rfc3339(manifest.created)
    except ValueError:
        return _NEVER
