"""`backupkit guard hook`: the same question and answer as the fast program `backupkit-hook`, which it becomes."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from backupkit.cli.session import session_of


def guard_hook(
    context: typer.Context,
    request: Annotated[Path | None, typer.Option("--request", metavar="FILE")] = None,
) -> None:
    """Read a question in JSON and answer it in JSON."""
    session = session_of(context)
    session.printer.close()
    # Not a call but another program: the contract with app stores is kept in one place, and this process is loaded with
    # things that the fast program does without.
    program = "from backupkit.hooks.program import run; run()"
    arguments = [sys.executable, "-c", program, *(["--request", os.fspath(request)] if request else [])]
    os.execve(sys.executable, arguments, dict(session.environment))  # noqa: S606  -- ourselves, without a shell
