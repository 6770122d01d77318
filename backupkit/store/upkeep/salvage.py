"""What can be had from packs alone: without log, head, index, config or signed statements.

The packs and the domain's keys are enough. Snapshots are found by their roots; where roots are lost, folders are found
that nothing names any more. What was salvaged is authentic, chunk by chunk, but it is not proved to be complete or the
newest: that is what log and signatures were for.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from backupkit.crypto.domains import DomainSecrets
from backupkit.ids import ChunkId, RepositoryId
from backupkit.store import layout
from backupkit.store.backend import Backend, BackendError
from backupkit.store.chunk_id import ChunkType
from backupkit.store.domains.domain_reader import DomainReader
from backupkit.store.finding import Finding, cause
from backupkit.store.packs.index import Index
from backupkit.store.packs.pack_format import HEADER_SIZE, TAIL_SIZE, Address, parse_header
from backupkit.store.packs.pack_reader import UNREADABLE
from backupkit.store.trees.contents import LOST
from backupkit.store.trees.manifest import Manifest, read_manifest
from backupkit.store.trees.tree import read_part, tree_parts


@dataclass(frozen=True, slots=True)
class FoundSnapshot:
    """A root that was found in a pack, and what it says."""

    root: ChunkId
    manifest: Manifest


def find_addresses(backend: Backend) -> set[Address]:
    """Return the repository and domain ids that packs say they belong to: all that is needed to open them beside the keys."""
    found: set[Address] = set()
    for name in backend.names(layout.PACKS):
        with suppress(BackendError):
            size = backend.size(name)
            for offset in (0, size - TAIL_SIZE):
                with suppress(*UNREADABLE, BackendError):
                    found.add(parse_header(backend.read(name, max(offset, 0), HEADER_SIZE)).address)
                    break
    return found


def find_snapshots(reader: DomainReader) -> Iterator[FoundSnapshot | Finding]:
    """Give every root of a domain that can be read, the newest first by its own time."""
    found = []
    for root in sorted(reader.chunks_of(ChunkType.ROOT)):
        try:
            found.append(FoundSnapshot(root, read_manifest(reader, root)))
        except LOST as error:
            yield Finding("manifest-lost", root.hex(), cause(error), chunks=(root,))
    yield from sorted(found, key=lambda one: (one.manifest.created, one.root), reverse=True)


def find_loose_folders(reader: DomainReader) -> list[ChunkId]:
    """Return the trees that no readable root and no readable tree names: tops of what lost its root."""
    trees = reader.chunks_of(ChunkType.TREE)
    named: set[ChunkId] = set()
    for snapshot in find_snapshots(reader):
        if isinstance(snapshot, FoundSnapshot):
            named.update(source.tree for source in snapshot.manifest.sources)
    for tree in trees:
        try:
            parts = tree_parts(reader, tree)
            named.update(part for part in parts if part != tree)
            if parts == [tree]:
                named.update(entry.tree for entry in read_part(reader, tree) if entry.tree is not None)
        except LOST:
            continue
    return sorted(trees - named)


def index_new_packs(backend: Backend, repository: RepositoryId, secrets: DomainSecrets) -> int:
    """Write index files for the packs that none names, and return how many packs there were. Packs that cannot be opened stay out."""
    reader = DomainReader(backend, repository, secrets.id, secrets)
    index = Index.load(backend, reader.address, secrets.index_key, lambda _: None)
    count = 0
    for pack in sorted(set(reader.present_packs()) - index.packs()):
        with suppress(*UNREADABLE, BackendError):
            index.add(pack, reader.pack_reader(pack).table())
            count += 1
            if index.is_save_due:
                index.save_new(backend, secrets.index_key)
    index.save_new(backend, secrets.index_key)
    return count
