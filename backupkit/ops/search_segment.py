"""One sealed file of the search index: messages in the order of their times, and the terms that lead to them.

    file       magic "BKSEARCH" | version u8 | salt 32 | sealed blocks | directory's offset u64
    block      AES-256-GCM under the file's own key, the block's number as nonce; zstd inside
    blocks     documents, 64 each, by time | terms, sorted, some 16 KiB each |
               source and key of each document | the directory

Sizes of blocks tell nothing of what is in them. A search opens the directory, the few blocks of terms that it needs, and the
documents that it shows. `docs/adr/0020-search-index.md` says why.
"""

import json
import os
import secrets
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zstandard

from backupkit.chats.search.document import Document, decode_documents, encode_documents
from backupkit.chats.search.postings import decode_postings, decode_terms, encode_postings, encode_terms
from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.derive import derive
from backupkit.crypto.sealing import SALT_SIZE, TAG_SIZE, RecordCipher
from backupkit.ops.places import make_private

MAGIC = b"BKSEARCH"
VERSION = 1
BLOCK_DOCUMENTS = 64
MOST_DOCUMENTS = 1 << 17
"""So many messages are in one file at most: what is held in memory while one is written."""

_HEAD = MAGIC + bytes([VERSION])
_TRAILER = struct.Struct("<Q")
_KEY = struct.Struct("<I24s")
_TERMS_BYTES = 16 << 10
_MOST_BLOCK = 64 << 20
_DIRECTORY = (1 << 32) - 1
"""The directory's number: no other block has it."""

_WHAT = "search-index"


def write_segment(path: Path, key: bytes, documents: Sequence[Document]) -> None:
    """Write documents, sorted by time, under another name and then under their own."""
    make_private(path.parent)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as out:
            salt = secrets.token_bytes(SALT_SIZE)
            out.write(_HEAD + salt)
            blocks = _Blocks(out, RecordCipher(_file_key(key, salt)), _HEAD + salt)
            firsts = []
            for start in range(0, len(documents), BLOCK_DOCUMENTS):
                block = documents[start : start + BLOCK_DOCUMENTS]
                firsts.append(block[0].at)
                blocks.add(encode_documents(block))
            terms = [first for first, data in _term_blocks(documents) if blocks.add(data)]
            blocks.add(b"".join(_KEY.pack(one.source, bytes.fromhex(one.key)) for one in documents))
            directory = {
                "documents": len(documents),
                "firsts": firsts,
                "terms": terms,
                "sizes": blocks.sizes,
                "last": documents[-1].at if documents else 0,
            }
            where = out.tell()
            out.write(blocks.sealed(_DIRECTORY, json.dumps(directory).encode()))
            out.write(_TRAILER.pack(where))
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _term_blocks(documents: Sequence[Document]) -> Iterator[tuple[str, bytes]]:
    numbers: dict[str, list[int]] = {}
    for number, document in enumerate(documents):
        for term in document.terms():
            numbers.setdefault(term, []).append(number)
    rows: list[tuple[str, bytes]] = []
    size = 0
    for term in sorted(numbers):
        postings = encode_postings(numbers.pop(term))
        rows.append((term, postings))
        size += len(term) + len(postings)
        if size >= _TERMS_BYTES:
            yield rows[0][0], encode_terms(rows)
            rows, size = [], 0
    if rows:
        yield rows[0][0], encode_terms(rows)


@dataclass(slots=True)
class _Blocks:
    """Seals one block after the other."""

    out: Any
    cipher: RecordCipher
    head: bytes
    sizes: list[int] = field(default_factory=list)
    _squeeze: zstandard.ZstdCompressor = field(default_factory=lambda: zstandard.ZstdCompressor(level=3))

    def add(self, data: bytes) -> int:
        """Write a block; return its size."""
        sealed = self.sealed(len(self.sizes), data)
        self.out.write(sealed)
        self.sizes.append(len(sealed))
        return len(sealed)

    def sealed(self, number: int, data: bytes) -> bytes:
        """Return a block as it is written."""
        return self.cipher.seal(number, self._squeeze.compress(data), self.head)


