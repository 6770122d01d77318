"""Packs: what goes in comes out, damage costs what it touches, and lengths do not show."""

import hashlib
import mmap
import random
from collections.abc import Iterable

import pytest
from hypothesis import given, settings, strategies as st
from stored import build_pack

from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.crypto.domains import DomainSecrets
from backupkit.crypto.failures import OpenFailed
from backupkit.crypto.recipients import XWingIdentity
from backupkit.errors import BackupkitError
from backupkit.ids import ChunkId, DomainId, PackName, RepositoryId
from backupkit.store.backends.memory_backend import MemoryBackend, WrittenBytes
from backupkit.store.chunk_id import ChunkType, chunk_id, plain_sha256
from backupkit.store.finding import Finding
from backupkit.store.layout import PackRef
from backupkit.store.packs.compression import compress
from backupkit.store.packs.pack_check import check_finished_pack
from backupkit.store.packs.pack_format import (
    ENTRY_HEAD,
    FOOTER,
    HEADER_SIZE,
    PAD,
    PAYLOAD_SIZE,
    RECORD_HEAD,
    TAIL_SIZE,
    Address,
    Row,
    decode_table,
    encode_table,
    parse_footer,
    parse_header,
)
from backupkit.store.packs.pack_reader import Opened, PackReader, StoredEntry, open_entry
from backupkit.store.packs.pack_writer import EncodedChunk, FinishedPack, PackBuilder

SMALL = 4096
TYPED = (MalformedObject, NewerFormat, OpenFailed)


def encoded(secrets: DomainSecrets, plaintext: bytes, kind: ChunkType = ChunkType.DATA) -> EncodedChunk:
    codec, stored = compress(plaintext)
    return EncodedChunk(chunk_id(secrets.id_key, kind, plain_sha256(plaintext)), kind, codec, len(plaintext), stored)


def pack_of(secrets: DomainSecrets, address: Address, plains: Iterable[bytes], payload: int = SMALL) -> FinishedPack:
    builder = PackBuilder(address, secrets.recipient, payload_size=payload)
    return build_pack(builder, [encoded(secrets, plain) for plain in plains])


def opened(data: bytes, secrets: DomainSecrets, address: Address, identity: XWingIdentity | None = None) -> PackReader:
    backend = MemoryBackend()
    ref = PackRef(address.domain, PackName("ab" * 32))
    backend.create(ref.name, data)
    return PackReader.open(backend, ref, address, identity or secrets.identity)


def walked(data: bytes, secrets: DomainSecrets, address: Address) -> tuple[dict[ChunkId, bytes], list[Finding]]:
    chunks, findings = {}, []
    for item in opened(data, secrets, address).walk():
        if isinstance(item, Finding):
            findings.append(item)
        else:
            assert isinstance(item, StoredEntry)
            chunks[item.row.chunk] = open_entry(item, secrets.id_key).plaintext
    return chunks, findings


def noise(seed: int, *sizes: int) -> list[bytes]:
    source = random.Random(seed)
    return [source.randbytes(size) for size in sizes]


PLAINS = noise(1, 3000, 700, 9000, 1, 44, 4052, 20_000, 0, 5000)


@pytest.fixture(scope="module")
def pack(secrets: DomainSecrets, address: Address) -> bytes:
    return bytes(pack_of(secrets, address, PLAINS).data)


def ids(secrets: DomainSecrets, plains: Iterable[bytes]) -> dict[ChunkId, bytes]:
    return {encoded(secrets, plain).chunk: plain for plain in plains}


