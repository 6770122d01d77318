"""Packs and keys alone give back everything that is in them."""

import random
from pathlib import Path

import pytest
from simulated_backends import damage

from backupkit.crypto.domains import DomainSecrets
from backupkit.ids import ChunkId
from backupkit.store import layout
from backupkit.store.backends.memory_backend import MemoryBackend
from backupkit.store.backends.posix_backend import PosixBackend
from backupkit.store.chunk_id import ChunkType, plain_sha256
from backupkit.store.domains.domain_reader import DomainReader
from backupkit.store.domains.domain_writer import DomainWriter, PackProfile
from backupkit.store.finding import Finding
from backupkit.store.packs.index import Index
from backupkit.store.packs.pack_format import Address
from backupkit.store.trees.contents import content_bytes, walk_tree
from backupkit.store.trees.manifest import Manifest, Source, store_manifest
from backupkit.store.trees.tree import Entry, EntryKind, file_content, write_tree
from backupkit.store.upkeep.check import FileChecked, check_open
from backupkit.store.upkeep.salvage import (
    FoundSnapshot,
    find_addresses,
    find_loose_folders,
    find_snapshots,
    index_new_packs,
)

TINY = PackProfile(data_target=40_000, manifest_target=40_000, payload_size=4096)


class Saved:
    """Three snapshots, one file more in each."""

    def __init__(self, backend: MemoryBackend | PosixBackend, address: Address, secrets: DomainSecrets) -> None:
        self.backend, self.address, self.secrets = backend, address, secrets
        self.files: list[dict[bytes, bytes]] = []
        self.roots: list[ChunkId] = []
        self.trees: list[ChunkId] = []
        source = random.Random(12)
        index = Index.load(backend, address, secrets.index_key, lambda _: None)
        files: dict[bytes, bytes] = {}
        for day in range(3):
            files[b"file %d" % day] = source.randbytes(30_000)
            with self.writer(index) as writer:
                inner = write_tree(writer, [self.entry(writer, name, data) for name, data in files.items()])
                top = write_tree(writer, [Entry(b"folder", EntryKind.FOLDER, 0o755, 0, tree=inner)])
                when = f"2018-06-0{day + 1}T08:30:00Z"
                made = Manifest(address.domain, when, "h", {}, (Source("s", b"/s", top, 1, 1, when),), complete=True)
                self.roots.append(store_manifest(writer, made))
            self.trees.append(top)
            self.files.append(dict(files))

    def writer(self, index: Index) -> DomainWriter:
        keys = self.secrets.writer_keys()
        return DomainWriter(self.backend, self.address.repository, self.address.domain, keys, index, profile=TINY)

    def entry(self, writer: DomainWriter, name: bytes, data: bytes) -> Entry:
        ids = [writer.store(ChunkType.DATA, data[at : at + 7000]).id for at in range(0, len(data), 7000)]
        return Entry(name, EntryKind.FILE, 0o644, 0, len(data), plain_sha256(data), file_content(writer, ids))

    def reader(self) -> DomainReader:
        return DomainReader(self.backend, self.address.repository, self.address.domain, self.secrets)

    def packs_with(self, kind: ChunkType) -> list[str]:
        reader = self.reader()
        holding = [
            layout.pack(self.address.domain, place.pack)
            for chunk in reader.chunks_of(kind)
            if (place := reader.where(chunk)) is not None
        ]
        return sorted(set(holding))

    def content(self, tree: ChunkId) -> dict[bytes, bytes]:
        reader = self.reader()
        return {
            entry.name: b"".join(content_bytes(reader, entry.content))
            for _, entry in walk_tree(reader, tree, lambda finding: pytest.fail(str(finding)))
            if entry.content is not None
        }


@pytest.fixture
def saved(backend: MemoryBackend, address: Address, secrets: DomainSecrets) -> Saved:
    return Saved(backend, address, secrets)


