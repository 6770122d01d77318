"""Folders come back as they were, whatever their names, and one new file changes little."""

import os
import random
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies as st
from kept_chunks import KeptChunks
from stored import entries_of

from backupkit.codec.canonical import encode_canonical
from backupkit.codec.framing import Mark, frame
from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.ids import ChunkId
from backupkit.store.chunk_id import ChunkType
from backupkit.store.finding import Finding
from backupkit.store.trees.contents import walk_tree
from backupkit.store.trees.tree import (
    ChunkList,
    Chunks,
    Content,
    Entry,
    EntryKind,
    Pages,
    file_content,
    read_chunk_list,
    tree_parts,
    write_tree,
)

IDS = st.binary(min_size=32, max_size=32).map(ChunkId)
NAMES = (
    st.binary(min_size=1, max_size=40)
    | st.text(min_size=1, max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.sampled_from(
        [b"\xff", b"...", b" ", b"a\nb", "聊天记录.db".encode(), b"-rf", b"C:\\x", b"\xed\xa0\x80", b"a" * 255]
    )
).filter(lambda name: name not in {b".", b".."} and not set(name) & {0, 47})
CONTENTS: st.SearchStrategy[Content] = (
    st.lists(IDS, max_size=64).map(lambda ids: Chunks(tuple(ids)))
    | IDS.map(ChunkList)
    | st.builds(Pages, IDS, st.sampled_from([512, 1024, 4096, 65536]))
)
COMMON = {
    "name": NAMES,
    "mode": st.integers(0, 0o7777),
    "mtime_ns": st.integers(-(10**18), 2**63),
}
ENTRIES = (
    st.builds(
        Entry,
        kind=st.just(EntryKind.FILE),
        size=st.integers(0, 2**50),
        sha256=st.binary(min_size=32, max_size=32),
        content=CONTENTS,
        **COMMON,
    )
    | st.builds(Entry, kind=st.just(EntryKind.FOLDER), tree=IDS, **COMMON)
    | st.builds(Entry, kind=st.just(EntryKind.LINK), target=st.binary(max_size=40), **COMMON)
)


def named(name: str, seed: int = 0) -> Entry:
    source = random.Random(f"{name} {seed}")
    return Entry(
        os.fsencode(name),
        EntryKind.FILE,
        0o644,
        1_527_841_800_000_000_000 + seed,
        10,
        source.randbytes(32),
        Chunks((ChunkId(source.randbytes(32)),)),
    )


@settings(deadline=None, max_examples=80)
@given(st.lists(ENTRIES, max_size=20, unique_by=lambda entry: entry.name))
def test_any_folder_comes_back_as_it_was(entries: list[Entry]) -> None:
    kept = KeptChunks()

    tree = write_tree(kept, entries)

    assert entries_of(kept, tree) == sorted(entries, key=lambda entry: entry.name)


@given(st.lists(ENTRIES, max_size=8, unique_by=lambda entry: entry.name), st.randoms())
def test_the_same_folder_is_the_same_chunk(entries: list[Entry], order: random.Random) -> None:
    kept = KeptChunks()
    shuffled = list(entries)
    order.shuffle(shuffled)

    assert write_tree(kept, entries) == write_tree(kept, shuffled)


def test_one_new_file_in_a_long_folder_changes_one_part() -> None:
    kept = KeptChunks()
    many = [named(f"IMG_{number:05}.jpg") for number in range(5000)]
    before = write_tree(kept, many)
    chunks_before = set(kept.chunks)

    after = write_tree(kept, [*many, named("IMG_02500b.jpg")])

    assert len(tree_parts(kept, before)) > 10
    assert len(set(tree_parts(kept, before)) ^ set(tree_parts(kept, after))) <= 3
    assert sum(len(kept.chunks[chunk]) for chunk in kept.chunks.keys() - chunks_before) < 200_000
    assert [entry.name for entry in entries_of(kept, after)] == sorted(
        [entry.name for entry in many] + [b"IMG_02500b.jpg"]
    )


def test_a_short_folder_is_one_chunk() -> None:
    kept = KeptChunks()

    tree = write_tree(kept, [named("a"), named("b")])

    assert tree_parts(kept, tree) == [tree]
    assert len(kept.chunks) == 1


def test_an_empty_folder_is_a_folder() -> None:
    kept = KeptChunks()

    assert entries_of(kept, write_tree(kept, [])) == []


def test_names_twice_are_refused() -> None:
    with pytest.raises(MalformedObject):
        write_tree(KeptChunks(), [named("a"), named("a", seed=1)])


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"/", b"../../etc/passwd", b"a\0b"])
def test_a_name_that_could_lead_elsewhere_is_refused(name: bytes) -> None:
    with pytest.raises(MalformedObject):
        replace(named("a"), name=name)


