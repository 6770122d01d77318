"""The ledger can only grow; whatever else happens to it shows."""

import multiprocessing
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flushes import Flushes, open_files

from backupkit.crypto.signing import SigningKey
from backupkit.guard.ledger import (
    MAX_LINE_BYTES,
    LedgerBroken,
    append,
    entry_of,
    kept_entry,
    read_ledger,
    verify_ledger,
)
from backupkit.guard.verdict import Judged, undecided
from backupkit.ids import AppPackage

KEY = SigningKey(b"k" * 32)
NOW = datetime(2018, 6, 1, tzinfo=UTC)
EVENT = entry_of(undecided("timed-out", Judged(package=AppPackage("com.tencent.mm"))), NOW)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / "guard" / "ledger.jsonl"
    for _ in range(5):
        append(path, EVENT, KEY)
    return path


def test_a_ledger_tells_what_was_decided_in_order(ledger: Path) -> None:
    assert [entry["seq"] for entry in read_ledger(ledger)] == [1, 2, 3, 4, 5]
    assert verify_ledger(ledger, KEY.verify_key).entries == 5


def test_no_ledger_yet_is_an_empty_one(tmp_path: Path) -> None:
    checked = verify_ledger(tmp_path / "none", KEY.verify_key)

    assert (checked.entries, checked.head) == (0, "0" * 64)


def test_a_changed_entry_shows(ledger: Path) -> None:
    ledger.write_bytes(ledger.read_bytes().replace(b'"exit_code":42', b'"exit_code":40', 1))

    with pytest.raises(LedgerBroken) as broken:
        verify_ledger(ledger, KEY.verify_key)

    assert broken.value.facts == {"line": 1, "reason": "bad-signature"}


def test_a_signature_that_is_no_number_shows(ledger: Path) -> None:
    ledger.write_bytes(re.sub(rb'"sig":"..', b'"sig":"no', ledger.read_bytes(), count=1))

    with pytest.raises(LedgerBroken) as broken:
        verify_ledger(ledger, KEY.verify_key)

    assert broken.value.facts == {"line": 1, "reason": "bad-signature"}


@pytest.mark.parametrize("order", [[0, 2, 3, 4], [1, 2, 3, 4], [0, 1, 1, 2], [0, 2, 1, 3, 4]])
def test_entries_removed_repeated_or_swapped_show(ledger: Path, order: list[int]) -> None:
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[place] for place in order))

    with pytest.raises(LedgerBroken) as broken:
        verify_ledger(ledger, KEY.verify_key)

    assert broken.value.facts["reason"] == "chain-broken"


def test_what_is_cut_off_shows_in_the_count(ledger: Path) -> None:
    whole = verify_ledger(ledger, KEY.verify_key)
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[:-1]))

    shortened = verify_ledger(ledger, KEY.verify_key)

    assert (shortened.entries, shortened.head) != (whole.entries, whole.head)


def test_another_key_is_not_the_guards(ledger: Path) -> None:
    with pytest.raises(LedgerBroken) as broken:
        verify_ledger(ledger, SigningKey(b"x" * 32).verify_key)

    assert broken.value.facts == {"line": 1, "reason": "another-key"}


def test_a_line_torn_by_a_crash_is_kept_counted_and_gone_on_from(ledger: Path) -> None:
    for cut in range(1, 40):
        whole = ledger.read_bytes()
        torn = whole[: len(whole) - cut]
        ledger.write_bytes(torn)

        append(ledger, EVENT, KEY)

        assert ledger.read_bytes().startswith(torn)
        # A cut of one byte takes only the newline, and the entry is whole.
        checked = verify_ledger(ledger, KEY.verify_key)
        assert checked.torn == (0 if cut == 1 else 1)
        ledger.write_bytes(whole)


def test_a_ledger_that_begins_torn_is_gone_on_from(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b'{"v":1,"ty')

    append(path, EVENT, KEY)

    assert verify_ledger(path, KEY.verify_key).torn == 1


