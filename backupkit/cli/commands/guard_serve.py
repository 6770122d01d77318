"""`backupkit guard serve`: the guard as a resident server, which is the fast program `backupkit-hook serve`."""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from backupkit.cli.guard_desk import publish_policy
from backupkit.cli.session import session_of
from backupkit.errors import BackupkitError, ExitCode


class ServeExtraMissing(BackupkitError):
    """HTTP was asked for, and what speaks it is not installed."""

    code = "serve-extra-missing"
    exit_code = ExitCode.USAGE


def guard_serve(
    context: typer.Context,
    socket: Annotated[Path | None, typer.Option("--socket", metavar="PATH")] = None,
    http: Annotated[int | None, typer.Option("--http", min=0, max=65535, metavar="PORT")] = None,
    print_unit: Annotated[bool, typer.Option("--print-unit")] = False,
) -> None:
    """Stay, and answer app stores one question a line."""
    session = session_of(context)
    if http is not None and not all(map(importlib.util.find_spec, ("httptools", "uvicorn", "uvloop"))):
        raise ServeExtraMissing
    if not print_unit:
        publish_policy(session)
    session.printer.close()
    arguments = ["serve", *(["--print-unit"] if print_unit else [])]
    arguments += ["--json"] if session.asked.json else []
    arguments += ["--socket", os.fspath(socket.absolute())] if socket else []
    arguments += ["--http", str(http)] if http is not None else []
    # Another program, as for one question: this process is loaded with things that a server does without.
    program = "from backupkit.hooks.program import run; run()"
    environment = {**session.environment, "BACKUPKIT_LANG": session.catalogue.language}
    os.execve(sys.executable, [sys.executable, "-c", program, *arguments], environment)  # noqa: S606
