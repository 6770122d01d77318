"""`backupkit drill`: restore to a scratch place, compare, and throw it away."""

from pathlib import Path
from typing import Annotated

import typer

from backupkit.cli.chat_keys import AskChatKey, ChatKeyFiles, ChatKeys
from backupkit.cli.guard_desk import publish_policy
from backupkit.cli.results import coverage_lines, exit_for, lost_line, state_word
from backupkit.cli.session import session_of
from backupkit.errors import ExitCode
from backupkit.ui.json_fields import json_fields


def drill(
    context: typer.Context,
    snapshot: Annotated[str, typer.Argument(metavar="SNAPSHOT")] = "latest",
    chat_key_files: ChatKeyFiles = None,
    ask_chat_key: AskChatKey = False,
    recovery_words_file: Annotated[Path | None, typer.Option("--recovery-words-file", metavar="FILE")] = None,
) -> ExitCode:
    """Prove that a snapshot can be restored."""
    from backupkit.ops.checking.drill import drill_snapshot

    session = session_of(context)
    publish_policy(session)
    done = drill_snapshot(
        session.places, snapshot, secret=session.secret(recovery_words_file), clock=session.clock, tell=session.tell,
        max_age=session.settings.guard.max_backup_age, keys=ChatKeys(session, chat_key_files, ask=ask_chat_key),
    )  # fmt: skip
    head = session.say("snapshot.head", snapshot=done.snapshot)
    lines = [
        f"{head}  {state_word(session, done.state)}",
        "  "
        + session.say(
            "drill.done", files=done.files, bytes=session.catalogue.size(done.bytes), databases=done.databases
        ),
    ]
    if done.messages is not None:
        lines.append("  " + session.say("drill.messages", messages=done.messages))
    lines += [*lost_line(session, done.findings), *coverage_lines(session, done.coverage)]
    session.printer.summary(json_fields(done), lines)
    return exit_for(done.findings)
