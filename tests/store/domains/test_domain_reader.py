"""Reading a domain with damage all around: everything else still comes, and the loss is named."""

import hashlib
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest
from simulated_backends import BadSectorBackend, damage

from backupkit.codec.framing import Mark, frame
from backupkit.crypto.domains import DomainSecrets
from backupkit.crypto.sealing import seal_blob
from backupkit.ids import ChunkId, PackName
from backupkit.store import layout
from backupkit.store.backends.memory_backend import MemoryBackend
from backupkit.store.chunk_id import ChunkType
from backupkit.store.domains.domain_reader import DomainReader, in_any_order, in_order
from backupkit.store.domains.domain_writer import DomainWriter, PackProfile
from backupkit.store.domains.stretch import Lent
from backupkit.store.failures import ChunkLost, WrongChunkType
from backupkit.store.packs import index as index_module
from backupkit.store.packs.index import Index
from backupkit.store.packs.pack_format import HEADER_SIZE, TAIL_SIZE, Address

if TYPE_CHECKING:
    from backupkit.store.finding import Finding

TINY = PackProfile(data_target=30_000, manifest_target=30_000, payload_size=4096)


class Domain:
    """A domain with some chunks in several packs, and what a reader says of it."""

    def __init__(self, address: Address, secrets: DomainSecrets) -> None:
        self.backend = MemoryBackend()
        self.address, self.secrets = address, secrets
        self.findings: list[Finding] = []
        source = random.Random(20180601)
        index = Index.load(self.backend, address, secrets.index_key, self.findings.append)
        self.chunks: dict[ChunkId, bytes] = {}
        keys = secrets.writer_keys()
        with DomainWriter(self.backend, address.repository, address.domain, keys, index, profile=TINY) as writer:
            for _ in range(40):
                plain = source.randbytes(source.randint(1, 6000))
                self.chunks[writer.store(ChunkType.DATA, plain).id] = plain
        self.packs = sorted(index.packs())
        self.places = {chunk: place for chunk in self.chunks if (place := index.find(chunk))}

    def reader(self) -> DomainReader:
        return DomainReader(
            self.backend, self.address.repository, self.address.domain, self.secrets, tell=self.findings.append
        )

    def name(self, pack: PackName) -> str:
        return layout.pack(self.address.domain, pack)

    def readable(self) -> dict[ChunkId, bytes]:
        reader = self.reader()
        read: dict[ChunkId, bytes] = {}
        for chunk in self.chunks:
            with suppress(ChunkLost):
                read[chunk] = reader.read(chunk)
        # Whatever the damage is, lending comes to the same.
        assert lent(reader, self.chunks) == read
        return read

    def in_pack(self, pack: PackName) -> set[ChunkId]:
        return {chunk for chunk, place in self.places.items() if place.pack == pack}

    def without(self, chunks: set[ChunkId]) -> dict[ChunkId, bytes]:
        return {chunk: plain for chunk, plain in self.chunks.items() if chunk not in chunks}


def lent(reader: DomainReader, chunks: Iterable[ChunkId]) -> dict[ChunkId, bytes]:
    """Take what is lent before the next is asked for."""
    return {one.chunk: bytes(one.plaintext) for one in reader.lend(chunks) if isinstance(one, Lent)}


@pytest.fixture
def domain(address: Address, secrets: DomainSecrets) -> Domain:
    return Domain(address, secrets)


def test_everything_is_read_one_by_one(domain: Domain) -> None:
    reader = domain.reader()

    assert {chunk: reader.read(chunk) for chunk in domain.chunks} == domain.chunks
    assert domain.findings == []


def test_chunks_are_lent_in_the_order_asked_and_as_often(domain: Domain) -> None:
    reader = domain.reader()
    ids = [*domain.chunks, *reversed(domain.chunks)]
    asked = [*ids, ids[0], ids[0], *sorted(ids)]

    given = [(one.chunk, bytes(one.plaintext), one.sha256) for one in reader.lend(asked) if isinstance(one, Lent)]

    assert given == [(chunk, domain.chunks[chunk], hashlib.sha256(domain.chunks[chunk]).digest()) for chunk in asked]


def test_one_who_lends_in_the_middle_of_lending_disturbs_nothing(domain: Domain) -> None:
    reader = domain.reader()
    for one in reader.lend(domain.chunks):
        assert isinstance(one, Lent)
        assert lent(reader, domain.chunks) == domain.chunks
        assert bytes(one.plaintext) == domain.chunks[one.chunk]


