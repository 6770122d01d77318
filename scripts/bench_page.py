"""Measures everything that the performance page tells, and writes its tables in both languages.

    bench_page.py --disk FOLDER --memory-fs FOLDER [--results FOLDER] [--rounds 4] [--only-write]

It runs `bench.py` on each of the two file systems, then `bench_days.py`, and keeps each result as a JSON file in the
folder of the results. What `bench_memory.py`, `bench_chats.py`, `bench_salvage.py` and `bench_search.py` wrote there is shown, too, each as
`RESULTS/memory.json` and so on: they take long and need no quiet machine. A part that was not measured keeps its table. Nothing else may run on the machine meanwhile.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.bench import SETTLED_SECONDS, Cost, bar_of, rows_of

HERE = Path(__file__).resolve().parent
PAGES = {
    "en": HERE.parent / "docs" / "reference" / "performance.md",
    "zh-CN": HERE.parent / "docs" / "reference" / "performance.zh-CN.md",
}
STARTS = 9
PARITY_BLOCKS, PARITY_BLOCK = 16, 64 << 10

ZH = {
    "work": "工作",
    "tool": "程序",
    "wall s": "时长（秒）",
    "CPU s": "CPU（秒）",
    "peak MB": "内存峰值（MB）",
    "stored MB": "存入（MB）",
    "wall / restic": "时长 ÷ restic",
    "CPU / restic": "CPU ÷ restic",
    "first backup": "首次备份",
    "nothing changed": "没有变化",
    "one day later": "一天以后",
    "check everything": "检查全部字节",
    "check, all opened": "检查并打开全部",
    "restore everything": "恢复全部",
    "something new": "有新内容",
    "case": "情形",
    "command": "命令",
    "CPU ms": "CPU（毫秒）",
    "MB/s": "MB/秒",
    "parity": "校验数据",
    "without numpy": "不用 numpy",
    "with numpy": "用 numpy",
    "format": "格式",
    "read by": "读取者",
    "messages": "消息",
    "messages per CPU s": "每 CPU 秒的消息数",
    "database": "数据库",
    "state": "状态",
    "rows": "行",
    "on pages left": "所在页还在",
    "salvaged": "抢救出",
    "messages read": "读出的消息",
    "sound": "完好",
    "cut by 10 %, 40 pages zeroed": "切去 10 %，40 页清零",
    "the same, list of tables zeroed too": "同上，表的清单也清零",
    "index": "索引",
    "asked": "查找",
    "there": "实有",
    "ms": "毫秒",
}
_CASES = {
    "en": {"big": "one file of 10 GB", "many": "200,000 small files", "index": "5 million chunks in the index"},
    "zh-CN": {"big": "一个 10 GB 的文件", "many": "200,000 个小文件", "index": "索引里有 500 万个数据块"},
}


def main() -> None:
    """Do what the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--disk", type=Path, required=True, help="a folder on a disk")
    parser.add_argument("--memory-fs", type=Path, required=True, help="a folder on a memory file system")
    parser.add_argument("--results", type=Path, help="where the results are kept; a folder beside the others by itself")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument(
        "--rounds", type=int, default=4, help="as many as there are tools, so that each goes first once"
    )
    parser.add_argument("--days-scale", type=float, default=0.1)
    parser.add_argument("--only-write", action="store_true", help="measure nothing, write what is there")
    asked = parser.parse_args()
    results = asked.results or asked.disk / "results"
    results.mkdir(parents=True, exist_ok=True)
    if not asked.only_write:
        _measure_all(asked, results)
    for part, tables in (
        ("disk", _tools("disk")),
        ("memory-fs", _tools("memory-fs")),
        ("days", _days),
        ("memory", _memory),
        ("start", _start),
        ("chats", _as_found),
        ("salvage", _as_found),
        ("search", _search),
    ):
        file = results / f"{part}.json"
        if file.exists():
            found = json.loads(file.read_text("utf-8"))
            for language, page in PAGES.items():
                _put(page, part, tables(found, language))


