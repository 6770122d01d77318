"""Measures backupkit beside restic, borg and `cp -r`, in one run, on the same made-up chats.

    bench.py --work FOLDER [--scale 1.0] [--rounds 3] [--tools backupkit,restic,borg,cp] [--json FILE]

FOLDER decides what is measured: a folder on a disk, or one on a memory file system. Each round makes new repositories and
goes through first backup, nothing changed, one day later, read and check everything, restore everything. The tables give
the medians over the rounds, and each ratio is of two numbers of the same run: other work on the machine disturbs both.
Tools that are not installed are left out. Everything is read from the page cache, which is the same for all.

This is a measurement and never a test: nothing here fails because a number is large.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

PASSPHRASE = "a passphrase of the measurement"
AWAY = "restored-before"
SETTLED_SECONDS = 2.5
"""Files younger than two seconds are never taken as unchanged, so the day is given time to be over."""

FIRST, SAME, DAY, CHECK, OPEN, RESTORE = (
    "first backup",
    "nothing changed",
    "one day later",
    "check everything",
    "check, all opened",
    "restore everything",
)
WORKS = (FIRST, SAME, DAY, CHECK, OPEN, RESTORE)
REPEATED = 3
MOST_TIMES_THE_DAY = 1.25
"""What a day may store at most, as a multiple of its changed pages when compressed and its new media."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a program cost: seconds of the clock and of processors, bytes of memory at most and bytes stored."""

    wall: float
    cpu: float
    memory: int
    stored: int = 0


@dataclass(frozen=True, slots=True)
class Bench:
    """Where a tool works: its own folder, and the source that all share."""

    folder: Path
    source: Path

    @property
    def repository(self) -> Path:
        """The tool's repository."""
        return self.folder / "repository"

    @property
    def restored(self) -> Path:
        """Where it restores to."""
        return self.folder / "restored"

    def environment(self) -> dict[str, str]:
        """Return an environment in which a tool finds nothing of the person who measures."""
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "LD_LIBRARY_PATH", "TMPDIR"}}
        home = self.folder / "home"
        return {
            **kept,
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_DATA_HOME": str(home / "data"),
            "XDG_STATE_HOME": str(home / "state"),
            "BACKUPKIT_REPO": str(self.repository),
            "BACKUPKIT_PASSPHRASE_FILE": str(self.folder / "passphrase"),
            "RESTIC_REPOSITORY": str(self.repository),
            "RESTIC_PASSWORD_FILE": str(self.folder / "passphrase"),
            "BORG_REPO": str(self.repository),
            "BORG_PASSPHRASE": PASSPHRASE,
            "BORG_BASE_DIR": str(home),
        }


class Tool:
    """A program that is measured. Each method returns the command for a kind of work, or None where it has none."""

    name = ""
    program = ""

    def make(self, _bench: Bench) -> list[str] | None:
        """Make the repository. Not measured."""
        return None

    def save(self, bench: Bench, number: int) -> list[str] | None:
        """Take a backup; `number` counts from 0."""
        raise NotImplementedError

    def check(self, _bench: Bench) -> list[str] | None:
        """Read every stored byte and check it."""
        return None

    def open(self, _bench: Bench) -> list[str] | None:
        """Read and open everything, where that is more than `check`."""
        return None

    def restore(self, _bench: Bench) -> list[str] | None:
        """Restore the newest backup."""
        return None

    def where(self) -> str | None:
        """Return the program's path; None where it is not installed."""
        return shutil.which(self.program)


