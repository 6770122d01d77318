from dataclasses import replace

import pytest
from hypothesis import given, strategies as st
from kept_chunks import KeptChunks

from backupkit.codec.canonical import encode_canonical
from backupkit.codec.framing import Mark, frame
from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.ids import ChunkId, DomainId
from backupkit.store.chunk_id import ChunkType
from backupkit.store.failures import WrongChunkType
from backupkit.store.trees.manifest import (
    ChatFacts,
    Manifest,
    Source,
    Unreadable,
    decode_manifest,
    read_manifest,
    store_manifest,
)

MANIFEST = Manifest(
    domain=DomainId(b"d" * 16),
    created="2018-06-01T08:30:00Z",
    host="laptop",
    tool={"name": "backupkit", "version": "0.1.0"},
    complete=False,
    sources=(
        Source(
            name="WeChat",
            path="/home/我/chats".encode(),
            tree=ChunkId(b"t" * 32),
            files=3,
            bytes=12_345,
            captured_at="2018-06-01T08:29:59Z",
            app="wechat",
            package="com.tencent.mm",
            unreadable=(Unreadable(b"bad\xffname", "EACCES"), Unreadable(b"gone", "changed-while-read")),
            chat=ChatFacts("wechat-sealed", "wechat", None, None, 7, 2, None, "2018-05-31T00:00:00Z", None),
        ),
        Source("notes", b"/srv/\xfe", ChunkId(b"u" * 32), 0, 0, "2018-06-01T08:29:59Z"),
    ),
)


def test_a_manifest_comes_back_as_it_was() -> None:
    kept = KeptChunks()

    assert read_manifest(kept, store_manifest(kept, MANIFEST)) == MANIFEST


def test_fields_of_a_newer_version_survive_a_rewrite() -> None:
    newer = replace(
        MANIFEST,
        unknown={"retention": {"days": 3}},
        sources=(replace(MANIFEST.sources[0], unknown={"device": "phone"}),),
    )

    assert decode_manifest(newer.encode()).encode() == newer.encode()


def test_a_root_of_another_type_is_no_root() -> None:
    kept = KeptChunks()
    chunk = kept.store(ChunkType.DATA, MANIFEST.encode()).id

    with pytest.raises(WrongChunkType):
        read_manifest(kept, chunk)


GOOD = {
    "v": 1, "domain": "00" * 16, "created": "x", "host": "x", "tool": {}, "sources": [], "complete": True,
}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2}, {"domain": 3}, {"domain": "zz"}, {"created": None}, {"host": 1}, {"tool": []}, {"tool": {"name": 1}},
        {"sources": 1}, {"sources": [1]}, {"sources": [{}]}, {"complete": 1}, {"complete": None},
    ],
)  # fmt: skip
def test_a_root_that_no_writer_makes_is_a_typed_error(change: dict[str, object]) -> None:
    decode_manifest(frame(Mark.ROOT, encode_canonical(GOOD)))

    with pytest.raises(MalformedObject):
        decode_manifest(frame(Mark.ROOT, encode_canonical(GOOD | change)))


@given(st.binary(max_size=100))
def test_any_bytes_give_a_manifest_or_a_typed_error(data: bytes) -> None:
    for candidate in (data, frame(Mark.ROOT, data), MANIFEST.encode()[: len(data) * 9]):
        with pytest.raises((MalformedObject, NewerFormat)):
            decode_manifest(candidate)
