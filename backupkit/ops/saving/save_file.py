"""One file of a source into one domain: looked up, or read and cut into chunks; a database page by page."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from backupkit.capture.content import PROBE_SIZE, Cut, choose_cut, is_compressible
from backupkit.capture.cuts import MIN_TEXT_CHUNK, media_cuts, text_cuts
from backupkit.capture.databases import DatabaseKind, may_be_database, recognise_database
from backupkit.capture.file_cache import FileCache, Stamp
from backupkit.capture.finding import Finding
from backupkit.capture.pages import PageReading
from backupkit.capture.scan import RelativePath, ScannedEntry
from backupkit.capture.stable_read import PIECE_SIZE, read_stable
from backupkit.capture.unreadable import SourceUnreadable, Unreadable as Reason, reason_of
from backupkit.codec.malformed import MalformedObject
from backupkit.ids import ChunkId, PackName
from backupkit.ops.events import Found, Severity, Tell
from backupkit.ops.saving.remembered_file import RememberedFile, RememberedPages, decode_file, decode_pages
from backupkit.store.chunk_id import ChunkType
from backupkit.store.domains.domain_writer import DomainWriter, StoredChunk
from backupkit.store.packs.index import Index
from backupkit.store.trees import tree
from backupkit.store.trees.page_map import PageMap, store_extents, write_page_map

if TYPE_CHECKING:
    from backupkit.capture.live_database import Captured

MOST_NOTED = 16 << 20
"""Bytes of ids that are kept to say, once their packs have names, which packs hold a folder. Folders beyond are told next time."""

_Stored: TypeAlias = tuple[tuple[ChunkId, ...], bytes]
"""A file's chunks, and the SHA-256 of all its bytes."""

_Piece = TypeVar("_Piece")


class StopAsked(Exception):
    """The person asked to stop. What is stored stays; the caller ties it together."""


@dataclass(frozen=True, slots=True)
class SavedFile:
    """What a file came to: itself, and what has to lie beside a database whose log could not be merged.

    `lost` says why it may not be what the app wrote. `is_certain` is false where a later run has to look at it again.
    """

    entries: tuple[tree.Entry, ...]
    is_database: bool = False
    lost: Reason | None = None
    is_certain: bool = True


