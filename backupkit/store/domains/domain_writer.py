"""Stores chunks of one domain: each once, in packs that were opened and checked before they got their name.

The caller's thread hashes and asks the index. Two threads compress and seal; another writes a finished pack, reads it back
and checks it, so that the disk's waiting overlaps the others' work. At most three packs are in memory: one being filled
for data, one for manifests, one on its way to the disk.

A crash at any moment leaves packs that nothing names, or files without a name. Two writers on one repository never wait
for each other; at worst both store the same chunk.
"""

import mmap
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from backupkit.crypto.recipients import Recipient
from backupkit.ids import ChunkId, DomainId, PackName, RepositoryId
from backupkit.store import layout
from backupkit.store.backend import Backend, BackendError
from backupkit.store.chunk_id import ChunkType, chunk_id, plain_sha256
from backupkit.store.failures import ChunkNotStored, ChunkTooLarge
from backupkit.store.packs.compression import FIRST_LEVEL, LEVEL, Codec, compress
from backupkit.store.packs.index import Index
from backupkit.store.packs.pack_check import check_finished_pack
from backupkit.store.packs.pack_format import MAX_PLAIN, PACK_TARGET, PAYLOAD_SIZE, Address
from backupkit.store.packs.pack_writer import EncodedChunk, FinishedPack, PackBuilder

UNFINISHED_AGE = timedelta(hours=1)
"""How old an unnamed file must be to be swept. Writing a pack takes seconds."""

_BATCH_BYTES = 1 << 20
_BATCH_CHUNKS = 256
_DATA = {ChunkType.DATA, ChunkType.PAGE_EXTENT}


class WriteKeys(Protocol):
    """What a machine that only writes holds of a domain. None of it opens a pack."""

    @property
    def id_key(self) -> bytes:
        """Key of the chunk ids."""
        ...

    @property
    def index_key(self) -> bytes:
        """Key of the index files."""
        ...

    @property
    def recipient(self) -> Recipient:
        """Who packs are sealed to."""
        ...


@dataclass(frozen=True, slots=True)
class PackProfile:
    """Sizes of packs in stream bytes, and the compression level. The defaults are those of format version 1."""

    data_target: int = PACK_TARGET
    manifest_target: int = PACK_TARGET // 4
    payload_size: int = PAYLOAD_SIZE
    level: int = LEVEL


DEFAULT_PROFILE = PackProfile()
FIRST_PROFILE = PackProfile(level=FIRST_LEVEL)
"""For a domain that holds nothing yet: what everything costs once, where each later day costs its own changes only."""


class StoredChunk(NamedTuple):
    """What became of a chunk. `pack` is None while its pack is still being filled. `sha256` is that of the plain bytes."""

    id: ChunkId
    new: bool
    pack: PackName | None
    sha256: bytes


class _Waiting(NamedTuple):
    """A chunk on its way into a pack."""

    id: ChunkId
    kind: ChunkType
    plaintext: bytes
    compress: bool


