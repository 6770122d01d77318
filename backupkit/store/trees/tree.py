"""Folders as chunks: what lies in them, and where the bytes of each file are.

A tree is canonical JSON under the mark TREE. A long folder is cut into parts by the hashes of its names, so that one new
file changes one part. Names are bytes, as the file system has them; those that are not UTF-8 are written as base64.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, Protocol, TypeAlias

from backupkit.codec.canonical import decode_json, encode_canonical
from backupkit.codec.framing import Mark, frame, unframe
from backupkit.codec.malformed import MalformedObject
from backupkit.ids import ChunkId
from backupkit.store.chunk_id import ID_SIZE, ChunkType
from backupkit.store.domains.domain_writer import StoredChunk
from backupkit.store.packs.pack_format import MAX_PLAIN

INLINE_CHUNKS = 64
"""Files of more chunks than this keep the ids in a chunk of their own."""

_MOST_ENTRIES = 1024
_WHAT = "tree"
_HEX_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NO_NAMES = frozenset({b".", b".."})
_NANOSECONDS = re.compile(r"-?\d{1,20}", re.ASCII)


class StoresChunks(Protocol):
    """Where trees are written to: a `DomainWriter`."""

    def store(
        self,
        kind: ChunkType,
        plaintext: bytes | bytearray | memoryview,
        *,
        compress: bool = True,
    ) -> StoredChunk:
        """Store a chunk."""
        ...


class ReadsChunks(Protocol):
    """Where trees are read from: a `DomainReader`."""

    def read(self, chunk: ChunkId, kind: ChunkType | None = None) -> bytes:
        """Return a chunk's plain bytes."""
        ...


class EntryKind(Enum):
    """What an entry of a folder is."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Chunks:
    """A file's bytes: these chunks one behind the other. No chunks, no bytes."""

    ids: tuple[ChunkId, ...]


@dataclass(frozen=True, slots=True)
class ChunkList:
    """A file's bytes: the chunks whose ids are in this chunk."""

    id: ChunkId


@dataclass(frozen=True, slots=True)
class Pages:
    """A file's bytes: pages that a page map finds. `page_size` is in bytes."""

    map: ChunkId
    page_size: int


