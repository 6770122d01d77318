"""Judges a large package with backupkit and with apksigner, side by side in one run, and takes its SHA-256 alone.

    .venv/bin/python scripts/bench_guard.py [--megabytes 200] [--rounds 5]

Prints the best wall time, processor time and peak memory of each, and the ratios. Ratios matter more than seconds: the machine may be busy.
A package is pinned by the SHA-256 of its whole file, which is one chain of steps: no judge that pins it can be faster than that alone.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

# A process of its own, because memory is counted for a process. Import time is told apart: a shop's server imports once.
_JUDGE = """
import json, sys, time
from pathlib import Path
begin = time.perf_counter()
from backupkit.guard.apk.package import read_package
loaded, processor = time.perf_counter(), time.process_time()
package = read_package(Path(sys.argv[1]), device_sdk=int(sys.argv[2]) if len(sys.argv) > 2 else None)
print(json.dumps({
    "import": loaded - begin, "wall": time.perf_counter() - loaded, "processor": time.process_time() - processor,
    "memory": next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")), "signers": package.signing.digests,
}))
"""

_PASS = """
import hashlib, json, sys, time
begin, processor = time.perf_counter(), time.process_time()
with open(sys.argv[1], "rb", buffering=0) as file:
    hashlib.file_digest(file, "sha256")
print(json.dumps({
    "wall": time.perf_counter() - begin, "processor": time.process_time() - processor,
    "memory": next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")),
}))
"""


PACKAGES = ("v2+v3, minSdk 24", "v2, SHA-512", "v1+v2+v3, minSdk 21", "the same, compressed")


def make_packages(folder: Path, megabytes: int) -> None:
    """Write packages of which nearly all is one file that does not compress, as videos in real ones, and one of thousands that do."""
    from apk_factory import ZipEntry, build_apk, make_key, make_zip, read_zip, sign, sign_v2

    filling = random.Random(2018).randbytes(megabytes * 1_000_000)

    def package(min_sdk: int) -> bytes:
        return make_zip([*read_zip(build_apk(min_sdk=min_sdk)), ZipEntry(b"assets/video.mp4", filling)])

    rsa = make_key("rsa", "maker")
    (folder / "0.apk").write_bytes(sign(package(24), rsa, schemes=["v2", "v3"]))
    (folder / "1.apk").write_bytes(sign_v2(package(24), rsa, algorithms=[0x0104]))
    (folder / "2.apk").write_bytes(sign(package(21), rsa))
    drawn = random.Random(2018)
    words = [drawn.randbytes(size) for size in range(3, 10) for _ in range(600)]
    pages = [b"".join(drawn.choices(words, k=20_000)) for _ in range(megabytes * 12)]
    entries = [ZipEntry(b"res/%d" % number, page, method=8) for number, page in enumerate(pages)]
    (folder / "3.apk").write_bytes(sign(make_zip([*read_zip(build_apk(min_sdk=21)), *entries]), rsa))


def best_of(program: str, rounds: int, *arguments: str | Path) -> dict[str, float]:
    """Run one of the programs above, in processes of their own."""
    runs = []
    for _ in range(rounds):
        done = subprocess.run([sys.executable, "-c", program, *arguments], check=True, capture_output=True, cwd=ROOT)
        runs.append(json.loads(done.stdout))
    return {
        name: min(run[name] for run in runs) for name in ("import", "wall", "processor", "memory") if name in runs[0]
    }


def best_of_apksigner(tool: str, path: Path, rounds: int) -> dict[str, float]:
    """Run Android's own tool as Debian packages it."""
    runs = []
    for _ in range(rounds):
        begin = time.perf_counter()
        child = subprocess.Popen([tool, "verify", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0, f"apksigner refused {path}"
        wall = time.perf_counter() - begin
        runs.append({"wall": wall, "processor": usage.ru_utime + usage.ru_stime, "memory": float(usage.ru_maxrss)})
    return {name: min(run[name] for run in runs) for name in ("wall", "processor", "memory")}


def _print_line(package: str, who: str, run: dict[str, float], ratios: str = "") -> None:
    print(f"{package:24} {who:22} {run['wall']:8.3f} {run['processor']:8.3f} {run['memory'] / 1024:6.0f}{ratios}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--megabytes", type=int, default=200)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.make:
        make_packages(chosen.make, chosen.megabytes)
        return
    tool = shutil.which("apksigner")
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own: memory that this one once had would count for its children.
        subprocess.run([sys.executable, __file__, "--make", folder, "--megabytes", str(chosen.megabytes)], check=True)
        paths = {name: Path(folder) / f"{index}.apk" for index, name in enumerate(PACKAGES)}
        print(f"{chosen.megabytes} MB, best of {chosen.rounds}")
        print(f"{'package':24} {'who':22} {'wall s':>8} {'cpu s':>8} {'MB':>6} {'of apksigner':>13} {'of SHA-256':>11}")
        for name, path in paths.items():
            theirs = best_of_apksigner(tool, path, chosen.rounds) if tool else None
            alone = best_of(_PASS, chosen.rounds, path)
            if theirs:
                _print_line(name, "apksigner", theirs)
            _print_line(name, "SHA-256 alone", alone)
            for label, sdk in (("every level", ()), ("--device-sdk 34", ("34",))):
                run = best_of(_JUDGE, chosen.rounds, path, *sdk)
                ratio = f"1/{theirs['wall'] / run['wall']:.1f}" if theirs else "-"
                ratios = f" {ratio:>13} {run['wall'] / alone['wall']:>11.2f}   (+ {run['import']:.3f} s import)"
                _print_line(name, label, run, ratios)
    if not tool:
        print("apksigner is not installed, so nothing was compared with it")


if __name__ == "__main__":
    main()