class _Lane:
    """Chunks that share packs: manifests lie apart from data, so that listing a snapshot reads few packs."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.batch: list[_Waiting] = []
        self.batch_bytes = 0
        self.builder: PackBuilder | None = None
        self.lock = threading.Lock()


class DomainWriter:
    """Writes chunks of one domain. Use it in a `with` block, from one thread; leaving the block without an error flushes."""

    def __init__(
        self,
        backend: Backend,
        repository: RepositoryId,
        domain: DomainId,
        keys: WriteKeys,
        index: Index,
        *,
        threads: int = 2,
        profile: PackProfile = DEFAULT_PROFILE,
    ) -> None:
        self.address = Address(repository, domain)
        self.stored_bytes = 0
        self.root_pack: PackName | None = None
        self._backend = backend
        self._keys = keys
        self._index = index
        self._profile = profile
        self._data = _Lane(profile.data_target)
        self._manifest = _Lane(profile.manifest_target)
        self._open: set[ChunkId] = set()
        self._root: ChunkId | None = None
        self._workers = ThreadPoolExecutor(threads, "seal")
        self._publisher = ThreadPoolExecutor(1, "publish")
        # Both bound what is in memory: batches waiting to be compressed, and finished packs waiting for the disk.
        self._batches = threading.Semaphore(threads + 1)
        self._finished = threading.Semaphore(1)
        self._buffers: list[mmap.mmap] = []
        self._running: list[Future[None]] = []
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        self._backend.sweep_unfinished(UNFINISHED_AGE)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        failure = error
        try:
            if error is None:
                self.flush()
        except Exception as while_flushing:
            failure = while_flushing
            raise
        finally:
            # What runs is waited for: a thread left alone would write into a repository that its owner has let go.
            self._workers.shutdown(cancel_futures=True)
            self._publisher.shutdown(cancel_futures=True)
            if isinstance(failure, Exception):
                # What was published is there, and whole. Without its rows the next run would store it again, on a disk that is full.
                with suppress(BackendError):
                    self._index.save_new(self._backend, self._keys.index_key)

    def store(
        self,
        kind: ChunkType,
        plaintext: bytes | bytearray | memoryview,
        *,
        compress: bool = True,
    ) -> StoredChunk:
        """Store a chunk unless it is there already. `compress` false saves the attempt where it is known to be pointless.

        Raises:
            ChunkTooLarge: over 16 MiB.
            NoSpace, BackendError: an earlier pack could not be written. The writer is of no more use.
        """
        self._raise_failure()
        if len(plaintext) > MAX_PLAIN:
            raise ChunkTooLarge(size=len(plaintext), most=MAX_PLAIN)
        sha256 = plain_sha256(plaintext)
        chunk = chunk_id(self._keys.id_key, kind, sha256)
        if kind is ChunkType.ROOT:
            self._root = chunk
        # First what is on its way, then the index: a chunk leaves the one only after it has entered the other.
        if chunk in self._open:
            return StoredChunk(chunk, new=False, pack=None, sha256=sha256)
        known = self._index.find(chunk)
        if known is not None:
            return StoredChunk(chunk, new=False, pack=known.pack, sha256=sha256)
        self._open.add(chunk)
        lane = self._data if kind in _DATA else self._manifest
        lane.batch.append(_Waiting(chunk, kind, bytes(plaintext), compress))
        lane.batch_bytes += len(plaintext)
        if lane.batch_bytes >= _BATCH_BYTES or len(lane.batch) >= _BATCH_CHUNKS:
            self._submit(lane)
        return StoredChunk(chunk, new=True, pack=None, sha256=sha256)

    def flush(self) -> None:
        """Publish every chunk stored so far, then the index of them. After it returns they survive a power cut.

        Raises:
            NoSpace, BackendError: something could not be written.
        """
        lanes = (self._data, self._manifest)
        for lane in lanes:
            self._submit(lane)
        self._settle()
        for lane in lanes:
            with lane.lock:
                self._close(lane)
        self._settle()
        self.rest()
        # Data before index: until here the new packs are unreachable and harmless.
        self._index.save_new(self._backend, self._keys.index_key)
        if self._root is not None:
            self.root_pack = self.pack_of(self._root)

    def rest(self) -> None:
        """Give memory back that is kept for the next packs: something else has its turn now. Storing may go on later."""
        self._buffers.clear()

    def pack_of(self, chunk: ChunkId) -> PackName:
        """Return the published pack that holds a chunk.

        Raises:
            ChunkNotStored: it was never stored, or not flushed yet.
        """
        known = self._index.find(chunk)
        if known is None:
            raise ChunkNotStored(chunk=chunk.hex())
        return known.pack

    def packs_of(self, chunks: Iterable[ChunkId]) -> set[PackName]:
        """Return the published packs that hold these chunks; raises as `pack_of` does."""
        return {self.pack_of(chunk) for chunk in chunks}

    def holds(self, chunk: ChunkId) -> bool:
        """Tell whether a chunk is stored or on its way, so that an unchanged file need not be read."""
        return chunk in self._open or self._index.find(chunk) is not None

    def _submit(self, lane: _Lane) -> None:
        batch, lane.batch, lane.batch_bytes = lane.batch, [], 0
        if not batch:
            return
        while not self._batches.acquire(timeout=0.5):
            self._raise_failure()
        self._running = [future for future in self._running if not future.done()]
        self._running.append(self._workers.submit(self._fill, lane, batch))

    def _fill(self, lane: _Lane, batch: list[_Waiting]) -> None:
        """Compress a batch and lay it into the lane's pack. Runs in a worker."""
        try:
            if self._failure is None:
                encoded = [self._encode(chunk) for chunk in batch]
                with lane.lock:
                    for chunk in encoded:
                        if lane.builder is not None and not lane.builder.has_room_for(chunk):
                            self._close(lane)
                        if lane.builder is None:
                            lane.builder = self._new_builder(lane)
                        lane.builder.add(chunk)
        except BaseException as error:
            self._fail(error)
            raise
        finally:
            self._batches.release()

    def _encode(self, chunk: _Waiting) -> EncodedChunk:
        codec, stored = Codec.RAW, chunk.plaintext
        if chunk.compress:
            codec, stored = compress(chunk.plaintext, self._profile.level)
        return EncodedChunk(chunk.id, chunk.kind, codec, len(chunk.plaintext), stored)

    def _new_builder(self, lane: _Lane) -> PackBuilder:
        return PackBuilder(
            self.address,
            self._keys.recipient,
            target=lane.target,
            payload_size=self._profile.payload_size,
            buffer=self._buffers.pop() if self._buffers else None,
        )

    def _close(self, lane: _Lane) -> None:
        """Send the lane's pack to the publisher. Whoever calls holds the lane's lock."""
        builder, lane.builder = lane.builder, None
        if builder is None:
            return
        while not self._finished.acquire(timeout=0.5):
            self._raise_failure()
        self._running.append(self._publisher.submit(self._publish, builder))

    def _publish(self, builder: PackBuilder) -> None:
        """Finish, write, read back, check, name. Runs in the publisher."""
        try:
            if self._failure is not None:
                return
            finished = builder.finish()
            self._create(finished)
            self._index.add(finished.name, finished.rows)
            self._open.difference_update([row.chunk for row in finished.rows])
            self.stored_bytes += len(finished.data)
            finished.data.release()
            self._buffers.append(builder.buffer)
            if self._index.is_save_due:
                self._index.save_new(self._backend, self._keys.index_key)
        except BaseException as error:
            self._fail(error)
            raise
        finally:
            self._finished.release()

    def _create(self, finished: FinishedPack) -> None:
        self._backend.create(
            layout.pack(self.address.domain, finished.name),
            finished.data,
            check=lambda written: check_finished_pack(finished, written, self._keys.id_key),
        )

    def _settle(self) -> None:
        """Wait for everything that runs, also for what that starts."""
        while self._running:
            self._running.pop(0).exception()
        self._raise_failure()

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