class Backupkit(Tool):
    """This project, as its own installed program: a real process with its real start."""

    name = program = "backupkit"

    def make(self, bench: Bench) -> list[str]:
        return [self._path, "init", "--no-input", "--recovery-sheet", str(bench.folder / "recovery-sheet.txt")]

    def save(self, bench: Bench, number: int) -> list[str]:
        del number
        # Each pack is opened and checked before it is published; reading all of it back is measured on its own.
        return [self._path, "snapshot", "--no-input", "--no-verify", str(bench.source)]

    def check(self, bench: Bench) -> list[str]:
        del bench
        return [self._path, "verify"]

    def open(self, bench: Bench) -> list[str]:
        del bench
        return [self._path, "verify", "--open"]

    def restore(self, bench: Bench) -> list[str]:
        return [self._path, "restore", "latest", "--to", str(bench.restored)]

    def where(self) -> str | None:
        return self._path if Path(self._path).is_file() else None

    @property
    def _path(self) -> str:
        return str(Path(sysconfig.get_path("scripts")) / self.program)


class Restic(Tool):
    """restic with its own defaults."""

    name = program = "restic"

    def make(self, bench: Bench) -> list[str]:
        del bench
        return [self.program, "init", "-q"]

    def save(self, bench: Bench, number: int) -> list[str]:
        del number
        return [self.program, "backup", "-q", str(bench.source)]

    def open(self, bench: Bench) -> list[str]:
        del bench
        return [self.program, "check", "-q", "--read-data"]

    def restore(self, bench: Bench) -> list[str]:
        return [self.program, "restore", "-q", "latest", "--target", str(bench.restored)]


class Borg(Tool):
    """borg with its own defaults and encryption."""

    name = program = "borg"

    def make(self, bench: Bench) -> list[str]:
        del bench
        return [self.program, "init", "--encryption", "repokey-blake2"]

    def save(self, bench: Bench, number: int) -> list[str]:
        return [self.program, "create", f"::day-{number}", str(bench.source)]

    def open(self, bench: Bench) -> list[str]:
        del bench
        return [self.program, "check", "--verify-data"]

    def restore(self, bench: Bench) -> list[str]:
        bench.restored.mkdir()
        return ["sh", "-c", f"cd '{bench.restored}' && borg extract ::day-0"]


class Copy(Tool):
    """`cp -r`: what the file system alone costs."""

    name, program = "cp -r", "cp"

    def save(self, bench: Bench, number: int) -> list[str] | None:
        return [self.program, "-r", str(bench.source), str(bench.repository)] if number == 0 else None

    def restore(self, bench: Bench) -> list[str]:
        return [self.program, "-r", str(bench.source), str(bench.restored)]


TOOLS: tuple[Tool, ...] = (Backupkit(), Restic(), Borg(), Copy())


