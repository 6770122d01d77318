"""`backupkit repair`: put right what is damaged, and write parity for what has none."""

import typer

from backupkit.cli.results import exit_for, lost_line, state_word
from backupkit.cli.session import session_of
from backupkit.errors import ExitCode
from backupkit.ui.json_fields import json_fields


def repair(context: typer.Context) -> ExitCode:
    """Repair the repository; needs no passphrase."""
    from backupkit.ops.repair import repair_repository

    session = session_of(context)
    done = repair_repository(session.places, clock=session.clock, tell=session.tell)
    say = session.say
    size = session.catalogue.size(done.bytes_read)
    lines = [
        f"{say('repair.head')}  {state_word(session, done.state)}",
        "  " + say("repair.read", packs=done.packs, bytes=size),
    ]
    if done.repaired or done.copies:
        lines.append("  " + say("repair.repaired", packs=len(done.repaired), copies=done.copies))
    if done.groups:
        lines.append("  " + say("repair.parity", groups=done.groups))
    lines += lost_line(session, done.findings)
    if done.repaired:
        lines.append(say("repair.next"))
    session.printer.summary(json_fields(done), lines)
    return exit_for(done.findings)