def test_a_line_put_in_by_somebody_else_shows(ledger: Path) -> None:
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join((*lines[:2], b"{}\n", *lines[2:])))

    with pytest.raises(LedgerBroken) as broken:
        verify_ledger(ledger, KEY.verify_key)

    assert broken.value.facts["reason"] == "not-an-entry"


def test_a_note_that_the_app_was_kept_is_an_entry_like_any_other(ledger: Path) -> None:
    """A type of its own would be no entry to older versions, and the ledger would look altered to them."""
    verdict = undecided("timed-out", Judged(package=AppPackage("com.tencent.mm")))

    append(ledger, kept_entry(verdict, NOW), KEY)
    append(ledger, EVENT, KEY)

    *_, noted, after = read_ledger(ledger)
    assert verify_ledger(ledger, KEY.verify_key).entries == 7
    assert (noted["type"], noted["v"], noted["kept"]) == ("decision", 1, True)
    assert {name: noted[name] for name in EVENT} == EVENT
    assert "kept" not in after
    ledger.write_bytes(ledger.read_bytes().replace(b'"kept":true', b'"kept":null'))
    with pytest.raises(LedgerBroken):
        verify_ledger(ledger, KEY.verify_key)


def test_a_ledger_drowned_in_garbage_is_not_gone_on_from(ledger: Path) -> None:
    with ledger.open("ab") as file:
        file.write(b"x" * (1 << 17))

    with pytest.raises(OSError, match="not a ledger"):
        append(ledger, EVENT, KEY)


def test_a_ledger_that_ends_in_blank_lines_is_not_begun_anew(ledger: Path) -> None:
    """The next entry was numbered 1, as if there had been none before it, and an allow was spoken over it."""
    with ledger.open("ab") as file:
        file.write(b"\n" * (1 << 17))

    with pytest.raises(OSError, match="not a ledger"):
        append(ledger, EVENT, KEY)


@pytest.mark.parametrize(
    "line",
    [b"[]", b"1", b'"x"', b"null", b'{"type":"decision","v":1}', b'{"seq":6,"sig":"00","type":"decision","v":2}',
     b'{"seq":6,"sig":"00","type":"note","v":1}', b'{"seq":"6","sig":"00","type":"decision","v":1}',
     b'{"seq":6,"sig":0,"type":"decision","v":1}'],
)  # fmt: skip
def test_json_that_is_no_entry_is_one_line_that_cannot_be_read(ledger: Path, line: bytes) -> None:
    with ledger.open("ab") as file:
        file.write(line + b"\n")

    checked = verify_ledger(ledger, KEY.verify_key)
    append(ledger, EVENT, KEY)

    assert (checked.entries, checked.torn) == (5, 1)
    assert [entry["seq"] for entry in read_ledger(ledger)] == [1, 2, 3, 4, 5, 6]
    after = verify_ledger(ledger, KEY.verify_key)
    assert (after.entries, after.torn) == (6, 1)


def test_an_entry_too_long_to_be_read_again_is_not_written(ledger: Path) -> None:
    before = ledger.read_bytes()

    with pytest.raises(OSError, match="too long"):
        append(ledger, {**EVENT, "store": "s" * MAX_LINE_BYTES}, KEY)

    assert ledger.read_bytes() == before


def test_a_pipe_in_place_of_the_ledger_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    os.mkfifo(path)

    with pytest.raises(OSError, match="Invalid argument"):
        list(read_ledger(path))
    with pytest.raises(OSError, match="Invalid argument"):
        verify_ledger(path, KEY.verify_key)


def test_an_entry_survives_a_power_failure_and_leaves_no_file_open(
    ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushes = Flushes(monkeypatch)
    before = open_files()

    for _ in range(20):
        append(ledger, EVENT, KEY)

    assert flushes.place_of(ledger) == 0
    assert open_files() == before


def _append_ten(path: Path) -> None:
    for _ in range(10):
        append(path, EVENT, KEY)


def test_several_processes_append_without_breaking_the_chain(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_append_ten, args=(path,)) for _ in range(3)]

    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert verify_ledger(path, KEY.verify_key).entries == 30
