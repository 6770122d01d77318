"""Logs and journals that an app left behind: what was committed is kept, what was not is undone, on the copy only."""

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from busy_app import AS_IF_SEALED, PLAIN, StartWriter, crash_with_log, fingerprint, transactions_in

from backupkit.capture.databases import DatabaseKind
from backupkit.capture.live_database import copy_live
from backupkit.capture.sqlite_health import image_complaints


def crashed_in_transaction(folder: Path, *, mode: str = "delete") -> Path:
    """A database whose app died with half a transaction already written over the old pages."""
    path = folder / "msg.db"
    program = f"""
import os, sqlite3
connection = sqlite3.connect({str(path)!r}, isolation_level=None)
connection.execute("PRAGMA journal_mode = {mode}")
connection.execute("PRAGMA cache_size = 5")
connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, body)")
connection.execute("WITH c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 500) INSERT INTO t SELECT n, 'old' || hex(zeroblob(200)) FROM c")
connection.execute("BEGIN")
connection.execute("UPDATE t SET body = 'new' || hex(zeroblob(200))")
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    return path


def bodies(image: Path) -> set[str]:
    connection = sqlite3.connect(image)
    try:
        return {body[:3] for (body,) in connection.execute("SELECT body FROM t")}
    finally:
        connection.close()


def test_half_a_transaction_left_by_a_crash_is_undone_on_the_copy_only(source: Path, scratch: Path) -> None:
    path = crashed_in_transaction(source)
    before = fingerprint(source)
    assert set(before) == {"msg.db", "msg.db-journal"}

    with copy_live(path, scratch) as captured:
        codes = [finding.code for finding in captured.findings]
        assert image_complaints(captured.image, thorough=True) == ()
        assert bodies(captured.image) == {"old"}

    assert codes == ["journal-rolled-back"]
    assert fingerprint(source) == before


def test_the_journal_of_a_sealed_database_is_kept_beside_it(source: Path, scratch: Path) -> None:
    path = crashed_in_transaction(source)

    with copy_live(path, scratch, kind=AS_IF_SEALED) as captured:
        image, journal = captured.image.read_bytes(), captured.companions[0].path.read_bytes()

    assert image == path.read_bytes()
    assert journal == (source / "msg.db-journal").read_bytes()


def test_a_dead_journal_is_not_taken_for_half_a_transaction(
    source: Path, scratch: Path, busy_writer: StartWriter
) -> None:
    writer = busy_writer(source / "msg.db", "persist")
    writer.wait_for(20)
    writer.finish()
    assert (source / "msg.db-journal").exists()

    with copy_live(source / "msg.db", scratch) as captured:
        assert not captured.findings
        assert transactions_in(captured.image) >= 20


def with_super_journal(journal: Path, name: bytes) -> None:
    """Add the record by which SQLite ties a journal to a transaction over several databases."""
    tail = (0x40000000 // 4096 + 1).to_bytes(4, "big") + name + len(name).to_bytes(4, "big")
    # SQLite adds up signed characters where the processor has those.
    total = sum(byte - 256 if byte > 127 else byte for byte in name) & 0xFFFFFFFF
    tail += total.to_bytes(4, "big") + bytes.fromhex("d9d505f920a163d7")
    with journal.open("ab") as file:
        file.write(tail)


def test_a_super_journal_decides_and_is_left_alone(source: Path, scratch: Path, tmp_path: Path) -> None:
    path = crashed_in_transaction(source)
    named = source / "msg.db-mj12345678"
    named.write_bytes(b"/another/database-journal\0")
    with_super_journal(source / "msg.db-journal", str(named).encode())
    before = fingerprint(source)

    with copy_live(path, scratch) as captured:
        assert bodies(captured.image) == {"old"}

    assert fingerprint(source) == before


def test_without_its_super_journal_a_transaction_counts_as_finished(
    source: Path, scratch: Path, tmp_path: Path
) -> None:
    path = crashed_in_transaction(source)
    with_super_journal(source / "msg.db-journal", str(source / "msg.db-mj12345678").encode())

    with copy_live(path, scratch) as captured:
        image = captured.image.read_bytes()

    # What SQLite itself does with such a journal.
    shutil.copytree(source, tmp_path / "as SQLite does")
    connection = sqlite3.connect(tmp_path / "as SQLite does" / "msg.db")
    connection.execute("PRAGMA schema_version").fetchone()
    connection.close()
    assert image == (tmp_path / "as SQLite does" / "msg.db").read_bytes()


def test_a_damaged_log_is_kept_as_it_is_beside_the_database(source: Path, scratch: Path) -> None:
    crash_with_log(source / "msg.db")
    log = bytearray((source / "msg.db-wal").read_bytes())
    log[32 + 24 + 100] ^= 1
    (source / "msg.db-wal").write_bytes(log)

    with copy_live(source / "msg.db", scratch) as captured:
        assert [(finding.code, finding.lost) for finding in captured.findings] == [
            ("wal-damaged", True),
            ("wal-truncated", True),
        ]
        assert captured.image.read_bytes() == (source / "msg.db").read_bytes()
        assert [companion.ending for companion in captured.companions] == [b"-wal"]
        assert captured.companions[0].path.read_bytes() == log


@pytest.mark.parametrize("kind", [PLAIN, AS_IF_SEALED], ids=["plain", "sealed"])
def test_a_log_that_went_missing_is_told(source: Path, scratch: Path, kind: DatabaseKind) -> None:
    crash_with_log(source / "msg.db")
    (source / "msg.db-wal").unlink()

    with copy_live(source / "msg.db", scratch, kind=kind) as captured:
        assert [(finding.code, finding.lost) for finding in captured.findings] == [("wal-missing", True)]


def test_another_log_in_the_place_of_the_apps_own_is_not_merged(
    source: Path, scratch: Path, tmp_path: Path, busy_writer: StartWriter
) -> None:
    (tmp_path / "other").mkdir()
    crash_with_log(tmp_path / "other" / "msg.db")
    app = sqlite3.connect(source / "msg.db", isolation_level=None)
    app.execute("PRAGMA journal_mode = wal")
    app.execute("CREATE TABLE t (a)")
    (source / "msg.db-wal").unlink()
    shutil.copyfile(tmp_path / "other" / "msg.db-wal", source / "msg.db-wal")
    before = (source / "msg.db").read_bytes()
    # Another process copies: closing files in this one would drop the app's locks.
    program = """
