"""An index answers as a dictionary would, and what is wrong with it costs time only."""

import random
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings, strategies as st

from backupkit.codec.framing import Mark, frame
from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.crypto.domains import DomainSecrets
from backupkit.crypto.failures import OpenFailed
from backupkit.crypto.sealing import seal_blob
from backupkit.ids import ChunkId, DomainId, PackName
from backupkit.store import layout
from backupkit.store.backends.memory_backend import MemoryBackend
from backupkit.store.finding import Finding
from backupkit.store.packs import index as index_module
from backupkit.store.packs.index import Index, Location
from backupkit.store.packs.pack_format import Address, Row

KEY = b"k" * 32


def pack_name(number: int) -> PackName:
    return PackName(f"{number:064x}")


def rows_of(seed: int, count: int) -> list[Row]:
    source = random.Random(seed)
    return [
        Row(ChunkId(source.randbytes(32)), source.randint(1, 6), source.randint(0, 1), n * 50, 4, source.randint(4, 9))
        for n in range(count)
    ]


def publish(backend: MemoryBackend, address: Address, index: Index, pack: PackName, rows: list[Row]) -> None:
    name = layout.pack(address.domain, pack)
    if name not in list(backend.names(name)):
        backend.create(name, b"a pack")
    index.add(pack, rows)


def load(backend: MemoryBackend, address: Address, key: bytes = KEY) -> tuple[Index, list[Finding]]:
    findings: list[Finding] = []
    return Index.load(backend, address, key, findings.append), findings


@settings(deadline=None, max_examples=50)
@given(
    packs=st.lists(
        st.lists(st.tuples(st.binary(min_size=32, max_size=32), st.integers(1, 6), st.integers(0, 2**32)), max_size=20),
        max_size=8,
    ),
    saves=st.lists(st.booleans(), min_size=8, max_size=8),
)
def test_an_index_answers_as_a_dictionary_would(
    address: Address, packs: list[list[tuple[bytes, int, int]]], saves: list[bool]
) -> None:
    backend = MemoryBackend()
    index, _ = load(backend, address)
    model: dict[ChunkId, set[Location]] = {}
    for number, (fields, save) in enumerate(zip(packs, saves, strict=False)):
        rows = [Row(ChunkId(chunk), kind, 0, offset, 3, 4) for chunk, kind, offset in fields]
        publish(backend, address, index, pack_name(number), rows)
        for row in rows:
            model.setdefault(row.chunk, set()).add(Location(pack_name(number), row))
        if save:
            index.save_new(backend, KEY)
    index.save_new(backend, KEY)

    loaded, findings = load(backend, address)

    assert findings == []
    for one in (index, loaded):
        assert {chunk: set(one.locations(chunk)) for chunk in model} == model
        assert one.find(ChunkId(b"\x07" * 32)) is None or ChunkId(b"\x07" * 32) in model


def test_many_rows_and_many_files_are_found_after_they_were_merged(
    backend: MemoryBackend, address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "_RECENT", 200)
    index, _ = load(backend, address)
    expected: dict[ChunkId, Location] = {}
    for number in range(40):
        rows = rows_of(number, 300)
        publish(backend, address, index, pack_name(number), rows)
        index.save_new(backend, KEY)
        expected |= {row.chunk: Location(pack_name(number), row) for row in rows}

    loaded, _ = load(backend, address)

    assert len(list(backend.names(layout.INDEXES))) == 40
    for one in (index, loaded):
        assert {chunk: one.find(chunk) for chunk in expected} == expected
        assert all(one.find(ChunkId(random.Random(n).randbytes(32))) is None for n in range(5000, 5200))
        assert one.packs() == {pack_name(number) for number in range(40)}