Content: TypeAlias = Chunks | ChunkList | Pages


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder. `mode` holds permission bits, `mtime_ns` nanoseconds since 1970, `size` bytes.

    A file has `sha256` (of all its bytes) and `content`, a folder `tree`, a link `target`.
    """

    name: bytes
    kind: EntryKind
    mode: int = 0
    mtime_ns: int = 0
    size: int = 0
    sha256: bytes | None = None
    content: Content | None = None
    tree: ChunkId | None = None
    target: bytes | None = None

    def __post_init__(self) -> None:
        name, kind = self.name, self.kind
        if not name or b"/" in name or b"\0" in name or name in _NO_NAMES:
            raise MalformedObject(what=_WHAT, reason="bad-name")
        is_file, is_folder = kind is EntryKind.FILE, kind is EntryKind.FOLDER
        if (
            (self.sha256 is not None) is not is_file
            or (self.content is not None) is not is_file
            or (self.tree is not None) is not is_folder
            or (self.target is not None) is not (kind is EntryKind.LINK)
        ):
            raise MalformedObject(what=_WHAT, reason="wrong-fields")


def one_chunk(entry: Entry) -> ChunkId | None:
    """Return the chunk that all of a file is, None where it is more or fewer."""
    content = entry.content
    return content.ids[0] if isinstance(content, Chunks) and len(content.ids) == 1 else None


def file_content(writer: StoresChunks, chunks: Sequence[ChunkId]) -> Content:
    """Return the content of a file of these chunks, storing a list of them where there are many."""
    if len(chunks) <= INLINE_CHUNKS:
        return Chunks(tuple(chunks))
    return ChunkList(writer.store(ChunkType.CHUNK_LIST, frame(Mark.CHUNK_LIST, b"".join(chunks))).id)


def read_chunk_list(reader: ReadsChunks, chunk: ChunkId) -> tuple[ChunkId, ...]:
    """Return the ids in a chunk list.

    Raises:
        ChunkLost: it cannot be read.
        MalformedObject: it is no chunk list.
    """
    ids = unframe(Mark.CHUNK_LIST, reader.read(chunk, ChunkType.CHUNK_LIST))
    if len(ids) % ID_SIZE:
        raise MalformedObject(what="chunk-list", reason="truncated")
    return tuple(ChunkId(bytes(ids[at : at + ID_SIZE])) for at in range(0, len(ids), ID_SIZE))


def write_tree(writer: StoresChunks, entries: Iterable[Entry]) -> ChunkId:
    """Store a folder and return the chunk that names all of it.

    Raises:
        MalformedObject: two entries have the same name.
    """
    ordered = sorted(entries, key=lambda entry: entry.name)
    if len({entry.name for entry in ordered}) != len(ordered):
        raise MalformedObject(what=_WHAT, reason="same-name-twice")
    parts = list(_cut(ordered))
    if len(parts) <= 1:
        return _store(writer, {"v": 1, "entries": [_encode(entry) for entry in ordered]})
    ids = [_store(writer, {"v": 1, "entries": [_encode(entry) for entry in part]}) for part in parts]
    return _store(writer, {"v": 1, "parts": [part.hex() for part in ids]})


def tree_parts(reader: ReadsChunks, tree: ChunkId) -> list[ChunkId]:
    """Return the chunks that hold a folder's entries: the tree itself, or its parts. Each can be lost alone.

    Raises:
        ChunkLost: the tree cannot be read.
        MalformedObject: it is no tree.
    """
    return [part for part, _ in open_tree(reader, tree)]


def open_tree(reader: ReadsChunks, tree: ChunkId) -> list[tuple[ChunkId, Callable[[], list[Entry]]]]:
    """Return the chunks that hold a folder's entries as `tree_parts` does, each with what reads it as `read_part` does.

    A short folder, which is its own only part, is not read again.
    """
    fields = _fields(reader, tree)
    if "parts" not in fields:
        return [(tree, partial(_entries, fields))]
    try:
        parts = [_id(part) for part in fields["parts"]]
    except (TypeError, ValueError) as error:
        raise MalformedObject(what=_WHAT, reason="wrong-fields") from error
    return [(part, partial(read_part, reader, part)) for part in parts]


def read_part(reader: ReadsChunks, part: ChunkId) -> list[Entry]:
    """Return the entries in one part of a folder; raises as `tree_parts` does."""
    return _entries(_fields(reader, part))


def _entries(fields: dict[str, Any]) -> list[Entry]:
    try:
        return [_decode(one) for one in fields["entries"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MalformedObject(what=_WHAT, reason="wrong-fields") from error


def _cut(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """Cut where the hash of a name begins with a zero byte: every 256 entries on average, and never far from an edit."""
    start = 0
    for at, entry in enumerate(entries, start=1):
        if hashlib.sha256(entry.name).digest()[0] == 0 or at - start >= _MOST_ENTRIES:
            yield entries[start:at]
            start = at
    if start < len(entries):
        yield entries[start:]


def _store(writer: StoresChunks, fields: dict[str, Any]) -> ChunkId:
    return writer.store(ChunkType.TREE, frame(Mark.TREE, encode_canonical(fields))).id


def _fields(reader: ReadsChunks, tree: ChunkId) -> dict[str, Any]:
    fields = decode_json(unframe(Mark.TREE, reader.read(tree, ChunkType.TREE)), what=_WHAT, max_bytes=MAX_PLAIN)
    if not isinstance(fields, dict) or fields.get("v") != 1:
        raise MalformedObject(what=_WHAT, reason="wrong-fields")
    return fields


def _encode(entry: Entry) -> dict[str, Any]:
    fields: dict[str, Any] = _text("name", entry.name)
    fields["kind"] = entry.kind.value
    fields["mode"] = entry.mode
    fields["mtime_ns"] = str(entry.mtime_ns)
    if entry.kind is EntryKind.FILE:
        assert entry.sha256 is not None
        fields["size"] = entry.size
        fields["sha256"] = entry.sha256.hex()
        fields["content"] = _encode_content(entry.content)
    elif entry.kind is EntryKind.FOLDER:
        assert entry.tree is not None
        fields["tree"] = entry.tree.hex()
    else:
        assert entry.target is not None
        fields |= _text("target", entry.target)
    return fields


def _encode_content(content: Content | None) -> dict[str, Any]:
    if isinstance(content, Chunks):
        return {"chunks": [chunk.hex() for chunk in content.ids]}
    if isinstance(content, ChunkList):
        return {"list": content.id.hex()}
    if content is None:
        raise MalformedObject(what=_WHAT, reason="wrong-fields")
    return {"pages": content.map.hex(), "page_size": content.page_size}


def _decode(fields: dict[str, Any]) -> Entry:
    kind = EntryKind(fields["kind"])
    if not _NANOSECONDS.fullmatch(fields["mtime_ns"]):
        raise ValueError(fields["mtime_ns"])
    is_file = kind is EntryKind.FILE
    return Entry(
        name=_bytes("name", fields),
        kind=kind,
        mode=_count(fields["mode"]) & 0o7777,
        mtime_ns=int(fields["mtime_ns"]),
        size=_count(fields["size"]) if is_file else 0,
        sha256=_id(fields["sha256"]) if is_file else None,
        content=_decode_content(fields["content"]) if is_file else None,
        tree=_id(fields["tree"]) if kind is EntryKind.FOLDER else None,
        target=_bytes("target", fields) if kind is EntryKind.LINK else None,
    )


def _decode_content(fields: dict[str, Any]) -> Content:
    if "chunks" in fields:
        return Chunks(tuple(_id(chunk) for chunk in fields["chunks"]))
    if "list" in fields:
        return ChunkList(_id(fields["list"]))
    return Pages(_id(fields["pages"]), _count(fields["page_size"]))


def _text(field: str, value: bytes) -> dict[str, str]:
    try:
        return {field: value.decode("utf-8")}
    except UnicodeDecodeError:
        return {f"{field}_b64": base64.b64encode(value).decode("ascii")}


def _bytes(field: str, fields: dict[str, Any]) -> bytes:
    if field in fields:
        text: str = fields[field]
        return text.encode("utf-8")
    try:
        return base64.b64decode(fields[f"{field}_b64"], validate=True)
    except binascii.Error as error:
        raise ValueError(field) from error


def _id(text: str) -> ChunkId:
    if not _HEX_ID.fullmatch(text):
        raise ValueError(text)
    return ChunkId(bytes.fromhex(text))


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(value)
    return value