import sys
from pathlib import Path
from backupkit.capture.live_database import copy_live
with copy_live(Path(sys.argv[1]), Path(sys.argv[2])) as captured:
    print([finding.code for finding in captured.findings], [one.ending for one in captured.companions])
    sys.stdout.flush()
    sys.stdout.buffer.write(captured.image.read_bytes())
"""
    answer = subprocess.run(
        [sys.executable, "-c", program, str(source / "msg.db"), str(scratch)], capture_output=True, check=True
    )

    told, _, image = answer.stdout.partition(b"\n")
    assert told == b"['wal-of-another-time'] [b'-wal']"
    assert image == before
    app.close()


def test_a_log_without_its_index_is_merged_and_gets_no_index(
    source: Path, scratch: Path, busy_writer: StartWriter
) -> None:
    writer = busy_writer(source / "msg.db", "wal")
    writer.wait_for(150)
    writer.crash()
    (source / "msg.db-shm").unlink()
    before = fingerprint(source)

    with copy_live(source / "msg.db", scratch) as captured:
        held = transactions_in(captured.image)
        assert captured.wal is not None
        assert captured.wal.committed

    assert held >= 150
    assert fingerprint(source) == before


COPY_SEALED = """
import sys
from pathlib import Path
from backupkit.capture.databases import DatabaseKind
from backupkit.capture.live_database import copy_live
with copy_live(Path(sys.argv[1]), Path(sys.argv[2]), kind=DatabaseKind(sealed=True, page_size=4096)) as captured:
    print([one.path.stat().st_size for one in captured.companions], any(finding.lost for finding in captured.findings))
"""


def test_what_lies_behind_the_last_commit_of_a_log_in_use_is_not_copied(source: Path, scratch: Path) -> None:
    """Remains of an older round lie there, all of them in the database already, and frames that are just being written."""
    app = sqlite3.connect(source / "msg.db", isolation_level=None)
    app.execute("PRAGMA journal_mode = wal")
    app.execute("PRAGMA wal_autocheckpoint = 0")
    app.execute("CREATE TABLE t (a)")
    for n in range(50):
        app.execute("INSERT INTO t VALUES (?)", (n,))
    app.execute("PRAGMA wal_checkpoint(RESTART)")
    app.execute("INSERT INTO t VALUES ('after')")
    program = [sys.executable, "-c", COPY_SEALED, str(source / "msg.db"), str(scratch)]
    told = subprocess.run(program, capture_output=True, check=True, text=True).stdout
    size = (source / "msg.db-wal").stat().st_size
    app.close()

    assert size > 50 * 4120
    assert told.split() == [f"[{32 + 4120}]", "False"]
