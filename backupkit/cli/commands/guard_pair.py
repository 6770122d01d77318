"""`backupkit guard pair`: whose backups the guard of this computer counts."""

from pathlib import Path
from typing import Annotated

import typer

from backupkit.cli.session import session_of
from backupkit.ui.json_fields import json_fields


def guard_pair(
    context: typer.Context,
    recovery_words_file: Annotated[Path | None, typer.Option("--recovery-words-file", metavar="FILE")] = None,
) -> None:
    """Make the guard count this repository's backups instead of another's."""
    from backupkit.ops.guarding.pair import pair_guard

    session = session_of(context)
    paired = pair_guard(
        session.places, secret=session.secret(recovery_words_file), clock=session.clock, tell=session.tell
    )
    said = "guard.pair.done" if paired.changed else "guard.pair.already"
    lines = [session.say(said, path=paired.repository)]
    if paired.forgot_time:
        lines.append(session.say("guard.pair.forgot-time"))
    if paired.changed:
        lines.append(session.say("status.next", commands="backupkit verify"))
    session.printer.summary(json_fields(paired), lines)
