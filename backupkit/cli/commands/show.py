"""`backupkit show`: what is inside a snapshot."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backupkit.cli.chat_keys import AskChatKey, ChatKeyFiles, ChatKeys
from backupkit.cli.results import MOST_LISTED, conclude, elsewhere_lines, fields_of, lost_line, state_word
from backupkit.cli.session import Session, session_of
from backupkit.errors import ExitCode
from backupkit.text import printable
from backupkit.ui.json_fields import json_fields, path_fields

_MOST_PEOPLE = 50
"""So many people of a conversation are kept with its numbers at most."""

if TYPE_CHECKING:
    from backupkit.ops.looking.show import ShownSource
    from backupkit.ops.looking.show_chats import ShownChats


def show(
    context: typer.Context,
    snapshot: Annotated[str, typer.Argument(metavar="SNAPSHOT")] = "latest",
    brief: Annotated[bool, typer.Option("--brief")] = False,
    chat_key_files: ChatKeyFiles = None,
    ask_chat_key: AskChatKey = False,
    recovery_words_file: Annotated[Path | None, typer.Option("--recovery-words-file", metavar="FILE")] = None,
) -> ExitCode:
    """Open a snapshot and show its sources and conversations."""
    session = session_of(context)
    secret = session.secret(recovery_words_file)
    wanted, _, conversation = snapshot.partition(":")
    wanted = wanted or "latest"
    chats: tuple[ShownChats, ...] = ()
    if brief:
        from backupkit.ops.looking.show import show as shown_by

        shown = shown_by(session.places, wanted, secret=secret, tell=session.tell)
    else:
        from backupkit.ops.looking.show_chats import show_chats

        shown, chats = show_chats(
            session.places,
            wanted,
            conversation=conversation or None,
            secret=secret,
            clock=session.clock,
            tell=session.tell,
            keys=ChatKeys(session, chat_key_files, ask=ask_chat_key),
        )
    head = session.say("show.head", snapshot=shown.snapshot, created_at=session.catalogue.time(shown.created_at))
    lines = [f"{head}  {state_word(session, shown.state)}"]
    for source in shown.sources:
        lines += _source_lines(session, source)
        lines += _chat_lines(session, [one for one in chats if one.source == source.name])
    for one in chats:
        for about in one.conversations:
            session.printer.record("conversation", {"source": one.source, **json_fields(about)})
        for finding in one.findings:
            session.tell(finding)
    lines += elsewhere_lines(session, "show", shown.elsewhere)
    lines += lost_line(session, shown.damaged)
    fields = fields_of(shown)
    for plain, source in zip(fields["sources"], shown.sources, strict=True):
        plain["unreadable"] = [{**path_fields(path), "reason": reason} for path, reason in source.unreadable]
    session.printer.summary(fields, lines)
    return conclude(shown.damaged, shown.distrust)


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


def _chat_lines(session: Session, chats: "Sequence[ShownChats]") -> list[str]:
    say, catalogue = session.say, session.catalogue
    conversations = [about for one in chats for about in one.conversations]
    most = len(conversations) if session.asked.verbose else MOST_LISTED
    lines = []
    for about in conversations[:most]:
        said = [say(_people_key(len(about.people)), messages=about.messages, people=len(about.people))]
        if about.media:
            key = "show.conversation-media-missing" if about.media_missing else "show.conversation-media"
            said.append(say(key, media=about.media, missing=about.media_missing))
        if about.oldest is not None:
            said.append(say("show.span", oldest=catalogue.time(about.oldest), newest=catalogue.time(about.newest)))
        name = session.terminal.paint("strong", printable(about.title or about.key))
        lines.append(f"    {name}  {say('word.clauses').join(said)}")
        if len(conversations) == 1 and about.people:
            lines.append("      " + printable(say("word.between").join(about.people)))
    if len(conversations) > most:
        lines.append("    " + say("results.more", count=len(conversations) - most))
    return lines


def _people_key(people: int) -> str:
    """Say no number that is none: some formats tell of nobody, and of a large group only the first are kept."""
    if not people:
        return "snapshots.messages"
    return "show.conversation" if people < _MOST_PEOPLE else "show.conversation-many"
