"""Where files are cut."""

import random

import pytest
from hypothesis import given, settings, strategies as st
from pyfastcdc.py import FastCDC as PurePython

from backupkit.capture.content import PROBE_SIZE, Cut, choose_cut, is_compressible
from backupkit.capture.cuts import MAX_TEXT_CHUNK, MEDIA_BLOCK, MIN_TEXT_CHUNK, media_cuts, text_cuts

SEED = 0x5EED_5EED_5EED_5EED


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def messages(count: int, seed: int = 1) -> bytes:
    chance = random.Random(seed)
    line = '{{"id": {}, "from": "user{}", "text": "{}"}}\n'
    return "".join(
        line.format(n, chance.randrange(99), chance.choice(["早上好", "再见", "谢谢"]) * chance.randrange(1, 9))
        for n in range(count)
    ).encode()


def in_pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(data[at : at + size])
        at += size
    return [*pieces, data[at:]]


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 900_000),
    st.integers(0, 2**32),
    st.integers(1, 2**63 - 1),
    st.lists(st.integers(0, 400_000), max_size=6),
)
def test_text_cuts_joined_are_the_stream_within_bounds_however_it_came(
    size: int, content: int, seed: int, pieces: list[int]
) -> None:
    data = noise(size, content)

    chunks = list(text_cuts(in_pieces(data, pieces), seed))

    assert b"".join(chunks) == data
    assert all(MIN_TEXT_CHUNK <= len(chunk) <= MAX_TEXT_CHUNK for chunk in chunks[:-1])
    assert not chunks or 0 < len(chunks[-1]) <= MAX_TEXT_CHUNK
    assert chunks == list(text_cuts([data], seed))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 5 * MEDIA_BLOCK), st.lists(st.integers(0, 3 * MEDIA_BLOCK), max_size=6))
def test_media_cuts_joined_are_the_stream_in_equal_blocks(size: int, pieces: list[int]) -> None:
    data = bytes(size)

    blocks = list(media_cuts(in_pieces(data, pieces)))

    assert [len(block) for block in blocks[:-1]] == [MEDIA_BLOCK] * (len(blocks) - 1)
    assert b"".join(blocks) == data
    assert not blocks or 0 < len(blocks[-1]) <= MEDIA_BLOCK


def test_new_lines_at_the_front_cost_few_chunks() -> None:
    old = messages(40_000)
    new = messages(200, seed=2) + old

    before = set(text_cuts([old], SEED))
    added = [chunk for chunk in text_cuts([new], SEED) if chunk not in before]

    assert len(old) > 3_000_000
    assert sum(map(len, added)) < 4 * MAX_TEXT_CHUNK / 2


def test_chunks_of_text_are_near_the_average() -> None:
    sizes = [len(chunk) for chunk in text_cuts([messages(60_000)], SEED)]

    assert 50_000 < sum(sizes) / len(sizes) < 95_000
    assert max(sizes) < MAX_TEXT_CHUNK


def test_another_seed_cuts_elsewhere() -> None:
    data = messages(20_000)

    assert not set(text_cuts([data], SEED)) & set(text_cuts([data], SEED + 1))


@pytest.mark.parametrize("seed", [2**63 - 1, 2**63, 2**63 + 5, 2**64 - 1])
def test_a_seed_of_all_its_bits_cuts(seed: int) -> None:
    """Half of all domains draw such a seed; a repository once saved nothing but its databases for that."""
    data = messages(2_000)

    assert b"".join(text_cuts([data], seed)) == data


@pytest.mark.parametrize("seed", [0, -1, 2**64])
def test_a_seed_that_would_do_nothing_is_refused(seed: int) -> None:
    with pytest.raises(ValueError, match="seed"):
        text_cuts([], seed)


def test_the_slow_cutter_of_the_library_cuts_where_the_fast_one_does() -> None:
    """On machines without the compiled part, chunks must still meet those that are stored."""
    data = messages(4_000)
    slow = PurePython(64 << 10, min_size=16 << 10, max_size=256 << 10, normalized_chunking=2, seed=SEED)

    assert [bytes(chunk.data) for chunk in slow.cut_buf(data)] == list(text_cuts([data], SEED))


@pytest.mark.parametrize(
    ("name", "probe", "size", "cut", "compressible"),
    [
        (b"result.json", messages(60), 8000, Cut.TEXT, True),
        (b"IMG.jpg", b"\xff\xd8\xff\xe0" + noise(4092), 90_000, Cut.MEDIA, False),
        (b"clip", b"\0\0\0\x20ftypisom" + noise(4000), 9_000_000, Cut.MEDIA, False),
        (b"msg.silk", b"\x02#!SILK_V3" + noise(2000), 2010, Cut.MEDIA, False),
        (b"export.zip", b"PK\x03\x04" + noise(4000), 90_000, Cut.TEXT, False),
        (b"0a1b2c.dat", noise(4096), 30_000, Cut.MEDIA, False),
        (b"msgstore.db.crypt15", noise(4096), 30_000_000, Cut.MEDIA, False),
        (b"photo.bmp", b"BM" + bytes(4000), 9_000_000, Cut.TEXT, True),
        (b"empty", b"", 0, Cut.TEXT, False),
        (b"one", b"1", 1, Cut.TEXT, False),
        (b"notes.jpg", messages(60), 8000, Cut.TEXT, True),
    ],
)
def test_the_content_says_how_to_cut_and_whether_to_compress(
    name: bytes, probe: bytes, size: int, cut: Cut, compressible: bool
) -> None:
    assert choose_cut(name, probe[:PROBE_SIZE], size) is cut
    assert is_compressible(probe[:PROBE_SIZE]) is compressible


@given(st.binary(max_size=300), st.binary(max_size=PROBE_SIZE), st.integers(0, 2**40))
def test_any_bytes_get_an_answer(name: bytes, probe: bytes, size: int) -> None:
    assert choose_cut(name, probe, size) in Cut
    assert is_compressible(probe) in {True, False}