def test_a_damaged_record_costs_those_lent_with_it_nothing(domain: Domain) -> None:
    pack = domain.packs[0]
    data = bytearray(domain.backend.read(domain.name(pack)))
    data[HEADER_SIZE + 3 * (24 + 4 + 4096 + 16) + 100] ^= 1
    damage(domain.backend, domain.name(pack), bytes(data))

    outcomes = list(zip(domain.chunks, domain.reader().lend(domain.chunks), strict=True))

    lost = {chunk for chunk, one in outcomes if isinstance(one, ChunkLost)}
    assert lost == {
        chunk
        for chunk in domain.in_pack(pack)
        if domain.places[chunk].row.offset < 4 * 4096 and domain.places[chunk].row.end > 3 * 4096
    }
    assert lent(domain.reader(), domain.chunks) == domain.without(lost)


def test_chunks_larger_than_a_stretch_and_compressed_ones_are_lent(address: Address, secrets: DomainSecrets) -> None:
    backend, source = MemoryBackend(), random.Random(7)
    findings: list[Finding] = []
    index = Index.load(backend, address, secrets.index_key, findings.append)
    plains = [
        source.randbytes(3 << 20), b"again and again " * 200_000, source.randbytes(1 << 20), b"", source.randbytes(1 << 20)
    ]  # fmt: skip
    with DomainWriter(backend, address.repository, address.domain, secrets.writer_keys(), index) as writer:
        ids = [writer.store(ChunkType.DATA, plain).id for plain in plains]

    reader = DomainReader(backend, address.repository, address.domain, secrets, tell=findings.append)

    assert lent(reader, ids) == dict(zip(ids, plains, strict=True))
    assert lent(reader, reversed(ids)) == dict(zip(ids, plains, strict=True))
    assert findings == []


def test_an_index_row_of_another_chunk_is_not_believed_when_lent(domain: Domain) -> None:
    """The bytes at the place are whole and authentic; only the id that is computed again tells that they are another's."""
    reader = domain.reader()
    one, two = list(domain.chunks)[:2]
    wrong = domain.places[two].row._replace(chunk=one)
    reader.index.add(domain.places[two].pack, [wrong], saved=True)
    assert reader.index.find(one) == (domain.places[two].pack, wrong)

    assert lent(reader, [one, two]) == {one: domain.chunks[one], two: domain.chunks[two]}


def test_a_long_piece_of_work_holds_up_no_other() -> None:
    others_are_done = threading.Event()

    def pieces() -> Iterator[Callable[[], str]]:
        yield lambda: "long" if others_are_done.wait(30) else "nobody came"
        yield from (partial(str, number) for number in range(20))

    found = []
    for result in in_any_order(pieces(), 2):
        found.append(result)
        if len(found) == 18:
            others_are_done.set()
    assert "long" in found[18:]
    assert sorted(found) == sorted(["long", *map(str, range(20))])


def test_without_an_index_everything_is_read(domain: Domain) -> None:
    for name in domain.backend.names(layout.INDEXES):
        domain.backend.delete(name)

    assert domain.readable() == domain.chunks
    assert domain.findings == []


def test_a_garbage_index_with_a_right_name_is_read_around(domain: Domain) -> None:
    garbage = layout.index(domain.address.domain, "5d" * 32)
    domain.backend.create(garbage, b"not an index at all")

    assert domain.readable() == domain.chunks
    assert [(finding.code, finding.name) for finding in domain.findings] == [("index-unreadable", garbage)]


@pytest.mark.parametrize("lie", ["offset", "pack", "sizes", "kind"])
def test_an_index_that_lies_with_the_right_key_is_read_around(domain: Domain, lie: str) -> None:
    for name in domain.backend.names(layout.INDEXES):
        domain.backend.delete(name)
    rows = []
    for place in domain.places.values():
        number, row = domain.packs.index(place.pack), place.row
        if lie == "pack":
            number = (number + 1) % len(domain.packs)
        wrong = {
            "offset": row._replace(offset=row.offset + 13),
            "pack": row,
            "sizes": row._replace(plain=row.plain + 1, stored=row.stored + 1),
            "kind": row._replace(kind=ChunkType.ROOT),
        }[lie]
        rows.append(index_module._pack_row(number, wrong))
    plain = b"".join(
        (
            len(domain.packs).to_bytes(4, "big"),
            *map(bytes.fromhex, domain.packs),
            len(rows).to_bytes(4, "big"),
            *sorted(rows),
        )
    )
    key, context = domain.secrets.index_key, domain.address.context
    sealed = seal_blob(key, plain, purpose="index", associated=context)
    domain.backend.create(
        layout.index(domain.address.domain, "00" * 32), frame(Mark.INDEX, domain.address.domain + sealed)
    )

    assert domain.readable() == domain.chunks


def test_a_missing_pack_costs_its_own_chunks_and_is_named(domain: Domain) -> None:
    pack = domain.packs[1]
    domain.backend.delete(domain.name(pack))

    assert domain.readable() == domain.without(domain.in_pack(pack))

    with pytest.raises(ChunkLost) as lost:
        domain.reader().read(next(iter(domain.in_pack(pack))))
    assert lost.value.facts["pack"] == pack
    assert lost.value.facts["reason"] == "pack-missing"
    assert lost.value.exit_code == 20


