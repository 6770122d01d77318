"""`backupkit diff`: what changed between two snapshots."""

from pathlib import Path
from typing import Annotated

import typer

from backupkit.cli.chat_keys import AskChatKey, ChatKeyFiles, ChatKeys
from backupkit.cli.results import MOST_LISTED, conclude, fields_of, lost_line
from backupkit.cli.session import session_of
from backupkit.errors import ExitCode
from backupkit.text import printable
from backupkit.ui.terminal import Role


def diff(
    context: typer.Context,
    first: Annotated[str, typer.Argument(metavar="SNAPSHOT")],
    second: Annotated[str, typer.Argument(metavar="SNAPSHOT")] = "latest",
    messages: Annotated[bool, typer.Option("--messages")] = False,
    chat_key_files: ChatKeyFiles = None,
    ask_chat_key: AskChatKey = False,
    recovery_words_file: Annotated[Path | None, typer.Option("--recovery-words-file", metavar="FILE")] = None,
) -> ExitCode:
    """Compare two snapshots file by file, or message by message. Exit 6 says that they differ."""
    session = session_of(context)
    secret = session.secret(recovery_words_file)
    if messages:
        from backupkit.cli.message_diff_page import show_message_differences
        from backupkit.ops.looking.message_diff import diff_messages

        keys = ChatKeys(session, chat_key_files, ask=ask_chat_key)
        differences = diff_messages(session.places, first, second, secret=secret, tell=session.tell, keys=keys)
        return show_message_differences(session, differences)
    from backupkit.ops.looking.diff import diff_snapshots

    found = diff_snapshots(session.places, first, second, secret=secret, tell=session.tell)
    kinds: tuple[tuple[str, tuple[str, ...], Role], ...] = (
        ("+", found.added, "good"), ("-", found.removed, "bad"), ("~", found.changed, "warning"),
    )  # fmt: skip
    lines = []
    for mark, paths, role in kinds:
        most = len(paths) if session.asked.verbose else MOST_LISTED
        lines += [f"{session.terminal.paint(role, mark)} {printable(path)}" for path in paths[:most]]
        if len(paths) > most:
            lines.append(f"{mark} " + session.say("results.more", count=len(paths) - most))
    counts = {
        "added": len(found.added),
        "removed": len(found.removed),
        "changed": len(found.changed),
        "same": found.same,
    }
    if found.messages_first is not None or found.messages_second is not None:
        lines.append(session.say("diff.messages", before=found.messages_first, after=found.messages_second))
    lines.append(session.say("diff.summary", **counts))
    if found.first == found.second:
        lines.append(session.say("diff.same-snapshot", snapshot=found.first))
    lines += lost_line(session, found.damaged)
    session.printer.summary(fields_of(found), lines)
    ended = conclude(found.damaged, found.distrust)
    # What seems different may only be unread.
    return ExitCode.DIFFERENT if ended is ExitCode.DONE and not found.is_empty else ended
