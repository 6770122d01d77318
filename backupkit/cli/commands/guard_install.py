"""`backupkit guard install` and `guard uninstall`: make the package manager of this computer ask the guard, or stop it."""

import shutil
import sys
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backupkit.cli.session import session_of
from backupkit.cli.usage import ArgumentMissing, ValueWrong, nearest

if TYPE_CHECKING:
    from backupkit.ids import AppPackage

HELP = "backupkit guard install --help"


class Store(Enum):
    """Who is to ask."""

    APT = "apt"
    PACMAN = "pacman"


def guard_install(
    context: typer.Context,
    store: Annotated[Store, typer.Option("--store")],
    root: Annotated[Path, typer.Option("--root", metavar="DIR")] = Path("/"),
    entry: Annotated[Path | None, typer.Option("--entry", metavar="FILE")] = None,
    watch: Annotated[list[str] | None, typer.Option("--watch", metavar="NAME=APP")] = None,
    leave: Annotated[list[str] | None, typer.Option("--except", metavar="NAME")] = None,
    yes: Annotated[bool, typer.Option("--yes")] = False,
) -> None:
    """Show the entry, and write it once that is agreed to."""
    from backupkit.ops.guarding.host_entry import HOSTS, install_entry, require_read, seen_inside, usual_entry

    session, host = session_of(context), HOSTS[store.value]
    root = root.absolute()
    path = (entry or usual_entry(host, root, shutil.which("pacman-conf"))).absolute()
    require_read(host, path)
    python = Path(sys.executable).absolute()
    python, program, state = (
        seen_inside(path, root) for path in (python, python.with_name("backupkit-hook"), session.places.state.parent)
    )
    text = host.entry(python, program, state, _watched(watch or [], leave or []))
    lines = [session.say("guard.install.shown", path=str(path)), "", *text.splitlines(), ""]
    if not yes:
        if session.person is None:
            raise ArgumentMissing(name="--yes", help=HELP)
        for line in lines:
            session.process.notes.write(line + "\n")
        lines = []
        if session.person.line(session.say("guard.install.ask")).casefold() not in {"yes", "是"}:
            fields = {"store": host.name, "installed": False, "path": str(path), "entry": text}
            session.printer.summary(fields, [session.say("guard.install.left")])
            return
    install_entry(host, path, text)
    fields = {"store": host.name, "installed": True, "path": str(path), "entry": text}
    session.printer.summary(fields, [*lines, session.say("guard.install.done", path=str(path), host=host.name)])


def _watched(watch: list[str], leave: list[str]) -> "Mapping[str, AppPackage]":
    from backupkit.guard.desktop import WATCHED, read_watch, watched_with

    more = []
    for text in watch:
        try:
            more.append(read_watch(text))
        except ValueError as error:
            raise ValueWrong(name="--watch", found=text, expected="wechat-git=com.tencent.mm", help=HELP) from error
    try:
        return watched_with(more, leave)
    except ValueError as error:
        known = " | ".join(nearest(str(error), sorted(WATCHED)).split(", "))
        raise ValueWrong(name="--except", found=str(error), expected=known, help=HELP) from error


def guard_uninstall(
    context: typer.Context,
    store: Annotated[Store, typer.Option("--store")],
    root: Annotated[Path, typer.Option("--root", metavar="DIR")] = Path("/"),
    entry: Annotated[Path | None, typer.Option("--entry", metavar="FILE")] = None,
) -> None:
    """Remove the entry."""
    from backupkit.ops.guarding.host_entry import HOSTS, uninstall_entry, usual_entry

    session, host = session_of(context), HOSTS[store.value]
    path = (entry or usual_entry(host, root.absolute(), shutil.which("pacman-conf"))).absolute()
    removed = uninstall_entry(host, path)
    key = "guard.uninstall.done" if removed else "guard.uninstall.none"
    fields = {"store": host.name, "uninstalled": removed, "path": str(path)}
    session.printer.summary(fields, [session.say(key, path=str(path), host=host.name)])
