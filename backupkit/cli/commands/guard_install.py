"""`backupkit guard install` and `guard uninstall`: make the package manager of this computer ask the guard, or stop it."""

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from backupkit.cli.session import session_of
from backupkit.cli.usage import ArgumentMissing

HELP = "backupkit guard install --help"


class Store(Enum):
    """Who is to ask."""

    APT = "apt"


def guard_install(
    context: typer.Context,
    store: Annotated[Store, typer.Option("--store")],
    entry: Annotated[Path | None, typer.Option("--entry", metavar="FILE")] = None,
    yes: Annotated[bool, typer.Option("--yes")] = False,
) -> None:
    """Show the entry, and write it once that is agreed to."""
    from backupkit.ops.guarding.host_entry import APT_ENTRY, apt_entry, install_entry

    session = session_of(context)
    path = (entry or APT_ENTRY).absolute()
    text = apt_entry(Path(sys.executable).absolute().with_name("backupkit-hook"), session.places.state.parent)
    lines = [session.say("guard.install.shown", path=str(path)), "", *text.splitlines(), ""]
    if not yes:
        if session.person is None:
            raise ArgumentMissing(name="--yes", help=HELP)
        for line in lines:
            session.process.notes.write(line + "\n")
        lines = []
        if session.person.line(session.say("guard.install.ask")).casefold() not in {"yes", "是"}:
            fields = {"store": store.value, "installed": False, "path": str(path), "entry": text}
            session.printer.summary(fields, [session.say("guard.install.left")])
            return
    install_entry(path, text)
    fields = {"store": store.value, "installed": True, "path": str(path), "entry": text}
    session.printer.summary(fields, [*lines, session.say("guard.install.done", path=str(path))])


def guard_uninstall(
    context: typer.Context,
    store: Annotated[Store, typer.Option("--store")],
    entry: Annotated[Path | None, typer.Option("--entry", metavar="FILE")] = None,
) -> None:
    """Remove the entry."""
    from backupkit.ops.guarding.host_entry import APT_ENTRY, uninstall_entry

    session = session_of(context)
    path = (entry or APT_ENTRY).absolute()
    removed = uninstall_entry(path)
    key = "guard.uninstall.done" if removed else "guard.uninstall.none"
    fields = {"store": store.value, "uninstalled": removed, "path": str(path)}
    session.printer.summary(fields, [session.say(key, path=str(path))])
