from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from backupkit.codec.canonical import decode_json, encode_canonical
from backupkit.codec.malformed import MalformedObject
from backupkit.ids import ChunkId, DomainId, PackName, SnapshotId
from backupkit.proof.snapshot_statement import (
    SNAPSHOT_TYPE,
    DomainRoot,
    PackSet,
    SnapshotStatement,
    decode_snapshot_statement,
    snapshot_id,
)
from backupkit.proof.statement import build_statement, parse_statement
from backupkit.proof.verify_statement import VerifyStatement, decode_verify_statement

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SNAPSHOT = SnapshotStatement(
    store="backupkit.local/store/abc",
    writer="0f" * 16,
    previous=SnapshotId("ab" * 32),
    created_at=NOON,
    complete=True,
    domains=(
        DomainRoot(DomainId(b"\x01" * 16), ChunkId(b"\x02" * 32), PackName("03" * 32)),
        DomainRoot(DomainId(b"\x04" * 16), ChunkId(b"\x05" * 32), PackName("06" * 32)),
    ),
    packs=PackSet("07" * 32, 12, 34_567_890),
    size_bytes=3 * 1024 * 1024,
    tool_name="backupkit",
    tool_version="0.1.0",
)
VERIFY = VerifyStatement(
    store=SNAPSHOT.store,
    snapshot=snapshot_id(SNAPSHOT.encode()),
    snapshot_root=SNAPSHOT.root,
    method="sealed",
    result="passed",
    bytes_read=34_567_890,
    packs=12,
    verified_at=NOON,
)


def edited(payload: bytes, *path: str | int, to: Any) -> bytes:
    statement = decode_json(payload, what="test", max_bytes=1 << 20)
    inner = statement
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = to
    return encode_canonical(statement)


def test_a_snapshot_statement_is_read_back() -> None:
    assert decode_snapshot_statement(SNAPSHOT.encode()) == SNAPSHOT

    first = replace(SNAPSHOT, previous=None, domains=())
    assert decode_snapshot_statement(first.encode()) == first


def test_a_snapshot_is_named_by_the_hash_of_its_statement() -> None:
    assert snapshot_id(SNAPSHOT.encode()) == sha256(SNAPSHOT.encode()).hexdigest()


def test_the_size_is_rounded_up_so_that_it_betrays_no_message() -> None:
    sizes = [
        decode_snapshot_statement(replace(SNAPSHOT, size_bytes=size).encode()).size_bytes for size in (0, 1, 2**20)
    ]

    assert sizes == [0, 2**20, 2**20]


def test_the_root_moves_with_every_domain() -> None:
    assert replace(SNAPSHOT, domains=SNAPSHOT.domains[:1]).root != SNAPSHOT.root
    assert replace(SNAPSHOT, domains=SNAPSHOT.domains[::-1]).root != SNAPSHOT.root


def test_fields_of_a_newer_version_are_read_over() -> None:
    payload = edited(SNAPSHOT.encode(), "predicate", "policyDigest", to="x")

    assert decode_snapshot_statement(payload) == SNAPSHOT


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("_type",), "https://in-toto.io/Statement/v2"),
        (("predicateType",), "https://backupkit.local/verify/v1"),
        (("subject",), []),
        (("subject",), None),
        (("subject", 0, "digest"), {"sha1": "00" * 20}),
        (("subject", 0, "digest", "sha256"), "00" * 32),
        (("predicate",), []),
        (("predicate", "store"), ""),
        (("predicate", "store"), "x" * 5000),
        (("predicate", "previous"), "xyz"),
        (("predicate", "previous"), 7),
        (("predicate", "createdAt"), "2026-11-22 12:00:00"),
        (("predicate", "complete"), 1),
        (("predicate", "domains"), None),
        (("predicate", "domains", 0), 7),
        (("predicate", "domains", 0, "id"), "AB" * 16),
        (("predicate", "domains", 0, "root"), "00"),
        (("predicate", "packs", "count"), -1),
        (("predicate", "packs", "count"), True),
        (("predicate", "bytes"), "7"),
        (("predicate", "tool"), None),
    ],
)
def test_a_wrong_field_is_refused_as_malformed(path: tuple[str | int, ...], value: Any) -> None:
    with pytest.raises(MalformedObject) as refused:
        decode_snapshot_statement(edited(SNAPSHOT.encode(), *path, to=value))

    assert refused.value.facts["what"] == "snapshot-statement"


def test_two_subjects_are_one_too_many() -> None:
    subject = {"name": "snapshot", "digest": {"sha256": SNAPSHOT.root}}

    with pytest.raises(MalformedObject):
        decode_snapshot_statement(edited(SNAPSHOT.encode(), "subject", to=[subject, subject]))


def test_a_statement_speaks_about_a_whole_digest() -> None:
    with pytest.raises(ValueError):
        build_statement("snapshot", "00", SNAPSHOT_TYPE, {})


def test_a_verify_statement_is_read_back() -> None:
    assert decode_verify_statement(VERIFY.encode()) == VERIFY
    assert parse_statement(VERIFY.encode(), "https://backupkit.local/verify/v1", what="x").digest == SNAPSHOT.root


@pytest.mark.parametrize(("name", "value"), [("method", "looked"), ("result", "fine"), ("bytesRead", None)])
def test_a_verify_statement_uses_known_words(name: str, value: Any) -> None:
    with pytest.raises(MalformedObject):
        decode_verify_statement(edited(VERIFY.encode(), "predicate", name, to=value))


def test_one_kind_of_statement_is_not_read_as_another() -> None:
    with pytest.raises(MalformedObject):
        decode_verify_statement(SNAPSHOT.encode())
    with pytest.raises(MalformedObject):
        decode_snapshot_statement(VERIFY.encode())


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(SNAPSHOT.encode()) - 1), st.integers(1, 255))
def test_a_changed_byte_is_read_or_refused_and_never_crashes(place: int, mask: int) -> None:
    data = bytearray(SNAPSHOT.encode())
    data[place] ^= mask

    with suppress(MalformedObject):
        decode_snapshot_statement(bytes(data))


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "root", "a"]), inner),
        max_leaves=8,
    ),
    st.sampled_from(["domains", "packs", "previous", "tool", "createdAt", "bytes"]),
)
def test_any_json_in_a_field_is_read_or_refused_and_never_crashes(value: Any, name: str) -> None:
    with suppress(MalformedObject):
        decode_snapshot_statement(edited(SNAPSHOT.encode(), "predicate", name, to=value))
