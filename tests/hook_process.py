"""Finding the hook among the processes that a package manager started."""

import subprocess
import time
from contextlib import suppress
from pathlib import Path


def hook_below(process: "subprocess.Popen[str]") -> int | None:
    """Find our hook among what a process started, and what that started."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                parents.setdefault(int((entry / "stat").read_text().rpartition(")")[2].split()[1]), []).append(
                    int(entry.name)
                )
    waiting = [process.pid]
    while waiting:
        found = waiting.pop()
        with suppress(OSError):
            words = Path(f"/proc/{found}/cmdline").read_bytes().split(b"\0")
            # The shell that apt starts it with carries its name inside a longer word.
            if any(word.endswith(b"/backupkit-hook") for word in words[:3]):
                return found
        waiting += parents.get(found, [])
    return None


def waiting_hook(process: "subprocess.Popen[str]", seconds: float = 60.0) -> int:
    """Wait until the hook below a process waits for a lock that somebody holds, and return it."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        hook = hook_below(process)
        # A lock that is waited for is listed behind the one that is held.
        if hook is not None and any(
            f" {hook} " in line for line in Path("/proc/locks").read_text().splitlines() if "->" in line
        ):
            return hook
        time.sleep(0.01)
    raise AssertionError("the hook was not seen to wait")
