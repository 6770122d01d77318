"""The last look at a pack before it gets its name: whatever failed since the chunks were hashed is found, and costs no memory."""

import random
from collections.abc import Sequence

import pytest
from stored import build_pack

from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.domains import DomainSecrets
from backupkit.ids import ChunkId
from backupkit.store.backend import WINDOW
from backupkit.store.backends.memory_backend import WrittenBytes
from backupkit.store.chunk_id import ChunkType, chunk_id, plain_sha256
from backupkit.store.packs.compression import compress
from backupkit.store.packs.pack_check import check_finished_pack
from backupkit.store.packs.pack_format import HEADER_SIZE, PAYLOAD_SIZE, TAIL_SIZE, Address
from backupkit.store.packs.pack_writer import EncodedChunk, FinishedPack, PackBuilder

SMALL = 4096


def noise(seed: int, *sizes: int) -> list[bytes]:
    source = random.Random(seed)
    return [source.randbytes(size) for size in sizes]


PLAINS = [*noise(1, 3000, 700, 9000, 1, 44, 4052, 20_000, 0, 5000), b"text that becomes smaller " * 300]


def chunk_of(secrets: DomainSecrets, plain: bytes, kind: ChunkType = ChunkType.DATA) -> EncodedChunk:
    sha256 = plain_sha256(plain)
    codec, stored = compress(plain)
    return EncodedChunk(chunk_id(secrets.id_key, kind, sha256), kind, codec, len(plain), stored)


def pack_of(
    secrets: DomainSecrets, address: Address, chunks: Sequence[EncodedChunk], payload: int = SMALL
) -> FinishedPack:
    return build_pack(PackBuilder(address, secrets.recipient, payload_size=payload), chunks)


def check(finished: FinishedPack, data: bytes, secrets: DomainSecrets) -> None:
    check_finished_pack(finished, WrittenBytes(data), secrets.id_key)


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]


def test_a_pack_with_any_byte_changed_is_not_published(secrets: DomainSecrets, address: Address) -> None:
    finished = pack_of(secrets, address, [chunk_of(secrets, plain) for plain in PLAINS])
    good = bytes(finished.data)

    check(finished, good, secrets)

    for place in (*range(0, len(good), 499), *range(len(good) - TAIL_SIZE, len(good), 97)):
        with pytest.raises(MalformedObject):
            check(finished, flipped(good, place), secrets)
    for other in (good[:-1], good + b"\0", b"", good[: len(good) // 2]):
        with pytest.raises(MalformedObject):
            check(finished, other, secrets)


def test_memory_that_fails_before_the_pack_is_named_is_found(secrets: DomainSecrets, address: Address) -> None:
    # The pack in memory and the pack on the disk agree, and both are wrong.
    finished = pack_of(secrets, address, [chunk_of(secrets, plain) for plain in PLAINS])
    finished.data[HEADER_SIZE + 3000] ^= 1

    with pytest.raises(MalformedObject):
        check(finished, bytes(finished.data), secrets)


def test_memory_that_fails_between_hashing_and_sealing_is_found_in_every_chunk(
    secrets: DomainSecrets, address: Address
) -> None:
    chunks = [chunk_of(secrets, plain) for plain in noise(2, *[900] * 40)]
    for at, chunk in enumerate(chunks):
        broken = [*chunks[:at], chunk._replace(stored=flipped(chunk.stored, at)), *chunks[at + 1 :]]
        finished = pack_of(secrets, address, broken)

        with pytest.raises(MalformedObject):
            check(finished, bytes(finished.data), secrets)


def test_memory_that_fails_in_an_id_is_found_in_every_chunk(secrets: DomainSecrets, address: Address) -> None:
    chunks = [chunk_of(secrets, plain) for plain in noise(3, *[900] * 40)]
    for at, chunk in enumerate(chunks):
        broken = chunk._replace(chunk=ChunkId(flipped(chunk.chunk, at % 32)))
        finished = pack_of(secrets, address, [*chunks[:at], broken, *chunks[at + 1 :]])

        with pytest.raises(MalformedObject):
            check(finished, bytes(finished.data), secrets)


def test_a_processor_that_hashed_one_chunk_wrongly_is_found(secrets: DomainSecrets, address: Address) -> None:
    chunks = [chunk_of(secrets, plain) for plain in noise(4, *[900] * 40)]
    for at, chunk in enumerate(chunks):
        wrong = chunk._replace(chunk=chunk_id(secrets.id_key, ChunkType.DATA, bytes(32)))
        finished = pack_of(secrets, address, [*chunks[:at], wrong, *chunks[at + 1 :]])

        with pytest.raises(MalformedObject):
            check(finished, bytes(finished.data), secrets)


def test_a_pack_is_read_back_once_and_little_of_it_at_a_time(secrets: DomainSecrets, address: Address) -> None:
    chunks = [chunk_of(secrets, plain) for plain in noise(8, *[1_000_000] * 6, 3, 200_000)]
    finished = pack_of(secrets, address, chunks, PAYLOAD_SIZE)
    data = bytes(finished.data)
    asked: list[tuple[int, int]] = []

    class Noting(WrittenBytes):
        def read(self, offset: int, length: int) -> memoryview:
            asked.append((offset, length))
            return super().read(offset, length)

    check_finished_pack(finished, Noting(data), secrets.id_key)

    assert max(length for _, length in asked) <= WINDOW
    assert sum(len(data[start : start + length]) for start, length in asked) <= len(data) + PAYLOAD_SIZE
    assert set().union(*(range(start, start + length) for start, length in asked)) >= set(range(len(data)))
