"""`backupkit verify`: read every byte back."""

from pathlib import Path
from typing import Annotated

import typer

from backupkit.cli.guard_desk import publish_policy
from backupkit.cli.results import coverage_lines, exit_for, lost_line, state_word
from backupkit.cli.session import session_of
from backupkit.errors import ExitCode
from backupkit.ui.json_fields import json_fields


def verify(
    context: typer.Context,
    snapshot: Annotated[str, typer.Argument(metavar="SNAPSHOT")] = "latest",
    opened: Annotated[bool, typer.Option("--open")] = False,
    recovery_words_file: Annotated[Path | None, typer.Option("--recovery-words-file", metavar="FILE")] = None,
) -> ExitCode:
    """Check a snapshot: every byte against its seal, or with --open everything opened and compared."""
    from backupkit.ops.verify import verify_snapshot

    session = session_of(context)
    secret = session.secret(recovery_words_file) if opened or recovery_words_file else None
    publish_policy(session)
    checked = verify_snapshot(
        session.places, snapshot, open_with=secret, clock=session.clock, tell=session.tell,
        max_age=session.settings.guard.max_backup_age,
    )  # fmt: skip
    head = session.say("snapshot.head", snapshot=checked.snapshot)
    how = session.say(f"verify.method.{checked.method}")
    lines = [
        f"{head}  {state_word(session, checked.state)}",
        "  "
        + session.say("verify.read", bytes=session.catalogue.size(checked.bytes_read), packs=checked.packs, how=how),
        *lost_line(session, checked.findings),
    ]
    lines += coverage_lines(session, checked.coverage)
    session.printer.summary(json_fields(checked), lines)
    return exit_for(checked.findings)
