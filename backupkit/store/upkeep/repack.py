"""Which part of each pack is still needed, and writing that part again so that the rest can go.

A chunk that is needed is marked where it lies first: a bit for so many bytes of a pack's stream as no entry is shorter than, some
40 KB for a pack, so that a large repository is gone through in little memory. A chunk may lie in a second pack as well, and some
snapshot may have that one on its list: so it counts as needed wherever it lies.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from backupkit.ids import ChunkId, PackName
from backupkit.store.domains.domain_reader import DomainReader
from backupkit.store.domains.domain_writer import DomainWriter
from backupkit.store.finding import Finding, cause
from backupkit.store.layout import PackRef
from backupkit.store.packs.compression import Codec
from backupkit.store.packs.pack_format import ENTRY_HEAD, Row
from backupkit.store.packs.pack_reader import UNREADABLE
from backupkit.store.trees.contents import LOST, reachable_chunks
from backupkit.store.trees.manifest import read_manifest


@dataclass(frozen=True, slots=True)
class PackUse:
    """How many bytes of a pack's entries are needed, of how many, and the size of the file."""

    pack: PackName
    live: int
    total: int
    size: int

    @property
    def dead_share(self) -> float:
        """The part of its entries that nothing needs, 0 to 1."""
        return 1 - self.live / self.total if self.total else 1.0

    @property
    def dead_size(self) -> int:
        """About how many bytes of the file nothing needs."""
        return round(self.size * self.dead_share)


class LiveChunks:
    """The chunks of one domain that some snapshots need. `lost` are what could not be followed to its end.

    The reader's index must name every pack that is there, or a chunk's first place would not stay the same.
    """

    def __init__(self, reader: DomainReader) -> None:
        self.lost: list[Finding] = []
        self._reader = reader
        self._marks: dict[PackName, bytearray] = {}
        self._met: set[ChunkId] = set()

    def add_root(self, root: ChunkId) -> None:
        """Follow a snapshot's root to everything that it needs."""
        self._mark(root)
        try:
            manifest = read_manifest(self._reader, root)
        except LOST as error:
            self.lost.append(Finding("manifest-lost", root.hex(), cause(error), chunks=(root,)))
            return
        for source in manifest.sources:
            for chunk in reachable_chunks(self._reader, source.tree, self.lost.append, met=self._met):
                self._mark(chunk)

    def rows(self, pack: PackName) -> Iterator[Row]:
        """Give the rows of a pack's own table that are needed, in the order in which they lie there; raises what reading it raises."""
        for row in sorted(self._reader.pack_reader(pack).table(), key=lambda row: row.offset):
            if self._is_marked(row.chunk):
                yield row

    def use_of(self, pack: PackName, size: int) -> PackUse:
        """Return how much of a pack is needed; raises what reading its table raises."""
        total = sum(ENTRY_HEAD.size + row.stored for row in self._reader.pack_reader(pack).table())
        live = sum(ENTRY_HEAD.size + row.stored for row in self.rows(pack))
        return PackUse(pack, live, total, size)

    def _is_marked(self, chunk: ChunkId) -> bool:
        place = self._reader.where(chunk)
        if place is None:
            return False
        marks = self._marks.get(place.pack, b"")
        byte, bit = divmod(place.row.offset // ENTRY_HEAD.size, 8)
        return byte < len(marks) and bool(marks[byte] >> bit & 1)

    def _mark(self, chunk: ChunkId) -> None:
        place = self._reader.where(chunk)
        if place is None:
            self.lost.append(Finding("chunk-lost", chunk.hex(), "in-no-pack", chunks=(chunk,)))
            return
        marks = self._marks.setdefault(place.pack, bytearray())
        byte, bit = divmod(place.row.offset // ENTRY_HEAD.size, 8)
        if byte >= len(marks):
            marks.extend(bytes(byte + 1 - len(marks)))
        marks[byte] |= 1 << bit


def choose_packs(uses: Iterable[PackUse], *, most_unused: float) -> list[PackUse]:
    """Choose the packs to write again, the deadest first, until at most a share of what stays is dead.

    A pack of which less than that share is dead stays as it is: writing it again would cost more than it gives.
    """
    left = sorted(uses, key=lambda one: (-one.dead_share, one.pack))
    kept = sum(one.size for one in left)
    dead = sum(one.dead_size for one in left)
    chosen = []
    for one in left:
        if dead <= most_unused * kept or one.dead_share <= most_unused:
            break
        chosen.append(one)
        dead -= one.dead_size
        kept -= one.dead_size
    return chosen


def copy_live(
    reader: DomainReader, writer: DomainWriter, live: LiveChunks, pack: PackName, tell: Callable[[Finding], None]
) -> list[ChunkId] | None:
    """Store again what is needed of a pack, and return the chunks; None where some of it cannot be read: then the pack must stay."""
    chunks = []
    try:
        opened = reader.pack_reader(pack)
        for row in live.rows(pack):
            chunk = opened.chunk(row, reader.id_key)
            writer.store(chunk.kind, chunk.plaintext, compress=row.codec != Codec.RAW)
            chunks.append(chunk.chunk)
    except UNREADABLE as error:
        tell(Finding("pack-not-repacked", PackRef(reader.address.domain, pack).name, cause(error)))
        return None
    return chunks
