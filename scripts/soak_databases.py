#!/usr/bin/env python3
"""Save databases again and again while an app commits without rest, restore every snapshot, and check every database.

    .venv/bin/python scripts/soak_databases.py [--snapshots 100] [--rows 20000] [--folder DIR]

Real snapshots into a real repository, and real restores. Every restored database must pass `integrity_check` and hold exactly the
first n transactions, n being between what was committed before the snapshot and after it. Beside that: how long we held a lock
that can keep a writer waiting; how often the app, which has no busy time-out, got SQLITE_BUSY; and how long its slowest transaction
took, with and without us. Sealed databases are SQLCipher's own and need the module sqlcipher3; without it they are left out.
"""

import argparse
import contextlib
import importlib.util
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from backup_scene import Scene, SteppingClock
from busy_app import StartWriter, busy_apps, transactions_in

from backupkit.capture import live_database
from backupkit.capture.live_database import Captured
from backupkit.ops.events import Found, Severity

KEY = bytes(range(32)).hex()
HAS_SQLCIPHER = importlib.util.find_spec("sqlcipher3") is not None
ALONE_SECONDS = 5


@dataclass(frozen=True)
class Run:
    """What one soak showed. Times in seconds."""

    snapshots: int
    sound: int
    transactions: int
    size: int
    stored: int
    longest_snapshot: float
    longest_locked: float
    busy: int
    busy_alone: int
    longest_with_us: float
    longest_without_us: float


@contextlib.contextmanager
def locks_timed() -> Iterator[list[float]]:
    """Note how long each copy held a lock that can keep a writer waiting."""
    held: list[float] = []
    copy = live_database.copy_live

    @contextlib.contextmanager
    def timed(*arguments: Any, **more: Any) -> Iterator[Captured]:
        with copy(*arguments, **more) as captured:
            held.append(captured.locked_seconds)
            yield captured

    with patch.object(live_database, "copy_live", timed):
        yield held


def soak(start: StartWriter, folder: Path, *, mode: str, sealed: bool, snapshots: int, rows: int) -> Run:
    key = KEY if sealed else None
    scene = Scene(folder / f"{mode}-{'sealed' if sealed else 'plain'}")
    scene.clock = SteppingClock()
    scene.chats.mkdir(parents=True)
    scene.initialise()
    path = scene.chats / "msg.db"
    first = start(path, mode, key or "-", str(rows))
    first.wait_for(rows + 50)
    # Until now it was filled in one transaction: its waiting time is measured by an app that starts on the full file.
    first.finish()
    alone = start(path, mode, key or "-")
    alone.wait_for(rows + 51)
    time.sleep(ALONE_SECONDS)
    without_us, busy_alone = alone.longest_seconds, alone.busy
    alone.finish()
    app = start(path, mode, key or "-")
    app.wait_for(rows + 52)
    begun, sound, stored, longest_snapshot = app.committed, 0, 0, 0.0
    with locks_timed() as held:
        for _ in range(snapshots):
            before, started = app.committed, time.monotonic()
            taken = scene.take()
            longest_snapshot = max(longest_snapshot, time.monotonic() - started)
            after, stored = app.committed, stored + taken.new_bytes
            lost = [one for one in scene.told if isinstance(one, Found) and one.severity is Severity.ERROR]
            assert taken.complete, lost
            # A copy that was not taken under a lock, or a log that lost its end, would be told here.
            assert not lost, lost
            with app.resting():
                restored = checked(scene, str(taken.snapshot), folder / "back", key)
            assert before <= restored <= after + 1, (before, restored, after)
            sound += 1
            app.wait_for(after + 20)
    transactions, with_us, busy = app.committed - begun, app.longest_seconds, app.busy
    size = path.stat().st_size
    app.finish()
    return Run(
        snapshots, sound, transactions, size, stored, longest_snapshot, max(held), busy, busy_alone, with_us, without_us
    )


def checked(scene: Scene, snapshot: str, to: Path, key: str | None) -> int:
    """Restore, and return how many transactions the restored database holds."""
    assert not scene.restore(snapshot, to).damaged
    image = to / "chats" / "msg.db"
    endings = [path.name.removeprefix("msg.db") for path in image.parent.iterdir()]
    # What SQLite keeps in shared memory is never saved.
    assert set(endings) <= {"", "-wal", "-journal"}, endings
    held = transactions_in(image, *((one, image.with_name("msg.db" + one)) for one in endings if one), key=key)
    shutil.rmtree(to)
    return held


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--snapshots", type=int, default=100)
    parser.add_argument("--rows", type=int, default=20_000, help="messages in the database before the soak begins")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder if not given")
    parser.add_argument("--modes", default="wal,delete,truncate")
    wanted = parser.parse_args()
    if not HAS_SQLCIPHER:
        print("The module sqlcipher3 is not here: sealed databases are left out.")
    print(
        "| mode | kind | sound | transactions | database | stored | slowest snapshot | longest lock | busy with / without us "
        "| slowest transaction with / without us |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory(dir=wanted.folder) as folder, busy_apps(Path(folder)) as start:
        for mode in wanted.modes.split(","):
            for sealed in (False, True) if HAS_SQLCIPHER else (False,):
                run = soak(start, Path(folder), mode=mode, sealed=sealed, snapshots=wanted.snapshots, rows=wanted.rows)
                print(
                    f"| {mode} | {'sealed' if sealed else 'plain'} | {run.sound} of {run.snapshots} | {run.transactions:,} "
                    f"| {run.size / 1e6:.0f} MB | {run.stored / 1e6:.0f} MB | {run.longest_snapshot:.1f} s "
                    f"| {run.longest_locked * 1000:.1f} ms | {run.busy} / {run.busy_alone} "
                    f"| {run.longest_with_us * 1000:.0f} / {run.longest_without_us * 1000:.0f} ms |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
