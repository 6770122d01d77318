"""Writing a domain: each chunk once, nothing published unchecked, nothing reachable that is not whole."""

import os
import random
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from simulated_backends import FullBackend, LyingBackend, PowerCut, PowerCutBackend

from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.domains import DomainSecrets
from backupkit.store import layout
from backupkit.store.backend import Backend, NoSpace
from backupkit.store.backends.memory_backend import MemoryBackend
from backupkit.store.chunk_id import ChunkType, chunk_id, plain_sha256
from backupkit.store.domains.domain_reader import DomainReader
from backupkit.store.domains.domain_writer import DomainWriter, PackProfile
from backupkit.store.failures import ChunkNotStored, ChunkTooLarge
from backupkit.store.packs.compression import Codec
from backupkit.store.packs.index import Index, Location
from backupkit.store.packs.pack_format import MAX_PLAIN, Address

if TYPE_CHECKING:
    from backupkit.store.finding import Finding

TINY = PackProfile(data_target=60_000, manifest_target=20_000, payload_size=4096)


def load(backend: Backend, address: Address, secrets: DomainSecrets) -> Index:
    findings: list[Finding] = []
    index = Index.load(backend, address, secrets.index_key, findings.append)
    assert findings == []
    return index


def writer(
    backend: Backend, address: Address, secrets: DomainSecrets, profile: PackProfile = TINY, index: Index | None = None
) -> DomainWriter:
    index = index or load(backend, address, secrets)
    return DomainWriter(backend, address.repository, address.domain, secrets.writer_keys(), index, profile=profile)


def reader(backend: Backend, address: Address, secrets: DomainSecrets) -> DomainReader:
    return DomainReader(backend, address.repository, address.domain, secrets)


def interrupted() -> suppress:
    """Somebody presses Ctrl-C inside the block."""
    return suppress(KeyboardInterrupt)


def plains(seed: int, count: int = 60, most: int = 9000) -> list[bytes]:
    source = random.Random(seed)
    return [source.randbytes(source.randint(1, most)) for _ in range(count)]


def test_what_was_stored_is_read_by_who_has_the_identity(
    backend: MemoryBackend, address: Address, secrets: DomainSecrets
) -> None:
    chunks = {}
    with writer(backend, address, secrets) as one:
        for number, plain in enumerate(plains(1)):
            chunks[one.store(ChunkType(number % 6 + 1), plain).id] = plain

    two = reader(backend, address, secrets)

    assert {chunk: two.read(chunk) for chunk in chunks} == chunks
    assert len(two.present_packs()) > 3


def test_a_chunk_is_stored_once(backend: MemoryBackend, address: Address, secrets: DomainSecrets) -> None:
    with writer(backend, address, secrets) as one:
        first = one.store(ChunkType.DATA, b"hello")
        again = one.store(ChunkType.DATA, b"hello")
        other_type = one.store(ChunkType.TREE, b"hello")
        one.flush()
        flushed = one.store(ChunkType.DATA, b"hello")
    size = sum(backend.size(name) for name in backend.names(layout.PACKS))
    with writer(backend, address, secrets) as two:
        later = two.store(ChunkType.DATA, b"hello")

    assert [stored.new for stored in (first, again, other_type, flushed, later)] == [True, False, True, False, False]
    assert len({stored.id for stored in (first, again, flushed, later)}) == 1
    assert flushed.pack == later.pack == one.pack_of(first.id)
    assert sum(backend.size(name) for name in backend.names(layout.PACKS)) == size


def test_ids_are_keyed_and_hashes_are_those_of_the_file(
    backend: MemoryBackend, address: Address, secrets: DomainSecrets
) -> None:
    with writer(backend, address, secrets) as one:
        stored = one.store(ChunkType.DATA, memoryview(b"xhellox")[1:-1])

    assert stored.sha256 == plain_sha256(b"hello")
    assert stored.id == chunk_id(secrets.id_key, ChunkType.DATA, plain_sha256(b"hello"))
    assert stored.id != chunk_id(b"o" * 32, ChunkType.DATA, plain_sha256(b"hello"))


def test_memory_that_the_caller_uses_again_is_not_stored_changed(
    backend: MemoryBackend, address: Address, secrets: DomainSecrets
) -> None:
    buffer = bytearray(b"first")
    with writer(backend, address, secrets) as one:
        first = one.store(ChunkType.DATA, memoryview(buffer))
        buffer[:] = b"later"
        one.store(ChunkType.DATA, memoryview(buffer))

    assert reader(backend, address, secrets).read(first.id) == b"first"


def test_after_a_flush_the_pack_of_every_chunk_is_known(
    backend: MemoryBackend, address: Address, secrets: DomainSecrets
) -> None:
    with writer(backend, address, secrets) as one:
        chunks = [one.store(ChunkType.DATA, plain).id for plain in plains(2)]
        root = one.store(ChunkType.ROOT, b"root").id
        with pytest.raises(ChunkNotStored):
            one.pack_of(root)
        one.flush()
        packs = one.packs_of([*chunks, root])

        assert one.root_pack == one.pack_of(root)
        assert one.root_pack not in one.packs_of(chunks), "manifests lie apart from data"
    assert packs == set(reader(backend, address, secrets).present_packs())