@settings(deadline=None, max_examples=60)
@given(
    plains=st.lists(st.binary(max_size=300) | st.integers(0, 30_000).map(bytes), max_size=12, unique=True),
    kinds=st.lists(st.sampled_from(ChunkType), min_size=12, max_size=12),
)
def test_any_chunks_come_back_by_table_by_place_and_by_walking(
    secrets: DomainSecrets, address: Address, plains: list[bytes], kinds: list[ChunkType]
) -> None:
    chunks = [encoded(secrets, plain, kind) for plain, kind in zip(plains, kinds, strict=False)]
    finished = build_pack(PackBuilder(address, secrets.recipient, payload_size=SMALL), chunks)
    check_finished_pack(finished, WrittenBytes(bytes(finished.data)), secrets.id_key)

    reader = opened(bytes(finished.data), secrets, address)

    table = reader.table()
    assert sorted(table) == sorted(finished.rows)
    by_place = [reader.chunk(row, secrets.id_key) for row in finished.rows]
    assert [(one.kind, one.plaintext) for one in by_place] == list(zip(kinds, plains, strict=False))
    assert all(one.sha256 == hashlib.sha256(one.plaintext).digest() for one in by_place)
    assert [item.row for item in reader.walk() if isinstance(item, StoredEntry)] == list(finished.rows)


def test_a_pack_is_named_by_its_sha256(secrets: DomainSecrets, address: Address) -> None:
    finished = pack_of(secrets, address, PLAINS)

    assert finished.name == hashlib.sha256(finished.data).hexdigest()


def test_a_record_holds_128_kib_of_the_stream(secrets: DomainSecrets, address: Address) -> None:
    plains = noise(2, 100_000, 1_000_000, 50)

    finished = pack_of(secrets, address, plains, PAYLOAD_SIZE)

    assert walked(bytes(finished.data), secrets, address)[0] == ids(secrets, plains)
    assert parse_header(finished.data[:HEADER_SIZE]).payload_size == 131_072


def test_packs_of_the_same_bytes_cut_differently_look_the_same(secrets: DomainSecrets, address: Address) -> None:
    # 20 entries each, and the same number of stream bytes: only what lies between them differs.
    first = pack_of(secrets, address, noise(3, *[1000] * 20))
    second = pack_of(secrets, address, noise(4, *[1] * 10, *[1999] * 10))

    assert len(first.data) == len(second.data)
    assert marks(bytes(first.data)) == marks(bytes(second.data))


def marks(data: bytes) -> list[tuple[int, bytes]]:
    """Every clear record head and where it is: all that shows outside besides the header."""
    places = [at for at in range(len(data)) if data.startswith(b"\xb1kitrec\n", at)]
    return [(at, data[at : at + RECORD_HEAD.size]) for at in places]


def test_every_record_but_the_last_has_one_size_and_all_are_padded(secrets: DomainSecrets, address: Address) -> None:
    sizes = [int.from_bytes(head[16:20], "big") for _, head in marks(bytes(pack_of(secrets, address, PLAINS).data))]

    *full, last, table = sizes
    assert set(full) == {4 + SMALL + 16}
    assert (last - 20) % PAD == 0
    assert (table - 16) % PAD == 0


def test_nothing_of_the_content_shows(secrets: DomainSecrets, address: Address) -> None:
    plain = b"the same words again " * 10
    data = bytes(pack_of(secrets, address, [plain]).data)

    assert b"words" not in data
    assert bytes(encoded(secrets, plain).chunk) not in data
    assert hashlib.sha256(plain).digest() not in data


def test_the_same_chunks_never_give_the_same_pack(secrets: DomainSecrets, address: Address) -> None:
    assert pack_of(secrets, address, PLAINS).name != pack_of(secrets, address, PLAINS).name


def test_a_buffer_may_be_used_for_one_pack_after_the_other(secrets: DomainSecrets, address: Address) -> None:
    buffer = mmap.mmap(-1, 4096)
    for plains in (PLAINS, PLAINS[:2], noise(5, 50_000)):
        builder = PackBuilder(address, secrets.recipient, payload_size=SMALL, buffer=buffer)
        finished = build_pack(builder, [encoded(secrets, plain) for plain in plains])

        assert walked(bytes(finished.data), secrets, address) == (ids(secrets, plains), [])
        finished.data.release()


def damaged_places(pack: bytes) -> list[int]:
    """Byte offsets at every kind of field, and some hundred others."""
    places = set(range(0, len(pack), 173))
    for at, _ in marks(pack):
        places |= {at, at + 8, at + 9, at + 12, at + 16, at + 20, at + 24, at + 28, at - 1}
    places |= set(range(0, HEADER_SIZE, 61)) | {0, 4, 8, 11, 12, 30, 44, 80, 108, 112, 113, 114, HEADER_SIZE - 1}
    end = len(pack)
    places |= set(range(end - FOOTER.size, end)) | set(range(end - TAIL_SIZE, end, 97))
    return sorted(place for place in places if place < len(pack))