def main() -> None:
    """Do what the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="an empty folder, or the one of an earlier run")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tools", default="backupkit,restic,borg,cp")
    parser.add_argument("--json", type=Path, help="write every single number here")
    asked = parser.parse_args()
    wanted = asked.tools.split(",")
    tools = [tool for tool in TOOLS if tool.program in wanted and tool.where()]
    corpus = asked.work / f"corpus-{asked.scale}-{asked.seed}"
    made = make_corpus(corpus, asked.scale, asked.seed)
    costs: dict[str, dict[str, list[Cost]]] = {work: {tool.name: [] for tool in tools} for work in WORKS}
    days = []
    # A repository or a copy, and what was restored from it, for each tool and round.
    keeps = shutil.disk_usage(asked.work).free > 2.2 * asked.rounds * len(tools) * made["bytes"]
    for number in range(1, asked.rounds + 1):
        # Who goes first pays for memory that the system has not handed out yet, so that each tool goes first in turn.
        first = (number - 1) % max(len(tools), 1)
        run = _Round(asked.work, corpus, tools[first:] + tools[:first], costs, keeps=keeps)
        days.append(run.through(lambda: next_day(corpus, asked.seed), f"{number}/{asked.rounds}"))
    shutil.rmtree(asked.work / AWAY, ignore_errors=True)
    print(report(made, days, costs))
    if asked.json is not None:
        found = {"scale": asked.scale, "rounds": asked.rounds, "corpus": made, "days": days, "costs": _plain(costs)}
        asked.json.write_text(json.dumps(found, indent=1), "utf-8")


def make_corpus(corpus: Path, scale: float, seed: int) -> dict[str, int]:
    """Make the source unless it is there from an earlier run; return its files and bytes."""
    mark = corpus / "made.json"
    if not mark.exists():
        shutil.rmtree(corpus, ignore_errors=True)
        made = _corpus_program(corpus, "--scale", str(scale), "--seed", str(seed))
        mark.write_text(json.dumps(made), "utf-8")
        time.sleep(SETTLED_SECONDS)
    found: dict[str, int] = json.loads(mark.read_text("utf-8"))
    return found


def next_day(corpus: Path, seed: int) -> dict[str, int]:
    """Let a day go by in the source; return bytes of changed pages, of those compressed, and of new media."""
    counter = corpus / "days"
    day = int(counter.read_text("ascii")) + 1 if counter.exists() else 1
    counter.write_text(str(day), "ascii")
    made = _corpus_program(corpus, "--day", str(day), "--seed", str(seed))
    time.sleep(SETTLED_SECONDS)
    return made


def _corpus_program(corpus: Path, *arguments: str) -> dict[str, int]:
    # In a process of its own: a child's peak memory begins with that of the process it was split from.
    program = Path(__file__).with_name("bench_corpus.py")
    done = subprocess.run([sys.executable, str(program), str(corpus), *arguments], check=True, stdout=subprocess.PIPE)
    made: dict[str, int] = json.loads(done.stdout)
    return made


def prepare(tool: Tool, bench: Bench) -> None:
    """Make a new repository."""
    shutil.rmtree(bench.folder, ignore_errors=True)
    (bench.folder / "home").mkdir(parents=True)
    (bench.folder / "passphrase").write_text(PASSPHRASE + "\n", "utf-8")
    command = tool.make(bench)
    if command is not None:
        measure(command, bench.environment())


class _Round:
    """New repositories for all tools, and every kind of work in turn, the tools side by side."""

    def __init__(
        self,
        work: Path,
        corpus: Path,
        tools: Sequence[Tool],
        costs: dict[str, dict[str, list[Cost]]],
        *,
        keeps: bool,
    ) -> None:
        self._work = work
        self._keeps = keeps
        self._tools = tools
        self._costs = costs
        self._benches = {tool.name: Bench(work / tool.program, corpus / "source") for tool in tools}

    def through(self, next_day: Callable[[], dict[str, int]], name: str) -> dict[str, int]:
        """Go through all kinds of work; return what the day was made of."""
        for tool in self._tools:
            prepare(tool, self._benches[tool.name])
        self._all(name, FIRST, lambda tool, bench: tool.save(bench, 0))
        for number in range(1, REPEATED + 1):
            self._all(name, SAME, partial(_save_again, number))
        day = next_day()
        self._all(name, DAY, lambda tool, bench: tool.save(bench, REPEATED + 1))
        self._all(name, CHECK, lambda tool, bench: tool.check(bench))
        self._all(name, OPEN, lambda tool, bench: tool.open(bench))
        self._all(name, RESTORE, lambda tool, bench: tool.restore(bench))
        for tool in self._tools:
            self._put_away(self._benches[tool.name].folder)
        return day

    def _put_away(self, tree: Path) -> None:
        """Take a tree out of the way, without deleting it where there is room for all of them.

        ext4 passes over the inodes that were deleted in the last minutes, one by one: whoever made ten thousand files after
        a deletion took three times as long as who did it before.
        """
        away = self._work / AWAY
        away.mkdir(exist_ok=True)
        if self._keeps:
            tree.rename(away / f"{len(list(away.iterdir()))}")
        else:
            shutil.rmtree(tree)

    def _all(self, name: str, work: str, command_of: Callable[[Tool, Bench], list[str] | None]) -> None:
        for tool in self._tools:
            bench = self._benches[tool.name]
            before = stored_bytes(bench.repository)
            command = command_of(tool, bench)
            if command is None:
                continue
            # What others wrote before must not be waited for by this one's fsync.
            os.sync()
            cost = measure(command, bench.environment(), stored=partial(grown, bench.repository, before))
            print(f"round {name}: {work}: {tool.name}: {cost.wall:.2f} s, CPU {cost.cpu:.2f} s", file=sys.stderr)
            self._costs[work][tool.name].append(cost)
            if bench.restored.exists():
                self._put_away(bench.restored)


def _save_again(number: int, tool: "Tool", bench: "Bench") -> list[str] | None:
    return tool.save(bench, number)


def measure(command: Sequence[str], environment: Mapping[str, str], stored: Callable[[], int] = lambda: 0) -> Cost:
    """Run a program to its end and return its cost, its children's included. A failure ends the measurement."""
    begun = time.monotonic()
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {process.returncode}\n{said.decode(errors='replace')[-2000:]}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit, stored())


