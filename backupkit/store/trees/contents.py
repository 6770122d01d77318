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
from backupkit.store.trees.page_map import leaf_chunks, read_page_map, read_pages
from backupkit.store.trees.tree import (
    ChunkList,
    Chunks,
    Content,
    Entry,
    EntryKind,
    Pages,
    ReadsChunks,
    open_tree,
    read_chunk_list,
    tree_parts,
)

LOST: tuple[type[BackupkitError], ...] = (ChunkLost, WrongChunkType, MalformedObject, NewerFormat)
"""What reading a tree or a file may raise for damage."""

_MAX_DEPTH = 400
MOST_ENTRIES = 50_000_000
_FEW_ENTRIES = 10_000
_MOST_ALIKE = 1000
"""A few folders that name each other many times over can stand for more entries than there are atoms. A thousand copies of
everything are believed."""


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
    walk = _Walk(reader, tell)
    for number, place in enumerate(walk.below(tree, below)):
        if number >= min(MOST_ENTRIES, _FEW_ENTRIES + _MOST_ALIKE * walk.distinct):
            tell(Finding("folder-lost", _shown(below), "too-many-entries", chunks=(tree,)))
            return
        yield place


def walk_each_once(reader: ReadsChunks, tree: ChunkId, tell: Callable[[Finding], None]) -> Iterator[PathEntry]:
    """Give everything below a folder, of folders that are alike the first only: all that there is to check."""
    yield from _Walk(reader, tell, each_once=True).below(tree, b"")


class _Walk:
    """One way through a tree. `distinct` counts the entries of the folders that were not met before."""

    def __init__(
        self,
        reader: ReadsChunks,
        tell: Callable[[Finding], None],
        *,
        each_once: bool = False,
        met: set[ChunkId] | None = None,
    ) -> None:
        self.distinct = 0
        self._reader = reader
        self._tell = tell
        self._each_once = each_once
        self._met = set() if met is None else met

    def below(self, tree: ChunkId, path: bytes, depth: int = 0) -> Iterator[PathEntry]:
        is_new = tree not in self._met
        if self._each_once and not is_new:
            return
        self._met.add(tree)
        if depth > _MAX_DEPTH:
            self._lose(path, "nested-too-deeply", tree)
            return
        try:
            parts = open_tree(self._reader, tree)
        except LOST as error:
            self._lose(path, cause(error), tree)
            return
        last = b""
        for part, read in parts:
            try:
                entries = read()
                # A name twice, a link and a folder say, would lead what lies in the folder to wherever the link points.
                names = [last, *(entry.name for entry in entries)]
                if any(name >= following for name, following in pairwise(names)):
                    raise MalformedObject(what="tree", reason="not-sorted")
                last = names[-1]
            except LOST as error:
                self._lose(path, cause(error), part)
                continue
            self.distinct += len(entries) if is_new else 0
            for entry in entries:
                place = path + b"/" + entry.name if path else entry.name
                yield PathEntry(place, entry)
                if entry.kind is EntryKind.FOLDER and entry.tree is not None:
                    yield from self.below(entry.tree, place, depth + 1)

    def _lose(self, path: bytes, reason: str, chunk: ChunkId) -> None:
        self._tell(Finding("folder-lost", _shown(path), reason, chunks=(chunk,)))


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


def reachable_chunks(
    reader: ReadsChunks, tree: ChunkId, tell: Callable[[Finding], None], *, met: set[ChunkId] | None = None
) -> Iterator[ChunkId]:
    """Give every chunk that a folder needs, itself included, some of them more than once.

    Folders in `met` are passed over, and those that are gone through are added to it: many snapshots share most of theirs.
    """
    met = set() if met is None else met
    if tree in met:
        return
    yield from _tree_chunks(reader, tree, tell)
    for _, entry in _Walk(reader, tell, each_once=True, met=met).below(tree, b""):
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
