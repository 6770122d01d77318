"""What a writer of the store does in many steps, done in one: for tests of what comes after."""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, islice

from backupkit.ids import ChunkId
from backupkit.store.packs.pack_writer import EncodedChunk, FinishedPack, PackBuilder
from backupkit.store.trees.page_map import EXTENT_PAGES, Extent, PageMap, store_extents
from backupkit.store.trees.tree import Entry, ReadsChunks, StoresChunks, open_tree


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
