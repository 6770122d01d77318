"""Damages exports of every text format, for as long as asked, and tells what the readers lost, hid or made up.

    .venv/bin/python scripts/fuzz_chats.py [--minutes 30] [--seed 1] [--only FORMAT] [--messages 240] [--keep DIR]

Each export is known message by message, so that what lies outside the damage must be read, no message may be counted that never was,
and a stretch of zeros must be told. Each finding is written to --keep; one that is fixed becomes a test in tests/chats.
"""

import argparse
import itertools
import random
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from chat_damage import Damage, complaints, damages, read, spans_of
from long_exports import LONG

MOST_SECONDS = 5.0
MOST_MEMORY = 200 << 20


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--minutes", type=float, default=30)
    arguments.add_argument("--seed", type=int, default=int(time.time()))
    arguments.add_argument("--only", default="")
    arguments.add_argument("--messages", type=int, default=240)
    arguments.add_argument("--keep", type=Path, default=Path("fuzz-findings"))
    chosen = arguments.parse_args()
    limit = MOST_MEMORY + (1 << 30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    names = [name for name in LONG if chosen.only in name]
    counts: Counter[str] = Counter()
    findings = 0
    end = time.monotonic() + 60 * chosen.minutes
    with tempfile.TemporaryDirectory(prefix="fuzz-chats-") as folder:
        for round_number, name in ((number, name) for number in itertools.count() for name in names):
            if time.monotonic() > end:
                break
            dice = random.Random(f"{chosen.seed} {round_number} {name}")
            file, data = LONG[name](chosen.messages)
            path = Path(folder, file)
            path.write_bytes(data)
            whole = read(path)
            spans = spans_of(data, whole.messages)
            for damage in itertools.islice(damages(data, spans, dice), 20):
                path.write_bytes(damage.data)
                started = time.process_time()
                try:
                    wrong = list(dict.fromkeys(complaints(name.split()[0], whole, spans, damage, read(path))))
                except Exception:  # noqa: BLE001  # whatever is not typed is what is looked for
                    wrong = [traceback.format_exc()]
                if time.process_time() - started > MOST_SECONDS:
                    wrong.append(f"slow: {time.process_time() - started:.1f} s")
                counts[name] += 1
                if wrong:
                    findings += 1
                    keep(chosen.keep, name, damage, wrong)
            path.unlink()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"seed {chosen.seed}, {chosen.minutes:g} min, {counts.total()} damages, {findings} findings, peak {peak} MB")
    for name, count in sorted(counts.items()):
        print(f"  {name:28} {count}")
    return 1 if findings or peak > MOST_MEMORY >> 20 else 0


def keep(folder: Path, name: str, damage: Damage, wrong: list[str]) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name.replace(' ', '-')}-{time.time_ns()}"
    path.write_bytes(damage.data)
    path.with_suffix(".txt").write_text("\n".join([damage.name, *wrong]))
    print(f"finding: {path.name}: {damage.name}: {'; '.join(wrong)[:300]}")


if __name__ == "__main__":
    sys.exit(main())
