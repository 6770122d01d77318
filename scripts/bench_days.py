"""Measures what many days cost: what each of them stores, and whether an old snapshot stays as quick to restore.

    bench_days.py --work FOLDER [--days 30] [--scale 0.1] [--json FILE]

Each day, 2,000 messages go into each of two databases (one plain, one with sealed pages) and 60 media files come in, however
small the rest is: at a small scale a day is a large part of the whole, which is the harder case for the growth of page maps.
The bar for a day is 1.25 x (its changed pages, compressed, and its new media), with all metadata counted.
"""

import argparse
import json
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.bench import Backupkit, Bench, Cost, grown, make_corpus, measure, next_day, prepare, stored_bytes

RESTORES = 3


@dataclass(frozen=True, slots=True)
class Day:
    """A day: what its snapshot stored, what it was made of in bytes, and what the snapshot took in seconds."""

    stored: int
    compressed: int
    media: int
    cpu: float

    @property
    def times(self) -> float:
        """What was stored, as a multiple of what the day was made of."""
        return self.stored / (self.compressed + self.media)


def main() -> None:
    """Do what the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="an empty folder, or the one of an earlier run")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    corpus = asked.work / f"days-{asked.scale}-{asked.seed}"
    shutil.rmtree(corpus, ignore_errors=True)
    made = make_corpus(corpus, asked.scale, asked.seed)
    tool, bench = Backupkit(), Bench(asked.work / "days", corpus / "source")
    prepare(tool, bench)
    first, oldest = _save(tool, bench)
    days: list[Day] = []
    for number in range(1, asked.days + 1):
        day = next_day(corpus, asked.seed)
        cost, newest = _save(tool, bench)
        days.append(Day(cost.stored, day["compressed_bytes"], day["media_bytes"], cost.cpu))
        print(f"day {number}: {days[-1].times:.2f} of the day, CPU {cost.cpu:.2f} s", file=sys.stderr)
    restores = {name: _restore(tool, bench, snapshot) for name, snapshot in (("first", oldest), ("last", newest))}
    found = {
        "scale": asked.scale,
        "corpus": made,
        "first": first.stored,
        "days": [asdict(day) for day in days],
        "restores": restores,
        "restored": _size(corpus / "source"),
    }
    shutil.rmtree(bench.folder)
    print(json.dumps(found, indent=1))
    if asked.json is not None:
        asked.json.write_text(json.dumps(found, indent=1), "utf-8")


def _save(tool: Backupkit, bench: Bench) -> tuple[Cost, str]:
    """Take a snapshot; return what it cost and its id."""
    before = stored_bytes(bench.repository)
    cost = measure(tool.save(bench, 0), bench.environment(), stored=partial(grown, bench.repository, before))
    listed = subprocess.run(
        [tool.where() or "", "snapshots", "--json"], env=bench.environment(), check=True, stdout=subprocess.PIPE
    )
    rows = [json.loads(line) for line in listed.stdout.splitlines()]
    snapshots = [row for row in rows if row["type"] == "snapshot"]
    newest = max(snapshots, key=lambda row: int(row["seq"]))
    return cost, str(newest["snapshot"])


def _restore(tool: Backupkit, bench: Bench, snapshot: str) -> float:
    """Return the least CPU seconds that restoring a snapshot took."""
    seconds = []
    for _ in range(RESTORES):
        shutil.rmtree(bench.restored, ignore_errors=True)
        command = [tool.where() or "", "restore", snapshot, "--to", str(bench.restored)]
        seconds.append(measure(command, bench.environment()).cpu)
    shutil.rmtree(bench.restored)
    return min(seconds)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
