"""Copies of databases whose apps go on writing."""

import json
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from busy_app import StartWriter, crash_with_log, fingerprint, transactions_in

from backupkit.capture import live_database, locks
from backupkit.capture.copying import copy_descriptor
from backupkit.capture.databases import DatabaseKind
from backupkit.capture.live_database import Captured, NotADatabase, copy_live, read_database
from backupkit.capture.scratch import discard_leftovers, private_folder
from backupkit.capture.sqlite_health import image_complaints
from backupkit.capture.unreadable import SourceUnreadable

PLAIN = DatabaseKind(sealed=False, page_size=4096)
AS_IF_SEALED = DatabaseKind(sealed=True, page_size=4096)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "Phone 微信 %3F"
    folder.mkdir()
    return folder


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "scratch"


def companions_of(captured: Captured) -> list[tuple[str, Path]]:
    return [(companion.ending.decode(), companion.path) for companion in captured.companions]


@pytest.mark.parametrize(
    ("journal_mode", "copies"), [("wal", 20), ("delete", 20), ("truncate", 5), ("persist", 5), ("memory", 5)]
)
def test_each_copy_of_a_busy_plain_database_holds_the_first_n_transactions(
    source: Path, scratch: Path, busy_writer: StartWriter, journal_mode: str, copies: int
) -> None:
    # Large enough that transactions begin and end while a copy is made.
    writer = busy_writer(source / "msg.db", journal_mode, "-", "6000")
    writer.wait_for(6100)

    for _ in range(copies):
        before = writer.committed
        with copy_live(source / "msg.db", scratch) as captured:
            after = writer.committed
            assert not captured.findings
            assert not captured.companions
            held = transactions_in(captured.image)
        # The app counts a transaction a moment after its commit.
        assert before <= held <= after + 1
        writer.wait_for(after + 3)

    writer.finish()
    assert writer.longest_seconds < 5


