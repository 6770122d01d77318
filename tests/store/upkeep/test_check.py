"""Reading everything back, sealed and open: whole data passes, and every loss is named."""

import random
from collections.abc import Callable, Iterable, Iterator

import pytest
from kept_chunks import KeptChunks
from simulated_backends import BadSectorBackend, damage
from stored import TINY_PACKS, save_files, store_pages

from backupkit.crypto.domains import DomainSecrets
from backupkit.ids import ChunkId, PackName
from backupkit.store import layout
from backupkit.store.backends.memory_backend import MemoryBackend
from backupkit.store.chunk_id import ChunkType, plain_sha256
from backupkit.store.domains.domain_reader import DomainReader
from backupkit.store.domains.domain_writer import DomainWriter
from backupkit.store.domains.stretch import Lent
from backupkit.store.failures import ChunkLost
from backupkit.store.finding import Finding
from backupkit.store.layout import PackRef
from backupkit.store.objects.pack_list import ListedPack
from backupkit.store.packs.index import Index
from backupkit.store.packs.pack_format import FOOTER, HEADER_SIZE, Address, footer, parse_footer
from backupkit.store.packs.pack_reader import Opened
from backupkit.store.trees.contents import content_bytes, reachable_chunks, walk_each_once, walk_tree
from backupkit.store.trees.manifest import Manifest, Source, store_manifest
from backupkit.store.trees.page_map import write_page_map
from backupkit.store.trees.tree import Chunks, Entry, EntryKind, Pages, file_content, write_tree
from backupkit.store.upkeep.check import FileChecked, PackChecked, check_open, check_outline, check_sealed


