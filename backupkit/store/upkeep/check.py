"""Reading every byte back, in two ways.

*Sealed* needs no key: every pack's bytes hash to its name, and each was opened and compared by its writer before it got that
name. *Open* needs the domain's identity: every chunk is opened, its id computed again, and every file's SHA-256 compared
with the one taken when it was saved.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.errors import BackupkitError
from backupkit.ids import ChunkId, RepositoryId
from backupkit.store.backend import Backend, BackendError
from backupkit.store.chunk_id import ChunkType
from backupkit.store.domains.domain_reader import DomainReader, in_any_order, in_order
from backupkit.store.domains.stretch import Lent
from backupkit.store.failures import ChunkLost, WrongChunkType
from backupkit.store.finding import Finding, cause
from backupkit.store.layout import PackRef
from backupkit.store.objects.pack_list import ListedPack
from backupkit.store.packs.pack_format import FOOTER, HEADER_SIZE, MAX_PACK, Address, parse_footer, parse_header
from backupkit.store.trees.contents import LOST, PathEntry, content_chunks, walk_each_once
from backupkit.store.trees.manifest import Manifest, read_manifest
from backupkit.store.trees.page_map import read_page_map, read_pages, run_bytes, runs_by_extent
from backupkit.store.trees.tree import Content, Entry, EntryKind, Pages, one_chunk

_PIECE = 1 << 20
_GROUP_BYTES = 4 << 20
_GROUP_FILES = 128


@dataclass(frozen=True, slots=True)
class PackChecked:
    """A pack whose every byte was read and hashes to its name. `size` is in bytes."""

    ref: PackRef
    size: int


@dataclass(frozen=True, slots=True)
class FileChecked:
    """A file whose every byte was opened and whose SHA-256 is that of the file that was saved. `size` is in bytes."""

    path: bytes
    size: int


def check_sealed(backend: Backend, packs: Iterable[PackRef], *, threads: int = 2) -> Iterator[PackChecked | Finding]:
    """Read every byte of some packs and compare with their names. Needs no key. Gives one outcome for each pack, in order."""
    yield from in_order((partial(_check_pack, backend, ref) for ref in packs), threads)


def check_outline(backend: Backend, repository: RepositoryId, pack: ListedPack) -> Finding | None:
    """Look whether a pack is there, as long as its list says, and begins and ends as this repository's packs do.

    A few hundred bytes are read. What lies between may be anything, so that this never passes for a verification.
    """
    try:
        _require_outline(backend, Address(repository, pack.ref.domain), pack)
    except (BackendError, MalformedObject, NewerFormat) as error:
        return Finding("pack-damaged", pack.ref.name, cause(error))
    return None


def check_open(reader: DomainReader, root: ChunkId, *, threads: int = 2) -> Iterator[FileChecked | Finding]:
    """Open everything that a snapshot's root reaches. Gives one outcome for each file, and a finding for each lost folder.

    Folders that are alike are looked at once, and named by the first of their paths. Damage that the reader came upon in packs and index files goes to the reader's own `tell`.
    """
    try:
        manifest = read_manifest(reader, root)
    except LOST as error:
        yield Finding("manifest-lost", root.hex(), cause(error), chunks=(root,))
        return
    findings: list[Finding] = []
    for outcomes in in_any_order(_groups(reader, manifest, findings), threads):
        while findings:
            yield findings.pop(0)
        yield from outcomes
    yield from findings


def check_file(reader: DomainReader, path: bytes, entry: Entry) -> FileChecked | Finding:
    """Open every chunk of one file and compare its size and SHA-256 with what was saved."""
    assert entry.content is not None
    hasher, size = hashlib.sha256(), 0
    try:
        for piece in _pieces(reader, entry.content):
            hasher.update(piece)
            size += len(piece)
            if size > entry.size:
                # More than was saved: there may be no end to it.
                break
    except LOST as error:
        return _lost(path, error)
    return _compared(path, entry, size, hasher.digest())


def _pieces(reader: DomainReader, content: Content) -> "Iterator[bytes | memoryview]":
    """Give a file's bytes from beginning to end, each piece lent until the next."""
    if isinstance(content, Pages):
        page_map = read_page_map(reader, content.map)
        extents = list(runs_by_extent(page_map))
        if sum(len(runs) for _, runs in extents) > len(extents):
            # Pages of one extent lie far apart: then each extent is opened once for a stretch of the file.
            yield from read_pages(reader, page_map)
            return
        for (_, (run,)), extent in zip(
            extents, _lent(reader, (one for one, _ in extents), ChunkType.PAGE_EXTENT), strict=True
        ):
            yield run_bytes(page_map, run, extent)
        return
    yield from _lent(reader, content_chunks(reader, content), ChunkType.DATA)


