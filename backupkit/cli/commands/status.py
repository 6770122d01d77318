"""`backupkit status`: one screen that says whether the chats are safe."""

from typing import TYPE_CHECKING

import typer

from backupkit.cli.results import state_word
from backupkit.cli.session import Session, session_of
from backupkit.errors import ExitCode
from backupkit.text import printable
from backupkit.ui.json_fields import json_fields

if TYPE_CHECKING:
    from backupkit.ops.looking.status import SourceStatus


def status(context: typer.Context) -> ExitCode:
    """Show sources, their last verified backup, and what to do next. Exit 5 says that something is stale."""
    from backupkit.ops.looking.status import status as looked_at

    session = session_of(context)
    say, terminal = session.say, session.terminal
    found = looked_at(
        session.places,
        max_age=session.settings.guard.max_backup_age,
        drill_every=session.settings.verify.drill_every,
        clock=session.clock,
        tell=session.tell,
    )
    verdict = say("status.fresh" if not found.stale else "status.stale" if found.sources else "status.nothing")
    lines = [terminal.paint("bad" if found.stale else "good", verdict)]
    stored = session.catalogue.size(found.repository.stored_bytes)
    lines.append(
        say("status.repository", path=found.repository.path, snapshots=found.repository.snapshots, stored=stored)
    )
    if session.asked.verbose:
        lines.append("  " + say("status.origin", origin=found.repository.origin))
    for source in found.sources:
        lines += _source_lines(session, source)
    if not found.recovery_confirmed:
        lines.append(f"{terminal.paint('warning', '!')} {say('status.not-confirmed')}")
    if not found.can_write:
        lines.append(f"{terminal.paint('warning', '!')} {say('status.cannot-write')}")
    if found.guard_counts_another:
        lines.append(f"{terminal.paint('warning', '!')} {say('notice.guard-counts-another')}")
    if found.drill_due:
        due = say("status.drill-due", every=session.settings.verify.drill)
        lines.append(f"{terminal.paint('warning', '!')} {due}")
    if found.same_disk:
        lines.append(f"{terminal.paint('warning', '!')} {say('snapshot.same-disk')}")
    if found.next:
        commands = "     ".join(found.next).replace(" PATH", f" {say('status.path')}")
        lines.append(say("status.next", commands=commands))
    session.printer.summary(json_fields(found), lines)
    return ExitCode.STALE if found.stale else ExitCode.DONE


def _source_lines(session: Session, source: "SourceStatus") -> list[str]:
    say, catalogue = session.say, session.catalogue
    head = f"{session.terminal.paint('strong', printable(source.name))}  {state_word(session, source.state)}"
    verified, saved = catalogue.time(source.last_verified_at), catalogue.time(source.last_saved_at)
    lines = ["", head, "  " + say("status.times", verified=verified, saved=saved)]
    if source.messages is not None:
        lines.append("  " + say("snapshots.messages", messages=source.messages))
    if source.unreadable:
        lines.append("  " + say("show.unreadable", count=source.unreadable))
    return lines