def test_a_chunk_over_the_limit_is_the_callers_mistake(
    backend: MemoryBackend, address: Address, secrets: DomainSecrets
) -> None:
    with writer(backend, address, secrets, PackProfile()) as one:
        largest = one.store(ChunkType.DATA, bytes(MAX_PLAIN)).id
        with pytest.raises(ChunkTooLarge):
            one.store(ChunkType.DATA, bytes(MAX_PLAIN + 1))

    assert reader(backend, address, secrets).read(largest) == bytes(MAX_PLAIN)


def test_nothing_stored_writes_nothing(backend: MemoryBackend, address: Address, secrets: DomainSecrets) -> None:
    with writer(backend, address, secrets):
        pass

    assert list(backend.names("")) == []


def test_a_block_that_ends_in_an_error_names_nothing(
    backend: MemoryBackend, address: Address, secrets: DomainSecrets
) -> None:
    with interrupted(), writer(backend, address, secrets) as one:
        for plain in plains(3):
            one.store(ChunkType.DATA, plain)
        raise KeyboardInterrupt

    assert list(backend.names(layout.INDEXES)) == []


def test_a_pack_that_the_disk_changed_is_not_published(address: Address, secrets: DomainSecrets) -> None:
    backend = LyingBackend()

    with pytest.raises(MalformedObject), writer(backend, address, secrets) as one:
        one.store(ChunkType.DATA, b"precious")

    assert list(backend.names("")) == []


