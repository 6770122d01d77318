"""What is said of a database's health."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from busy_app import crash_with_log, fingerprint

from backupkit.capture.databases import DatabaseKind
from backupkit.capture.sqlite_health import examine_database, image_complaints

AS_IF_SEALED = DatabaseKind(sealed=True, page_size=4096)


def crashed(folder: Path) -> Path:
    folder.mkdir()
    crash_with_log(folder / "msg.db")
    return folder / "msg.db"


def codes(path: Path, kind: DatabaseKind | None = None) -> list[tuple[str, bool]]:
    health = examine_database(path, kind=kind)
    assert health is not None
    return [(finding.code, finding.lost) for finding in health.findings]


@pytest.mark.parametrize("kind", [None, AS_IF_SEALED], ids=["plain", "sealed"])
def test_a_crash_is_no_damage(tmp_path: Path, kind: DatabaseKind | None) -> None:
    assert codes(crashed(tmp_path / "app"), kind) == []


@pytest.mark.parametrize("kind", [None, AS_IF_SEALED], ids=["plain", "sealed"])
def test_a_log_that_is_missing_or_was_cut_short_is_told_by_its_index(tmp_path: Path, kind: DatabaseKind | None) -> None:
    path = crashed(tmp_path / "app")
    log = path.with_name("msg.db-wal")
    kept = log.read_bytes()

    found = {}
    for name, content in {"cut": kept[: 32 + 2 * 4120], "empty": b"", "zeros": bytes(len(kept))}.items():
        log.write_bytes(content)
        found[name] = codes(path, kind)
    log.unlink()
    found["gone"] = codes(path, kind)

    assert found["cut"] == [("wal-truncated", True)]
    assert found["empty"] == found["gone"] == [("wal-missing", True)]
    assert ("wal-garbled", False) in found["zeros"]


@pytest.mark.parametrize("kind", [None, AS_IF_SEALED], ids=["plain", "sealed"])
def test_a_wrong_byte_in_a_log_is_told_without_a_key(tmp_path: Path, kind: DatabaseKind | None) -> None:
    path = crashed(tmp_path / "app")
    log = bytearray(path.with_name("msg.db-wal").read_bytes())
    log[3000] ^= 4
    path.with_name("msg.db-wal").write_bytes(log)

    assert ("wal-damaged", True) in codes(path, kind)


def test_a_database_cut_short_is_told(tmp_path: Path) -> None:
    path = crashed(tmp_path / "app")
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = delete")
    connection.close()
    whole = path.read_bytes()

    path.write_bytes(whole[: len(whole) // 2 // 4096 * 4096])
    assert codes(path) == [("database-shorter-than-declared", True)]
    path.write_bytes(whole[:-100])
    assert codes(path) == [("database-not-whole-pages", True), ("database-shorter-than-declared", True)]


def test_the_header_is_read_as_sqlite_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE t (a)")
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.close()

    health = examine_database(path)

    assert health is not None
    assert health.header is not None
    assert (health.header.pages, health.header.uses_wal, health.header.knows_its_size) == (pages, False, True)
    assert examine_database(Path(__file__)) is None


def test_checks_leave_nothing_behind_and_find_what_is_wrong(tmp_path: Path) -> None:
    source = tmp_path / "app 100% #1?"
    path = crashed(source)
    before = fingerprint(source)

    image_complaints(path, thorough=True)
    assert fingerprint(source) == before

    image = tmp_path / "image"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    shutil.copyfile(path, image)
    assert image_complaints(image, thorough=True) == ()
    damaged = bytearray(image.read_bytes())
    damaged[3 * 4096 : 4 * 4096] = bytes(4096)
    image.write_bytes(damaged)
    assert image_complaints(image, thorough=True) != ()


def test_a_missing_row_in_an_index_is_found(tmp_path: Path) -> None:
    image = tmp_path / "image"
    connection = sqlite3.connect(image, isolation_level=None)
    connection.execute("CREATE TABLE t (a, b)")
    connection.execute("CREATE INDEX i ON t (b)")
    connection.execute("INSERT INTO t VALUES ('one', 'row')")
    connection.execute("PRAGMA writable_schema = on")
    connection.execute("UPDATE sqlite_schema SET sql = 'CREATE INDEX i ON t (a)' WHERE name = 'i'")
    connection.close()

    assert image_complaints(image, thorough=True) != ()


def test_a_file_that_is_no_database_is_a_complaint_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"not a database at all" * 100)

    assert image_complaints(tmp_path / "image", thorough=True) == ("file is not a database",)
