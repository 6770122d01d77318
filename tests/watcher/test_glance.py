import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from backupkit.watcher.glance import glance


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "chats"
    (folder / "media").mkdir(parents=True)
    (folder / "result.json").write_text("{}")
    (folder / "media" / "photo.jpg").write_bytes(b"photo")
    (folder / "link").symlink_to("result.json")
    return folder


def append(folder: Path) -> None:
    with (folder / "result.json").open("a") as file:
        file.write(" ")


def replace_keeping_size_and_time(folder: Path) -> None:
    old = folder / "media" / "photo.jpg"
    new = folder / "new"
    new.write_bytes(b"PHOTO")
    os.utime(new, ns=(old.stat().st_atime_ns, old.stat().st_mtime_ns))
    new.replace(old)


CHANGES: dict[str, Callable[[Path], object]] = {
    "append": append,
    "replace": replace_keeping_size_and_time,
    "add": lambda folder: (folder / "media" / "more.jpg").write_bytes(b""),
    "add folder": lambda folder: (folder / "empty").mkdir(),
    "remove": lambda folder: (folder / "media" / "photo.jpg").unlink(),
    "rename": lambda folder: (folder / "result.json").rename(folder / "result-1.json"),
    "touch": lambda folder: os.utime(folder / "result.json", (1, 1)),
    "odd name": lambda folder: Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).write_bytes(b""),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_seen(source: Path, change: str) -> None:
    before = glance(source)

    CHANGES[change](source)

    after = glance(source)
    assert before is not None
    assert after is not None
    assert before.digest != after.digest


def test_a_source_at_rest_looks_the_same_and_reading_it_changes_nothing(source: Path) -> None:
    before = glance(source)

    (source / "result.json").read_bytes()
    list(source.rglob("*"))

    assert glance(source) == before


def test_the_newest_change_is_told_in_seconds_since_1970(source: Path) -> None:
    look = glance(source)

    assert look is not None
    assert look.newest == max(
        max(path.lstat().st_mtime, path.lstat().st_ctime) for path in source.rglob("*") if not path.is_dir()
    )


def test_a_source_that_is_not_there_is_none_and_an_empty_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert glance(tmp_path / "absent") is None
    look = glance(tmp_path / "empty")
    assert look is not None
    assert look.newest is None


def test_what_is_ignored_may_change(source: Path) -> None:
    repository = source / "repository"
    repository.mkdir()
    before = glance(source, ignore=[repository])

    (repository / "pack").write_bytes(b"pack")

    assert glance(source, ignore=[repository]) == before
    assert glance(source) != before


def test_shared_memory_of_a_database_is_passed_over(source: Path) -> None:
    before = glance(source)

    (source / "chat.db-shm").write_bytes(bytes(32768))

    assert glance(source) == before


def test_a_message_in_the_log_beside_a_single_database_is_seen(tmp_path: Path) -> None:
    database = tmp_path / "chat.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("create table message (text)")
        connection.commit()
        before, size = glance(database), database.stat().st_size

        connection.execute("insert into message values ('hello')")
        connection.commit()

        assert database.stat().st_size == size
        assert glance(database) != before


def test_a_link_to_a_source_is_followed_and_a_link_inside_is_not(source: Path, tmp_path: Path) -> None:
    (tmp_path / "here").symlink_to(source)
    outside = tmp_path / "outside"
    outside.mkdir()
    (source / "out").symlink_to(outside)
    before = glance(tmp_path / "here")

    (outside / "file").write_bytes(b"")

    assert before == glance(source)
    assert glance(tmp_path / "here") == before