class Segment:
    """A file of the index, opened. Made by `open_segment`."""

    def __init__(self, descriptor: int, head: bytes, cipher: RecordCipher, directory: dict[str, Any]) -> None:
        self._descriptor = descriptor
        self._head = head
        self._cipher = cipher
        self._squeeze = zstandard.ZstdDecompressor()
        self._blocks: dict[int, list[Document]] = {}
        try:
            self.documents = int(directory["documents"])
            self._firsts: list[int] = directory["firsts"]
            self._terms: list[str] = directory["terms"]
            self._sizes: list[int] = directory["sizes"]
            self.last = int(directory["last"])
            whole = len(self._firsts) + len(self._terms) + 1 == len(self._sizes)
            if not whole or -(-self.documents // BLOCK_DOCUMENTS) != len(self._firsts):
                raise MalformedObject(what=_WHAT, reason="wrong-directory")
            self._offsets = [len(head)]
            for size in self._sizes:
                self._offsets.append(self._offsets[-1] + size)
        except (KeyError, TypeError, ValueError) as error:
            raise MalformedObject(what=_WHAT, reason="wrong-directory") from error

    def numbers(self, term: str, *, is_prefix: bool) -> set[int]:
        """Return the numbers of the documents that have a term, or any term with that beginning."""
        found: set[int] = set()
        block = max(bisect_right(self._terms, term) - 1, 0)
        while block < len(self._terms) and (self._terms[block] <= term or self._terms[block].startswith(term)):
            for name, postings in decode_terms(self._open(len(self._firsts) + block)):
                if name == term or (is_prefix and name.startswith(term)):
                    found.update(decode_postings(postings, self.documents))
            if not is_prefix:
                break
            block += 1
        return found

    def document(self, number: int) -> Document:
        """Return one document."""
        block, place = divmod(number, BLOCK_DOCUMENTS)
        if block not in self._blocks:
            if len(self._blocks) >= 64:
                self._blocks.pop(next(iter(self._blocks)))
            self._blocks[block] = list(decode_documents(self._open(block)))
        try:
            return self._blocks[block][place]
        except IndexError as error:
            raise MalformedObject(what=_WHAT, reason="document-missing") from error

    def every(self) -> Iterator[Document]:
        """Give all documents, by time."""
        for block in range(len(self._firsts)):
            yield from decode_documents(self._open(block))

    def keys(self) -> Iterator[tuple[int, str]]:
        """Give the source and the key of every document, in order."""
        data = self._open(len(self._sizes) - 1)
        if len(data) != _KEY.size * self.documents:
            raise MalformedObject(what=_WHAT, reason="wrong-keys")
        return ((source, key.hex()) for source, key in _KEY.iter_unpack(data))

    def between(self, since: int | None, until: int | None) -> range:
        """Return which documents may be of a time: whole blocks, so the ends are a little wide."""
        first = 0 if since is None else max(bisect_right(self._firsts, since) - 2, 0)
        while first and self._firsts[first] >= (since or 0):
            first -= 1
        last = len(self._firsts) if until is None else bisect_right(self._firsts, until)
        return range(first * BLOCK_DOCUMENTS, min(last * BLOCK_DOCUMENTS, self.documents))

    def _open(self, block: int) -> bytes:
        size, offset = self._sizes[block], self._offsets[block]
        return _opened(self._cipher, self._squeeze, self._head, block, os.pread(self._descriptor, size, offset))


def _opened(
    cipher: RecordCipher, squeeze: zstandard.ZstdDecompressor, head: bytes, number: int, sealed: bytes
) -> bytes:
    squeezed = cipher.open(number, sealed, head)
    try:
        return squeeze.decompress(squeezed, max_output_size=_MOST_BLOCK)
    except zstandard.ZstdError as error:
        raise MalformedObject(what=_WHAT, reason="broken-block") from error


@contextmanager
def open_segment(path: Path, key: bytes) -> Iterator[Segment]:
    """Open a file of the index.

    Raises:
        OSError, MalformedObject, OpenFailed: it is gone, damaged, or sealed with another key.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        head = os.pread(descriptor, len(_HEAD) + SALT_SIZE, 0)
        if not head.startswith(_HEAD) or size < len(head) + TAG_SIZE + _TRAILER.size:
            raise MalformedObject(what=_WHAT, reason="wrong-head")
        (where,) = _TRAILER.unpack(os.pread(descriptor, _TRAILER.size, size - _TRAILER.size))
        if not len(head) <= where <= size - _TRAILER.size or size - where > _MOST_BLOCK:
            raise MalformedObject(what=_WHAT, reason="wrong-trailer")
        sealed = os.pread(descriptor, size - _TRAILER.size - where, where)
        cipher = RecordCipher(_file_key(key, head[len(_HEAD) :]))
        directory = _opened(cipher, zstandard.ZstdDecompressor(), head, _DIRECTORY, sealed)
        yield Segment(descriptor, head, cipher, _read_directory(directory))
    finally:
        os.close(descriptor)


def _read_directory(data: bytes) -> dict[str, Any]:
    try:
        directory: dict[str, Any] = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MalformedObject(what=_WHAT, reason="wrong-directory") from error
    return directory


def _file_key(key: bytes, salt: bytes) -> bytes:
    return derive(key, "search-segment", salt=salt)


def merged(segments: Iterable[Segment]) -> list[Document]:
    """Return the documents of several files, by time."""
    return sorted((one for segment in segments for one in segment.every()), key=lambda one: one.at)
