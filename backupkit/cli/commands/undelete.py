"""`backupkit undelete`: take back that snapshots were forgotten."""

from typing import Annotated

import typer

from backupkit.cli.session import session_of
from backupkit.ui.json_fields import json_fields


def undelete(
    context: typer.Context,
    snapshots: Annotated[list[str], typer.Argument(metavar="SNAPSHOT")],
) -> None:
    """Take back that snapshots were forgotten, as long as their bytes are there."""
    from backupkit.ops.keeping.undelete import undelete_snapshots

    session = session_of(context)
    done = undelete_snapshots(session.places, snapshots, clock=session.clock, tell=session.tell)
    lines = [session.say("undelete.done", snapshot=snapshot) for snapshot in done.undeleted]
    session.printer.summary(json_fields(done), lines or [session.say("undelete.none")])
