"""`backupkit show`: what is inside a snapshot."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backupkit.cli.results import state_word
from backupkit.cli.session import Session, session_of
from backupkit.text import printable
from backupkit.ui.json_fields import json_fields, path_fields

if TYPE_CHECKING:
    from backupkit.ops.show import ShownSource


def show(
    context: typer.Context,
    snapshot: Annotated[str, typer.Argument(metavar="SNAPSHOT")] = "latest",
    recovery_words_file: Annotated[Path | None, typer.Option("--recovery-words-file", metavar="FILE")] = None,
) -> None:
    """Open a snapshot and show its sources."""
    from backupkit.ops.show import show as shown_by

    session = session_of(context)
    shown = shown_by(session.places, snapshot, secret=session.secret(recovery_words_file), tell=session.tell)
    head = session.say("show.head", snapshot=shown.snapshot, created_at=session.catalogue.time(shown.created_at))
    lines = [f"{head}  {state_word(session, shown.state)}"]
    for source in shown.sources:
        lines += _source_lines(session, source)
    fields = json_fields(shown)
    for plain, source in zip(fields["sources"], shown.sources, strict=True):
        plain["unreadable"] = [{**path_fields(path), "reason": reason} for path, reason in source.unreadable]
    session.printer.summary(fields, lines)


def _source_lines(session: Session, source: "ShownSource") -> list[str]:
    say, catalogue = session.say, session.catalogue
    lines = ["", f"{session.terminal.paint('strong', printable(source.name))}  {printable(str(source.path))}"]
    kind = printable(source.format) + (f" ({printable(source.app)})" if source.app else "")
    lines.append("  " + say("show.files", kind=kind, files=source.files, bytes=catalogue.size(source.bytes)))
    if source.messages is not None:
        lines.append("  " + say("snapshot.messages", messages=source.messages, conversations=source.conversations))
    if source.media:
        key = "snapshot.media-missing" if source.media_missing else "snapshot.media"
        lines.append("  " + say(key, media=source.media, missing=source.media_missing))
    if source.oldest is not None:
        lines.append(
            "  " + say("show.span", oldest=catalogue.time(source.oldest), newest=catalogue.time(source.newest))
        )
    if source.unreadable:
        lines.append("  " + say("show.unreadable", count=len(source.unreadable)))
    return lines
