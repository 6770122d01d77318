"""`backupkit export`: the chats of a snapshot as pages, lines, a table or transcripts."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backupkit.cli.chat_keys import AskChatKey, ChatKeyFiles, ChatKeys
from backupkit.cli.results import conclude, elsewhere_lines, fields_of, lost_line
from backupkit.cli.session import session_of
from backupkit.cli.usage import OptionsClash
from backupkit.errors import ExitCode
from backupkit.text import printable
from backupkit.ui.json_fields import json_fields

if TYPE_CHECKING:
    from backupkit.ops.exporting.history import HistoryCounts


class ExportFormat(Enum):
    """What is written: pages for people, objects for programs, a table for spreadsheets, plain text."""

    HTML = "html"
    JSONL = "jsonl"
    CSV = "csv"
    TEXT = "text"


def export(
    context: typer.Context,
    to: Annotated[Path, typer.Option("--to", metavar="DIR")],
    snapshot: Annotated[str | None, typer.Argument(metavar="SNAPSHOT")] = None,
    all_snapshots: Annotated[bool, typer.Option("--all-snapshots")] = False,
    form: Annotated[ExportFormat, typer.Option("--format", metavar="html|jsonl|csv|text")] = ExportFormat.HTML,
    only: Annotated[list[str] | None, typer.Option("--only", metavar="CONVERSATION")] = None,
    media: Annotated[bool, typer.Option("--media/--no-media")] = True,
    chat_key_files: ChatKeyFiles = None,
    ask_chat_key: AskChatKey = False,
    recovery_words_file: Annotated[Path | None, typer.Option("--recovery-words-file", metavar="FILE")] = None,
) -> ExitCode:
    """Write the conversations of a snapshot, or of all of them, into a new folder."""
    from backupkit.ops.exporting.forms import Voice, Wish

    if all_snapshots and snapshot is not None:
        raise OptionsClash(first="--all-snapshots", second="SNAPSHOT", help="backupkit export --help")
    session = session_of(context)
    voice = Voice(session.say, session.catalogue.language, session.catalogue.zone)
    wish = Wish(form.value, voice, tuple(only or ()), with_media=media)
    secret, keys = session.secret(recovery_words_file), ChatKeys(session, chat_key_files, ask=ask_chat_key)
    history: HistoryCounts | None = None
    if all_snapshots:
        from backupkit.ops.exporting.history import export_history

        exported, history = export_history(
            session.places, to.absolute(), wish,
            secret=secret, clock=session.clock, tell=session.tell, stop=session.stop, keys=keys,
        )  # fmt: skip
    else:
        from backupkit.ops.exporting.export import export_snapshot

        exported = export_snapshot(
            session.places, snapshot or "latest", to.absolute(), wish,
            secret=secret, clock=session.clock, tell=session.tell, stop=session.stop, keys=keys,
        )  # fmt: skip
    catalogue = session.catalogue
    lines = [
        session.say(
            "export.done",
            messages=exported.messages,
            conversations=exported.conversations,
            bytes=catalogue.size(exported.bytes),
        )
    ]
    if history is not None:
        lines.append("  " + session.say("export.history.done", **json_fields(history)))
    if exported.media:
        key = "snapshot.media-missing" if exported.media_missing else "snapshot.media"
        lines.append("  " + session.say(key, media=exported.media, missing=exported.media_missing))
    more = [] if form is ExportFormat.HTML else ["--format", form.value]
    lines += [
        f"  {printable(str(exported.path))}",
        *elsewhere_lines(session, "export", exported.elsewhere, to=to.absolute(), more=more),
        *lost_line(session, exported.damaged),
    ]
    fields = fields_of(exported)
    if history is not None:
        fields["history"] = json_fields(history)
    session.printer.summary(fields, lines)
    return conclude(exported.damaged, exported.distrust)