def test_memory_that_fails_while_a_chunk_waits_is_found(
    backend: MemoryBackend, address: Address, secrets: DomainSecrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hit(plaintext: bytes, _level: int) -> tuple[Codec, bytes]:
        return Codec.RAW, bytes([plaintext[0] ^ 1]) + plaintext[1:]

    monkeypatch.setattr("backupkit.store.domains.domain_writer.compress", hit)

    with pytest.raises(MalformedObject), writer(backend, address, secrets) as working:
        working.store(ChunkType.DATA, b"precious")

    assert list(backend.names("")) == []


def test_a_failed_writer_stays_failed(address: Address, secrets: DomainSecrets) -> None:
    with pytest.raises(MalformedObject), writer(LyingBackend(), address, secrets) as one:
        store_and_fail(one)


def store_and_fail(one: DomainWriter) -> None:
    one.store(ChunkType.DATA, b"precious")
    with pytest.raises(MalformedObject):
        one.flush()
    with pytest.raises(MalformedObject):
        one.store(ChunkType.DATA, b"more")


@pytest.mark.parametrize("room", [0, 1000, 70_000, 150_000, 290_000])
def test_a_full_disk_is_told_and_what_fits_is_used_the_next_time(
    address: Address, secrets: DomainSecrets, room: int
) -> None:
    everything = plains(4, count=80)
    backend = FullBackend(room)

    with pytest.raises(NoSpace) as failure, writer(backend, address, secrets) as one:
        store_all(one, everything)

    assert failure.value.exit_code == 14
    backend.room = 10_000_000
    with writer(backend, address, secrets) as two:
        chunks = {two.store(ChunkType.DATA, plain).id: plain for plain in everything}
    third = reader(backend, address, secrets)
    assert {chunk: third.read(chunk) for chunk in chunks} == chunks


def test_packs_that_were_published_before_the_disk_was_full_are_not_stored_again(
    address: Address, secrets: DomainSecrets
) -> None:
    everything = plains(6, count=80)
    whole, backend = MemoryBackend(), FullBackend(10_000_000)
    with writer(whole, address, secrets) as all_of_it:
        store_all(all_of_it, everything)
    first = whole.size(min(whole.names(layout.PACKS), key=whole.size))
    # Room for a pack or two and for what says what is in them.
    backend.room = 2 * first + 20_000
    with pytest.raises(NoSpace), writer(backend, address, secrets) as one:
        store_all(one, everything)
    there = set(backend.names(layout.PACKS))

    backend.room = 10_000_000
    with writer(backend, address, secrets) as two:
        store_all(two, everything)

    assert there
    assert two.stored_bytes < sum(map(len, everything))
    named = {
        layout.pack(address.domain, place.pack)
        for plain in everything
        if (place := find(backend, address, secrets, plain))
    }
    assert there <= named


def test_a_power_cut_at_any_write_leaves_a_repository_that_goes_on(address: Address, secrets: DomainSecrets) -> None:
    everything = plains(5, count=40)
    writes = 0
    while True:
        backend = PowerCutBackend(writes)
        try:
            with writer(backend, address, secrets) as one:
                for plain in everything[:20]:
                    one.store(ChunkType.DATA, plain)
                one.flush()
                for plain in everything[20:]:
                    one.store(ChunkType.DATA, plain)
        except PowerCut:
            pass
        finished = backend.left > 0
        disk = backend.inner
        named = {place.pack for plain in everything if (place := find(disk, address, secrets, plain))}
        assert {layout.pack(address.domain, pack) for pack in named} <= set(disk.names(layout.PACKS))
        with writer(disk, address, secrets) as two:
            chunks = {two.store(ChunkType.DATA, plain).id: plain for plain in everything}
        third = reader(disk, address, secrets)
        assert {chunk: third.read(chunk) for chunk in chunks} == chunks
        writes += 1
        if finished:
            break
    assert writes > 5


def store_all(one: DomainWriter, everything: list[bytes]) -> None:
    for plain in everything:
        one.store(ChunkType.DATA, plain)


def find(backend: Backend, address: Address, secrets: DomainSecrets, plain: bytes) -> Location | None:
    chunk = chunk_id(secrets.id_key, ChunkType.DATA, plain_sha256(plain))
    return load(backend, address, secrets).find(chunk)


def test_work_done_before_a_crash_is_found_by_the_next_run(
    backend: MemoryBackend, address: Address, secrets: DomainSecrets
) -> None:
    early = plains(6)
    with interrupted(), writer(backend, address, secrets) as one:
        for plain in early:
            one.store(ChunkType.DATA, plain)
        one.flush()
        raise KeyboardInterrupt

    with writer(backend, address, secrets) as two:
        assert not any(two.store(ChunkType.DATA, plain).new for plain in early)
        assert two.holds(chunk_id(secrets.id_key, ChunkType.DATA, plain_sha256(early[0])))


def test_an_index_is_written_on_the_way_so_that_a_crash_costs_little(
    backend: MemoryBackend, address: Address, secrets: DomainSecrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backupkit.store.packs.index._PACKS_PER_FILE", 2)

    with interrupted(), writer(backend, address, secrets) as one:
        for plain in plains(7, count=100):
            one.store(ChunkType.DATA, plain)
        one._submit(one._data)
        one._settle()
        raise KeyboardInterrupt

    assert len(list(backend.names(layout.INDEXES))) >= 2


def test_two_writers_at_once_do_not_harm_each_other(
    backend: MemoryBackend, address: Address, secrets: DomainSecrets
) -> None:
    shared, *own = plains(8), plains(9), plains(10)
    chunks: list[dict[bytes, bytes]] = [{}, {}]

    def run(number: int) -> None:
        with writer(backend, address, secrets) as one:
            for plain in shared + own[number]:
                chunks[number][one.store(ChunkType.DATA, plain).id] = plain

    threads = [threading.Thread(target=run, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    one = reader(backend, address, secrets)
    for stored in chunks:
        assert len(stored) == 120
        assert all(one.read(chunk) == plain for chunk, plain in stored.items())  # type: ignore[arg-type] # ids are bytes


def test_a_writer_stores_again_what_a_lost_pack_held(
    backend: MemoryBackend, address: Address, secrets: DomainSecrets
) -> None:
    with writer(backend, address, secrets) as one:
        chunk = one.store(ChunkType.DATA, b"precious").id
    (name,) = backend.names(layout.PACKS)
    backend.delete(name)

    with writer(backend, address, secrets) as two:
        assert two.store(ChunkType.DATA, b"precious").new

    assert reader(backend, address, secrets).read(chunk) == b"precious"


def test_leaving_the_block_leaves_no_thread_behind(
    backend: MemoryBackend, address: Address, secrets: DomainSecrets
) -> None:
    before = set(threading.enumerate())
    with writer(backend, address, secrets) as one:
        for plain in plains(11):
            one.store(ChunkType.DATA, plain)

    assert set(threading.enumerate()) == before


def test_compression_can_be_left_out(backend: MemoryBackend, address: Address, secrets: DomainSecrets) -> None:
    with writer(backend, address, secrets, PackProfile()) as one:
        chunk = one.store(ChunkType.DATA, bytes(100_000), compress=False).id

    assert one.stored_bytes > 100_000
    assert reader(backend, address, secrets).read(chunk) == bytes(100_000)


def test_packs_of_any_size_hold_any_mix_of_chunks(address: Address, secrets: DomainSecrets) -> None:
    source = random.Random(int.from_bytes(os.urandom(4), "big"))
    backend = MemoryBackend()
    chunks = {}
    with writer(backend, address, secrets, PackProfile(data_target=300_000, payload_size=4096)) as one:
        for _ in range(300):
            plain = source.randbytes(source.choice([0, 1, 43, 44, 45, 4095, 4096, 4097, 50_000]))
            chunks[one.store(source.choice([ChunkType.DATA, ChunkType.TREE]), plain).id] = plain

    two = reader(backend, address, secrets)

    assert {chunk: two.read(chunk) for chunk in chunks} == chunks
