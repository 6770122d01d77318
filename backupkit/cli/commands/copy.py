"""`backupkit copy`: keep a second copy of the repository on another disk."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backupkit.cli.results import exit_for, lost_line, state_word
from backupkit.cli.session import Session, session_of
from backupkit.errors import ExitCode
from backupkit.ui.json_fields import json_fields

if TYPE_CHECKING:
    from backupkit.ops.keeping.copy import Copied


def copy(
    context: typer.Context,
    to: Annotated[Path, typer.Option("--to", metavar="DIR")],
    *,
    check: Annotated[bool, typer.Option("--check")] = False,
) -> ExitCode:
    """Bring a second copy up to date. Needs no passphrase."""
    from backupkit.ops.keeping.copy import copy_repository

    session = session_of(context)
    done = copy_repository(session.places, to, clock=session.clock, tell=session.tell, check=check, stop=session.stop)
    if done.state == "stopped" and session.stop.asked:
        raise session.stop.error()
    say = session.say
    lines = [
        f"{say('copy.head')}  {_state(session, done)}",
        "  " + say("copy.copied", objects=done.objects, bytes=session.catalogue.size(done.bytes)),
        *(
            ["  " + say("copy.checked", objects=done.checked, bytes=session.catalogue.size(done.checked_bytes))]
            if done.checked
            else []
        ),
        "  " + say("copy.holds", snapshots=done.snapshots),
    ]
    if done.deleted_packs:
        lines.append("  " + say("copy.deleted", packs=done.deleted_packs))
    lines += lost_line(session, done.findings)
    session.printer.summary(json_fields(done), lines)
    return exit_for(done.findings)


def _state(session: Session, done: "Copied") -> str:
    """Say which of the two is damaged."""
    if done.state != "damaged":
        return state_word(session, done.state)
    return session.terminal.paint(
        "bad", session.say(f"copy.{'original-damaged' if done.is_original_damaged else 'not-whole'}")
    )