class Saved:
    """A snapshot of two sources: files small, large and empty, a link, folders, and a database by pages."""

    def __init__(self, address: Address, secrets: DomainSecrets) -> None:
        self.backend = MemoryBackend()
        self.address, self.secrets = address, secrets
        self.findings: list[Finding] = []
        self.files: dict[bytes, bytes] = {}
        source = random.Random(11)
        self.index = Index.load(self.backend, address, secrets.index_key, self.findings.append)
        keys = secrets.writer_keys()
        with DomainWriter(
            self.backend, address.repository, address.domain, keys, self.index, profile=TINY_PACKS
        ) as writer:
            self.writer = writer
            deep = write_tree(
                writer, [self.file(b"deep/er/" + bytes([97 + n]), source.randbytes(900)) for n in range(9)]
            )
            er = write_tree(writer, [Entry(b"er", EntryKind.FOLDER, 0o755, 0, tree=deep)])
            first = write_tree(
                writer,
                [
                    Entry(b"deep", EntryKind.FOLDER, 0o755, 0, tree=er),
                    Entry(b"link", EntryKind.LINK, target=b"../elsewhere"),
                    self.file(b"empty", b""),
                    self.file(b"small", b"hello"),
                    self.file(b"large", source.randbytes(400_000), cut=5000),
                    self.file("名字\u200b".encode() + b"\xff", source.randbytes(3000)),
                    self.database(b"chats.db", source.randbytes(512 * 300 + 77)),
                ],
            )
            second = write_tree(writer, [self.file(b"second", source.randbytes(20_000), cut=4000)])
            sources = tuple(
                Source(name, b"/" + name.encode(), tree, 1, 1, "2018-06-01T08:30:00Z")
                for name, tree in (("one", first), ("two", second))
            )
            made = Manifest(address.domain, "2018-06-01T08:30:00Z", "laptop", {"name": "t"}, sources, complete=True)
            self.root = store_manifest(writer, made)
            self.trees = [first, second]

    def file(self, path: bytes, data: bytes, cut: int = 10_000) -> Entry:
        self.files[path] = data
        ids = [self.writer.store(ChunkType.DATA, data[at : at + cut]).id for at in range(0, len(data), cut)]
        name = path.rsplit(b"/", 1)[-1]
        content = file_content(self.writer, ids)
        return Entry(name, EntryKind.FILE, 0o644, 5, len(data), plain_sha256(data), content)

    def database(self, path: bytes, data: bytes) -> Entry:
        self.files[path] = data
        before = bytearray(data)
        before[512 * 7 : 512 * 9] = bytes(1024)
        pages = range(301)
        old = store_pages(
            self.writer, None, page_size=512, file_size=len(data), changed=pages, read=lambda n: bytes(before[n * 512 : n * 512 + 512])
        )  # fmt: skip
        new = store_pages(
            self.writer, old, page_size=512, file_size=len(data), changed=[7, 8], read=lambda n: data[n * 512 : n * 512 + 512]
        )  # fmt: skip
        content = Pages(write_page_map(self.writer, new), 512)
        return Entry(path, EntryKind.FILE, 0o644, 5, len(data), plain_sha256(data), content)

    def reader(self) -> DomainReader:
        return DomainReader(
            self.backend, self.address.repository, self.address.domain, self.secrets, tell=self.findings.append
        )

    def refs(self) -> list[PackRef]:
        return [ref for name in self.backend.names(layout.PACKS) if (ref := layout.pack_of(name))]

    def open(self) -> tuple[dict[bytes, int], list[Finding]]:
        outcomes = list(check_open(self.reader(), self.root))
        files = {one.path: one.size for one in outcomes if isinstance(one, FileChecked)}
        return files, [one for one in outcomes if isinstance(one, Finding)]

    def sizes(self) -> dict[bytes, int]:
        return {path: len(data) for path, data in self.files.items()}

    def break_record(self, chunk: ChunkId) -> None:
        """Damage the first record that a chunk lies in."""
        place = self.index.find(chunk)
        assert place is not None
        name = layout.pack(self.address.domain, place.pack)
        data = bytearray(self.backend.read(name))
        data[HEADER_SIZE + place.row.offset // 4096 * 4140 + 100] ^= 1
        damage(self.backend, name, bytes(data))


@pytest.fixture
def saved(address: Address, secrets: DomainSecrets) -> Saved:
    return Saved(address, secrets)


def test_whole_packs_pass_without_a_key(saved: Saved) -> None:
    outcomes = list(check_sealed(saved.backend, saved.refs()))

    assert [one.ref for one in outcomes if isinstance(one, PackChecked)] == saved.refs()
    assert sum(one.size for one in outcomes if isinstance(one, PackChecked)) == sum(
        saved.backend.size(ref.name) for ref in saved.refs()
    )


@pytest.mark.parametrize("how", ["flip-first", "flip-last", "cut", "extended", "empty", "gone", "unreadable"])
def test_a_pack_that_is_not_what_it_was_is_found_without_a_key(saved: Saved, how: str) -> None:
    ref = saved.refs()[1]
    data = saved.backend.read(ref.name)
    changed = {
        "flip-first": bytes([data[0] ^ 1]) + data[1:],
        "flip-last": data[:-1] + bytes([data[-1] ^ 1]),
        "cut": data[:-1],
        "extended": data + b"\0",
        "empty": b"",
    }.get(how)
    saved.backend.delete(ref.name)
    if changed is not None:
        saved.backend.create(ref.name, changed)
    backend = BadSectorBackend(saved.backend, {ref.name})
    refs = saved.refs() if ref in saved.refs() else [*saved.refs(), ref]
    if how == "unreadable":
        saved.backend.create(ref.name, data)

    outcomes = list(
        check_sealed(backend if how == "unreadable" else saved.backend, [*refs, ref] if ref not in refs else refs)
    )

    bad = [one for one in outcomes if isinstance(one, Finding)]
    assert [(one.code, one.name) for one in bad] == [("pack-damaged", ref.name)]
    assert len(outcomes) == len(refs)


def test_every_file_of_a_whole_snapshot_is_opened(saved: Saved) -> None:
    assert saved.open() == (saved.sizes(), [])
    assert saved.findings == []


def test_a_damaged_chunk_is_named_by_the_files_that_need_it(saved: Saved) -> None:
    ((_, entry),) = walk_tree(saved.reader(), saved.trees[1], saved.findings.append)
    assert isinstance(entry.content, Chunks)
    saved.break_record(entry.content.ids[1])

    files, findings = saved.open()

    lost = {finding.name for finding in findings}
    assert "second" in lost
    assert all(finding.code == "file-lost" and finding.chunks for finding in findings)
    assert files == {
        path: size for path, size in saved.sizes().items() if path.decode("utf-8", "backslashreplace") not in lost
    }


def test_a_lost_folder_is_named_and_the_others_are_checked(saved: Saved) -> None:
    deep = next(
        place.entry.tree
        for place in walk_tree(saved.reader(), saved.trees[0], saved.findings.append)
        if place.path == b"deep/er"
    )
    assert deep is not None

    files, findings = check_without(saved, deep)

    assert files == {path: size for path, size in saved.sizes().items() if not path.startswith(b"deep/")}
    assert [(finding.code, finding.name, finding.chunks) for finding in findings] == [
        ("folder-lost", "deep/er", (deep,))
    ]


class Without(DomainReader):
    """A reader that cannot find one chunk."""

    gone = ChunkId(b"")

    def open(self, chunk: ChunkId, kind: ChunkType | None = None) -> Opened:
        return super().open(ChunkId(bytes(32)) if chunk == self.gone else chunk, kind)


def check_without(saved: Saved, chunk: ChunkId) -> tuple[dict[bytes, int], list[Finding]]:
    reader = Without(saved.backend, saved.address.repository, saved.address.domain, saved.secrets)
    reader.gone = chunk
    outcomes = list(check_open(reader, saved.root))
    files = {one.path: one.size for one in outcomes if isinstance(one, FileChecked)}
    return files, [one for one in outcomes if isinstance(one, Finding)]


def test_a_lost_manifest_is_said_to_be_lost(saved: Saved) -> None:
    outcomes = list(check_open(saved.reader(), ChunkId(bytes(32))))

    assert [(one.code, one.chunks) for one in outcomes if isinstance(one, Finding)] == [
        ("manifest-lost", (ChunkId(bytes(32)),))
    ]


def test_a_file_whose_bytes_are_not_those_that_were_saved_is_found(address: Address, secrets: DomainSecrets) -> None:
    backend = MemoryBackend()
    index = Index.load(backend, address, secrets.index_key, lambda _: None)
    keys = secrets.writer_keys()
    with DomainWriter(backend, address.repository, address.domain, keys, index, profile=TINY_PACKS) as writer:
        one = writer.store(ChunkType.DATA, b"one").id
        two = writer.store(ChunkType.DATA, b"two").id
        entries = [
            Entry(b"a", EntryKind.FILE, 0, 0, 3, plain_sha256(b"two"), file_content(writer, [one])),
            Entry(b"b", EntryKind.FILE, 0, 0, 6, plain_sha256(b"onetwo"), file_content(writer, [two, one])),
            Entry(b"c", EntryKind.FILE, 0, 0, 7, plain_sha256(b"onetwo"), file_content(writer, [one, two])),
            Entry(b"d", EntryKind.FILE, 0, 0, 6, plain_sha256(b"onetwo"), file_content(writer, [one, two])),
        ]
        pages = bytes(700) + random.Random(3).randbytes(512 * 600)
        page_map = store_pages(
            writer, None, page_size=512, file_size=len(pages), changed=range(602), read=lambda n: pages[n * 512 : n * 512 + 512]
        )  # fmt: skip
        content = Pages(write_page_map(writer, page_map), 512)
        folder = write_tree(writer, [])
        entries += [
            Entry(b"e", EntryKind.FILE, 0, 0, len(pages), plain_sha256(pages), content),
            Entry(b"f", EntryKind.FILE, 0, 0, len(pages), plain_sha256(b"onetwo"), content),
            Entry(b"g", EntryKind.FILE, 0, 0, 3, plain_sha256(b"one"), Chunks((folder,))),
            Entry(b"h", EntryKind.FILE, 0, 0, 3, plain_sha256(b"one"), Chunks((one, folder))),
        ]
        source = Source("s", b"/s", write_tree(writer, entries), 4, 22, "2018-06-01T08:30:00Z")
        made = Manifest(address.domain, "2018-06-01T08:30:00Z", "h", {}, (source,), complete=True)
        root = store_manifest(writer, made)

    outcomes = list(check_open(DomainReader(backend, address.repository, address.domain, secrets), root))

    assert [(one.name, one.reason) for one in outcomes if isinstance(one, Finding)] == [
        ("a", "wrong-sha256"),
        ("b", "wrong-sha256"),
        ("c", "wrong-size"),
        ("f", "wrong-sha256"),
        ("g", "wrong-chunk-type"),
        ("h", "wrong-chunk-type"),
    ]
    assert [one.path for one in outcomes if isinstance(one, FileChecked)] == [b"d", b"e"]


def test_the_bytes_of_every_file_come_back(saved: Saved) -> None:
    reader = saved.reader()

    read = {
        path: b"".join(content_bytes(reader, entry.content))
        for tree in saved.trees
        for path, entry in walk_tree(reader, tree, saved.findings.append)
        if entry.content is not None
    }

    assert read == saved.files


def test_every_chunk_of_a_snapshot_is_reachable_from_its_trees(saved: Saved) -> None:
    reader = saved.reader()
    reached = {chunk for tree in saved.trees for chunk in reachable_chunks(reader, tree, saved.findings.append)}
    stored = {chunk for pack in saved.index.packs() for chunk in saved.index.chunks_in(pack)}

    superseded = stored - reached - {saved.root}

    assert reached <= stored
    # Only what the database's first version alone needed is not: no page map of it was stored.
    assert superseded == set()
    assert saved.findings == []


def test_a_folder_that_contains_itself_does_not_run_for_ever() -> None:
    findings: list[Finding] = []

    class Endless:
        def read(self, chunk: ChunkId, kind: ChunkType | None = None) -> bytes:
            name = b"x"
            entry = b'{"kind":"folder","mode":0,"mtime_ns":"0","name":"%s","tree":"%s"}' % (name, b"00" * 32)
            return b"bkittree\0\1\0\0" + b'{"entries":[' + entry + b'],"v":1}'

    walked = list(walk_tree(Endless(), ChunkId(bytes(32)), findings.append))

    assert len(walked) <= 500
    assert [finding.reason for finding in findings] == ["nested-too-deeply"]


def test_folders_that_multiply_without_end_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backupkit.store.trees.contents.MOST_ENTRIES", 1000)
    findings: list[Finding] = []
    kept = KeptChunks()
    tree = write_tree(kept, [])
    for _ in range(60):
        tree = write_tree(kept, [Entry(name, EntryKind.FOLDER, tree=tree) for name in (b"a", b"b")])

    assert len(list(walk_tree(kept, tree, findings.append))) == 1000
    assert [finding.reason for finding in findings] == ["too-many-entries"]


def a_bomb(kept: KeptChunks, levels: int) -> ChunkId:
    """Folders of two folders each: a handful of chunks that stand for 2 ** levels folders."""
    tree = write_tree(kept, [])
    for _ in range(levels):
        tree = write_tree(kept, [Entry(name, EntryKind.FOLDER, tree=tree) for name in (b"a", b"b")])
    return tree


def test_folders_that_are_alike_are_checked_once() -> None:
    kept = KeptChunks()
    tree = a_bomb(kept, 300)

    assert len(list(walk_each_once(kept, tree, lambda finding: pytest.fail(str(finding))))) == 600
    assert len(set(reachable_chunks(kept, tree, lambda finding: pytest.fail(str(finding))))) == 301


def test_so_many_copies_of_everything_are_believed_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backupkit.store.trees.contents._FEW_ENTRIES", 100)
    monkeypatch.setattr("backupkit.store.trees.contents._MOST_ALIKE", 10)
    findings: list[Finding] = []
    kept = KeptChunks()

    assert len(list(walk_tree(kept, a_bomb(kept, 6), findings.append))) == 2**7 - 2
    assert findings == []
    assert len(list(walk_tree(kept, a_bomb(kept, 60), findings.append))) <= 1300
    assert [finding.reason for finding in findings] == ["too-many-entries"]


def test_packs_are_checked_in_the_order_they_were_asked_for(saved: Saved) -> None:
    refs = [*saved.refs(), PackRef(saved.address.domain, PackName("00" * 32))]

    outcomes = list(check_sealed(saved.backend, reversed(refs), threads=3))

    assert [one.ref.name if isinstance(one, PackChecked) else one.name for one in outcomes] == [
        ref.name for ref in reversed(refs)
    ]


def outline_of(saved: Saved, change: Callable[[bytes], bytes] | None, *, size: int | None = None) -> Finding | None:
    """Look at the ends of a pack that was changed; None takes it away."""
    ref = saved.refs()[0]
    data = saved.backend.read(ref.name)
    saved.backend.delete(ref.name)
    if change is not None:
        saved.backend.create(ref.name, change(data))
    return check_outline(saved.backend, saved.address.repository, ListedPack(ref, len(data) if size is None else size))


def of_another(data: bytes) -> bytes:
    """The same pack with the head of another repository: its id lies behind the mark."""
    return data[:12] + b"\x01" * 16 + data[28:]


def with_another_size(data: bytes) -> bytes:
    """The same pack with a whole footer that speaks of another size."""
    end = parse_footer(data[-FOOTER.size :])
    assert end is not None
    return data[: -FOOTER.size] + footer(end.table_offset, end.records, end.file_size + 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: data, None),
        (lambda data: data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :], None),
        (None, "object-missing"),
        (lambda data: data[:-1], "malformed-object/wrong-size"),
        (lambda data: data + b"\0", "malformed-object/wrong-size"),
        (lambda data: bytes([data[0] ^ 1]) + data[1:], "malformed-object/wrong-mark"),
        (of_another, "malformed-object/wrong-address"),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "malformed-object/wrong-footer"),
        (with_another_size, "malformed-object/wrong-footer"),
    ],
)
def test_the_outline_of_a_pack_is_its_size_and_both_its_ends(
    saved: Saved, change: Callable[[bytes], bytes] | None, reason: str | None
) -> None:
    found = outline_of(saved, change)

    assert (found.code if found else None, found.reason if found else None) == (reason and "pack-damaged", reason)


