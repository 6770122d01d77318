"""Measures what comes back of damaged databases, and how long it takes.

    bench_salvage.py --work FOLDER [--mb 200] [--json FILE]

Each app's database is written with columns in the app's own order, cut by a tenth and robbed of forty pages; once more without its list of
tables; and once more untouched. What is counted is rows that SQL counted before, rows whose pages are still there, rows that `salvage` put into the
new database, and messages that the app's reader told. This is a measurement and never a test: nothing here fails because a number is small.
"""

import argparse
import json
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from damaged_database import PAGE, Write, chat_storage, cut_and_zero, msgstore, schema_pages, wechat, zero  # noqa: E402

from backupkit.chats.carve.leaf import leaf_rowids  # noqa: E402

HEAD = [
    "database", "state", "rows", "on pages left", "salvaged", "CPU s", "peak MB", "messages read", "CPU s", "peak MB",
]  # fmt: skip
STATES = ("sound", "cut by 10 %, 40 pages zeroed", "the same, list of tables zeroed too")
APPS: dict[str, tuple[str, Write, str]] = {
    "msgstore.db": ("msgstore.db", msgstore, "message"),
    "ChatStorage.sqlite": ("ChatStorage.sqlite", chat_storage, "ZWAMESSAGE"),
    "MM.sqlite": ("MM.sqlite", wechat, "Chat_"),
}
SALVAGE = """
import json, sys
from pathlib import Path
from backupkit.ops.events import tell_nobody
from backupkit.ops.restoring.salvage import salvage
found = salvage(Path(sys.argv[1]), Path(sys.argv[2]), tell=tell_nobody)
print(json.dumps(sum(table.rows for table in found.tables if table.name == sys.argv[3] or (sys.argv[3].endswith("_") and table.name.startswith(sys.argv[3])))))
"""
READ = """
import json, sys
from pathlib import Path
from backupkit.chats.counting.summary import summarise
summary = summarise(Path(sys.argv[1]))
print(json.dumps(0 if summary is None else summary.messages))
"""


def main() -> None:
    """Measure every app's database in every state."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--mb", type=int, default=200)
    parser.add_argument("--json", type=Path, help="write the table here")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    print(line_of(HEAD), line_of(["---"] * len(HEAD)), sep="\n")
    rows = []
    for name, app in APPS.items():
        for row in rows_of(asked.work, name, *app, asked.mb):
            print(line_of(row), flush=True)
            rows.append(row)
    if asked.json is not None:
        asked.json.write_text(json.dumps({"head": HEAD, "rows": rows}, indent=1), "utf-8")


def rows_of(work: Path, name: str, file: str, write: Write, table: str, megabytes: int) -> Iterator[list[str]]:
    """Measure one app's database in every state, and give the rows of the table."""
    sample = work / "sample.db"
    sample.unlink(missing_ok=True)
    write(sample, 20_000)
    rows = megabytes * 1_000_000 * 20_000 // sample.stat().st_size
    whole = work / f"whole-{file}"
    whole.unlink(missing_ok=True)
    before = write(whole, rows)
    holding = rows_by_page(whole, table)
    schema = schema_pages(whole)
    for state in STATES:
        path = work / file
        shutil.copy(whole, path)
        if state != STATES[0]:
            cut_and_zero(path)
        if state == STATES[2]:
            zero(path, [page for page in schema if page * PAGE <= path.stat().st_size])
        left = left_on(path, holding)
        new = work / "new.db"
        new.unlink(missing_ok=True)
        salvaged, cpu, memory = measured(SALVAGE, path, new, table)
        told, read_cpu, read_memory = measured(READ, path)
        yield [
            name,
            state,
            f"{before:,}",
            f"{left / before:.1%}",
            f"{salvaged / before:.1%}",
            f"{cpu:.1f}",
            f"{memory / 1e6:.0f}",
            f"{told / before:.1%}",
            f"{read_cpu:.1f}",
            f"{read_memory / 1e6:.0f}",
        ]


def line_of(cells: Sequence[str]) -> str:
    """Return a line of a table."""
    return f"| {' | '.join(cells)} |"


def rows_by_page(path: Path, table: str) -> dict[int, int]:
    """Return how many rows of the messages' tables each page holds, from the sound database."""
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("select name, rootpage from sqlite_master where type = 'table'").fetchall()
    roots = [root for name, root in tables if name == table or (table.endswith("_") and name.startswith(table))]
    data = path.read_bytes()
    found: dict[int, int] = {}
    todo = roots
    while todo:
        number = todo.pop()
        page = data[(number - 1) * PAGE : number * PAGE]
        if page[0] == 5:
            count = int.from_bytes(page[3:5], "big")
            places = [int.from_bytes(page[p : p + 2], "big") for p in range(12, 12 + 2 * count, 2)]
            todo += [int.from_bytes(page[p : p + 4], "big") for p in places] + [int.from_bytes(page[8:12], "big")]
        else:
            found[number] = sum(1 for _row in leaf_rowids(page, number))
    return found


def left_on(path: Path, holding: dict[int, int]) -> int:
    """Count the rows whose pages are still there."""
    data = path.read_bytes()
    return sum(rows for number, rows in holding.items() if any(data[(number - 1) * PAGE : number * PAGE]))


def measured(program: str, *arguments: object) -> tuple[int, float, int]:
    """Run a program; return what it printed, its processor time and its peak memory."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Not what `getrusage` says: that begins with the memory of the process that started this one.
    wrapped = (
        program
        + "\nprint(next(int(l.split()[1]) for l in open('/proc/self/status') if l.startswith('VmHWM')) * 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", wrapped, *map(str, arguments)], check=True, capture_output=True, text=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    answer, memory = done.stdout.splitlines()
    return int(json.loads(answer)), cpu, int(memory)


if __name__ == "__main__":
    main()
