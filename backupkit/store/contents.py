"""From a snapshot's root to its files: which there are, and the bytes of each.

What cannot be read is reported and passed over; everything beside it still comes.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.errors import BackupkitError
from backupkit.ids import ChunkId
from backupkit.store.chunk_id import ChunkType
from backupkit.store.failures import ChunkLost, WrongChunkType
from backupkit.store.finding import Finding, cause
from backupkit.store.page_map import leaf_chunks, read_page_map, read_pages
from backupkit.store.tree import (
    ChunkList,
    Chunks,
    Content,
    Entry,
    EntryKind,
    Pages,
    ReadsChunks,
    read_chunk_list,
    read_part,
    tree_parts,
)

LOST: tuple[type[BackupkitError], ...] = (ChunkLost, WrongChunkType, MalformedObject, NewerFormat)
"""What reading a tree or a file may raise for damage."""

_MAX_DEPTH = 400
MOST_ENTRIES = 50_000_000
"""A few folders that name each other many times over can stand for more entries than there are atoms."""


class PathEntry(NamedTuple):
    """An entry and its path below the source, parts joined by `/`."""

    path: bytes
    entry: Entry


def walk_tree(
    reader: ReadsChunks,
    tree: ChunkId,
    tell: Callable[[Finding], None],
    *,
    below: bytes = b"",
) -> Iterator[PathEntry]:
    """Give everything below a folder, each folder before what is in it. Lost parts of folders are told and passed over."""
    for number, place in enumerate(_walk(reader, tree, tell, below, depth=0)):
        if number >= MOST_ENTRIES:
            tell(Finding("folder-lost", _shown(below), "too-many-entries", chunks=(tree,)))
            return
        yield place


def _walk(
    reader: ReadsChunks,
    tree: ChunkId,
    tell: Callable[[Finding], None],
    below: bytes,
    *,
    depth: int,
) -> Iterator[PathEntry]:
    shown = _shown(below)
    if depth > _MAX_DEPTH:
        tell(Finding("folder-lost", shown, "nested-too-deeply", chunks=(tree,)))
        return
    try:
        parts = tree_parts(reader, tree)
    except LOST as error:
        tell(Finding("folder-lost", shown, cause(error), chunks=(tree,)))
        return
    last = b""
    for part in parts:
        try:
            entries = read_part(reader, part)
            # A name twice, a link and a folder say, would lead what lies in the folder to wherever the link points.
            names = [last, *(entry.name for entry in entries)]
            if any(name >= following for name, following in pairwise(names)):
                raise MalformedObject(what="tree", reason="not-sorted")
            last = names[-1]
        except LOST as error:
            tell(Finding("folder-lost", shown, cause(error), chunks=(part,)))
            continue
        for entry in entries:
            path = below + b"/" + entry.name if below else entry.name
            yield PathEntry(path, entry)
            if entry.kind is EntryKind.FOLDER and entry.tree is not None:
                yield from _walk(reader, entry.tree, tell, path, depth=depth + 1)


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace") or "."


def content_chunks(reader: ReadsChunks, content: Content) -> tuple[ChunkId, ...]:
    """Return the chunks that hold a file's bytes: one behind the other, or the extents of its pages.

    Raises:
        ChunkLost, WrongChunkType, MalformedObject: list or map cannot be read.
    """
    match content:
        case Chunks(ids):
            return ids
        case ChunkList(chunk):
            return read_chunk_list(reader, chunk)
        case Pages(chunk, _):
            return tuple(read_page_map(reader, chunk).extents())


def content_bytes(reader: ReadsChunks, content: Content) -> Iterator[bytes]:
    """Give a file's bytes from beginning to end, in pieces.

    Raises:
        ChunkLost, WrongChunkType, MalformedObject: a piece cannot be read.
    """
    if isinstance(content, Pages):
        yield from read_pages(reader, read_page_map(reader, content.map))
        return
    for chunk in content_chunks(reader, content):
        yield reader.read(chunk, ChunkType.DATA)


def reachable_chunks(reader: ReadsChunks, tree: ChunkId, tell: Callable[[Finding], None]) -> Iterator[ChunkId]:
    """Give every chunk that a folder needs, itself included, some of them more than once."""
    yield from _tree_chunks(reader, tree, tell)
    for _, entry in walk_tree(reader, tree, tell):
        if entry.tree is not None:
            yield from _tree_chunks(reader, entry.tree, lambda _: None)
        if entry.content is not None:
            try:
                yield from _content_and_lists(reader, entry.content)
            except LOST as error:
                tell(Finding("file-lost", entry.name.decode("utf-8", "backslashreplace"), cause(error)))


def _tree_chunks(reader: ReadsChunks, tree: ChunkId, tell: Callable[[Finding], None]) -> Iterator[ChunkId]:
    yield tree
    try:
        yield from tree_parts(reader, tree)
    except LOST as error:
        tell(Finding("folder-lost", tree.hex(), cause(error), chunks=(tree,)))


def _content_and_lists(reader: ReadsChunks, content: Content) -> Iterator[ChunkId]:
    if isinstance(content, ChunkList):
        yield content.id
    if isinstance(content, Pages):
        yield content.map
        yield from leaf_chunks(reader, content.map)
    yield from content_chunks(reader, content)