def _measure_all(asked: argparse.Namespace, results: Path) -> None:
    common = ["--scale", str(asked.scale), "--rounds", str(asked.rounds)]
    (results / "start.json").write_text(json.dumps({"start": _starts(), "parity": _parity()}), "utf-8")
    _run("bench.py", "--work", asked.disk, "--json", results / "disk.json", *common)
    # Making the source takes longer than copying it.
    name = f"corpus-{asked.scale}-1"
    shutil.rmtree(asked.memory_fs / name, ignore_errors=True)
    shutil.copytree(asked.disk / name, asked.memory_fs / name)
    time.sleep(SETTLED_SECONDS)
    _run("bench.py", "--work", asked.memory_fs, "--json", results / "memory-fs.json", *common)
    shutil.rmtree(asked.memory_fs / name)
    _run("bench_days.py", "--work", asked.memory_fs, "--json", results / "days.json", "--scale", asked.days_scale)


def _run(program: str, *arguments: object) -> None:
    subprocess.run([sys.executable, str(HERE / program), *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def _starts() -> dict[str, float]:
    """Return the CPU seconds of commands that do next to nothing."""
    program = str(Path(sysconfig.get_path("scripts")) / "backupkit")
    return {" ".join(("backupkit", *what)): _cpu([program, *what]) for what in (("--help",), ("status",))}


def _cpu(command: Sequence[str]) -> float:
    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    spent = []
    for _ in range(STARTS):
        before = used()
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        spent.append(used() - before)
    return statistics.median(spent)


def _parity() -> dict[str, float]:
    """Return how many bytes of packs a second of one core makes parity of, in MB."""
    from backupkit.store.parity import gf256

    blocks = [os.urandom(PARITY_BLOCK) for _ in range(PARITY_BLOCKS)]

    def rate(encode: Callable[[], object]) -> float:
        begun, rounds = time.process_time(), 0
        while time.process_time() - begun < 1:
            encode()
            rounds += 1
        return rounds * PARITY_BLOCKS * PARITY_BLOCK / (time.process_time() - begun) / 1e6

    numpy = gf256._numpy()  # noqa: SLF001 - both ways are measured, whichever is used here
    found = {}
    if numpy is not None:
        found["with numpy"] = rate(lambda: gf256._encode_arrays(numpy, blocks, PARITY_BLOCK))  # noqa: SLF001
    return {"without numpy": rate(lambda: gf256._encode_integers(blocks, PARITY_BLOCK)), **found}  # noqa: SLF001


def _tools(where: str) -> Callable[[Mapping[str, Any], str], list[str]]:
    def tables(found: Mapping[str, Any], language: str) -> list[str]:
        costs = {
            work: {tool: [Cost(**cost) for cost in costs] for tool, costs in of_tool.items()}
            for work, of_tool in found["costs"].items()
        }
        bar, compressed, media = bar_of(found["days"])
        size, files = found["corpus"]["bytes"] / 1e9, found["corpus"]["files"]
        machine = _machine()
        said = {
            "en": (
                f"{size:.2f} GB in {files:,} files, on {_PLACES[where]['en']}; {machine['en']}; medians of {found['rounds']} rounds.",
                (
                    f"The day was {compressed:.1f} MB of changed pages when compressed and {media:.1f} MB of new media. The bar: "
                    f"1.25 times that, {bar:.1f} MB."
                ),
            ),
            "zh-CN": (
                f"{size:.2f} GB，{files:,} 个文件，在{_PLACES[where]['zh-CN']}上；{machine['zh-CN']}；{found['rounds']} 轮的中位数。",
                (
                    f"这一天有 {compressed:.1f} MB 变动的页（压缩后）和 {media:.1f} MB 新媒体文件。上限是它们之和的 1.25 倍："
                    f"{bar:.1f} MB。"
                ),
            ),
        }[language]
        head = ["work", "tool", "wall s", "CPU s", "peak MB", "stored MB", "wall / restic", "CPU / restic"]
        return [said[0], "", *_table(head, rows_of(costs), language), "", said[1]]

    return tables


_PLACES = {
    "disk": {"en": "a disk", "zh-CN": "磁盘"},
    "memory-fs": {"en": "a memory file system", "zh-CN": "内存文件系统"},
}


def _days(found: Mapping[str, Any], language: str) -> list[str]:
    days = found["days"]
    times = sorted(day["stored"] / (day["compressed"] + day["media"]) for day in days)
    third = max(len(days) // 3, 1)
    early, late = (statistics.mean(day["stored"] for day in part) / 1e6 for part in (days[:third], days[-third:]))
    restores = found["restores"]
    size = found["corpus"]["bytes"]
    slower = (restores["last"] / found["restored"]) / (restores["first"] / size)
    if language == "en":
        return [
            (
                f"{len(days)} days at a scale of {found['scale']:g}: {size / 1e6:.0f} MB at the beginning, "
                f"{found['restored'] / 1e6:.0f} MB at the end."
            ),
            "",
            (
                f"- A day stored {times[0]:.2f} to {times[-1]:.2f} times what it was made of, {statistics.median(times):.2f} "
                "in the middle; the bar is 1.25."
            ),
            f"- The first {third} days stored {early:.1f} MB each, the last {third} days {late:.1f} MB.",
            (
                f"- Restoring the first snapshot took {restores['first']:.2f} s of CPU, the last one {restores['last']:.2f} s: "
                f"{slower:.2f} times as much for each byte; the bar is 1.5."
            ),
        ]
    return [
        f"{len(days)} 天，规模 {found['scale']:g}：开始时 {size / 1e6:.0f} MB，结束时 {found['restored'] / 1e6:.0f} MB。",
        "",
        f"- 每天存入的字节是当天内容的 {times[0]:.2f} 到 {times[-1]:.2f} 倍，中位数 {statistics.median(times):.2f}；上限 1.25。",
        f"- 前 {third} 天平均每天存入 {early:.1f} MB，后 {third} 天 {late:.1f} MB。",
        f"- 恢复第一个快照用 CPU {restores['first']:.2f} 秒，最后一个 {restores['last']:.2f} 秒：每字节 {slower:.2f} 倍；上限 1.5。",
    ]


def _memory(found: Sequence[Mapping[str, Any]], language: str) -> list[str]:
    rows = [
        [
            _CASES[language][one["case"]],
            one["work"],
            f"{one['cpu']:.1f}",
            f"{one['memory'] / 1e6:.0f}",
        ]
        for one in found
    ]
    return _table(["case", "work", "CPU s", "peak MB"], rows, language)


def _start(found: Mapping[str, Mapping[str, float]], language: str) -> list[str]:
    starts = [[f"`{command}`", f"{seconds * 1000:.0f}"] for command, seconds in found["start"].items()]
    parity = [[name, f"{rate:.0f}"] for name, rate in found["parity"].items()]
    return [
        *_table(["command", "CPU ms"], starts, language),
        "",
        *_table(["parity", "MB/s"], parity, language),
    ]


def _as_found(found: Mapping[str, Any], language: str) -> list[str]:
    return _table(found["head"], found["rows"], language)


def _search(found: Mapping[str, Any], language: str) -> list[str]:
    return [*_as_found(found["built"], language), "", *_as_found(found["asked"], language)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], language: str) -> list[str]:
    def said(cell: str) -> str:
        return ZH.get(cell, cell) if language == "zh-CN" else cell

    lines = [list(map(said, row)) for row in (head, *rows)]
    lines.insert(1, ["---"] * len(head))
    return [f"| {' | '.join(line)} |" for line in lines]


def _machine() -> dict[str, str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "en": f"{os.cpu_count()} cores, {memory:.0f} GiB of memory",
        "zh-CN": f"{os.cpu_count()} 个核，{memory:.0f} GiB 内存",
    }


def _put(page: Path, part: str, lines: Sequence[str]) -> None:
    """Put lines between the two marks of a part."""
    text = page.read_text("utf-8")
    begin, end = f"<!-- bench: {part} -->", f"<!-- end: {part} -->"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    page.write_text("\n".join((before + begin, "", *lines, "", end)) + after, "utf-8")


if __name__ == "__main__":
    main()
