"""One sealed file of the search index: messages in the order of their times, and the terms that lead to them.

    file       magic "BKSEARCH" | version u8 | salt 32 | sealed blocks | directory's offset u64
    block      AES-256-GCM under the file's own key, the block's number as nonce; zstd inside
    blocks     documents, 64 each, by time | terms, sorted, some 16 KiB each | all words among the terms, a line each |
               source and key of each document | the directory

Sizes of blocks tell nothing of what is in them. A search opens the directory, the few blocks of terms that it needs, the words
where it looks for a piece of one, and the documents that it shows. `docs/adr/0020-search-index.md` says why.
"""

import heapq
import json
import os
import secrets
import struct
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import zstandard

from backupkit.chats.search.document import Document, decode_documents, encode_documents
from backupkit.chats.search.postings import decode_postings, decode_terms, encode_postings, encode_terms
from backupkit.chats.search.terms import Needed, Way, is_word
from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.derive import derive
from backupkit.crypto.sealing import SALT_SIZE, TAG_SIZE, RecordCipher
from backupkit.home import make_private

MAGIC = b"BKSEARCH"
VERSION = 2
BLOCK_DOCUMENTS = 64
MOST_DOCUMENTS = 1 << 16
"""So many messages are in one file at most."""

MOST_HELD = 80 << 20
"""So many bytes are held in memory, about, while a file is filled: long texts make it smaller than many messages would."""

_HEAD = MAGIC + bytes([VERSION])
_TRAILER = struct.Struct("<Q")
_KEY = struct.Struct("<I24s")
_TERMS_BYTES = 16 << 10
_MOST_BLOCK = 64 << 20
_DIRECTORY = (1 << 32) - 1
"""The directory's number: no other block has it."""

_WHAT = "search-index"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document is: the name of its file, and its number there."""

    segment: str
    number: int


class Filling:
    """The documents of the next file, as they come, and what each is found by."""

    def __init__(self) -> None:
        self.documents: list[Document] = []
        self._terms: defaultdict[str, list[int]] = defaultdict(list)
        self._held = 0

    def add(self, document: Document) -> None:
        """Put in one more."""
        number = len(self.documents)
        self.documents.append(document)
        terms = document.terms()
        for term in terms:
            self._terms[term].append(number)
        # What a document, a character and a place in a list take, measured; what a term takes is added in `is_full`.
        self._held += 700 + 2 * len(document.text) + 8 * len(terms)

    @property
    def is_full(self) -> bool:
        """Whether it is time to write."""
        return len(self.documents) >= MOST_DOCUMENTS or self._held + 250 * len(self._terms) >= MOST_HELD

    def order(self) -> list[int]:
        """Return the numbers of the documents in the order in which they are written: by time."""
        times = [document.at for document in self.documents]
        return sorted(range(len(times)), key=times.__getitem__)

    def term_blocks(self, order: Sequence[int]) -> Iterator[tuple[list[str], bytes]]:
        """Give the terms in blocks, each with its names; the lists are in the order of writing. What was given is let go."""
        place = [0] * len(order)
        for written, number in enumerate(order):
            place[number] = written
        is_sorted = place == list(range(len(place)))
        rows: list[tuple[str, bytes]] = []
        size = 0
        for term in sorted(self._terms):
            numbers = self._terms.pop(term)
            postings = encode_postings(numbers if is_sorted else sorted(map(place.__getitem__, numbers)))
            rows.append((term, postings))
            size += len(term) + len(postings)
            if size >= _TERMS_BYTES:
                yield [name for name, _ in rows], encode_terms(rows)
                rows, size = [], 0
        if rows:
            yield [name for name, _ in rows], encode_terms(rows)


def write_segment(path: Path, key: bytes, filling: Filling) -> list[Document]:
    """Write documents by time, under another name and then under their own. Return them in that order."""
    make_private(path.parent)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    order = filling.order()
    documents = [filling.documents[number] for number in order]
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as out:
            salt = secrets.token_bytes(SALT_SIZE)
            out.write(_HEAD + salt)
            blocks = _Blocks(out, RecordCipher(_file_key(key, salt)), _HEAD + salt)
            firsts, terms, words = [], [], list[str]()
            for start in range(0, len(documents), BLOCK_DOCUMENTS):
                block = documents[start : start + BLOCK_DOCUMENTS]
                firsts.append(block[0].at)
                blocks.add(encode_documents(block))
            for names, data in filling.term_blocks(order):
                blocks.add(data)
                terms.append(names[0])
                words += filter(is_word, names)
            blocks.add("\n".join(("", *words, "")).encode("utf-8", "surrogatepass"))
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
    return documents


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
        self._words: str | None = None
        try:
            self.documents = int(directory["documents"])
            self._firsts: list[int] = directory["firsts"]
            self._terms: list[str] = directory["terms"]
            self._sizes: list[int] = directory["sizes"]
            self.last = int(directory["last"])
            whole = len(self._firsts) + len(self._terms) + 2 == len(self._sizes)
            if not whole or -(-self.documents // BLOCK_DOCUMENTS) != len(self._firsts):
                raise MalformedObject(what=_WHAT, reason="wrong-directory")
            self._offsets = [len(head)]
            for size in self._sizes:
                self._offsets.append(self._offsets[-1] + size)
        except (KeyError, TypeError, ValueError) as error:
            raise MalformedObject(what=_WHAT, reason="wrong-directory") from error

    def numbers(self, needed: Needed) -> set[int]:
        """Return the numbers of the documents that have what is needed."""
        match needed.way:
            case Way.WHOLE:
                return self._of(self._block_of(needed.term), {needed.term})
            case Way.BEGINNING:
                return self._beginning_with(needed.term)
            case Way.INSIDE | Way.ENDING:
                return self._of_words(self._words_with(needed.term, "\n" if needed.way is Way.ENDING else ""))

    def _block_of(self, term: str) -> int:
        return max(bisect_right(self._terms, term) - 1, 0)

    def _of(self, block: int, names: Collection[str]) -> set[int]:
        found: set[int] = set()
        if self._terms:
            for name, postings in decode_terms(self._open(len(self._firsts) + block)):
                if name in names:
                    found.update(decode_postings(postings, self.documents))
        return found

    def _beginning_with(self, term: str) -> set[int]:
        found: set[int] = set()
        block = self._block_of(term)
        while block < len(self._terms) and (self._terms[block] <= term or self._terms[block].startswith(term)):
            for name, postings in decode_terms(self._open(len(self._firsts) + block)):
                if name.startswith(term):
                    found.update(decode_postings(postings, self.documents))
            block += 1
        return found

    def _words_with(self, piece: str, end: str) -> Iterator[str]:
        """Give the words that have a piece, or end with it, in order."""
        if self._words is None:
            self._words = str(self._open(len(self._sizes) - 2), "utf-8", "surrogatepass")
        words, piece = self._words, piece + end
        at = words.find(piece)
        while at >= 0:
            stop = words.find("\n", at)
            yield words[words.rfind("\n", 0, at) + 1 : stop]
            at = words.find(piece, stop)

    def _of_words(self, words: Iterator[str]) -> set[int]:
        found: set[int] = set()
        for block, names in groupby(words, self._block_of):
            found |= self._of(block, set(names))
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

    def keys(self) -> Iterator[tuple[int, bytes]]:
        """Give the source and the key of every document, in order."""
        data = self._open(len(self._sizes) - 1)
        if len(data) != _KEY.size * self.documents:
            raise MalformedObject(what=_WHAT, reason="wrong-keys")
        return _KEY.iter_unpack(data)

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


def merged(segments: Mapping[str, Segment]) -> Iterator[tuple[Place, Document]]:
    """Give the documents of several files, by time, and where each is."""
    streams = (
        ((Place(name, number), document) for number, document in enumerate(segment.every()))
        for name, segment in segments.items()
    )
    return heapq.merge(*streams, key=lambda row: row[1].at)
