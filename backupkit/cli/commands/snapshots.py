"""`backupkit snapshots`: list what was saved, oldest first."""

from typing import Annotated

import typer

from backupkit.cli.results import state_word
from backupkit.cli.session import session_of
from backupkit.text import printable
from backupkit.ui.columns import aligned
from backupkit.ui.json_fields import json_fields


def snapshots(
    context: typer.Context,
    last: Annotated[int | None, typer.Option("--last", min=1, metavar="N")] = None,
    source: Annotated[str | None, typer.Option("--source", metavar="NAME")] = None,
    state: Annotated[str | None, typer.Option("--state", metavar="STATE")] = None,
    *,
    forgotten: Annotated[bool, typer.Option("--forgotten")] = False,
) -> None:
    """List snapshots. No passphrase is needed."""
    from backupkit.ops.list_snapshots import list_forgotten, list_snapshots

    session = session_of(context)
    if forgotten:
        found = list_forgotten(session.places, clock=session.clock, tell=session.tell)
    else:
        found = list_snapshots(session.places, tell=session.tell)
    if source is not None:
        found = [line for line in found if line.sources and source in line.sources]
    if state is not None:
        found = [line for line in found if line.state == state]
    found = found[-last:] if last else found
    rows = []
    for line in found:
        # Which sources a snapshot holds is known only to the machine that took it.
        row = [
            line.snapshot[:8], session.catalogue.time(line.created_at), state_word(session, line.state),
            session.say("snapshots.messages", messages=line.messages) if line.messages is not None else "-",
            session.catalogue.size(line.bytes), printable(session.say("word.between").join(line.sources)) if line.sources else "-",
        ]  # fmt: skip
        if forgotten:
            until = session.catalogue.time(line.undo_until) if line.undo_until else None
            row.append(session.say("snapshots.undo-until", until=until) if until else session.say("state.swept"))
        rows.append(row)
        session.printer.record("snapshot", json_fields(line))
    if not rows:
        narrowed = source is not None or state is not None
        none = "snapshots.none-fits" if narrowed else "snapshots.none-forgotten" if forgotten else "snapshots.none"
        rows = [[session.say(none)]]
    session.printer.summary({"snapshots": len(found)}, aligned(rows))
