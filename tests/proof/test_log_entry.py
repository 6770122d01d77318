from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import given, settings, strategies as st

from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.proof.log_entry import LogEntry, decode_log_entry, entry_about
from backupkit.proof.merkle import leaf_hash

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ENTRY = LogEntry("snapshot", 41, NOON, "ab" * 32)


def test_an_entry_is_one_short_line_of_json() -> None:
    assert ENTRY.encode() == (
        b'{"seq":41,"subject":"sha256:' + b"ab" * 32 + b'","time":"2026-11-22T12:00:00Z","type":"snapshot","v":1}'
    )
    assert decode_log_entry(ENTRY.encode()) == ENTRY
    assert ENTRY.hash() == leaf_hash(ENTRY.encode())


def test_an_entry_names_its_statement_by_digest_only() -> None:
    entry = entry_about(b"payload", "verify", seq=3, time=NOON)

    assert entry == LogEntry("verify", 3, NOON, sha256(b"payload").hexdigest())
    with pytest.raises(ValueError):
        entry_about(b"payload", "gossip", seq=3, time=NOON)


def test_an_entry_of_a_newer_kind_still_counts() -> None:
    newer = replace(ENTRY, type="re-stamp")

    assert decode_log_entry(newer.encode()) == newer


def test_an_entry_of_a_newer_version_is_said_to_be_newer() -> None:
    with pytest.raises(NewerFormat):
        decode_log_entry(ENTRY.encode().replace(b'"v":1', b'"v":2'))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        ENTRY.encode() + b"\n",
        ENTRY.encode().replace(b":41", b": 41"),
        ENTRY.encode().replace(b'"v":1', b'"v":1,"w":1'),
        ENTRY.encode().replace(b"sha256:", b"sha512:"),
        ENTRY.encode().replace(b"ab", b"AB"),
        ENTRY.encode().replace(b"snapshot", b"Snapshot"),
        ENTRY.encode().replace(b"snapshot", b"snap shot"),
        ENTRY.encode().replace(b"snapshot", "früh".encode()),
        ENTRY.encode().replace(b"T12", b" 12"),
        ENTRY.encode().replace(b":41", b":-1"),
        ENTRY.encode() + b" " * 2000,
    ],
)
def test_an_entry_has_one_spelling(data: bytes) -> None:
    with pytest.raises(MalformedObject):
        decode_log_entry(data)


def test_an_entry_is_told_from_every_other() -> None:
    ENTRY.require_same(ENTRY.encode())

    with pytest.raises(MalformedObject) as refused:
        ENTRY.require_same(replace(ENTRY, seq=ENTRY.seq + 1).encode())
    assert refused.value.facts["reason"] == "another-entry"


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(ENTRY.encode()) - 1), st.integers(1, 255))
def test_a_changed_byte_is_another_entry_or_none(place: int, mask: int) -> None:
    data = bytearray(ENTRY.encode())
    data[place] ^= mask

    try:
        entry = decode_log_entry(bytes(data))
    except (MalformedObject, NewerFormat):
        return
    assert entry != ENTRY
    assert entry.encode() == bytes(data)
