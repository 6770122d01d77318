"""Judges a large package with backupkit and with apksigner, side by side in one run.

    .venv/bin/python scripts/bench_guard.py [--megabytes 200] [--rounds 5]

Prints the best wall time, processor time and peak memory of each, and the ratio. Ratios matter more than seconds: the machine may be busy.
"""

import argparse
import json
import random
import resource
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
import json, resource, sys, time
from pathlib import Path
begin = time.perf_counter()
from backupkit.guard.apk.package import read_package
loaded, processor = time.perf_counter(), time.process_time()
package = read_package(Path(sys.argv[1]), device_sdk=int(sys.argv[2]) if len(sys.argv) > 2 else None)
print(json.dumps({
    "import": loaded - begin, "wall": time.perf_counter() - loaded, "processor": time.process_time() - processor,
    "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, "signers": package.signing.digests,
}))
"""


def make_packages(folder: Path, megabytes: int) -> dict[str, Path]:
    """Write packages of which nearly all is one file that does not compress, as videos and libraries in real ones."""
    from apk_factory import ZipEntry, build_apk, make_key, make_zip, read_zip, sign, sign_v2

    filling = random.Random(2018).randbytes(megabytes * 1_000_000)

    def package(min_sdk: int) -> bytes:
        return make_zip([*read_zip(build_apk(min_sdk=min_sdk)), ZipEntry(b"assets/video.mp4", filling)])

    rsa = make_key("rsa", "maker")
    made = {
        "v2+v3, minSdk 24": sign(package(24), rsa, schemes=["v2", "v3"]),
        "v2, SHA-512": sign_v2(package(24), rsa, algorithms=[0x0104]),
        "v1+v2+v3, minSdk 21": sign(package(21), rsa),
    }
    paths = {}
    for index, (name, data) in enumerate(made.items()):
        paths[name] = folder / f"{index}.apk"
        paths[name].write_bytes(data)
    return paths


def best_of_ours(path: Path, rounds: int, *sdk: str) -> dict[str, float]:
    """Run our judge in processes of their own."""
    runs = []
    for _ in range(rounds):
        done = subprocess.run([sys.executable, "-c", _JUDGE, path, *sdk], check=True, capture_output=True, cwd=ROOT)
        runs.append(json.loads(done.stdout))
    return {name: min(run[name] for run in runs) for name in ("import", "wall", "processor", "memory")}


def best_of_apksigner(tool: str, path: Path, rounds: int) -> dict[str, float]:
    runs = []
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begin = time.perf_counter()
        subprocess.run([tool, "verify", path], check=True, capture_output=True)
        wall = time.perf_counter() - begin
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        runs.append({"wall": wall, "processor": processor, "memory": float(after.ru_maxrss)})
    return {name: min(run[name] for run in runs) for name in ("wall", "processor", "memory")}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--megabytes", type=int, default=200)
    arguments.add_argument("--rounds", type=int, default=5)
    chosen = arguments.parse_args()
    tool = shutil.which("apksigner")
    with tempfile.TemporaryDirectory() as folder:
        paths = make_packages(Path(folder), chosen.megabytes)
        print(f"{chosen.megabytes} MB, best of {chosen.rounds}")
        print(f"{'package':24} {'who':22} {'wall s':>8} {'cpu s':>8} {'MB':>6} {'of apksigner':>13}")
        for name, path in paths.items():
            theirs = best_of_apksigner(tool, path, chosen.rounds) if tool else None
            ours = [("every level", ()), ("--device-sdk 34", ("34",))]
            if theirs:
                print(
                    f"{name:24} {'apksigner':22} {theirs['wall']:8.3f} {theirs['processor']:8.3f} {theirs['memory'] / 1024:6.0f}"
                )
            for label, sdk in ours:
                run = best_of_ours(path, chosen.rounds, *sdk)
                ratio = f"1/{theirs['wall'] / run['wall']:.1f}" if theirs else "-"
                shown = f"{run['wall']:8.3f} {run['processor']:8.3f} {run['memory'] / 1024:6.0f} {ratio:>13}"
                print(f"{name:24} {label:22} {shown}   (+ {run['import']:.3f} s import)")
    if not tool:
        print("apksigner is not installed, so nothing was compared with it")


if __name__ == "__main__":
    main()