class FileSaver:
    """Saves the files of one source, known as `key` in the cache, through `chunks`."""

    def __init__(
        self,
        key: str,
        chunks: "Noting",
        *,
        index: Index,
        cache: FileCache,
        scratch: Path,
        seed: int,
        tell: Tell,
        stop: Callable[[], bool],
    ) -> None:
        self._key = key
        self._chunks = chunks
        self._index = index
        self._cache = cache
        self._scratch = scratch
        self._seed = seed
        self._tell = tell
        self._stop = stop

    def unchanged(self, relative: RelativePath, scanned: ScannedEntry, stamp: Stamp) -> SavedFile | None:
        """Return what an unchanged file was stored as, if all of it is still in the repository."""
        value = self._cache.unchanged(self._key, relative, stamp)
        known = decode_file(value) if value is not None else None
        if known is None:
            return None
        if known.chunks is not None:
            if not self._all_there(known.chunks):
                return None
            content = tree.file_content(self._chunks, known.chunks)
            return SavedFile((_file_entry(scanned, known.size, known.sha256, content),))
        pages = decode_pages(self._cache.pages(self._key, relative))
        if pages is None or pages.map.size != known.size or not self._all_there(pages.map.extents()):
            return None
        entry = _file_entry(scanned, known.size, known.sha256, self._page_content(pages.map))
        return SavedFile((entry,), is_database=True)

    def save(self, path: str, relative: RelativePath, scanned: ScannedEntry, stamp: Stamp) -> SavedFile:
        """Read and store a file.

        Raises:
            SourceUnreadable: it cannot be read.
            StopAsked: the person asked to stop.
            NoSpace, BackendError: the repository cannot take more.
        """
        # Most files show by their first bytes that they are none, so they are opened once.
        plain = self._save_plain(path, relative, scanned, stamp, self._store_unless_database)
        if plain is not None:
            return plain
        kind = recognise_database(Path(path))
        if kind is not None:
            return self._save_database(Path(path), relative, scanned, stamp, kind)
        return self._save_plain(path, relative, scanned, stamp, self._store_pieces) or SavedFile(())

    def _all_there(self, chunks: "tuple[ChunkId, ...] | list[ChunkId]") -> bool:
        found = [self._index.find(chunk) for chunk in chunks]
        if None in found:
            return False
        self._chunks.note(location.pack for location in found if location is not None)
        return True

    def _save_plain(
        self,
        path: str,
        relative: RelativePath,
        scanned: ScannedEntry,
        stamp: Stamp,
        store: "Callable[[ScannedEntry, Iterator[bytes]], _Stored | None]",
    ) -> SavedFile | None:
        read = read_stable(path, lambda pieces: store(scanned, pieces))
        if read.answer is None:
            return None
        chunks, sha256 = read.answer
        if not read.changed:
            self._cache.remember(self._key, relative, stamp, RememberedFile(sha256, read.size, chunks).encode())
        entry = _file_entry(scanned, read.size, sha256, tree.file_content(self._chunks, chunks))
        return SavedFile((entry,), lost=Reason.CHANGED_WHILE_READ if read.changed else None)

    def _store_unless_database(self, scanned: ScannedEntry, pieces: Iterator[bytes]) -> "_Stored | None":
        first = next(pieces, b"")
        if may_be_database(first[:PROBE_SIZE], scanned.size):
            return None
        return self._store_from(first, scanned, pieces)

    def _store_pieces(self, scanned: ScannedEntry, pieces: Iterator[bytes]) -> "_Stored":
        return self._store_from(next(pieces, b""), scanned, pieces)

    def _store_from(self, first: bytes, scanned: ScannedEntry, rest: Iterator[bytes]) -> "_Stored":
        probe = first[:PROBE_SIZE]
        cut = choose_cut(scanned.name, probe, scanned.size)
        compress = cut is Cut.TEXT or is_compressible(probe)
        if len(first) < PIECE_SIZE and (cut is Cut.MEDIA or len(first) <= MIN_TEXT_CHUNK):
            # Most files are one chunk, whose hash is the file's.
            return self._store_alone(first, rest, compress=compress)
        watched = self._until_stopped(_chain(first, rest))
        cuts = text_cuts(watched, self._seed) if cut is Cut.TEXT else media_cuts(watched)
        ids: list[ChunkId] = []
        whole = hashlib.sha256()
        for data in cuts:
            ids.append(self._chunks.store(ChunkType.DATA, data, compress=compress).id)
            whole.update(data)
        return tuple(ids), whole.digest()

    def _store_alone(self, data: bytes, rest: Iterator[bytes], *, compress: bool) -> "_Stored":
        # The end is looked for: until then nobody noticed whether the file grew.
        for _ in rest:
            raise AssertionError("a short piece is the last")
        if not data:
            return (), hashlib.sha256().digest()
        chunk = self._chunks.store(ChunkType.DATA, data, compress=compress)
        return (chunk.id,), chunk.sha256

    def _save_database(
        self, path: Path, relative: RelativePath, scanned: ScannedEntry, stamp: Stamp, kind: DatabaseKind
    ) -> SavedFile:
        from backupkit.capture.live_database import read_database  # noqa: PLC0415 - a run that finds nothing new copies none

        def save(captured: "Captured") -> _SavedImage | None:
            try:
                image = self._save_image(relative, scanned, stamp, captured)
            except MalformedObject:
                # Shortened while it was read where it lies: then a copy is read instead.
                if captured.image != path:
                    raise
                return None
            except OSError as error:
                raise SourceUnreadable(path, reason_of(error)) from error
            beside = [self._save_companion(scanned.name + one.ending, one.path, scanned) for one in captured.companions]
            return _SavedImage((image.entry, *beside), (*captured.findings, *image.findings))

        # Read where it lies if no app has it open: to copy every database costs more than to look at its pages.
        saved = read_database(path, self._scratch, save, kind=kind)
        if saved is None:
            raise SourceUnreadable(path, Reason.CHANGED_WHILE_READ)
        for finding in saved.findings:
            severity = Severity.ERROR if finding.lost else Severity.WARNING
            self._tell(Found(finding.code, severity, {**finding.facts, "path": shown_place(relative)}))
        return SavedFile(saved.entries, is_database=True, is_certain=len(saved.entries) == 1)

    def _save_image(
        self, relative: RelativePath, scanned: ScannedEntry, stamp: Stamp, captured: "Captured"
    ) -> "_Image":
        known = decode_pages(self._cache.pages(self._key, relative))
        if known is not None and not self._all_there(known.map.extents()):
            known = None
        reading = PageReading(captured.image, captured.page_size, known.hashes if known else None)
        stored = store_extents(
            self._chunks,
            known.map if known else None,
            page_size=captured.page_size,
            file_size=captured.size,
            extents=self._until_stopped(reading.extents()),
            compress=not captured.kind.sealed,
        )
        result = reading.result
        self._cache.remember(
            self._key,
            relative,
            # What the log held is in the image, but with companions the pair is not told by one stamp's value.
            stamp if not captured.companions else Stamp(b""),
            RememberedFile(result.sha256, result.size, None).encode(),
            pages=RememberedPages(result.hashes, stored).encode(),
        )
        entry = _file_entry(scanned, result.size, result.sha256, self._page_content(stored))
        return _Image(entry, self._unsound(captured) if known is None else ())

    def _unsound(self, captured: "Captured") -> tuple[Finding, ...]:
        """Ask SQLite whether a database that is new hangs together, where somebody here can read all of it."""
        if captured.kind.sealed or captured.companions:
            return ()
        from backupkit.capture.sqlite_health import image_complaints, soundness_findings  # noqa: PLC0415 - most runs meet no new database
        from backupkit.codec.sqlite_soundness import Interrupted  # noqa: PLC0415 - as above

        try:
            said = image_complaints(captured.image, stop=self._stop)
        except Interrupted:
            raise StopAsked from None
        return tuple(soundness_findings(said))

    def _until_stopped(self, pieces: "Iterator[_Piece]") -> "Iterator[_Piece]":
        for piece in pieces:
            if self._stop():
                raise StopAsked
            yield piece

    def _save_companion(self, name: bytes, path: Path, beside: ScannedEntry) -> tree.Entry:
        like = beside._replace(name=name, size=path.stat().st_size)
        read = read_stable(path, lambda pieces: self._store_pieces(like, pieces))
        chunks, sha256 = read.answer
        return _file_entry(like, read.size, sha256, tree.file_content(self._chunks, chunks))

    def _page_content(self, page_map: PageMap) -> tree.Content:
        return tree.Pages(write_page_map(self._chunks, page_map), page_map.page_size)