def lost_by_flipping(pack: bytes, place: int, rows: list[Row]) -> set[ChunkId]:
    """Which chunks may be lost: those with a byte in the record whose ciphertext is hit."""
    stride = parse_header(pack).stride
    ordinal, within = divmod(place - HEADER_SIZE, stride)
    table = parse_footer(pack[-FOOTER.size :])
    assert table is not None
    if place < HEADER_SIZE or place >= table.table_offset or within < RECORD_HEAD.size:
        return set()
    start, end = ordinal * SMALL, (ordinal + 1) * SMALL
    return {row.chunk for row in rows if row.offset < end and row.end > start}


def test_a_flipped_byte_costs_the_entries_of_its_record_and_nothing_else(
    pack: bytes, secrets: DomainSecrets, address: Address
) -> None:
    rows = opened(pack, secrets, address).table()
    whole = ids(secrets, PLAINS)
    for place in damaged_places(pack):
        flipped = bytearray(pack)
        flipped[place] ^= 0x40
        lost = lost_by_flipping(pack, place, rows)

        chunks, findings = walked(bytes(flipped), secrets, address)

        assert chunks == {chunk: plain for chunk, plain in whole.items() if chunk not in lost}, place
        assert set().union(*[set(finding.chunks) for finding in findings]) == lost, place
        assert [finding.record for finding in findings] == ([(place - HEADER_SIZE) // 4140] if lost else []), place
        reader = opened(bytes(flipped), secrets, address)
        for row in rows:
            if row.chunk not in lost:
                assert reader.chunk(row, secrets.id_key).plaintext == whole[row.chunk], place


def test_a_short_last_record_with_a_damaged_head_is_still_opened(secrets: DomainSecrets, address: Address) -> None:
    plains = noise(9, 9000, 12_000, 100)
    good = bytes(pack_of(secrets, address, plains, 4 * SMALL).data)
    *_, (last, head), _ = marks(good)
    assert int.from_bytes(head[16:20], "big") == 4 + 2 * SMALL + 16
    for place in (last, last + 8, last + 12, last + 19, last + 20):
        bad = bytearray(good)
        bad[place] ^= 0x40

        reader = opened(bytes(bad), secrets, address)

        assert walked(bytes(bad), secrets, address) == (ids(secrets, plains), [])
        assert [reader.chunk(row, secrets.id_key).plaintext for row in sorted(reader.table())] == [
            ids(secrets, plains)[row.chunk] for row in sorted(reader.table())
        ]


def test_a_cut_off_end_costs_what_was_cut_off(pack: bytes, secrets: DomainSecrets, address: Address) -> None:
    rows = opened(pack, secrets, address).table()
    stride = parse_header(pack).stride
    for size in sorted({*range(HEADER_SIZE, len(pack), 997), *[at for at, _ in marks(pack)], len(pack) - 1}):
        whole_records = (size - HEADER_SIZE) // stride
        kept = {row.chunk for row in rows if row.end <= whole_records * SMALL}

        chunks, _ = walked(pack[:size], secrets, address)

        assert kept <= chunks.keys(), size
        assert chunks.items() <= ids(secrets, PLAINS).items()


def test_less_than_a_header_cannot_be_opened(pack: bytes, secrets: DomainSecrets, address: Address) -> None:
    for size in (0, 1, 11, 12, 100, HEADER_SIZE - 1):
        with pytest.raises(MalformedObject):
            opened(pack[:size], secrets, address)


def test_a_lost_beginning_is_made_up_for_by_the_copy_of_the_header(
    pack: bytes, secrets: DomainSecrets, address: Address
) -> None:
    chunks, _ = walked(bytes(5000) + pack[5000:], secrets, address)

    # The first record is gone with the header; the rest is not.
    assert len(chunks) >= len(PLAINS) - 3
    assert ids(secrets, [PLAINS[-1]]).items() <= chunks.items()


@pytest.mark.parametrize("change", ["lost", "put-in"])
def test_bytes_lost_or_put_in_cost_the_record_they_hit(
    pack: bytes, secrets: DomainSecrets, address: Address, change: str
) -> None:
    place = HEADER_SIZE + 2 * 4140 + 1000
    shifted = pack[:place] + (pack[place + 100 :] if change == "lost" else bytes(100) + pack[place:])
    rows = opened(pack, secrets, address).table()
    lost = lost_by_flipping(pack, place, rows)

    chunks, findings = walked(shifted, secrets, address)

    assert chunks == {chunk: plain for chunk, plain in ids(secrets, PLAINS).items() if chunk not in lost}
    assert [finding.record for finding in findings] == [2]


def test_after_a_walk_shifted_chunks_are_found_by_their_place_too(
    pack: bytes, secrets: DomainSecrets, address: Address
) -> None:
    rows = opened(pack, secrets, address).table()
    reader = opened(pack[:2000] + bytes(64) + pack[2000:], secrets, address)
    last = max(rows, key=lambda row: row.offset)
    with pytest.raises(TYPED):
        reader.chunk(last, secrets.id_key)

    list(reader.walk())

    assert reader.chunk(last, secrets.id_key).plaintext == PLAINS[-1]


def test_records_put_in_each_others_place_are_not_taken(pack: bytes, secrets: DomainSecrets, address: Address) -> None:
    first, second, third = HEADER_SIZE, HEADER_SIZE + 4140, HEADER_SIZE + 2 * 4140
    swapped = pack[:first] + pack[second:third] + pack[first:second] + pack[third:]

    chunks, _ = walked(swapped, secrets, address)

    assert chunks.items() <= ids(secrets, PLAINS).items()


def test_records_of_another_pack_are_not_taken(secrets: DomainSecrets, address: Address) -> None:
    one, other = (bytes(pack_of(secrets, address, noise(seed, 10_000)).data) for seed in (6, 7))

    chunks, findings = walked(one[: HEADER_SIZE + 4140] + other[HEADER_SIZE + 4140 :], secrets, address)

    assert chunks == {}
    assert findings


def test_a_pack_opens_for_its_recipient_only(pack: bytes, secrets: DomainSecrets, address: Address) -> None:
    with pytest.raises(OpenFailed):
        opened(pack, secrets, address, XWingIdentity.generate())


@pytest.mark.parametrize(
    "elsewhere",
    [
        Address(RepositoryId(b"x" * 16), DomainId(b"d" * 16)),
        Address(RepositoryId(bytes(range(16))), DomainId(b"d" * 16)),
    ],
)
def test_a_pack_of_another_repository_or_domain_is_refused(
    pack: bytes, secrets: DomainSecrets, elsewhere: Address
) -> None:
    with pytest.raises(MalformedObject):
        opened(pack, secrets, elsewhere)


def test_a_pack_of_a_newer_version_says_so(pack: bytes, secrets: DomainSecrets, address: Address) -> None:
    newer = (
        pack[:9] + b"\x02" + pack[10:-TAIL_SIZE] + pack[-TAIL_SIZE : -TAIL_SIZE + 9] + b"\x02" + pack[-TAIL_SIZE + 10 :]
    )

    with pytest.raises(NewerFormat):
        opened(newer, secrets, address)


def test_a_chunk_that_is_not_what_its_id_says_is_refused(secrets: DomainSecrets, address: Address) -> None:
    # A writer that lies, with all keys a writer has: the bytes are sealed right and are not the chunk.
    lie = EncodedChunk(encoded(secrets, b"true").chunk, ChunkType.DATA, 0, 5, b"false")
    finished = build_pack(PackBuilder(address, secrets.recipient, payload_size=SMALL), [lie])

    with pytest.raises(MalformedObject):
        opened(bytes(finished.data), secrets, address).chunk(finished.rows[0], secrets.id_key)


def test_one_chunk_is_not_taken_for_another_type(secrets: DomainSecrets, address: Address) -> None:
    data = encoded(secrets, b"bytes of somebody's file")
    lie = EncodedChunk(data.chunk, ChunkType.ROOT, data.codec, data.plain, data.stored)
    finished = build_pack(PackBuilder(address, secrets.recipient, payload_size=SMALL), [lie])

    with pytest.raises(MalformedObject):
        opened(bytes(finished.data), secrets, address).chunk(finished.rows[0], secrets.id_key)


def test_a_row_that_points_elsewhere_is_refused(pack: bytes, secrets: DomainSecrets, address: Address) -> None:
    reader = opened(pack, secrets, address)
    row, other = reader.table()[:2]
    for wrong in (
        row._replace(offset=other.offset),
        row._replace(offset=row.offset + 1),
        row._replace(offset=1 << 40),
        row._replace(stored=row.stored + 1),
        row._replace(stored=1 << 31),
        row._replace(plain=row.plain + 1),
        row._replace(chunk=other.chunk),
        row._replace(kind=99),
    ):
        with pytest.raises(TYPED):
            reader.chunk(wrong, secrets.id_key)


def test_a_full_pack_takes_no_more_and_an_empty_one_takes_anything(secrets: DomainSecrets, address: Address) -> None:
    builder = PackBuilder(address, secrets.recipient, target=10_000, payload_size=SMALL)
    large, small = (encoded(secrets, plain) for plain in noise(8, 20_000, 10))

    assert builder.has_room_for(large)
    builder.add(large)

    assert not builder.has_room_for(small)


@given(st.lists(st.tuples(st.binary(min_size=32, max_size=32), st.integers(1, 6), st.integers(0, 1)), max_size=20))
def test_any_table_comes_back_sorted(fields: list[tuple[bytes, int, int]]) -> None:
    rows = [Row(ChunkId(chunk), kind, codec, 7, 5, 9) for chunk, kind, codec in fields]

    assert decode_table(encode_table(rows)) == sorted(rows)


@given(st.binary(max_size=300))
def test_any_bytes_give_a_table_or_a_typed_error(data: bytes) -> None:
    for candidate in (data, len(data).to_bytes(4, "big") + data, b"\0\0\0\1" + data):
        try:
            decode_table(candidate)
        except MalformedObject:
            continue


@settings(deadline=None, max_examples=150)
@given(
    cuts=st.lists(
        st.tuples(
            st.sampled_from(["flip", "cut", "zero", "copy", "insert"]),
            st.floats(0, 1),
            st.binary(min_size=1, max_size=40),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_damage_gives_true_chunks_or_typed_errors(
    pack: bytes, secrets: DomainSecrets, address: Address, cuts: list[tuple[str, float, bytes]]
) -> None:
    data = bytearray(pack)
    for kind, where, filling in cuts:
        at = int(where * max(len(data) - 1, 0))
        match kind:
            case "flip":
                data[at : at + len(filling)] = filling
            case "cut":
                del data[at:]
            case "zero":
                data[at : at + 200] = bytes(len(data[at : at + 200]))
            case "copy":
                data[at:at] = data[at : at + 5000]
            case "insert":
                data[at:at] = filling
    rows = opened(pack, secrets, address).table()
    try:
        reader = opened(bytes(data), secrets, address)
        results: list[Opened] = [
            open_entry(item, secrets.id_key) for item in reader.walk() if isinstance(item, StoredEntry)
        ]
    except TYPED:
        return
    for row in rows:
        try:
            results.append(reader.chunk(row, secrets.id_key))
        except BackupkitError as error:
            assert isinstance(error, TYPED)  # noqa: PT017 - the point is which error, if any
    assert {one.chunk: one.plaintext for one in results}.items() <= ids(secrets, PLAINS).items()


@given(st.binary(max_size=HEADER_SIZE + 50))
def test_any_bytes_for_a_header_give_a_typed_error(data: bytes) -> None:
    for candidate in (data, b"bkitpack\0\1\0\0" + data):
        try:
            parse_header(candidate)
        except (MalformedObject, NewerFormat):
            continue


def test_an_entry_head_is_44_bytes() -> None:
    assert (ENTRY_HEAD.size, HEADER_SIZE, FOOTER.size, RECORD_HEAD.size) == (44, 1282, 32, 24)
