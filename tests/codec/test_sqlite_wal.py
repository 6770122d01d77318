"""Write-ahead logs read without SQLite: it is the judge of every answer here."""

import io
import shutil
import sqlite3
import struct
from pathlib import Path

import pytest
from damaged_database import log_of_one_page
from hypothesis import HealthCheck, given, settings, strategies as st

from backupkit.capture.merging import merge_journal, merge_wal
from backupkit.codec.sqlite_wal import HEADER_SIZE, committed_pages, read_header, summarise_wal

PAGE = 512
FRAME = PAGE + 24


def make_log(
    folder: Path, *, transactions: int = 12, page_size: int = PAGE, checkpoint_at: int | None = None
) -> tuple[bytes, bytes]:
    """A database and its log as an app that died would leave them."""
    path = folder / "app.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA page_size = {page_size}")
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, body)")
    for n in range(transactions):
        if n == checkpoint_at:
            connection.execute("PRAGMA wal_checkpoint(RESTART)")
        connection.execute("INSERT INTO t VALUES (?, ?)", (n, f"{n} " * 60))
        connection.execute("UPDATE t SET body = body || '!' WHERE n = ?", (n // 2,))
    image, log = path.read_bytes(), path.with_name("app.db-wal").read_bytes()
    connection.close()
    for name in folder.glob("app.db*"):
        name.unlink()
    return image, log


def as_sqlite_merges(folder: Path, image: bytes, log: bytes) -> bytes:
    """What SQLite's own recovery and checkpoint make of a database and its log."""
    judge = folder / "judge"
    shutil.rmtree(judge, ignore_errors=True)
    judge.mkdir()
    (judge / "db").write_bytes(image)
    (judge / "db-wal").write_bytes(log)
    connection = sqlite3.connect(judge / "db", isolation_level=None)
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.close()
    return (judge / "db").read_bytes()


def as_we_merge(folder: Path, image: bytes, log: bytes, page_size: int = PAGE) -> tuple[bool, bytes]:
    (folder / "image").write_bytes(image)
    (folder / "log").write_bytes(log)
    merged = merge_wal(folder / "image", folder / "log", page_size)
    return merged.done, (folder / "image").read_bytes()


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    return make_log(tmp_path_factory.mktemp("sample"))


def test_a_log_tells_its_frames_commits_and_pages(sample: tuple[bytes, bytes]) -> None:
    _, log = sample
    summary = summarise_wal(io.BytesIO(log))

    assert summary.header is not None
    assert summary.header.page_size == PAGE
    assert summary.frames == summary.committed == summary.total_frames == (len(log) - 32) // FRAME
    assert summary.commits == 25
    assert not summary.damaged


@pytest.mark.parametrize("page_size", [512, 1024, 4096, 65536])
def test_we_merge_as_sqlite_does(tmp_path: Path, page_size: int) -> None:
    image, log = make_log(tmp_path, page_size=page_size)

    assert as_we_merge(tmp_path, image, log, page_size) == (True, as_sqlite_merges(tmp_path, image, log))


def test_frames_from_before_the_log_was_begun_anew_do_not_count(tmp_path: Path) -> None:
    image, log = make_log(tmp_path, transactions=20, checkpoint_at=18)
    summary = summarise_wal(io.BytesIO(log))

    assert 0 < summary.frames < summary.total_frames
    assert not summary.damaged
    assert as_we_merge(tmp_path, image, log) == (True, as_sqlite_merges(tmp_path, image, log))


def test_each_way_to_cut_a_log_short_leaves_whole_transactions_and_is_no_damage(
    tmp_path: Path, sample: tuple[bytes, bytes]
) -> None:
    image, log = sample

    for size in range(0, len(log), 401):
        done, merged = as_we_merge(tmp_path, image, log[:size])
        # A stump of a header is no log: SQLite ignores it, we keep it beside the database.
        assert done == (size == 0 or size >= 32)
        assert merged == as_sqlite_merges(tmp_path, image, log[:size])


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_flipped_bit_is_found_and_nothing_behind_it_is_merged(
    tmp_path: Path, sample: tuple[bytes, bytes], data: st.DataObject
) -> None:
    image, log = sample
    at = data.draw(st.integers(0, len(log) - 1))
    broken = bytearray(log)
    broken[at] ^= 1 << data.draw(st.integers(0, 7))

    summary = summarise_wal(io.BytesIO(broken))

    last_frame = (len(log) - 32) // FRAME - 1
    number = (at - 32) // FRAME
    if at < 32:
        assert summary.is_garbled
    else:
        assert summary.frames == number
        assert summary.damaged == (number < last_frame)
    done, merged = as_we_merge(tmp_path, image, bytes(broken))
    if done:
        assert merged == as_sqlite_merges(tmp_path, image, bytes(broken))
    else:
        assert merged == image


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=3000), st.integers(0, 64))
def test_any_bytes_are_read_as_a_log_without_harm(noise: bytes, kept: int) -> None:
    summary, pages = committed_pages(io.BytesIO(noise))

    assert summary.committed <= summary.frames <= summary.total_frames
    assert (summary.header is None) == (read_header(noise) is None)
    assert all(0 < offset < len(noise) for offset in pages.values())


def test_a_log_for_other_pages_is_left_alone(tmp_path: Path, sample: tuple[bytes, bytes]) -> None:
    image, log = sample

    assert as_we_merge(tmp_path, image, log, page_size=1024) == (False, image)


def test_a_log_in_the_other_byte_order_is_read(tmp_path: Path, sample: tuple[bytes, bytes]) -> None:
    """Big-endian machines write sums over big-endian words. SQLite reads both, so the sums are made over and shown to it."""
    image, log = sample
    made = bytearray(log)
    made[0:4] = (0x377F0683).to_bytes(4, "big")
    first, second = sums(bytes(made[:24]), 0, 0)
    made[24:32] = first.to_bytes(4, "big") + second.to_bytes(4, "big")
    for at in range(32, len(made), FRAME):
        first, second = sums(bytes(made[at : at + 8]) + bytes(made[at + 24 : at + FRAME]), first, second)
        made[at + 16 : at + 24] = first.to_bytes(4, "big") + second.to_bytes(4, "big")

    done, merged = as_we_merge(tmp_path, image, bytes(made))

    assert done
    assert merged == as_sqlite_merges(tmp_path, image, bytes(made)) == as_sqlite_merges(tmp_path, image, log)


def sums(data: bytes, first: int, second: int) -> tuple[int, int]:
    """The checksum as the file format document gives it, word by word."""
    words = [int.from_bytes(data[at : at + 4], "big") for at in range(0, len(data), 4)]
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) % 2**32
        second = (second + odd + first) % 2**32
    return first, second


def test_a_log_or_journal_that_speaks_of_billions_of_pages_is_left_as_it_is(tmp_path: Path) -> None:
    image, log = make_log(tmp_path)
    database, wal, journal = tmp_path / "image", tmp_path / "log", tmp_path / "image-journal"
    database.write_bytes(image)
    wal.write_bytes(log_of_one_page(1, 2**32 - 1, log[HEADER_SIZE + 24 :][:PAGE]))
    journal.write_bytes(
        struct.pack(">8s5I", b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", 1, 7, 2**31, 512, PAGE).ljust(512, b"\0")
    )

    by_log = merge_wal(database, wal, PAGE)
    by_journal = merge_journal(database, journal, tmp_path / "app.db")

    assert (by_log.done, by_journal.done) == (False, False)
    assert database.read_bytes() == image
