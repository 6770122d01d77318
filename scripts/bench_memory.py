"""Measures the most memory that backupkit takes where there is very much of something: the bar is 150 MB in each case.

    bench_memory.py --work FOLDER [--cases big,many,index] [--json FILE]

    big     one file of 10 GB: first half noise, second half a hole
    many    200,000 small files in 200 folders
    index   a repository whose index knows five million chunks: a snapshot with something new, one without, a verification

`index` puts index files beside the packs through the writer's own code; the packs that they speak of are empty files, which
is enough for a writer. FOLDER needs 6 GB for `big`. Peak memory is the system's own number for each process (`ru_maxrss`).
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.bench import Backupkit, Bench, measure, prepare

GB = 10**9
BIG_BYTES = 10 * GB
MANY_FILES, FOLDERS = 200_000, 200
CHUNKS, CHUNKS_IN_PACK, PACKS_IN_INDEX = 5_000_000, 1_600, 32


@dataclass(frozen=True, slots=True)
class Peak:
    """What one command took: seconds of processors and bytes of memory at most."""

    case: str
    work: str
    cpu: float
    memory: int


def main() -> None:
    """Do what the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--cases", default="big,many,index")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--lay-index", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.lay_index is not None:
        lay_index(asked.lay_index)
        return
    peaks: list[Peak] = []
    for case in asked.cases.split(","):
        bench = Bench(asked.work / "memory", asked.work / f"memory-{case}")
        shutil.rmtree(bench.source, ignore_errors=True)
        bench.source.mkdir(parents=True)
        CASES[case](bench, partial(_measured, case, bench, peaks))
        shutil.rmtree(bench.folder)
        shutil.rmtree(bench.source)
    if asked.json is not None:
        rows = [{"case": one.case, "work": one.work, "cpu": one.cpu, "memory": one.memory} for one in peaks]
        asked.json.write_text(json.dumps(rows, indent=1), "utf-8")


Measured = Callable[[str, list[str]], None]


def _measured(case: str, bench: Bench, peaks: list[Peak], work: str, command: list[str]) -> None:
    cost = measure(command, bench.environment())
    peaks.append(Peak(case, work, cost.cpu, cost.memory))
    print(f"{case}: {work}: CPU {cost.cpu:.1f} s, peak {cost.memory / 1e6:.0f} MB", file=sys.stderr)


def _everything(bench: Bench, run: Measured) -> None:
    tool = Backupkit()
    prepare(tool, bench)
    run("first backup", tool.save(bench, 0))
    run("nothing changed", tool.save(bench, 1))
    run("check everything", tool.check(bench))
    run("check, all opened", tool.open(bench))
    run("restore everything", tool.restore(bench))


def _big(bench: Bench, run: Measured) -> None:
    rng = random.Random(1)
    with (bench.source / "film.mp4").open("wb") as file:
        file.write(b"\x00\x00\x00\x18ftypmp42")
        block = rng.randbytes(1 << 20)
        for number in range(BIG_BYTES // 2 // len(block)):
            # Another block each time: what is the same would be stored once.
            file.write(number.to_bytes(8, "big") + block[8:])
        file.truncate(BIG_BYTES)
    _everything(bench, run)


def _many(bench: Bench, run: Measured) -> None:
    rng = random.Random(1)
    for number in range(FOLDERS):
        folder = bench.source / f"{number:03}"
        folder.mkdir()
        for file in range(MANY_FILES // FOLDERS):
            (folder / f"{file:04}.jpg").write_bytes(b"\xff\xd8\xff\xe0" + rng.randbytes(rng.randrange(200, 2000)))
    _everything(bench, run)


def _index(bench: Bench, run: Measured) -> None:
    tool = Backupkit()
    prepare(tool, bench)
    (bench.source / "note.txt").write_text("so that there is a domain", "utf-8")
    measure(tool.save(bench, 0), bench.environment())
    # In a process of its own: a child's peak memory begins with that of the process it was split from.
    program = [sys.executable, __file__, "--work", str(bench.folder), "--lay-index", str(bench.folder)]
    subprocess.run(program, check=True, env=bench.environment())
    rng = random.Random(2)
    for number in range(2000):
        (bench.source / f"{number:04}.jpg").write_bytes(b"\xff\xd8\xff\xe0" + rng.randbytes(10_000))
    run("something new", tool.save(bench, 1))
    run("nothing changed", tool.save(bench, 2))
    run("check everything", tool.check(bench))
    run("check, all opened", tool.open(bench))


def lay_index(folder: Path) -> None:
    """Put index files of five million made-up chunks into the repository of a bench."""
    from backupkit.crypto.writer import decode_writer_state
    from backupkit.ids import ChunkId, PackName
    from backupkit.store import layout
    from backupkit.store.backends.posix_backend import PosixBackend
    from backupkit.store.packs.index import Index
    from backupkit.store.packs.pack_format import Address, Row

    repository = folder / "repository"
    (kept,) = (folder / "home" / "state").rglob("writer")
    state = decode_writer_state(kept.read_bytes())
    backend = PosixBackend(repository)
    rng = random.Random(3)
    for domain, keys in state.domains.items():
        address = Address(state.repository_id, domain)
        laid = 0
        while laid < CHUNKS:
            index = Index(address)
            for _ in range(PACKS_IN_INDEX):
                pack = PackName(rng.randbytes(32).hex())
                rows = [
                    Row(ChunkId(rng.randbytes(32)), 1, 0, number * 10_050, 10_000, 10_000)
                    for number in range(CHUNKS_IN_PACK)
                ]
                path = repository / layout.pack(domain, pack)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
                index.add(pack, rows)
                laid += len(rows)
            index.save_new(backend, keys.index_key)


CASES: dict[str, Callable[[Bench, Measured], None]] = {"big": _big, "many": _many, "index": _index}


if __name__ == "__main__":
    main()
