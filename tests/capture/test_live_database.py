"""Copies of databases whose apps go on writing."""

import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from busy_app import AS_IF_SEALED, PLAIN, StartWriter, companions_of, fingerprint, transactions_in

from backupkit.capture import live_database, locks
from backupkit.capture.copying import copy_descriptor
from backupkit.capture.live_database import NotADatabase, copy_live
from backupkit.capture.scratch import discard_leftovers, private_folder
from backupkit.capture.sqlite_health import image_complaints
from backupkit.capture.unreadable import SourceUnreadable


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
