import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flushes import Flushes, open_files
from hypothesis import given, settings, strategies as st

from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.proof.checkpoint import Checkpoint
from backupkit.proof.coverage_pass import Consistency, proof_from
from backupkit.proof.merkle import EMPTY_ROOT, leaf_hash, tree_root
from backupkit.proof.refusals import LogForked, LogProofMissing, LogRolledBack, LogUnknown, PassRefused
from backupkit.proof.witness import (
    NOTE_EVERY,
    WitnessState,
    advance,
    decode_witness,
    held_witness,
    load,
    save,
)

ORIGIN = "backupkit.local/store/abc"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LEAVES = [leaf_hash(bytes((number,))) for number in range(32)]


def head(size: int, leaves: list[bytes] = LEAVES) -> Checkpoint:
    return Checkpoint(ORIGIN, size, tree_root(leaves[:size]))


def state(size: int) -> WitnessState:
    return WitnessState(ORIGIN, size, tree_root(LEAVES[:size]))


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 32), min_size=1, max_size=8))
def test_a_witness_follows_growth_and_nothing_else(sizes: list[int]) -> None:
    known: WitnessState | None = None
    for size in sizes:
        offers = [proof_from(LEAVES[:size], old) for old in range(1, size + 1)]
        if known is not None and size < known.size:
            with pytest.raises(LogRolledBack):
                advance(known, head(size), offers)
        else:
            known = advance(known, head(size), offers)
            assert known == state(size)


def test_the_same_head_again_needs_no_proof_and_another_root_is_a_fork() -> None:
    other = [*LEAVES[:8], leaf_hash(b"other")]

    assert advance(state(9), head(9), []) == state(9)
    with pytest.raises(LogForked):
        advance(state(9), head(9, other), [proof_from(other, 9)])


def test_a_proof_that_proves_nothing_is_a_fork_and_no_proof_is_said_to_be_missing() -> None:
    with pytest.raises(LogForked):
        advance(state(5), head(9), [Consistency(5, ())])
    with pytest.raises(LogProofMissing):
        advance(state(5), head(9), [proof_from(LEAVES[:9], 4)])


def test_another_log_is_not_followed() -> None:
    with pytest.raises(LogUnknown):
        advance(state(5), Checkpoint("other", 9, b"\x00" * 32), [])


def test_the_empty_log_is_continued_by_every_log() -> None:
    assert advance(WitnessState(ORIGIN, 0, EMPTY_ROOT), head(3), []) == state(3)


def test_a_kept_head_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "guard" / "witness.json"

    assert load(path) is None
    save(path, state(5))
    save(path, state(7))

    assert load(path) == state(7)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_bytes()) < 200


def test_the_time_of_a_question_is_kept_once_in_a_while_and_never_goes_back(tmp_path: Path) -> None:
    path = tmp_path / "witness.json"
    first = state(5).noted(NOON + timedelta(milliseconds=250))

    assert first.at == NOON
    for lag in (timedelta(days=-9), timedelta(0), NOTE_EVERY - timedelta(seconds=1)):
        assert first.noted(NOON + lag) is first
    later = first.noted(NOON + NOTE_EVERY)
    assert later.at == NOON + NOTE_EVERY
    save(path, later)
    assert load(path) == later
    assert len(path.read_bytes()) < 200


def test_a_newer_head_takes_the_kept_time_along() -> None:
    asked = state(5).noted(NOON)

    assert advance(asked, head(5), []) == asked
    assert advance(asked, head(9), [proof_from(LEAVES[:9], 5)]) == state(9)._replace(at=NOON)
    assert advance(None, head(9), []).at is None


def test_a_damaged_head_is_never_taken_for_a_store_never_seen(tmp_path: Path) -> None:
    path = tmp_path / "witness.json"
    whole = state(5).encode()

    for damaged in (
        b"",
        whole[:-1],
        whole + b"x" * 5000,
        whole.replace(b":5,", b":-5,"),
        b"null",
        whole.replace(b"{", b'{"at":"noon",', 1),
    ):
        path.write_bytes(damaged)
        with pytest.raises(MalformedObject):
            load(path)
    with pytest.raises(NewerFormat):
        decode_witness(whole.replace(b'"v":1', b'"v":2'))
    with pytest.raises(MalformedObject):
        decode_witness(WitnessState(ORIGIN, 0, b"\x01" * 32).encode())


def test_a_head_that_cannot_be_kept_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "witness.json"
    save(path, state(5))

    def full(_: int) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        save(path, state(7))
    monkeypatch.undo()

    assert load(path) == state(5)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_two_answers_at_once_never_put_a_head_back(tmp_path: Path) -> None:
    path = tmp_path / "witness.json"

    def answer(size: int) -> None:
        offers = [proof_from(LEAVES[:size], old) for old in range(1, size + 1)]
        with held_witness(path) as kept:
            try:
                kept.keep(advance(kept.state, head(size), offers))
            except PassRefused:
                return

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(answer, [*range(1, 33)] * 2))

    assert load(path) == state(32)


def test_while_a_head_is_held_nobody_else_can_hold_it(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl", reason="file locks are POSIX, so nothing was tried here")
    path = tmp_path / "witness.json"

    with held_witness(path), path.with_name("witness.json.lock").open("rb") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)

    with held_witness(path) as kept:
        assert kept.state is None


def test_a_kept_head_survives_a_power_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "witness.json"
    flushes = Flushes(monkeypatch)

    save(path, state(5))

    # First what is in it, then its name: an answer may be spoken on the strength of it right after.
    assert flushes.place_of(path) < flushes.place_of(tmp_path)


def test_holding_a_head_leaves_no_file_open(tmp_path: Path) -> None:
    path = tmp_path / "witness.json"
    before = open_files()

    for size in range(1, 20):
        with held_witness(path) as kept:
            kept.keep(state(size))

    assert open_files() == before
