"""What is remembered of files from one run to the next."""

import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from backupkit.capture.file_cache import NEVER, CachedFile, FileCache, Stamp, stamp_of
from backupkit.capture.scan import EntryKind, ScannedEntry, scan_entry

NOW = 1_527_841_800_000_000_000
SECOND = 1_000_000_000
ENTRY = ScannedEntry(b"a", EntryKind.FILE, 0o644, 5, NOW - 60 * SECOND, NOW - 50 * SECOND, 17, 3)
STAMP = stamp_of(ENTRY, scan_started_ns=NOW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "files.sqlite"


def remember(
    path: Path, *names: bytes, source: str = "wechat", value: bytes = b"v", pages: bytes | None = None
) -> None:
    with FileCache.open(path) as cache:
        for name in names:
            cache.remember(source, tuple(name.split(b"/")), STAMP, value, pages=pages)
        cache.commit()


def known(path: Path, *names: bytes, source: str = "wechat") -> list[bytes]:
    with FileCache.open(path) as cache:
        return [name for name in names if cache.unchanged(source, tuple(name.split(b"/")), STAMP) is not None]


def test_an_unchanged_file_is_known_in_the_next_run(path: Path) -> None:
    remember(path, b"a", b"folder/b", b"folder/\xff", value=b"chunks", pages=b"hashes")

    with FileCache.open(path) as cache:
        assert cache.lookup("wechat", (b"a",)) == CachedFile(STAMP, b"chunks")
        assert cache.unchanged("wechat", (b"folder", b"\xff"), STAMP) == b"chunks"
        assert cache.pages("wechat", (b"folder", b"b")) == b"hashes"
        assert cache.lookup("wechat", (b"b",)) is None
        assert cache.lookup("qq", (b"a",)) is None
        assert cache.pages("qq", (b"a",)) is None


@pytest.mark.parametrize(
    "changed",
    [
        ENTRY._replace(size=6),
        ENTRY._replace(mtime_ns=1),
        ENTRY._replace(ctime_ns=1),
        ENTRY._replace(inode=18),
        ENTRY._replace(device=4),
    ],
)
def test_any_change_of_size_times_inode_or_device_makes_another_stamp(changed: ScannedEntry) -> None:
    assert stamp_of(changed, scan_started_ns=NOW) != STAMP


@pytest.mark.parametrize("age", [-3600 * SECOND, 0, SECOND, 2 * SECOND - 1])
def test_a_file_written_as_the_scan_began_is_never_trusted(path: Path, age: int) -> None:
    racy = stamp_of(ENTRY, ENTRY._replace(mtime_ns=NOW - age), scan_started_ns=NOW)
    assert racy == stamp_of(ENTRY._replace(ctime_ns=NOW - age), scan_started_ns=NOW) == NEVER

    with FileCache.open(path) as cache:
        cache.remember("wechat", (b"a",), racy, b"value")
        cache.commit()
    with FileCache.open(path) as cache:
        assert cache.unchanged("wechat", (b"a",), racy) is None
        assert cache.lookup("wechat", (b"a",)) == CachedFile(NEVER, b"value")


def test_a_write_in_the_same_tick_is_not_missed(tmp_path: Path) -> None:
    """The accident that the rule is for: two writes of the same size within one tick of the clock leave one time."""
    file = tmp_path / "chat.txt"
    file.write_bytes(b"one")

    first = stamp_of(scan_entry(file), scan_started_ns=time.time_ns())

    assert first == NEVER


def test_a_database_is_known_only_with_the_same_companions() -> None:
    log = ENTRY._replace(name=b"a-wal", inode=18)

    assert stamp_of(ENTRY, log, scan_started_ns=NOW) not in {STAMP, stamp_of(log, ENTRY, scan_started_ns=NOW)}


def test_nothing_is_kept_without_a_commit(path: Path) -> None:
    with FileCache.open(path) as cache:
        for n in range(5000):
            cache.remember("wechat", (b"%d" % n,), STAMP, b"points to chunks that were never stored")

    assert known(path, b"0", b"4999") == []


def test_files_that_went_away_are_forgotten_when_the_source_was_gone_through(path: Path) -> None:
    remember(path, b"stays", b"goes", b"old/x", b"new/y", pages=b"p")
    remember(path, b"goes", source="other")

    with FileCache.open(path) as cache:
        cache.lookup("wechat", (b"stays",))
        cache.lookup("wechat", (b"new", b"y"))
        cache.remember("wechat", (b"fresh",), STAMP, b"v")
        cache.finish("wechat")
        cache.commit()

    assert known(path, b"stays", b"goes", b"old/x", b"new/y", b"fresh") == [b"stays", b"new/y", b"fresh"]
    assert known(path, b"goes", source="other") == [b"goes"]
    with FileCache.open(path) as cache:
        assert cache.pages("wechat", (b"goes",)) is None
        assert cache.pages("wechat", (b"old", b"x")) is None
        assert cache.pages("wechat", (b"stays",)) == b"p"


def test_what_is_remembered_without_being_asked_for_stays(path: Path) -> None:
    """Once rows that were already written were forgotten again, since nobody had looked their folder up."""
    names = [b"%d/%d" % (n // 500, n) for n in range(4500)]

    with FileCache.open(path) as cache:
        for name in names:
            cache.remember("wechat", tuple(name.split(b"/")), STAMP, b"v")
        cache.finish("wechat")
        cache.commit()

    assert known(path, *names) == names


def test_a_run_that_was_stopped_forgets_nothing(path: Path) -> None:
    remember(path, b"a/1", b"b/2")

    with FileCache.open(path) as cache:
        cache.lookup("wechat", (b"a", b"0"))
        cache.commit()

    assert known(path, b"a/1", b"b/2") == [b"a/1", b"b/2"]


def test_a_second_process_reads_what_the_last_run_left_and_does_not_wait(path: Path) -> None:
    remember(path, b"a")

    with FileCache.open(path) as first:
        first.remember("wechat", (b"b",), STAMP, b"of the first")
        started = time.monotonic()
        with FileCache.open(path) as second:
            assert second.unchanged("wechat", (b"a",), STAMP) == b"v"
            second.remember("wechat", (b"c",), STAMP, b"of the second")
            second.commit()
        assert time.monotonic() - started < 5  # what SQLite waits for a lock unless told not to
        first.commit()

    assert known(path, b"a", b"b", b"c") == [b"a", b"b"]


def test_a_second_process_on_a_cache_that_is_just_being_made_does_not_harm_it(path: Path) -> None:
    with FileCache.open(path) as first:
        first.remember("wechat", (b"a",), STAMP, b"v")
        with FileCache.open(path) as second:
            assert second.lookup("wechat", (b"a",)) is None
        first.commit()

    assert known(path, b"a") == [b"a"]


def test_a_process_that_is_killed_leaves_the_last_commit(path: Path) -> None:
    remember(path, b"a")
    program = f"""
import os
from pathlib import Path
from backupkit.capture.file_cache import FileCache, Stamp
cache = FileCache.open(Path({str(path)!r}))
for n in range(30_000):
    cache.remember("wechat", (b"%d" % n,), Stamp(b"x" * 40), b"y" * 100)
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9

    assert known(path, b"a", b"1") == [b"a"]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**31), st.integers(1, 2000), st.booleans())
def test_damage_costs_the_cache_and_never_gives_a_wrong_value(path: Path, seed: int, length: int, cut: bool) -> None:
    chance = random.Random(seed)
    path.unlink(missing_ok=True)
    names = [b"f%d/%d" % (n // 43, n) for n in range(300)]
    with FileCache.open(path) as cache:
        for name in names:
            cache.remember("wechat", tuple(name.split(b"/")), STAMP, b"value of " + name, pages=name)
        cache.commit()
    content = bytearray(path.read_bytes())
    at = chance.randrange(len(content))
    content[at : at + length] = b"" if cut else chance.randbytes(min(length, len(content) - at))
    path.write_bytes(content)

    with FileCache.open(path) as cache:
        for name in names:
            relative = tuple(name.split(b"/"))
            assert cache.unchanged("wechat", relative, STAMP) in {None, b"value of " + name}
            assert cache.pages("wechat", relative) in {None, name}
            cache.remember("wechat", relative, STAMP, b"value of " + name)
        cache.finish("wechat")
        cache.commit()

    # The damage may lie where only the next run meets it; from then on the cache is whole again.
    known(path, *names)
    with FileCache.open(path) as cache:
        for name in names:
            cache.remember("wechat", tuple(name.split(b"/")), STAMP, b"v")
        cache.commit()


@pytest.mark.parametrize("content", [b"", b"not a database", b"SQLite format 3\0" + bytes(5000)])
def test_what_is_no_cache_is_made_into_one(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)

    remember(path, b"a")

    assert known(path, b"a") == [b"a"]


def test_a_cache_of_another_version_is_made_anew(path: Path) -> None:
    remember(path, b"a")
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    assert known(path, b"a") == []


def test_without_a_place_to_lie_the_cache_lives_for_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with FileCache.open(tmp_path / "file" / "cache") as cache:
        cache.remember("wechat", (b"a",), STAMP, b"v")
        cache.finish("wechat")
        cache.commit()
        assert cache.lookup("wechat", (b"b",)) is None


def test_nobody_else_may_read_the_names_in_the_cache(path: Path) -> None:
    remember(path, b"a")

    assert path.stat().st_mode & 0o777 == 0o600


def test_a_stamp_is_forty_bytes_for_each_file() -> None:
    assert len(STAMP) == 40
    assert Stamp(b"") == NEVER