@pytest.mark.parametrize("has_room", [True, False], ids=["spilled", "no-room"])
def test_more_rows_than_memory_should_hold_are_found_in_temporary_files(
    backend: MemoryBackend, address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_room: bool
) -> None:
    monkeypatch.setattr(index_module, "_RECENT", 200)
    monkeypatch.setattr(index_module, "_MOST_RUNS", 3)
    monkeypatch.setattr(index_module, "_MOST_IN_MEMORY", 700 * 56)
    if not has_room:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    index, _ = load(backend, address)
    expected: dict[ChunkId, Location] = {}
    for number in range(30):
        # The same chunks lie in several packs, and some runs name more packs than a byte counts.
        rows = rows_of(number % 25, 100)
        publish(backend, address, index, pack_name(number), rows)
        index.save_new(backend, KEY)
        expected |= {row.chunk: Location(pack_name(number), row) for row in rows}
    for number in range(300, 900):
        rows = rows_of(number, 1)
        publish(backend, address, index, pack_name(number), rows)
        expected[rows[0].chunk] = Location(pack_name(number), rows[0])
    index.save_new(backend, KEY)

    loaded, findings = load(backend, address)

    assert findings == []
    # What is left over after loading goes there too: the writer needs the memory.
    assert all(run.is_spilled is has_room for run in loaded._runs)
    for one in (index, loaded):
        assert any(run.is_spilled for run in one._runs) is has_room
        for chunk, place in expected.items():
            assert place in one.locations(chunk)
        assert all(one.find(ChunkId(random.Random(n).randbytes(32))) is None for n in range(5000, 5200))
        assert set(one.chunks_in(pack_name(7))) == {row.chunk for row in rows_of(7, 100)}


def test_very_much_that_is_new_is_saved_in_several_files(
    backend: MemoryBackend, address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "_ROWS_PER_FILE", 100)
    index, _ = load(backend, address)
    due = []
    for number in range(7):
        publish(backend, address, index, pack_name(number), rows_of(number, 40))
        due.append(index.is_save_due)

    index.save_new(backend, KEY)

    assert due == [False, False, False, True, True, True, True]
    assert len(list(backend.names(layout.INDEXES))) == 3
    loaded, _ = load(backend, address)
    assert all(loaded.find(row.chunk) for number in range(7) for row in rows_of(number, 40))


def test_what_was_saved_is_not_saved_again(backend: MemoryBackend, address: Address) -> None:
    index, _ = load(backend, address)
    publish(backend, address, index, pack_name(1), rows_of(1, 3))

    index.save_new(backend, KEY)
    index.save_new(backend, KEY)

    assert len(list(backend.names(layout.INDEXES))) == 1


def test_rows_of_a_pack_that_is_gone_count_as_gone(backend: MemoryBackend, address: Address) -> None:
    index, _ = load(backend, address)
    kept, gone = rows_of(1, 3), rows_of(2, 3)
    publish(backend, address, index, pack_name(1), kept)
    publish(backend, address, index, pack_name(2), gone)
    index.save_new(backend, KEY)
    backend.delete(layout.pack(address.domain, pack_name(2)))

    loaded, _ = load(backend, address)

    assert all(loaded.find(row.chunk) for row in kept)
    assert not any(loaded.find(row.chunk) for row in gone)
    assert loaded.absent_packs() == {pack_name(2)}
    assert set(loaded.chunks_in(pack_name(2))) == {row.chunk for row in gone}


def test_a_chunk_in_two_packs_is_found_in_the_one_that_is_there(backend: MemoryBackend, address: Address) -> None:
    index, _ = load(backend, address)
    (row,) = rows_of(1, 1)
    for number in (1, 2):
        publish(backend, address, index, pack_name(number), [row])
        index.save_new(backend, KEY)
    backend.delete(layout.pack(address.domain, pack_name(1)))

    loaded, _ = load(backend, address)

    assert list(loaded.locations(row.chunk)) == [Location(pack_name(2), row)]