def only_packs(saved: Saved) -> None:
    for name in list(saved.backend.names("")):
        if not name.startswith(layout.PACKS):
            saved.backend.delete(name)


def test_packs_alone_give_every_snapshot_newest_first(saved: Saved) -> None:
    only_packs(saved)

    found = list(find_snapshots(saved.reader()))

    assert [one.root for one in found if isinstance(one, FoundSnapshot)] == saved.roots[::-1]
    for one, files in zip(found, saved.files[::-1], strict=True):
        assert isinstance(one, FoundSnapshot)
        assert saved.content(one.manifest.sources[0].tree) == files


def test_packs_without_their_last_thousand_bytes_still_give_everything(saved: Saved) -> None:
    only_packs(saved)
    for name in list(saved.backend.names(layout.PACKS)):
        damage(saved.backend, name, saved.backend.read(name)[:-1000])

    found = [one for one in find_snapshots(saved.reader()) if isinstance(one, FoundSnapshot)]

    assert [one.root for one in found] == saved.roots[::-1]
    assert saved.content(found[0].manifest.sources[0].tree) == saved.files[2]


def test_packs_say_which_repository_and_domain_they_belong_to(saved: Saved) -> None:
    assert find_addresses(saved.backend) == {saved.address}

    for name in list(saved.backend.names(layout.PACKS)):
        damage(saved.backend, name, bytes(200) + saved.backend.read(name)[200:])
    assert find_addresses(saved.backend) == {saved.address}

    for name in list(saved.backend.names(layout.PACKS)):
        damage(saved.backend, name, b"")
    assert find_addresses(saved.backend) == set()


def test_where_roots_are_lost_their_folders_are_found(saved: Saved) -> None:
    assert find_loose_folders(saved.reader()) == []
    lost = saved.packs_with(ChunkType.ROOT)[0]
    saved.backend.delete(lost)

    readable = {one.root for one in find_snapshots(saved.reader()) if isinstance(one, FoundSnapshot)}
    loose = find_loose_folders(saved.reader())

    assert len(readable) == 2
    # The root lay in a pack with its trees: what is left of that day is its data, and the other days are whole.
    assert set(loose) <= set(saved.trees)


def test_a_tree_without_a_root_is_a_loose_folder(saved: Saved) -> None:
    index = Index.load(saved.backend, saved.address, saved.secrets.index_key, lambda _: None)
    with saved.writer(index) as writer:
        inner = write_tree(writer, [saved.entry(writer, b"orphan", b"not forgotten")])
        top = write_tree(writer, [Entry(b"in", EntryKind.FOLDER, tree=inner)])

    assert find_loose_folders(saved.reader()) == [top]
    assert saved.content(top) == {b"orphan": b"not forgotten"}


def test_an_index_that_is_lost_is_written_again_from_the_packs(saved: Saved) -> None:
    before = saved.reader().index.packs()
    for name in list(saved.backend.names(layout.INDEXES)):
        saved.backend.delete(name)
    assert saved.reader().index.packs() == set()

    written = index_new_packs(saved.backend, saved.address.repository, saved.secrets)

    index = saved.reader().index
    assert index.packs() == before
    assert written == len(before)
    assert all(index.find(root) is not None for root in saved.roots)
    assert index_new_packs(saved.backend, saved.address.repository, saved.secrets) == 0


def test_a_repository_on_disk_is_salvaged_the_same_way(
    tmp_path: Path, address: Address, secrets: DomainSecrets
) -> None:
    saved = Saved(PosixBackend(tmp_path), address, secrets)
    only_packs(saved)

    outcomes = list(check_open(saved.reader(), saved.roots[2]))

    assert sorted(one.path for one in outcomes if isinstance(one, FileChecked)) == [
        b"folder/file 0",
        b"folder/file 1",
        b"folder/file 2",
    ]
    assert not any(isinstance(one, Finding) for one in outcomes)
