"""A database's pages: a day costs its changed pages, and every version comes back byte for byte."""

import random
from contextlib import suppress

import pytest
from hypothesis import given, settings, strategies as st
from kept_chunks import KeptChunks
from stored import store_pages

from backupkit.codec.framing import Mark, frame
from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.ids import ChunkId
from backupkit.store.chunk_id import ChunkType
from backupkit.store.trees.page_map import (
    PageMap,
    PageRun,
    decode_page_map,
    leaf_chunks,
    read_page_map,
    read_pages,
    run_bytes,
    runs_by_extent,
    write_page_map,
)

PAGE = 16


def changed_pages(before: bytes | None, after: bytes, page: int = PAGE) -> list[int]:
    pages = range(-(-len(after) // page))
    if before is None:
        return list(pages)
    return [n for n in pages if before[n * page : (n + 1) * page] != after[n * page : (n + 1) * page]]


def save(kept: KeptChunks, previous: PageMap | None, before: bytes | None, after: bytes) -> PageMap:
    return store_pages(
        kept,
        previous,
        page_size=PAGE,
        file_size=len(after),
        changed=changed_pages(before, after),
        read=lambda page: after[page * PAGE : (page + 1) * PAGE],
    )


def whole(kept: KeptChunks, page_map: PageMap) -> bytes:
    return b"".join(read_pages(kept, page_map))


@settings(deadline=None, max_examples=80)
@given(
    first=st.binary(max_size=600),
    edits=st.lists(
        st.tuples(st.sampled_from(["write", "grow", "shrink"]), st.floats(0, 1), st.binary(min_size=1, max_size=80)),
        max_size=8,
    ),
)
def test_every_version_of_a_file_comes_back(first: bytes, edits: list[tuple[str, float, bytes]]) -> None:
    kept = KeptChunks()
    versions = [first]
    maps = [save(kept, None, None, first)]
    for kind, where, data in edits:
        old = versions[-1]
        at = int(where * len(old))
        new = {"write": old[:at] + data + old[at + len(data) :], "grow": old + data, "shrink": old[:at]}[kind]
        maps.append(save(kept, maps[-1], old, new))
        versions.append(new)

    for version, page_map in zip(versions, maps, strict=True):
        assert whole(kept, page_map) == version
        assert page_map.size == len(version)
        assert decode_page_map(page_map.encode()) == page_map
        assert read_page_map(kept, write_page_map(kept, page_map)) == page_map


def test_a_few_changed_pages_cost_one_extent_of_just_those() -> None:
    kept = KeptChunks()
    before = random.Random(1).randbytes(PAGE * 5000)
    after = bytearray(before)
    for page in (3, 4, 1000, 4999):
        after[page * PAGE] ^= 1
    first = save(kept, None, None, before)
    known = set(kept.chunks)

    second = save(kept, first, before, bytes(after))

    (extent,) = set(kept.chunks) - known
    assert len(kept.chunks[extent]) == 4 * PAGE
    assert whole(kept, second) == after
    assert second.runs[1] == PageRun(3, 2, extent, 0)


def test_a_first_store_is_extents_of_256_pages_and_few_rows() -> None:
    kept = KeptChunks()
    page_map = save(kept, None, None, random.Random(2).randbytes(PAGE * 1000))

    assert [len(kept.chunks[extent]) // PAGE for extent in page_map.extents()] == [256, 256, 256, 232]
    assert len(page_map.runs) == 4


def test_an_unchanged_leaf_is_the_same_chunk() -> None:
    kept = KeptChunks()
    before = random.Random(3).randbytes(PAGE * 40_000)
    after = before[:-1] + bytes([before[-1] ^ 1])
    first = save(kept, None, None, before)
    second = save(kept, first, before, after)

    leaves = [leaf_chunks(kept, write_page_map(kept, page_map)) for page_map in (first, second)]

    assert len(leaves[0]) == 3
    assert leaves[0][:2] == leaves[1][:2]
    assert leaves[0][2] != leaves[1][2]


def test_another_page_size_keeps_nothing_of_the_old_map() -> None:
    kept = KeptChunks()
    before = random.Random(4).randbytes(PAGE * 10)
    first = save(kept, None, None, before)

    with pytest.raises(MalformedObject):
        store_pages(kept, first, page_size=8, file_size=len(before), changed=[0], read=lambda _: before[:8])


def test_a_page_that_was_forgotten_is_noticed_and_not_saved_wrong() -> None:
    kept = KeptChunks()
    before = random.Random(5).randbytes(PAGE * 10)
    first = save(kept, None, None, before)

    for size, changed in ((PAGE * 12, [10]), (PAGE * 10 + 3, []), (PAGE * 11, [])):
        with pytest.raises(MalformedObject):
            store_pages(kept, first, page_size=PAGE, file_size=size, changed=changed, read=lambda _: bytes(PAGE))


def test_a_file_can_be_put_together_extent_by_extent() -> None:
    kept = KeptChunks()
    source = random.Random(6)
    content = source.randbytes(PAGE * 700 + 5)
    page_map = save(kept, None, None, content)
    for _ in range(30):
        after = bytearray(content)
        for _ in range(20):
            after[source.randrange(len(after))] ^= 1
        page_map = save(kept, page_map, content, bytes(after))
        content = bytes(after)
    kept.reads.clear()

    out = bytearray(page_map.size)
    for extent, runs in runs_by_extent(page_map):
        data = kept.read(extent, ChunkType.PAGE_EXTENT)
        for run in runs:
            piece = run_bytes(page_map, run, data)
            out[run.first * PAGE : run.first * PAGE + len(piece)] = piece

    assert out == content
    assert len(kept.reads) == len(set(kept.reads))


@pytest.mark.parametrize(
    "runs",
    [
        [],
        [(0, 9)],
        [(1, 10)],
        [(0, 11)],
        [(0, 5), (6, 4)],
        [(0, 5), (4, 6)],
        [(0, 0), (0, 10)],
    ],
)
def test_a_map_that_does_not_cover_the_file_once_is_refused(runs: list[tuple[int, int]]) -> None:
    extent = ChunkId(bytes(32))
    with pytest.raises(MalformedObject):
        PageMap(PAGE, 10, 0, tuple(PageRun(first, count, extent, 0) for first, count in runs))


@pytest.mark.parametrize(("page_size", "tail"), [(0, 0), (65_537, 0), (PAGE, PAGE), (PAGE, PAGE + 1)])
def test_sizes_that_cannot_be_are_refused(page_size: int, tail: int) -> None:
    with pytest.raises(MalformedObject):
        PageMap(page_size, 0, tail, (PageRun(0, 1, ChunkId(bytes(32)), 0),) if tail else ())


def test_an_extent_that_is_too_short_is_noticed() -> None:
    page_map = PageMap(PAGE, 2, 0, (PageRun(0, 2, ChunkId(bytes(32)), 1),))

    with pytest.raises(MalformedObject):
        run_bytes(page_map, page_map.runs[0], bytes(2 * PAGE))


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_map_or_a_typed_error(data: bytes) -> None:
    kept = KeptChunks()
    leaf = frame(Mark.PAGE_MAP, b"\x02" + data)
    leaf_id = kept.store(ChunkType.PAGE_MAP, leaf).id
    head = b"\x01" + PAGE.to_bytes(4, "big") + (3).to_bytes(8, "big") + bytes(4) + b"\0\0\0\7" + b"\0\0\0\1"
    for candidate in (
        data,
        frame(Mark.PAGE_MAP, data),
        frame(Mark.PAGE_MAP, b"\x01" + data),
        frame(Mark.PAGE_MAP, head + leaf_id),
    ):
        chunk = kept.store(ChunkType.PAGE_MAP, candidate).id
        with suppress(MalformedObject, NewerFormat):
            read_page_map(kept, chunk)
        with suppress(MalformedObject, NewerFormat):
            decode_page_map(candidate)


def test_reading_in_order_opens_each_extent_about_once_however_mixed_the_pages_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = KeptChunks()
    source = random.Random(7)
    content = source.randbytes(PAGE * 4000)
    page_map = save(kept, None, None, content)
    for _ in range(60):
        after = bytearray(content)
        for _ in range(30):
            after[source.randrange(len(after))] ^= 1
        page_map = save(kept, page_map, content, bytes(after))
        content = bytes(after)
    assert len(page_map.runs) > 1000
    for stretch in (PAGE * 1000, PAGE * 4000, 1):
        monkeypatch.setattr("backupkit.store.trees.page_map._STRETCH", stretch)
        kept.reads.clear()

        assert whole(kept, page_map) == content

        if stretch > 1:
            assert len(kept.reads) <= len(page_map.extents()) * (PAGE * 4000 // stretch)