def test_few_chunks_are_named_in_the_tree_and_many_in_a_list() -> None:
    kept = KeptChunks()
    ids = [ChunkId(bytes([number] * 32)) for number in range(65)]

    few, many = file_content(kept, ids[:64]), file_content(kept, ids)

    assert few == Chunks(tuple(ids[:64]))
    assert isinstance(many, ChunkList)
    assert read_chunk_list(kept, many.id) == tuple(ids)


FILE: dict[str, object] = {
    "name": "a", "kind": "file", "mode": 420, "mtime_ns": "1", "size": 3, "sha256": "ab" * 32, "content": {"chunks": []},
}  # fmt: skip


CHANGES: list[dict[str, object]] = [
    {"name": ".."}, {"name": "a/b"}, {"name": None}, {"kind": "socket"}, {"kind": None}, {"mode": "rw"},
    {"mtime_ns": 1}, {"mtime_ns": "1e9"}, {"mtime_ns": "1" * 30}, {"size": -1}, {"size": True}, {"sha256": "ab"},
    {"sha256": "AB" * 32}, {"content": None}, {"content": {}}, {"content": {"chunks": ["x"]}},
    {"content": {"chunks": [None]}}, {"content": {"list": 1}}, {"content": {"pages": "ab" * 32}},
    {"kind": "folder"}, {"kind": "folder", "tree": "ab"}, {"kind": "link"}, {"kind": "link", "target": 3},
    {"kind": "link", "target_b64": "?"},
]  # fmt: skip


@pytest.mark.parametrize(
    "tree",
    [
        None,
        [],
        {},
        {"v": 1},
        {"v": 2, "entries": []},
        {"v": 1, "entries": None},
        {"v": 1, "entries": [1]},
        {"v": 1, "parts": [1]},
        {"v": 1, "parts": ["zz"]},
        {"v": 1, "parts": "ab"},
        *[{"v": 1, "entries": [FILE | change]} for change in CHANGES],
        {"v": 1, "entries": [FILE, FILE]},
        {"v": 1, "entries": [{**FILE, "name": "b"}, FILE]},
    ],
)  # fmt: skip
def test_a_tree_that_no_writer_makes_is_a_lost_folder(tree: object) -> None:
    kept = KeptChunks()
    chunk = kept.store(ChunkType.TREE, frame(Mark.TREE, encode_canonical(tree))).id

    found: list[Finding] = []
    assert list(walk_tree(kept, chunk, found.append)) == []

    assert [(one.code, str(one.facts["reason"]).partition("/")[0]) for one in found] == [
        ("folder-lost", "malformed-object")
    ]


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_tree_or_a_typed_error(data: bytes) -> None:
    kept = KeptChunks()
    for candidate in (data, frame(Mark.TREE, data), frame(Mark.CHUNK_LIST, data)):
        with suppress(MalformedObject, NewerFormat):
            entries_of(kept, kept.store(ChunkType.TREE, candidate).id)
        with suppress(MalformedObject, NewerFormat):
            read_chunk_list(kept, kept.store(ChunkType.CHUNK_LIST, candidate).id)


def test_fields_of_a_newer_version_do_not_disturb() -> None:
    kept = KeptChunks()
    fields = {"v": 1, "entries": [{**FILE, "xattr": {"user.x": "y"}}], "note": "new"}
    chunk = kept.store(ChunkType.TREE, frame(Mark.TREE, encode_canonical(fields))).id

    assert [entry.name for entry in entries_of(kept, chunk)] == [b"a"]
