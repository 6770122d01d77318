#!/usr/bin/env python3
"""Copy databases again and again while an app commits without rest, and check every copy.

    .venv/bin/python scripts/soak_databases.py [--copies 100] [--rows 200000] [--folder DIR]

Every copy must pass `integrity_check` and hold exactly the first n transactions, n being between what was committed
before the copying and after it. Beside that: how long the app's slowest transaction took, with and without us. Where the
module sqlcipher3 is installed the sealed databases are SQLCipher's own; else plain ones are copied as if sealed.
"""

import argparse
import importlib.util
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from busy_app import StartWriter, busy_apps, transactions_in

from backupkit.capture.databases import DatabaseKind
from backupkit.capture.live_database import Captured, copy_live
from backupkit.capture.sealed_pages import PROFILES, check_sealed_pages, make_verify_key, read_salt

KEY = bytes(range(32)).hex()
HAS_SQLCIPHER = importlib.util.find_spec("sqlcipher3") is not None


@dataclass(frozen=True)
class Run:
    """What one soak showed. Times in seconds."""

    copies: int
    sound: int
    transactions: int
    size: int
    longest_copy: float
    longest_locked: float
    longest_with_us: float
    longest_without_us: float


def soak(start: StartWriter, folder: Path, *, mode: str, sealed: bool, copies: int, rows: int) -> Run:
    key = KEY if sealed and HAS_SQLCIPHER else None
    path = folder / f"{mode}-{'sealed' if sealed else 'plain'}" / "msg.db"
    path.parent.mkdir()
    first = start(path, mode, key or "-", str(rows))
    first.wait_for(rows + 50)
    # Until now it was filled in one transaction: its waiting time is measured by an app that starts on the full file.
    first.finish()
    alone = start(path, mode, key or "-")
    alone.wait_for(rows + 51)
    time.sleep(5)
    without_us = alone.longest_seconds
    alone.finish()
    app = start(path, mode, key or "-")
    app.wait_for(rows + 52)
    begun = app.committed
    kind = DatabaseKind(sealed=True, page_size=4096) if sealed else None
    sound = size = 0
    longest_copy = longest_locked = 0.0
    for _ in range(copies):
        before = app.committed
        started = time.monotonic()
        with copy_live(path, folder / "scratch", kind=kind) as captured:
            longest_copy = max(longest_copy, time.monotonic() - started)
            longest_locked = max(longest_locked, captured.locked_seconds)
            after = app.committed
            size = captured.size
            assert not captured.findings, captured.findings
            with app.resting():
                held = checked(captured, key)
            assert before <= held <= after + 1, (before, held, after)
        sound += 1
        app.wait_for(after + 20)
    transactions, with_us = app.committed - begun, app.longest_seconds
    app.finish()
    return Run(copies, sound, transactions, size, longest_copy, longest_locked, with_us, without_us)


def checked(captured: Captured, key: str | None) -> int:
    companions = [(one.ending.decode(), one.path) for one in captured.companions]
    if key is not None:
        verify = make_verify_key(bytes.fromhex(key), read_salt(captured.image), PROFILES["sqlcipher-4"])
        wal = next((one.path for one in captured.companions if one.ending == b"-wal"), None)
        assert check_sealed_pages(captured.image, verify, wal=wal).damaged == ()
    return transactions_in(captured.image, *companions, key=key)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--copies", type=int, default=100)
    parser.add_argument("--rows", type=int, default=20_000, help="messages in the database before the soak begins")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder if not given")
    parser.add_argument("--modes", default="wal,delete,truncate")
    wanted = parser.parse_args()
    print("sealed databases are", "SQLCipher's own" if HAS_SQLCIPHER else "plain ones, copied as if sealed")
    print(
        "mode      kind    sound     transactions  size MB  slowest copy  we held a writer  app's slowest: with / without us"
    )
    with tempfile.TemporaryDirectory(dir=wanted.folder) as folder, busy_apps(Path(folder)) as start:
        for mode in wanted.modes.split(","):
            for sealed in (False, True):
                run = soak(start, Path(folder), mode=mode, sealed=sealed, copies=wanted.copies, rows=wanted.rows)
                print(
                    f"{mode:9} {'sealed' if sealed else 'plain':7} {run.sound}/{run.copies:<7}{run.transactions:13,}"
                    f"{run.size / 1e6:9.1f}{run.longest_copy * 1000:11.1f} ms{run.longest_locked * 1000:14.1f} ms"
                    f"{run.longest_with_us * 1000:14.1f} / {run.longest_without_us * 1000:.1f} ms",
                    flush=True,
                )


if __name__ == "__main__":
    main()