@pytest.mark.parametrize("size", [0, 1, FOOTER.size, HEADER_SIZE - 1])
def test_a_pack_shorter_than_its_ends_is_damaged_and_no_crash(saved: Saved, size: int) -> None:
    found = outline_of(saved, lambda data: data[:size], size=size)

    assert found is not None
    assert found.code == "pack-damaged"


def test_of_very_many_files_each_one_is_opened(address: Address, secrets: DomainSecrets) -> None:
    """They are handed on in groups of 128, and none may fall between two groups."""
    files = {b"%03d" % number: (b"text %d" % number, len(b"text %d" % number)) for number in range(300)}
    reader, root = save_files(address, secrets, files)

    assert sorted(one.path for one in check_open(reader, root) if isinstance(one, FileChecked)) == list(files)


def test_a_file_with_more_bytes_than_were_saved_is_not_read_to_its_end(
    address: Address, secrets: DomainSecrets
) -> None:
    long = bytes(range(250)) * 40
    reader, root = save_files(address, secrets, {b"long": (long, 25)})
    lent: list[ChunkId] = []
    real = reader.lend

    def counted(chunks: Iterable[ChunkId]) -> Iterator[Lent | ChunkLost]:
        for outcome in real(chunks):
            lent.append(outcome.chunk if isinstance(outcome, Lent) else ChunkId(b""))
            yield outcome

    reader.lend = counted  # type: ignore[method-assign]  # it is watched

    (found,) = check_open(reader, root)

    assert isinstance(found, Finding)
    assert found.reason == "wrong-size"
    assert len(lent) < 10
