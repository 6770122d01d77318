"""Kills the hook at random moments under the real apt and the real pacman, each in a small system of its own (needs root).

    .venv/bin/python scripts/attack_hosts.py [--rounds 1] [--seed 1] [--only apt,pacman]

Whatever becomes of the hook, a chat program that must wait may not be changed, the host may say "done" only where the guard said so, its own
memory must stay whole, and the next run must work. Prints a row for each host; exit 1 where something was wrong.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from arch_root import ArchRoot, make_arch_root
from computer import Computer
from debian_root import Debian, make_debian_root
from guard_scene import Scene
from hook_process import hook_below

from backupkit.clock import SystemClock
from backupkit.guard.desk import load_hook_key
from backupkit.guard.ledger import verify_ledger

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGSTOP, signal.SIGALRM, signal.SIGPIPE)
_STOPPED_SECONDS = 0.3
_LONGEST = 60.0


class Host(Protocol):
    """A package manager with its system, in which one chat program is installed."""

    scene: Scene

    def start(self, version: str) -> "subprocess.Popen[str]":
        """Begin to put a version of the chat program in the place of the one that is there."""
        ...

    @property
    def version(self) -> str | None:
        """The version that is there."""
        ...

    def complaint(self) -> str:
        """What the host finds wrong with its own memory."""
        ...


class Apt:
    """apt with two versions of WeChat, asked by the entry that `guard install` writes."""

    def __init__(self, folder: Path) -> None:
        self._debian: Debian = make_debian_root(folder)
        self.scene = self._debian.scene
        computer = Computer(folder / "home")
        computer.environment["XDG_STATE_HOME"] = str(folder / "state")
        computer.run("guard", "install", "--store", "apt", "--entry", str(self._debian.entry), "--yes")
        assert self._debian.apt("install", "./wechat_1.0.deb").returncode == 0

    def start(self, version: str) -> "subprocess.Popen[str]":
        """Begin to install a version."""
        return self._debian.start("apt-get", "-y", "-q", "--allow-downgrades", "install", f"./wechat_{version}.deb")

    @property
    def version(self) -> str | None:
        """The version that is there."""
        return self._debian.version

    def complaint(self) -> str:
        """What dpkg and apt find wrong."""
        root = self._debian.folder / "root"
        return self._debian.run("dpkg", f"--root={root}", "--audit").stdout + self._debian.apt("check").stderr


class Pacman:
    """pacman with two versions of WeChat, asked by the hook that `guard install` writes."""

    def __init__(self, folder: Path) -> None:
        allowing = Scene(folder / "allowing", now=SystemClock().now().replace(microsecond=0))
        allowing.folder.mkdir()
        (folder / "root").mkdir()
        allowing.enrol_store()
        allowing.issue()
        self._root: ArchRoot = make_arch_root(folder / "root", allowing.folder / "state")
        computer = Computer(self._root.folder / "home/li")
        self.scene = Scene(computer.home / ".local", now=SystemClock().now().replace(microsecond=0))
        self.scene.enrol_store()
        computer.run("guard", "install", "--store", "pacman", "--root", self._root.folder, "--yes")
        self._packages = {version: self._root.package("wechat", version) for version in ("1.0", "2.0")}
        assert self._root.pacman("-U", self._packages["1.0"]).returncode == 0

    def start(self, version: str) -> "subprocess.Popen[str]":
        """Begin to install a version."""
        return self._root.start("-U", self._packages[version])

    @property
    def version(self) -> str | None:
        """The version that is there."""
        return self._root.version("wechat")

    def complaint(self) -> str:
        """What pacman finds wrong, and its lock where it was left behind."""
        lock = self._root.folder / "var/lib/pacman/db.lck"
        return self._root.pacman("-Dk").stderr + ("locked" if lock.exists() else "")


HOSTS: dict[str, Callable[[Path], Host]] = {"apt": Apt, "pacman": Pacman}


def attacked(process: "subprocess.Popen[str]", dice: random.Random) -> tuple[str, int, str]:
    """Send one signal to the hook at a random moment of its life; return which, the host's exit code, and what it said."""
    sent, until = "missed", time.monotonic() + _LONGEST
    while process.poll() is None and time.monotonic() < until:
        hook = hook_below(process)
        if hook is None:
            time.sleep(0.001)
            continue
        time.sleep(dice.random() ** 2 * 0.6)
        chosen = dice.choice(SIGNALS)
        with suppress(ProcessLookupError):
            os.kill(hook, chosen)
            sent = chosen.name
            if chosen is signal.SIGSTOP:
                time.sleep(dice.random() * _STOPPED_SECONDS)
                os.kill(hook, signal.SIGCONT)
        break
    said, _ = process.communicate(timeout=_LONGEST)
    return sent, process.returncode, said


def attack(host: Host, dice: random.Random, rounds: int) -> tuple[int, Counter[str], list[object]]:
    """Attack a chat program that must wait, and then one that may go on."""
    told: Counter[str] = Counter()
    wrong: list[object] = []
    tried = 0
    for is_covered in (False, True):
        if is_covered:
            host.scene.issue()
        for number in range(25 * rounds):
            tried += 1
            before = host.version
            other = "2.0" if before == "1.0" else "1.0"
            sent, code, said = attacked(host.start(other), dice)
            after = host.version
            told[f"{sent}: {'changed' if after == other else 'kept'}"] += 1
            if (code == 0) != (after == other) or after not in {before, other} or (after == other and not is_covered):
                wrong.append((number, is_covered, sent, code, before, after, said[-300:]))
            if complaint := host.complaint():
                wrong.append((number, sent, complaint))
            again = host.start(other)
            words, _ = again.communicate(timeout=_LONGEST)
            if (again.returncode == 0) != is_covered or (not is_covered and "no-verified-backup" not in words):
                wrong.append((number, sent, "the next run", again.returncode, words[-300:]))
    try:
        verify_ledger(host.scene.places.ledger, load_hook_key(host.scene.places).verify_key)
    except Exception as error:  # noqa: BLE001  # whatever is not whole is what is looked for
        wrong.append(repr(error))
    return tried, told, wrong


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--rounds", type=int, default=1)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--only", default=",".join(HOSTS))
    chosen = arguments.parse_args()
    failed = False
    print("| host | tried | became of it | wrong |\n|---|---|---|---|")
    for name in chosen.only.split(","):
        with tempfile.TemporaryDirectory(prefix="attack-hosts-") as folder:
            tried, told, wrong = attack(HOSTS[name](Path(folder)), random.Random(chosen.seed), chosen.rounds)
        words = ", ".join(f"{count} {one}" for one, count in sorted(told.items()))
        print(f"| {name} | {tried} | {words} | {len(wrong)} |", flush=True)
        for one in wrong[:5]:
            print(f"  {str(one)[:500]}")
        failed |= bool(wrong)
    return failed


if __name__ == "__main__":
    sys.exit(main())
