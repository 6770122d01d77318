#!/usr/bin/env python3
"""Let the power fail after every single change that a run makes on the disk, and look whether anything was lost.

    .venv/bin/python scripts/crash_replay.py [--runs snapshot,repair] [--part 1/4] [--strace]

For each run: record its calls, make each state that the disk may hold after each of them (nothing that was not synced,
everything, names without their bytes, torn writes, some names), and demand that the repository opens, that everything that
was committed restores byte for byte, and that the next snapshot completes and is verified. With `--strace` the calls are
recorded a second time by strace, and both records must agree.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from power_cut import Call
from power_cut_story import RUNS, TOPS, Run, tell_story

_STRACED = re.compile(r"^(?:\d+\s+)?(\w+)\((.*)\)\s*=\s*(\d+)", re.ASCII)
_PATHS = re.compile(r'"((?:[^"\\]|\\.)*)"')
_DESCRIPTOR = re.compile(r"^\d+<([^>]*)>")
_TRACED = "openat,write,pwrite64,fsync,fdatasync,link,linkat,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,ftruncate"


def replay(run: Run, folder: Path, part: int, parts: int) -> bool:
    started = time.process_time()
    story = tell_story(run, folder)
    cuts = list(story.cuts())
    wrong = done = 0
    for cut in cuts[part - 1 :: parts]:
        done += 1
        try:
            story.replay(cut, folder / "replayed")
        except Exception as error:  # noqa: BLE001 - every failure is counted and told
            wrong += 1
            last = story.recorder.calls[cut.calls - 1] if cut.calls else None
            print(f"  {cut} after {last.what if last else ''} {last.path if last else ''}: {error!r}")
        shutil.rmtree(folder / "replayed")
    moments = len(story.recorder.calls) + 1
    seconds = time.process_time() - started
    print(f"{run.name:26}{moments:7} moments {len(cuts):6} states {done:6} replayed {wrong:4} wrong {seconds:8.1f} CPU s", flush=True)  # fmt: skip
    return wrong == 0


def compare_with_strace(run: Run, folder: Path) -> bool:
    """Record a run in a process that strace looks at, too."""
    tool = shutil.which("strace")
    if tool is None:
        print("strace is not installed, so the record was not compared with it")
        return True
    trace = folder / "trace"
    command: list[str | Path] = [
        tool,
        "-f",
        "-y",
        "-s",
        "0",
        "-o",
        trace,
        "-e",
        f"trace={_TRACED}",
        sys.executable,
        __file__,
    ]
    told = subprocess.run(
        [*command, "--tell", run.name, "--folder", folder / "told"], capture_output=True, text=True, check=True
    )
    recorded = Counter(dict(_counted(line) for line in told.stdout.splitlines()))
    root = str((folder / "told" / "disk").resolve())
    begun, seen = False, Counter[str]()
    for line in trace.read_text("utf-8", "replace").splitlines():
        # The recording begins and ends with a mark in the trace.
        if "/recording-" in line:
            begun = "/recording-begins" in line
        elif begun:
            seen += _straced(line, root)
    only_strace, only_recorder = seen - recorded, recorded - seen
    print(f"{run.name:26}{sum(recorded.values()):7} units recorded, {sum(seen.values())} seen by strace")
    for name, count in [*only_strace.items(), *only_recorder.items()]:
        print(f"  only one of the two has {count} x {name}")
    return not only_strace and not only_recorder


def _straced(line: str, root: str) -> Counter[str]:
    found = _STRACED.match(line)
    if found is None:
        return Counter()
    what, arguments, answer = found[1], found[2], int(found[3])
    paths = [path.removeprefix(root + "/") for path in _PATHS.findall(arguments) if path.startswith(root)]
    held = _DESCRIPTOR.match(arguments)
    if held is not None and held[1].startswith(root):
        paths = [held[1].removeprefix(root + "/").removesuffix(" (deleted)")]
    if not paths or paths[-1].split("/")[0] not in TOPS:
        return Counter()
    match what.removesuffix("at2").removesuffix("at"):
        case "fsync" | "fdatasync":
            return Counter({f"sync {paths[0]}": 1})
        case "write" | "pwrite64":
            return Counter({f"bytes {paths[0]}": answer})
        case "link" | "rename":
            return Counter({f"{what.removesuffix('at2').removesuffix('at')} {paths[0]} {paths[1]}": 1})
        case "unlink" | "mkdir":
            return Counter({f"{what.removesuffix('at')} {paths[0]}": 1})
        case "open" if "O_EXCL" in arguments:
            return Counter({f"create {paths[0]}": 1})
        case _:
            return Counter()


def _unit(call: Call) -> tuple[str, int] | None:
    match call.what:
        case "fsync" | "sync-folder":
            return f"sync {call.path}", 1
        case "write":
            return f"bytes {call.path}", len(call.data)
        case "link" | "rename":
            return f"{call.what} {call.path} {call.to}", 1
        case "create" if not call.path.endswith((".lock", ".jsonl")):
            return f"create {call.path}", 1
        case "unlink" | "mkdir":
            return f"{call.what} {call.path}", 1
        case _:
            return None


def _counted(line: str) -> tuple[str, int]:
    name, _, count = line.rpartition("\t")
    return name, int(count)


def tell(run: Run, folder: Path) -> None:
    """Be the process that strace looks at: play a run and print what was recorded."""
    folder.mkdir()

    def act(scene: object) -> None:
        _mark(folder, "recording-begins")
        run.act(scene)  # type: ignore[arg-type]
        _mark(folder, "recording-ends")

    story = tell_story(Run(run.name, act, run.prepare, run.needs_repair), folder)
    units: Counter[str] = Counter()
    for call in story.recorder.calls:
        unit = _unit(call)
        if unit is not None:
            units[unit[0]] += unit[1]
    for name, count in units.items():
        print(f"{name}\t{count}")


def _mark(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", default=",".join(run.name for run in RUNS))
    parser.add_argument("--part", default="1/1", help="replay every n-th state only, beginning with the k-th: k/n")
    parser.add_argument("--strace", action="store_true")
    parser.add_argument("--tell", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    by_name = {run.name: run for run in RUNS}
    if wanted.tell:
        tell(by_name[wanted.tell], wanted.folder)
        return 0
    part, parts = map(int, wanted.part.split("/"))
    is_well = True
    for name in wanted.runs.split(","):
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            is_well &= compare_with_strace(by_name[name], work) if wanted.strace else replay(by_name[name], work, part, parts)  # fmt: skip
    return 0 if is_well else 1


if __name__ == "__main__":
    raise SystemExit(main())
