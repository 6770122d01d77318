"""What is kept of a bug: where in the code it happened, and nothing of anybody's chats.

A message of an exception may hold a path or a piece of a chat, so only its type is kept, with file, line and function
of every frame, never a value.
"""

import platform
import traceback
from datetime import datetime
from pathlib import Path

import backupkit


def report_text(problem: BaseException, verb: str) -> str:
    """Write a report of an unexpected exception."""
    lines = [
        f"backupkit {backupkit.__version__}",
        f"Python {platform.python_version()} on {platform.system()} {platform.release()} {platform.machine()}",
        f"command: {verb or '(none)'}",
        "",
    ]
    link: BaseException | None = problem
    while link is not None and len(lines) < 500:
        lines.append(f"{type(link).__module__}.{type(link).__qualname__}")
        lines += [
            f"  {_shown(frame.filename)}:{frame.lineno} in {frame.name}" for frame in traceback.extract_tb(link.__traceback__)
        ]  # fmt: skip
        link = link.__cause__ or link.__context__
    return "\n".join(lines) + "\n"


def write_report(problem: BaseException, verb: str, folder: Path, now: datetime) -> Path | None:
    """Keep a report in `folder`; None where even that fails."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"bug-{now:%Y%m%dT%H%M%S}-{abs(hash(str(now.timestamp()))) % 10_000:04d}.txt"
        path.write_text(report_text(problem, verb), "utf-8")
    except OSError:
        return None
    return path


def _shown(filename: str) -> str:
    """Name a file from its package on, so that no home folder stands in a report."""
    path = Path(filename)
    house = Path(backupkit.__file__).parent.parent
    if path.is_relative_to(house):
        return str(path.relative_to(house))
    parts = path.parts
    return "/".join(parts[-3:])
