"""Chunks kept in a dictionary: where trees and maps are tested apart from packs."""

from backupkit.ids import ChunkId
from backupkit.store.chunk_id import ChunkType, chunk_id, plain_sha256
from backupkit.store.domains.domain_writer import StoredChunk
from backupkit.store.failures import ChunkLost, WrongChunkType

KEY = b"i" * 32


class KeptChunks:
    """Stores and reads chunks as a writer and a reader of a domain do."""

    def __init__(self) -> None:
        self.chunks: dict[ChunkId, bytes] = {}
        self.kinds: dict[ChunkId, ChunkType] = {}
        self.reads: list[ChunkId] = []

    def store(
        self, kind: ChunkType, plaintext: bytes | bytearray | memoryview, *, compress: bool = True
    ) -> StoredChunk:
        sha256 = plain_sha256(plaintext)
        chunk = chunk_id(KEY, kind, sha256)
        new = chunk not in self.chunks
        self.chunks[chunk], self.kinds[chunk] = bytes(plaintext), kind
        return StoredChunk(chunk, new, None, sha256)

    def read(self, chunk: ChunkId, kind: ChunkType | None = None) -> bytes:
        self.reads.append(chunk)
        if chunk not in self.chunks:
            raise ChunkLost(chunk=chunk.hex(), pack=None, reason="in-no-pack")
        if kind is not None and self.kinds[chunk] is not kind:
            raise WrongChunkType(chunk=chunk.hex(), wanted=kind.name, found=self.kinds[chunk].name)
        return self.chunks[chunk]
