"""`backupkit salvage FILE.db --to NEW.db`: save what can be read of a damaged database."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backupkit.cli.results import MOST_LISTED
from backupkit.cli.session import Session, session_of
from backupkit.errors import ExitCode
from backupkit.text import printable
from backupkit.ui.json_fields import json_fields, path_fields

if TYPE_CHECKING:
    from backupkit.ops.restoring.salvage import Salvaged


def salvage(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="FILE")],
    to: Annotated[Path, typer.Option("--to", metavar="FILE")],
    older: Annotated[Path | None, typer.Option("--older", metavar="FILE")] = None,
    deleted: Annotated[bool, typer.Option("--deleted")] = False,
) -> ExitCode:
    """Write every row that can be read into a new database. Exit 20: something was missing or out of its place."""
    from backupkit.ops.restoring.salvage import salvage as salvaged_by

    session = session_of(context)
    found = salvaged_by(path, to, older=older, deleted=deleted, tell=session.tell)
    fields = {**json_fields(found), **path_fields(str(found.to), "to"), "damaged": found.is_damaged}
    session.printer.summary(fields, _lines(session, found))
    return ExitCode.DAMAGED if found.is_damaged else ExitCode.DONE


def _lines(session: Session, found: "Salvaged") -> list[str]:
    say = session.say
    head = "salvage.damaged" if found.is_damaged else "salvage.sound"
    lines = [session.terminal.paint("warning" if found.is_damaged else "good", say(head, rows=found.rows))]
    pages = "salvage.pages" if found.pages_lost else "salvage.pages-whole"
    lines.append("  " + say(pages, pages=found.pages, lost=found.pages_lost))
    if found.pages_borrowed:
        lines.append("  " + say("salvage.borrowed", count=found.pages_borrowed))
    if found.older_differs:
        lines.append("  " + say("salvage.older-differs"))
    if found.partial:
        lines.append("  " + say("salvage.partial", count=found.partial))
    if found.pages_unattributed:
        lines.append("  " + say("salvage.unattributed", count=found.pages_unattributed))
    full = [table for table in found.tables if table.rows]
    most = len(full) if session.asked.verbose else MOST_LISTED
    for table in sorted(full, key=lambda one: -one.rows)[:most]:
        said = say("salvage.table", rows=table.rows, recovered=table.by_page + table.deleted)
        lines.append(f"  {session.terminal.paint('strong', printable(table.name))}  {said}")
    if len(full) > most:
        lines.append("  " + say("results.more", count=len(full) - most))
    return [*lines, "  " + say("salvage.to", to=str(found.to))]