def test_a_transaction_that_begins_while_a_locked_copy_is_made_does_not_void_it(
    source: Path, scratch: Path, busy_writer: StartWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The soak once ended in `changed-while-read`: a journal had come, whose writer was waiting for us."""
    writer = busy_writer(source / "msg.db", "delete")
    writer.wait_for(20)
    writer.finish()
    app = sqlite3.connect(source / "msg.db", isolation_level=None, timeout=0)

    def copy_while_the_app_begins(descriptor: int, target: Path) -> int:
        if app.in_transaction:
            app.execute("ROLLBACK")
        app.execute("BEGIN IMMEDIATE")
        app.execute("UPDATE counter SET n = n + 1")
        return copy_descriptor(descriptor, target)

    monkeypatch.setattr(live_database, "copy_descriptor", copy_while_the_app_begins)
    with copy_live(source / "msg.db", scratch) as captured:
        held = transactions_in(captured.image)

    app.close()
    assert held >= 20
    assert not captured.findings
    assert not captured.companions


@pytest.mark.parametrize("journal_mode", ["wal", "delete"])
def test_each_copy_of_a_busy_sealed_database_is_of_one_moment(
    source: Path, scratch: Path, busy_writer: StartWriter, journal_mode: str
) -> None:
    writer = busy_writer(source / "msg.db", journal_mode, "-", "6000")
    writer.wait_for(6100)

    for _ in range(20):
        before = writer.committed
        with copy_live(source / "msg.db", scratch, kind=AS_IF_SEALED) as captured:
            after = writer.committed
            assert not captured.findings
            held = transactions_in(captured.image, *companions_of(captured))
        assert before <= held <= after + 1
        writer.wait_for(after + 3)

    writer.finish()


def test_copies_without_the_locks_would_be_torn(source: Path, tmp_path: Path, busy_writer: StartWriter) -> None:
    """The reason for the locks: if plain copies were whole, none of this would be needed."""
    writer = busy_writer(source / "msg.db", "wal")
    writer.wait_for(300)
    torn = 0
    folder = tmp_path / "plain copies"
    folder.mkdir()

    for _ in range(30):
        shutil.copyfile(source / "msg.db", folder / "image")
        writer.wait_for(writer.committed + 20)
        shutil.copyfile(source / "msg.db-wal", folder / "image-wal")
        try:
            transactions_in(folder / "image", ("-wal", folder / "image-wal"))
        except (AssertionError, sqlite3.DatabaseError):
            torn += 1
            for path in folder.glob("opened.db*"):
                path.unlink()

    assert torn


@pytest.mark.parametrize("journal_mode", ["wal", "delete"])
def test_copying_changes_nothing_in_the_folder_of_a_crashed_app(
    source: Path, scratch: Path, busy_writer: StartWriter, journal_mode: str
) -> None:
    writer = busy_writer(source / "msg.db", journal_mode)
    writer.wait_for(200)
    writer.crash()
    before = fingerprint(source)

    with copy_live(source / "msg.db", scratch) as captured:
        assert transactions_in(captured.image) >= 200

    assert fingerprint(source) == before


def test_copying_makes_no_companions_where_none_were(source: Path, scratch: Path, busy_writer: StartWriter) -> None:
    writer = busy_writer(source / "msg.db", "wal")
    writer.wait_for(100)
    writer.finish()
    before = fingerprint(source)
    assert list(before) == ["msg.db"]

    with copy_live(source / "msg.db", scratch) as captured:
        assert transactions_in(captured.image) >= 100
        assert captured.wal is None

    assert fingerprint(source) == before


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


WATCHED = """
import json, os, sys
touched = []
def watch(event, arguments):
    if event == "open" and str(arguments[0]).startswith(sys.argv[1]):
        flags = arguments[2]
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
            touched.append(str(arguments))
    elif event.startswith(("sqlite3.connect", "os.rename", "os.remove", "os.mkdir", "os.truncate", "os.utime", "os.chmod")):
        if any(str(argument).startswith((sys.argv[1], "file:" + sys.argv[1])) for argument in arguments):
            touched.append(event + str(arguments))
sys.addaudithook(watch)
from pathlib import Path
from backupkit.capture.live_database import copy_live, read_database
for _ in range(5):
    with copy_live(Path(sys.argv[1], "msg.db"), Path(sys.argv[2])) as captured:
        pass
    read_database(Path(sys.argv[1], "msg.db"), Path(sys.argv[2]), lambda captured: captured.size)
json.dump(touched, sys.stdout)
"""


@pytest.mark.parametrize("journal_mode", ["wal", "delete"])
def test_the_source_is_never_opened_for_writing_and_never_given_to_sqlite(
    source: Path, scratch: Path, busy_writer: StartWriter, journal_mode: str
) -> None:
    writer = busy_writer(source / "msg.db", journal_mode)
    writer.wait_for(100)

    program = [sys.executable, "-c", WATCHED, str(source), str(scratch)]
    answer = subprocess.run(program, capture_output=True, check=True)

    writer.finish()
    assert json.loads(answer.stdout) == []


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


COPY_SEALED = """
import sys
from pathlib import Path
from backupkit.capture.databases import DatabaseKind
from backupkit.capture.live_database import copy_live
with copy_live(Path(sys.argv[1]), Path(sys.argv[2]), kind=DatabaseKind(sealed=True, page_size=4096)) as captured:
    print([one.path.stat().st_size for one in captured.companions], any(finding.lost for finding in captured.findings))
"""


@pytest.mark.parametrize("journal_mode", ["wal", "delete"])
def test_a_database_that_was_cut_short_is_saved_and_told(
    source: Path, scratch: Path, busy_writer: StartWriter, journal_mode: str
) -> None:
    writer = busy_writer(source / "msg.db", journal_mode)
    writer.wait_for(130)
    writer.finish()
    cut = (source / "msg.db").read_bytes()[:-5000]
    (source / "msg.db").write_bytes(cut)

    with copy_live(source / "msg.db", scratch) as captured:
        codes = [finding.code for finding in captured.findings]
        assert captured.image.read_bytes() == cut

    assert codes == ["database-not-whole-pages", "database-shorter-than-declared"]


def test_a_database_that_is_no_longer_one_inside_is_still_copied_byte_for_byte(
    source: Path, scratch: Path, busy_writer: StartWriter
) -> None:
    writer = busy_writer(source / "msg.db", "delete")
    writer.wait_for(50)
    writer.finish()
    damaged = bytearray((source / "msg.db").read_bytes())
    damaged[5000:9000] = bytes(4000)
    (source / "msg.db").write_bytes(damaged)

    with copy_live(source / "msg.db", scratch) as captured:
        assert captured.image.read_bytes() == damaged
        assert image_complaints(captured.image, thorough=True) != ()


def test_the_copy_is_private_and_gone_afterwards(source: Path, scratch: Path, busy_writer: StartWriter) -> None:
    writer = busy_writer(source / "msg.db", "wal")
    writer.wait_for(50)

    def fail_with_a_copy_open() -> None:
        with copy_live(source / "msg.db", scratch) as captured:
            assert captured.image.stat().st_mode & 0o777 == 0o600
            assert captured.image.parent.stat().st_mode & 0o777 == 0o700
            raise KeyError

    with pytest.raises(KeyError):
        fail_with_a_copy_open()

    assert list(scratch.iterdir()) == []


def test_leftovers_of_killed_processes_are_discarded_and_copies_in_use_are_not(scratch: Path) -> None:
    (scratch / "live-dead").mkdir(parents=True)
    (scratch / "live-dead" / "image").write_bytes(b"a chat")

    with private_folder(scratch) as used:
        assert discard_leftovers(scratch) == 1
        assert list(scratch.iterdir()) == [used]


def test_a_database_at_rest_is_read_in_place(source: Path, scratch: Path, busy_writer: StartWriter) -> None:
    writer = busy_writer(source / "msg.db", "delete")
    writer.wait_for(50)
    writer.finish()

    image = read_database(source / "msg.db", scratch, lambda captured: captured.image)

    assert image == source / "msg.db"
    assert not scratch.exists()


def test_a_log_keeping_database_that_was_just_closed_is_not_read_in_place(
    source: Path, scratch: Path, busy_writer: StartWriter
) -> None:
    """Its first page need not change with a commit, and its times may be of the same tick."""
    writer = busy_writer(source / "msg.db", "wal")
    writer.wait_for(50)
    writer.finish()

    just_closed = read_database(source / "msg.db", scratch, lambda captured: captured.image)
    while time.time() - (source / "msg.db").stat().st_ctime < 2.1:
        time.sleep(0.1)
    later = read_database(source / "msg.db", scratch, lambda captured: captured.image)

    assert just_closed != source / "msg.db"
    assert later == source / "msg.db"


def test_a_database_that_wakes_up_while_it_is_read_in_place_is_read_again_from_a_copy(
    source: Path, scratch: Path, busy_writer: StartWriter
) -> None:
    path = source / "msg.db"
    writer = busy_writer(path, "delete")
    writer.wait_for(50)
    writer.finish()
    calls: list[Captured] = []

    def read(captured: Captured) -> int:
        calls.append(captured)
        if len(calls) == 1:
            again = busy_writer(path, "delete")
            again.wait_for(60)
            again.finish()
            return -1
        return transactions_in(captured.image)

    held = read_database(path, scratch, read)

    assert [captured.image == path for captured in calls] == [True, False]
    assert held >= 60


def test_a_busy_database_is_not_read_in_place(source: Path, scratch: Path, busy_writer: StartWriter) -> None:
    writer = busy_writer(source / "msg.db", "wal")
    writer.wait_for(50)

    held = read_database(source / "msg.db", scratch, lambda captured: transactions_in(captured.image))

    assert held >= 50
    writer.finish()


LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA locking_mode = EXCLUSIVE")
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_database_that_an_app_keeps_locked_is_copied_between_its_writes_and_that_is_told(
    source: Path, scratch: Path, busy_writer: StartWriter
) -> None:
    writer = busy_writer(source / "msg.db", "delete")
    writer.wait_for(30)
    writer.finish()
    program = [sys.executable, "-c", LOCKER, str(source / "msg.db")]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as app:
        assert app.stdout is not None
        assert app.stdout.readline() == b"locked\n"

        with copy_live(source / "msg.db", scratch, patience_seconds=0.05) as captured:
            codes = [finding.code for finding in captured.findings]
            held = transactions_in(captured.image)

        app.kill()

    assert codes == ["copied-without-lock"]
    assert held >= 30


def test_our_locks_live_with_the_open_file_and_not_with_the_process(source: Path, busy_writer: StartWriter) -> None:
    """POSIX locks of a process vanish when any part of it closes the same file: a reader elsewhere would undo ours."""
    path = source / "msg.db"
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    connection.execute("CREATE TABLE t (n)")
    connection.close()

    with path.open("rb") as held:
        locks.share_database(held.fileno(), locks.Patience.of(1))
        path.open("rb").close()
        program = f"import sqlite3; sqlite3.connect({str(path)!r}, timeout=0).executescript('INSERT INTO t VALUES (1)')"
        answer = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)

    assert b"database is locked" in answer.stderr


def test_a_file_that_is_no_database_is_refused(source: Path, scratch: Path) -> None:
    (source / "note.txt").write_text("hello")

    with pytest.raises(NotADatabase), copy_live(source / "note.txt", scratch):
        pass


def test_a_database_that_vanished_is_told(source: Path, scratch: Path) -> None:
    with pytest.raises(SourceUnreadable) as caught, copy_live(source / "gone.db", scratch, kind=PLAIN):
        pass

    assert caught.value.facts["reason"] == "vanished"


def test_two_copies_at_once_do_not_keep_each_other_waiting(
    source: Path, scratch: Path, busy_writer: StartWriter
) -> None:
    writer = busy_writer(source / "msg.db", "wal")
    writer.wait_for(100)
    held: list[int] = []

    def copy() -> None:
        with copy_live(source / "msg.db", scratch) as captured:
            held.append(transactions_in(captured.image))

    threads = [threading.Thread(target=copy) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    writer.finish()
    assert len(held) == 4
