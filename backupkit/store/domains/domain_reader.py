"""Reads chunks of one domain, whatever has been lost around them.

A chunk is looked for where the index says; then in the tables of packs that no index names; then in the tables of all
others, in case an index lied; then by walking the packs that did not hold what was said of them. Only when all of this
fails is it lost, and then only this chunk.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, TypeVar

from backupkit.crypto.recipients import Identity
from backupkit.ids import ChunkId, DomainId, PackName, RepositoryId
from backupkit.store import layout
from backupkit.store.backend import Backend, BackendError
from backupkit.store.chunk_id import ChunkType
from backupkit.store.domains.stretch import Lender, Lent
from backupkit.store.failures import ChunkLost, WrongChunkType
from backupkit.store.finding import Finding, cause
from backupkit.store.layout import PackRef
from backupkit.store.packs.index import Index, Location
from backupkit.store.packs.pack_format import Address, Row
from backupkit.store.packs.pack_reader import UNREADABLE, Opened, PackReader, RecordCache

if TYPE_CHECKING:
    from backupkit.errors import BackupkitError

_OPEN_PACKS = 64

_T = TypeVar("_T")


class ReadKeys(Protocol):
    """What opens a domain."""

    @property
    def id_key(self) -> bytes:
        """Key of the chunk ids."""
        ...

    @property
    def index_key(self) -> bytes:
        """Key of the index files."""
        ...

    @property
    def identity(self) -> Identity:
        """Whom packs are sealed to."""
        ...


class DomainReader:
    """Reads chunks of one domain. Safe for threads. About 10 MiB are kept of what was opened last.

    `tell` is called once for each object that turned out damaged on the way, from whichever thread came upon it.
    """

    def __init__(
        self,
        backend: Backend,
        repository: RepositoryId,
        domain: DomainId,
        keys: ReadKeys,
        *,
        tell: Callable[[Finding], None] = lambda _: None,
    ) -> None:
        self.address = Address(repository, domain)
        self._backend = backend
        self._keys = keys
        self._tell = tell
        self._cache = RecordCache()
        self._packs: OrderedDict[PackName, PackReader] = OrderedDict()
        self._unopenable: dict[PackName, BackupkitError] = {}
        self._walked: set[PackName] = set()
        self._told: set[Finding] = set()
        self._lock = threading.RLock()
        self._index: Index | None = None
        self._unindexed_read = False
        self._indexed: set[PackName] = set()
        self._lender = Lender(keys.id_key, where=self._indexed_place, pack_reader=self.pack_reader, find=self._find)

    @property
    def index(self) -> Index:
        """The domain's index, read when it is first needed."""
        if self._index is not None:
            return self._index
        with self._lock:
            if self._index is None:
                self._index = Index.load(self._backend, self.address, self._keys.index_key, self._tell_once)
            return self._index

    def read(self, chunk: ChunkId, kind: ChunkType | None = None) -> bytes:
        """Return a chunk's plain bytes: authenticated, and the id computed again from them.

        Raises:
            ChunkLost: it cannot be read from anywhere.
            WrongChunkType: it is there, but not a `kind`.
        """
        return self.open(chunk, kind).plaintext

    def open(self, chunk: ChunkId, kind: ChunkType | None = None) -> Opened:
        """Return a chunk with its type and the SHA-256 of its plain bytes; raises as `read` does."""
        opened = self._find(chunk)
        if kind is not None and opened.kind is not kind:
            raise WrongChunkType(chunk=chunk.hex(), wanted=kind.name.lower(), found=opened.kind.name.lower())
        return opened

    def lend(self, chunks: Iterable[ChunkId]) -> Iterator[Lent | ChunkLost]:
        """Give chunks in the order asked, many with one read where they lie in that order.

        The bytes of each are lent until the next is asked for; a chunk that cannot be read comes as its error.
        """
        return self._lender.lend(chunks)

    def where(self, chunk: ChunkId) -> Location | None:
        """Return where a chunk lies as far as index and tables know, without opening it."""
        known = self.index.find(chunk)
        if known is None and self._read_unindexed_tables():
            known = self.index.find(chunk)
        return known

    def pack_reader(self, pack: PackName) -> PackReader:
        """Open a pack; the ones used last are kept.

        Raises:
            MalformedObject, NewerFormat, OpenFailed, BackendError: it cannot be opened.
        """
        with self._lock:
            if pack in self._unopenable:
                raise self._unopenable[pack]
            reader = self._packs.get(pack)
            if reader is not None:
                self._packs.move_to_end(pack)
                return reader
        ref = PackRef(self.address.domain, pack)
        try:
            reader = PackReader.open(self._backend, ref, self.address, self._keys.identity, self._cache)
        except UNREADABLE as error:
            with self._lock:
                self._unopenable[pack] = error
            self._tell_once(Finding("pack-unreadable", ref.name, cause(error)))
            raise
        with self._lock:
            self._packs[pack] = reader
            if len(self._packs) > _OPEN_PACKS:
                self._packs.popitem(last=False)
        return reader

    def chunks_of(self, kind: ChunkType) -> set[ChunkId]:
        """Return all chunks of a type, as the packs themselves say. It reads the table of every pack."""
        found: set[ChunkId] = set()
        for pack in self.present_packs():
            with self._lock:
                found.update(row.chunk for row in self._learn(pack) if row.kind == kind)
        return found

    @property
    def id_key(self) -> bytes:
        """Key of the domain's chunk ids."""
        return self._keys.id_key

    def present_packs(self) -> list[PackName]:
        """List the domain's packs that are there."""
        names = self._backend.names(layout.packs(self.address.domain))
        return [ref.pack for name in names if (ref := layout.pack_of(name)) is not None]

    def _indexed_place(self, chunk: ChunkId) -> Location | None:
        return self.index.find(chunk)

    def _find(self, chunk: ChunkId) -> Opened:
        place = self.index.find(chunk)
        if place is not None:
            with suppress(*UNREADABLE):
                return self.pack_reader(place.pack).chunk(place.row, self._keys.id_key)
        return self._search(chunk)

    def _search(self, chunk: ChunkId) -> Opened:
        """Look for a chunk everywhere, the quick places first."""
        failed: dict[PackName, str] = {}
        opened = self._open_indexed(chunk, failed)
        for learn in (self._read_unindexed_tables, self._read_indexed_tables, lambda: self._walk(failed)):
            if opened is None and learn():
                opened = self._open_indexed(chunk, failed)
        if opened is not None:
            return opened
        pack, reason = next(iter(failed.items()), (None, "in-no-pack"))
        if pack is None:
            absent = next((p for p in self.index.absent_packs() if chunk in self.index.chunks_in(p)), None)
            pack, reason = absent, "pack-missing" if absent else reason
        raise ChunkLost(chunk=chunk.hex(), pack=pack, reason=reason)

    def _open_indexed(self, chunk: ChunkId, failed: dict[PackName, str]) -> Opened | None:
        for pack, row in self.index.locations(chunk):
            try:
                return self.pack_reader(pack).chunk(row, self._keys.id_key)
            except UNREADABLE as error:
                failed[pack] = cause(error)
        return None

    def _read_unindexed_tables(self) -> bool:
        """Take in the packs that no index names, once. Return whether there may be something new."""
        with self._lock:
            if self._unindexed_read:
                return False
            self._unindexed_read = True
            self._indexed = self.index.packs()
            for pack in self.present_packs():
                if pack not in self._indexed:
                    self._learn(pack)
            return True

    def _read_indexed_tables(self) -> bool:
        """Take in what the packs themselves say where an index says something already, once."""
        with self._lock:
            packs, self._indexed = self._indexed, set()
            for pack in sorted(packs):
                self._learn(pack)
            return bool(packs)

    def _learn(self, pack: PackName) -> list[Row]:
        """Take in what a pack says of itself."""
        try:
            reader = self.pack_reader(pack)
        except UNREADABLE:
            return []
        try:
            rows = reader.table()
        except UNREADABLE as error:
            self._tell_once(Finding("pack-table-unreadable", reader.name, cause(error)))
            rows = self._rows_by_walking(pack, reader)
        self.index.add(pack, rows, saved=True)
        return rows

    def _walk(self, packs: Iterable[PackName]) -> bool:
        """Walk packs that did not hold what was said of them, each once. Return whether there may be something new."""
        learned = False
        with self._lock:
            for pack in packs:
                if pack in self._walked or pack in self._unopenable:
                    continue
                reader = self.pack_reader(pack)
                self.index.add(pack, self._rows_by_walking(pack, reader), saved=True)
                learned = True
        return learned

    def _rows_by_walking(self, pack: PackName, reader: PackReader) -> list[Row]:
        self._walked.add(pack)
        rows = []
        try:
            for item in reader.walk():
                if isinstance(item, Finding):
                    self._tell_once(item)
                else:
                    rows.append(item.row)
        except BackendError as error:
            self._tell_once(Finding("pack-unreadable", reader.name, cause(error)))
        return rows

    def _tell_once(self, finding: Finding) -> None:
        with self._lock:
            if finding in self._told:
                return
            self._told.add(finding)
        self._tell(finding)


def in_order(work: Iterable[Callable[[], _T]], threads: int) -> Iterator[_T]:
    """Do pieces of work in `threads` threads, at most one more than that ahead of the caller, and give the results in order."""
    with ThreadPoolExecutor(threads, "open") as pool:
        ahead: list[Future[_T]] = []
        try:
            for piece in work:
                ahead.append(pool.submit(piece))
                if len(ahead) > threads:
                    yield ahead.pop(0).result()
            while ahead:
                yield ahead.pop(0).result()
        finally:
            for future in ahead:
                future.cancel()


def in_any_order(work: Iterable[Callable[[], _T]], threads: int) -> Iterator[_T]:
    """Do pieces of work in `threads` threads and give each result when it is there: a long piece holds up no other."""
    with ThreadPoolExecutor(threads, "open") as pool:
        begun: set[Future[_T]] = set()
        try:
            for piece in work:
                begun.add(pool.submit(piece))
                if len(begun) > 2 * threads:
                    done, begun = wait(begun, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            for future in as_completed(begun):
                yield future.result()
        finally:
            for future in begun:
                future.cancel()