def stored_bytes(repository: Path) -> int:
    """Return the bytes of all files of a repository, metadata and all."""
    return sum(entry.lstat().st_size for entry in repository.rglob("*") if entry.is_file())


def grown(repository: Path, before: int) -> int:
    """Return by how many bytes a repository grew."""
    return stored_bytes(repository) - before


def report(
    made: Mapping[str, int], days: Sequence[Mapping[str, int]], costs: Mapping[str, Mapping[str, Sequence[Cost]]]
) -> str:
    """Return the table, and what the day was made of."""
    lines = [
        f"{made['bytes'] / 1e9:.2f} GB in {made['files']:,} files",
        "",
        "| work | tool | wall s | CPU s | peak MB | stored MB | wall / restic | CPU / restic |",
        "|---|---|---|---|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows_of(costs)),
    ]
    bar, compressed, media = bar_of(days)
    lines += [
        "",
        f"The day: {compressed:.1f} MB of changed pages when compressed, {media:.1f} MB of new media; the bar: {bar:.1f} MB",
    ]
    return "\n".join(lines)


def bar_of(days: Sequence[Mapping[str, int]]) -> tuple[float, float, float]:
    """Return in MB what a day may store at most, and of what: its changed pages when compressed, and its new media."""
    compressed, media = (
        statistics.median(day[key] for day in days) / 1e6 for key in ("compressed_bytes", "media_bytes")
    )
    return MOST_TIMES_THE_DAY * (compressed + media), compressed, media


def rows_of(costs: Mapping[str, Mapping[str, Sequence[Cost]]]) -> list[list[str]]:
    """Return the rows of the table: medians over the rounds."""
    return [
        _row(work, tool, found, _peer(work, costs)) for work in WORKS for tool, found in costs[work].items() if found
    ]


def _peer(work: str, costs: Mapping[str, Mapping[str, Sequence[Cost]]]) -> Sequence[Cost]:
    # restic opens everything whenever it reads everything.
    return costs[OPEN if work == CHECK else work].get(Restic.name, ())


def _row(work: str, tool: str, found: Sequence[Cost], peer: Sequence[Cost]) -> list[str]:
    wall, cpu = (statistics.median(getattr(cost, name) for cost in found) for name in ("wall", "cpu"))
    memory = max(cost.memory for cost in found) / 1e6
    stored = statistics.median(cost.stored for cost in found) / 1e6
    shown = f"{stored:,.1f}" if work in {FIRST, SAME, DAY} else ""
    ratios = ["", ""]
    if peer:
        ratios = [
            f"{ours / statistics.median(getattr(cost, name) for cost in peer):.2f}"
            for ours, name in ((wall, "wall"), (cpu, "cpu"))
        ]
    return [work, tool, f"{wall:.2f}", f"{cpu:.2f}", f"{memory:.0f}", shown, *ratios]


def _plain(costs: Mapping[str, Mapping[str, Sequence[Cost]]]) -> dict[str, dict[str, list[dict[str, float]]]]:
    return {
        work: {tool: [asdict(cost) for cost in found] for tool, found in of_tool.items()}
        for work, of_tool in costs.items()
    }


if __name__ == "__main__":
    main()
