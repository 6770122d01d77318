"""What a writer of the store does in many steps, done in one: for tests of what comes after."""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, islice

from backupkit.crypto.domains import DomainSecrets
from backupkit.ids import ChunkId
from backupkit.store.backends.memory_backend import MemoryBackend
from backupkit.store.chunk_id import ChunkType, plain_sha256
from backupkit.store.domains.domain_reader import DomainReader
from backupkit.store.domains.domain_writer import DomainWriter, PackProfile
from backupkit.store.packs.index import Index
from backupkit.store.packs.pack_format import Address
from backupkit.store.packs.pack_writer import EncodedChunk, FinishedPack, PackBuilder
from backupkit.store.trees.manifest import Manifest, Source, store_manifest
from backupkit.store.trees.page_map import EXTENT_PAGES, Extent, PageMap, store_extents
from backupkit.store.trees.tree import Entry, EntryKind, ReadsChunks, StoresChunks, file_content, open_tree, write_tree

TINY_PACKS = PackProfile(data_target=50_000, manifest_target=50_000, payload_size=4096)


def build_pack(builder: PackBuilder, chunks: Iterable[EncodedChunk]) -> FinishedPack:
    """Fill and finish a pack."""
    for chunk in chunks:
        builder.add(chunk)
    return builder.finish()


def store_pages(
    writer: StoresChunks,
    previous: PageMap | None,
    *,
    page_size: int,
    file_size: int,
    changed: Iterable[int],
    read: Callable[[int], bytes],
    compress: bool = True,
) -> PageMap:
    """Store the changed pages of a file, in rising order, and return its new map. `read(page)` returns a page's bytes."""
    extents = _bundled(changed, read)
    return store_extents(writer, previous, page_size=page_size, file_size=file_size, extents=extents, compress=compress)


def _bundled(changed: Iterable[int], read: Callable[[int], bytes]) -> Iterator[Extent]:
    pages = iter(changed)
    while batch := list(islice(pages, EXTENT_PAGES)):
        # Pages in a row differ from their places by the same number.
        rows = (list(row) for _, row in groupby(enumerate(batch), key=lambda placed: placed[1] - placed[0]))
        yield [(row[0][1], len(row)) for row in rows], b"".join(map(read, batch))


def entries_of(reader: ReadsChunks, tree: ChunkId) -> list[Entry]:
    """Return the entries of one folder."""
    return [entry for _, read in open_tree(reader, tree) for entry in read()]


def save_files(
    address: Address, secrets: DomainSecrets, files: dict[bytes, tuple[bytes, int]]
) -> tuple[DomainReader, ChunkId]:
    """Save files whose entries speak of the sizes given, in pieces of ten bytes."""
    backend = MemoryBackend()
    index = Index.load(backend, address, secrets.index_key, lambda _: None)
    with DomainWriter(
        backend, address.repository, address.domain, secrets.writer_keys(), index, profile=TINY_PACKS
    ) as writer:
        entries = [
            Entry(
                path, EntryKind.FILE, 0, 0, size, plain_sha256(data),
                file_content(writer, [writer.store(ChunkType.DATA, data[at : at + 10]).id for at in range(0, len(data), 10)]),
            )
            for path, (data, size) in files.items()
        ]  # fmt: skip
        source = Source("s", b"/s", write_tree(writer, entries), len(files), 0, "2018-06-01T08:30:00Z")
        root = store_manifest(
            writer, Manifest(address.domain, "2018-06-01T08:30:00Z", "h", {}, (source,), complete=True)
        )
    return DomainReader(backend, address.repository, address.domain, secrets), root