def test_a_chunk_that_was_never_there_is_lost_for_no_pack(domain: Domain) -> None:
    with pytest.raises(ChunkLost) as lost:
        domain.reader().read(ChunkId(b"\0" * 32))

    assert lost.value.facts == {"chunk": "00" * 32, "pack": None, "reason": "in-no-pack"}


@pytest.mark.parametrize("with_index", [True, False])
@pytest.mark.parametrize(
    "where", ["header", "table", "header-copy", "footer", "record-head", "cut-footer", "cut-table"]
)
def test_a_damaged_structure_costs_nothing(domain: Domain, where: str, with_index: bool) -> None:
    if not with_index:
        for name in domain.backend.names(layout.INDEXES):
            domain.backend.delete(name)
    for pack in domain.packs:
        data = bytearray(domain.backend.read(domain.name(pack)))
        place = {
            "header": 200,
            "table": len(data) - TAIL_SIZE - 500,
            "header-copy": len(data) - 500,
            "footer": len(data) - 10,
            "record-head": HEADER_SIZE + 4140 + 3,
            "cut-footer": len(data) - 20,
            "cut-table": len(data) - TAIL_SIZE - 100,
        }[where]
        if where.startswith("cut"):
            del data[place:]
        else:
            data[place] ^= 0xFF
        damage(domain.backend, domain.name(pack), bytes(data))

    assert domain.readable() == domain.chunks


def test_a_damaged_record_costs_the_chunks_in_it_and_they_are_named(domain: Domain) -> None:
    pack = domain.packs[0]
    data = bytearray(domain.backend.read(domain.name(pack)))
    data[HEADER_SIZE + 4140 + 2000] ^= 1
    damage(domain.backend, domain.name(pack), bytes(data))
    lost = {
        chunk
        for chunk in domain.in_pack(pack)
        if domain.places[chunk].row.offset < 8192 and domain.places[chunk].row.end > 4096
    }

    assert domain.readable() == domain.without(lost)

    (finding,) = domain.findings
    assert (finding.code, finding.name, finding.record) == ("pack-record-damaged", domain.name(pack), 1)
    assert set(finding.chunks) == lost


def test_a_chunk_stored_twice_survives_the_loss_of_one_pack(domain: Domain) -> None:
    # Two writers that did not know of each other stored the same; then one pack is damaged.
    keys, address = domain.secrets.writer_keys(), domain.address
    blind = Index(address)
    with DomainWriter(domain.backend, address.repository, address.domain, keys, blind, profile=TINY) as writer:
        for plain in domain.chunks.values():
            writer.store(ChunkType.DATA, plain)
    for pack in domain.packs:
        data = bytearray(domain.backend.read(domain.name(pack)))
        data[HEADER_SIZE + 2000 :: 4140] = bytes(len(data[HEADER_SIZE + 2000 :: 4140]))
        damage(domain.backend, domain.name(pack), bytes(data))

    assert domain.readable() == domain.chunks


def test_a_pack_that_the_disk_cannot_read_costs_its_own_chunks(domain: Domain) -> None:
    pack = domain.packs[2]
    domain.backend = BadSectorBackend(domain.backend, {domain.name(pack)})  # type: ignore[assignment] # it is a backend

    assert domain.readable() == domain.without(domain.in_pack(pack))
    assert [(finding.code, finding.reason) for finding in domain.findings] == [
        ("pack-unreadable", "object-unreadable/EIO")
    ]


def test_a_pack_in_another_packs_place_is_noticed(domain: Domain) -> None:
    first, second = domain.packs[:2]
    damage(domain.backend, domain.name(first), domain.backend.read(domain.name(second)))

    assert domain.readable() == domain.without(domain.in_pack(first))


def test_a_pointer_to_a_chunk_of_another_type_is_refused(domain: Domain) -> None:
    chunk = next(iter(domain.chunks))

    with pytest.raises(WrongChunkType) as wrong:
        domain.reader().read(chunk, ChunkType.TREE)

    assert (wrong.value.facts["wanted"], wrong.value.facts["found"]) == ("tree", "data")


def test_deleting_any_one_object_loses_at_most_one_packs_chunks(address: Address, secrets: DomainSecrets) -> None:
    whole = Domain(address, secrets)
    for name in list(whole.backend.names("")):
        data = whole.backend.read(name)
        whole.backend.delete(name)
        ref = layout.pack_of(name)

        assert whole.readable() == (whole.without(whole.in_pack(ref.pack)) if ref else whole.chunks)

        whole.backend.create(name, data)


def test_work_stops_early_without_leaving_threads_behind() -> None:
    before = threading.active_count()
    working = in_order((partial(str, number) for number in range(1000)), 2)
    assert next(working) == "0"

    working.close()  # type: ignore[attr-defined] # it is a generator

    assert threading.active_count() == before
