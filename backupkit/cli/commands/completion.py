"""`backupkit completion SHELL`: print a script that completes commands and options."""

from enum import Enum
from typing import Annotated

import typer

from backupkit.cli import completion_scripts
from backupkit.cli.session import session_of


class Shell(Enum):
    """A shell that can be helped."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(context: typer.Context, shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish")]) -> None:
    """Print the completion script for a shell."""
    session = session_of(context)
    write = {
        Shell.BASH: completion_scripts.bash,
        Shell.ZSH: completion_scripts.zsh,
        Shell.FISH: completion_scripts.fish,
    }[shell]
    script = write(session.catalogue)
    session.printer.summary({"shell": shell.value, "script": script}, script.splitlines())
