"""A chat app that never rests, saved through the command line: every snapshot restores to the first n transactions."""

import shutil
from pathlib import Path

import pytest
from busy_app import busy_apps, transactions_in
from computer import Computer


@pytest.mark.slow
@pytest.mark.parametrize("journal_mode", ["wal", "delete"])
def test_every_snapshot_of_a_database_that_is_written_to_restores_to_a_sound_prefix(
    ready_computer: Computer, tmp_path: Path, journal_mode: str
) -> None:
    chats = tmp_path / "chats"
    chats.mkdir()
    database = chats / "messages.db"
    counts, committed = [], []
    with busy_apps(tmp_path) as start:
        app = start(database, journal_mode)
        app.wait_for(50)
        for number in range(4):
            before = app.committed
            summary = ready_computer.run_here("snapshot", chats, "--json").last
            committed.append((before, app.committed))
            ready_computer.run_here(
                "restore", summary["snapshot"], "--to", tmp_path / "back",
                "--recovery-words-file", ready_computer.home / "words",
            )  # fmt: skip
            restored = tmp_path / "back" / "chats"
            counts.append(transactions_in(restored / "messages.db"))
            assert not [path.name for path in restored.iterdir() if path.name != "messages.db"], number
            shutil.rmtree(tmp_path / "back")
            app.wait_for(app.committed + 20)
        app.finish()

    assert counts == sorted(counts)
    for count, (before, after) in zip(counts, committed, strict=True):
        assert before <= count <= after + 1
