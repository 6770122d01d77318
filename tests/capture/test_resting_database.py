"""Databases that nobody writes are read where they lie, and only those."""

import time
from pathlib import Path

from busy_app import StartWriter, transactions_in

from backupkit.capture.live_database import Captured, read_database


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