def _lent(reader: DomainReader, chunks: Iterable[ChunkId], kind: ChunkType) -> Iterator[memoryview]:
    for outcome in reader.lend(chunks):
        yield memoryview(_required(outcome, kind).plaintext)


def _required(outcome: Lent | ChunkLost, kind: ChunkType) -> Lent:
    if isinstance(outcome, ChunkLost):
        raise outcome
    if outcome.kind is not kind:
        raise WrongChunkType(chunk=outcome.chunk.hex(), wanted=kind.name.lower(), found=outcome.kind.name.lower())
    return outcome


def _check_with_one(path: bytes, entry: Entry, outcome: Lent | ChunkLost) -> FileChecked | Finding:
    """Check a file that is one chunk: computing the chunk's id gave the file's hash already."""
    try:
        lent = _required(outcome, ChunkType.DATA)
    except LOST as error:
        return _lost(path, error)
    return _compared(path, entry, len(lent.plaintext), lent.sha256)


def _compared(path: bytes, entry: Entry, size: int, sha256: bytes) -> FileChecked | Finding:
    if size != entry.size or sha256 != entry.sha256:
        return Finding(
            "file-differs",
            path.decode("utf-8", "backslashreplace"),
            "wrong-size" if size != entry.size else "wrong-sha256",
        )
    return FileChecked(path, size)


def _lost(path: bytes, error: BackupkitError) -> Finding:
    return Finding(
        "file-lost", path.decode("utf-8", "backslashreplace"), cause(error), chunks=_named(error.facts.get("chunk"))
    )


def _require_outline(backend: Backend, address: Address, pack: ListedPack) -> None:
    name, size = pack.ref.name, backend.size(pack.ref.name)
    if size != pack.size:
        raise MalformedObject(what="pack", reason="wrong-size")
    if parse_header(backend.read(name, 0, min(size, HEADER_SIZE))).address != address:
        raise MalformedObject(what="pack", reason="wrong-address")
    end = parse_footer(backend.read(name, max(size - FOOTER.size, 0)))
    if end is None or end.file_size != size:
        raise MalformedObject(what="pack", reason="wrong-footer")


def _check_pack(backend: Backend, ref: PackRef) -> PackChecked | Finding:
    try:
        size, hasher = backend.size(ref.name), hashlib.sha256()
        if size > MAX_PACK:
            # No pack is that long, and a file with holes may be endless to read.
            return Finding("pack-damaged", ref.name, "wrong-size")
        for offset in range(0, size, _PIECE):
            hasher.update(backend.read(ref.name, offset, min(_PIECE, size - offset)))
    except BackendError as error:
        return Finding("pack-damaged", ref.name, cause(error))
    if hasher.hexdigest() != ref.pack:
        return Finding("pack-damaged", ref.name, "wrong-sha256")
    return PackChecked(ref, size)


def _groups(
    reader: DomainReader,
    manifest: Manifest,
    findings: list[Finding],
) -> "Iterator[partial[list[FileChecked | Finding]]]":
    """Give work of a few files each, so that small files do not cost a hand-over each."""
    group: list[PathEntry] = []
    size = 0
    for source in manifest.sources:
        for place in walk_each_once(reader, source.tree, findings.append):
            if place.entry.kind is not EntryKind.FILE:
                continue
            group.append(place)
            size += place.entry.size
            if size >= _GROUP_BYTES or len(group) >= _GROUP_FILES:
                yield partial(_check_files, reader, group)
                group, size = [], 0
    yield partial(_check_files, reader, group)


def _check_files(reader: DomainReader, group: list[PathEntry]) -> list[FileChecked | Finding]:
    found: list[FileChecked | Finding] = []
    for is_one, run in groupby(group, key=lambda place: one_chunk(place.entry) is not None):
        places = list(run)
        if is_one:
            outcomes = reader.lend(chunk for place in places if (chunk := one_chunk(place.entry)) is not None)
            found += map(_check_with_one, *zip(*places, strict=True), outcomes)
        else:
            found += (check_file(reader, path, entry) for path, entry in places)
    return found


def _named(chunk: object) -> tuple[ChunkId, ...]:
    return (ChunkId(bytes.fromhex(chunk)),) if isinstance(chunk, str) else ()