@dataclass(frozen=True, slots=True)
class _Image:
    entry: tree.Entry
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _SavedImage:
    entries: tuple[tree.Entry, ...]
    findings: tuple[Finding, ...]


class Noting:
    """A writer that notes which packs already hold what is stored through it, and what is in none yet."""

    def __init__(self, writer: DomainWriter) -> None:
        self.packs: set[PackName] = set()
        self.begun: set[PackName] = set()
        self.new = bytearray()
        self._writer = writer

    def begin(self) -> None:
        """Begin with a folder: `begun` and `new` are about it alone."""
        self.begun = set()
        self.new = bytearray()

    def note(self, packs: Iterable[PackName]) -> None:
        """Note packs that are needed."""
        found = set(packs)
        self.begun |= found
        self.packs |= found

    def store(
        self, kind: ChunkType, plaintext: bytes | bytearray | memoryview, *, compress: bool = True
    ) -> StoredChunk:
        """Store a chunk."""
        stored = self._writer.store(kind, plaintext, compress=compress)
        if stored.pack is not None:
            self.begun.add(stored.pack)
            self.packs.add(stored.pack)
        elif len(self.new) <= MOST_NOTED:
            self.new += stored.id
        return stored


def shown_place(relative: RelativePath) -> str:
    """Write a place in a source for people: bytes that are no UTF-8 as escapes."""
    return b"/".join(relative).decode("utf-8", "backslashreplace") or "."


def _file_entry(scanned: ScannedEntry, size: int, sha256: bytes, content: tree.Content) -> tree.Entry:
    kind = tree.EntryKind.FILE
    return tree.Entry(scanned.name, kind, scanned.mode, scanned.mtime_ns, size=size, sha256=sha256, content=content)


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest
