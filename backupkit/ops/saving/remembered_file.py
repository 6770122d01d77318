"""What the file cache keeps of a file, so that an unchanged one is put into the next snapshot without being read.

    file       "C" | SHA-256 of the file 32 | size u64 | chunk ids, 32 each
    database   "P" | SHA-256 of the image 32 | size u64      and, beside it, page hashes and page map:
               length of the hashes u32 | hashes | page map
    folder     "F" | tree 32 | files u64 | size u64 | names of the packs that hold it, 32 each

This machine cannot open what it stored, so all it will need again lies here. Losing it costs one full read.
"""

import struct
from dataclasses import dataclass

from backupkit.capture.pages import PageHashes
from backupkit.codec.cursor import Cursor
from backupkit.codec.malformed import MalformedObject
from backupkit.ids import ChunkId, PackName
from backupkit.store.chunk_id import ID_SIZE
from backupkit.store.trees.page_map import PageMap, decode_page_map

_HEAD = struct.Struct(">c32sQ")
_LENGTH = struct.Struct(">I")
_FOLDER = struct.Struct(">c32sQQ")
_DIGEST = 32
_MOST = 1 << 30


@dataclass(frozen=True, slots=True)
class RememberedFile:
    """A file's hash and size in bytes, and its chunks; None for a database, whose pages are remembered apart."""

    sha256: bytes
    size: int
    chunks: tuple[ChunkId, ...] | None

    def encode(self) -> bytes:
        """Write the value for the file cache."""
        if self.chunks is None:
            return _HEAD.pack(b"P", self.sha256, self.size)
        return _HEAD.pack(b"C", self.sha256, self.size) + b"".join(self.chunks)


@dataclass(frozen=True, slots=True)
class RememberedPages:
    """A database's page hashes, and where its pages were stored."""

    hashes: PageHashes
    map: PageMap

    def encode(self) -> bytes:
        """Write the pages for the file cache."""
        hashes = self.hashes.encode()
        return _LENGTH.pack(len(hashes)) + hashes + self.map.encode()


@dataclass(frozen=True, slots=True)
class RememberedFolder:
    """A folder's tree, the files in it and their bytes, and the packs that hold these; folders in it not counted."""

    tree: ChunkId
    files: int
    size: int
    packs: frozenset[PackName]

    def encode(self) -> bytes:
        """Write the value for the file cache."""
        packs = b"".join(bytes.fromhex(pack) for pack in sorted(self.packs))
        return _FOLDER.pack(b"F", self.tree, self.files, self.size) + packs


def decode_folder(value: bytes | None) -> RememberedFolder | None:
    """Read a folder's value; None where it is not one that this version wrote."""
    if value is None or len(value) < _FOLDER.size or (len(value) - _FOLDER.size) % _DIGEST:
        return None
    kind, tree, files, size = _FOLDER.unpack_from(value)
    if kind != b"F":
        return None
    names = (value[at : at + _DIGEST].hex() for at in range(_FOLDER.size, len(value), _DIGEST))
    return RememberedFolder(ChunkId(tree), files, size, frozenset(PackName(name) for name in names))


def decode_file(value: bytes) -> RememberedFile | None:
    """Read a value; None where it is not one that this version wrote."""
    if len(value) < _HEAD.size:
        return None
    kind, sha256, size = _HEAD.unpack_from(value)
    ids = value[_HEAD.size :]
    if kind == b"P" and not ids:
        return RememberedFile(sha256, size, None)
    if kind != b"C" or len(ids) % ID_SIZE:
        return None
    return RememberedFile(sha256, size, tuple(ChunkId(ids[at : at + ID_SIZE]) for at in range(0, len(ids), ID_SIZE)))


def decode_pages(value: bytes | None) -> RememberedPages | None:
    """Read a database's pages; None where there are none that this version wrote."""
    if value is None:
        return None
    cursor = Cursor(value, what="remembered-pages")
    try:
        hashes = PageHashes.decode(bytes(cursor.sized(most=_MOST)))
        pages = RememberedPages(hashes, decode_page_map(bytes(cursor.take(cursor.remaining))))
    except MalformedObject:
        return None
    fits = (pages.map.page_size, pages.map.size) == (hashes.page_size, hashes.size)
    return pages if fits else None