@pytest.mark.parametrize("damage", ["empty", "garbage", "cut", "flip", "other-key", "other-domain", "newer"])
def test_an_index_file_that_cannot_be_read_is_told_and_the_others_are_used(
    backend: MemoryBackend, address: Address, damage: str
) -> None:
    index, _ = load(backend, address)
    good, bad = rows_of(1, 5), rows_of(2, 5)
    publish(backend, address, index, pack_name(1), good)
    index.save_new(backend, KEY)
    (good_name,) = backend.names(layout.INDEXES)
    publish(backend, address, index, pack_name(2), bad)
    index.save_new(backend, KEY)
    (bad_name,) = set(backend.names(layout.INDEXES)) - {good_name}
    data = backend.read(bad_name)
    elsewhere = Address(address.repository, DomainId(b"e" * 16))
    other = Index(address if damage == "other-key" else elsewhere)
    other.add(pack_name(2), bad)
    scratch = MemoryBackend()
    other.save_new(scratch, b"o" * 32 if damage == "other-key" else KEY)
    (made,) = scratch.names(layout.INDEXES)
    replaced = {
        "empty": b"",
        "garbage": b"\x13" * 500,
        "cut": data[:-1],
        "flip": data[:80] + bytes([data[80] ^ 1]) + data[81:],
        "other-key": scratch.read(made),
        "other-domain": scratch.read(made),
        "newer": data[:9] + b"\x09" + data[10:],
    }[damage]
    backend.delete(bad_name)
    backend.create(bad_name, replaced)

    loaded, findings = load(backend, address)

    assert [(finding.code, finding.name) for finding in findings] == [("index-unreadable", bad_name)]
    assert all(loaded.find(row.chunk) for row in good)
    assert not any(loaded.find(row.chunk) for row in bad)


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_sealed_as_an_index_give_an_index_or_a_typed_error(address: Address, plain: bytes) -> None:
    # Only who has the index key can do this; a mistaken or hostile writer has it.
    for candidate in (plain, b"\0\0\0\0" + plain, b"\0\0\0\1" + bytes(32) + len(plain).to_bytes(4, "big") + plain):
        sealed = seal_blob(KEY, candidate, purpose="index", associated=address.context)
        try:
            run = index_module._decode(frame(Mark.INDEX, address.domain + sealed), address, KEY)
        except (MalformedObject, OpenFailed, NewerFormat):
            continue
        assert list(run.find(ChunkId(bytes(32)))) is not None


def test_a_row_that_names_no_pack_is_no_row(backend: MemoryBackend, address: Address) -> None:
    (row,) = rows_of(1, 1)
    plain = b"\0\0\0\0" + b"\0\0\0\1" + index_module._pack_row(7, row)
    sealed = seal_blob(KEY, plain, purpose="index", associated=address.context)
    backend.create(layout.index(address.domain, "0" * 64), frame(Mark.INDEX, address.domain + sealed))

    loaded, findings = load(backend, address)

    assert loaded.find(row.chunk) is None
    assert findings == []


def test_an_index_that_could_not_be_written_is_written_the_next_time(address: Address) -> None:
    class Failing(MemoryBackend):
        fails = True

        def create(self, name: str, data: object, *, check: object = None) -> None:
            if self.fails:
                raise OSError
            super().create(name, cast("bytes", data))

    backend = Failing()
    index = Index(address)
    index.add(pack_name(1), rows_of(1, 3))
    with pytest.raises(OSError):
        index.save_new(backend, KEY)
    backend.fails = False

    index.save_new(backend, KEY)

    assert len(list(backend.names(layout.INDEXES))) == 1


def test_an_index_file_shows_no_chunk_ids_and_no_pack_names(
    backend: MemoryBackend, address: Address, secrets: DomainSecrets
) -> None:
    index = Index(address)
    rows = rows_of(1, 3)
    publish(backend, address, index, pack_name(77), rows)

    index.save_new(backend, secrets.index_key)

    (name,) = backend.names(layout.INDEXES)
    data = backend.read(name)
    assert not any(bytes(row.chunk) in data for row in rows)
    assert bytes.fromhex(pack_name(77)) not in data
