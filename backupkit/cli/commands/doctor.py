"""`backupkit doctor PATH`: what an export holds and what is wrong with it, before or without saving it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backupkit.cli import database_report
from backupkit.cli.results import MOST_LISTED
from backupkit.cli.session import Session, session_of
from backupkit.errors import ExitCode
from backupkit.text import printable
from backupkit.ui.json_fields import json_value

if TYPE_CHECKING:
    from backupkit.chats.model import Finding
    from backupkit.chats.summary import ChatSummary, ConversationSummary


MOST_CHARACTERS = 60
MOST_CONVERSATIONS = 100


def doctor(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="PATH")],
    mapping: Annotated[Path | None, typer.Option("--mapping", metavar="FILE")] = None,
    key_file: Annotated[Path | None, typer.Option("--key-file", metavar="FILE")] = None,
    verify_key: Annotated[Path | None, typer.Option("--verify-key", metavar="FILE")] = None,
    every: Annotated[bool, typer.Option("--all")] = False,
) -> ExitCode:
    """Look into an export and count what is there. Nothing is written."""
    from backupkit.chats.summary import summarise
    from backupkit.ops.failures import SourceNotFound

    session = session_of(context)
    if not path.exists():
        raise SourceNotFound(path=str(path), reason="missing")
    if mapping is not None:
        _require_right(mapping)
    key = None if key_file is None else _key_in(key_file)
    summary = summarise(path, mapping=mapping, key=key, now=session.clock.now())
    if summary is None:
        return _database(session, path, verify_key)
    fields, lines = _fields(summary, every=every), _lines(session, summary, every=every)
    is_damaged = summary.is_damaged
    if (found := database_report.examine(path, verify_key)) is not None:
        health, checked = found
        fields["database"] = database_report.fields(health, checked)
        fields["findings"] = [*fields["findings"], *database_report.findings(health)]
        lines += database_report.lines(session, path, health, checked)
        is_damaged = is_damaged or any(one.lost for one in health.findings)
    if mapping is not None:
        shown = _first_messages(path, mapping)
        fields["first_messages"] = shown
        lines += [session.say("doctor.first-message", **one) for one in shown]
    session.printer.summary(fields, lines)
    return ExitCode.DAMAGED if is_damaged else ExitCode.DONE


def _require_right(mapping: Path) -> None:
    from backupkit.chats.mapping import MAX_MAPPING_BYTES, parse_mapping
    from backupkit.ops.failures import SourceNotFound

    try:
        with mapping.open("rb") as stream:
            parse_mapping(stream.read(MAX_MAPPING_BYTES + 1))
    except OSError as error:
        raise SourceNotFound(path=str(mapping), reason="unreadable") from error


def _key_in(file: Path) -> bytes:
    """Read its owner's own key. It comes from a file and never from the command line, where others could see it."""
    from backupkit.chats.opened_backups import MAX_KEY_FILE_BYTES, read_key
    from backupkit.ops.failures import SourceNotFound

    try:
        with file.open("rb") as stream:
            return read_key(stream.read(MAX_KEY_FILE_BYTES))
    except OSError as error:
        raise SourceNotFound(path=str(file), reason="unreadable") from error


def _first_messages(path: Path, mapping: Path) -> list[dict[str, str]]:
    """Return how the first messages are understood, for whoever is writing the mapping."""
    from backupkit.chats.summary import first_messages

    return [
        {
            "conversation": printable(one.conversation)[:MOST_CHARACTERS],
            "time_as_written": f"{one.ts_raw} ({one.ts_zone})"[:MOST_CHARACTERS],
            "sender": printable(one.sender_name or one.sender_id or "-")[:MOST_CHARACTERS],
            "kind": one.kind.value,
            "direction": one.direction.value,
            "text": printable(one.text)[:MOST_CHARACTERS],
        }
        for one in first_messages(path, mapping=mapping)
    ]


def _database(session: Session, path: Path, verify_key: Path | None) -> ExitCode:
    """Look at a file that no reader understands: it may be an app's database, sealed or not."""
    found = database_report.examine(path, verify_key)
    told: dict[str, object] = dict.fromkeys(
        ("app", "package", "format", "messages", "conversations", "media", "media_missing")
    )
    if found is None:
        lines = [session.say("doctor.not-understood", path=str(path))]
        session.printer.summary({**told, "sealed": False, "findings": []}, lines)
        return ExitCode.NOT_UNDERSTOOD
    health, checked = found
    is_damaged = any(one.lost for one in health.findings)
    form = "sealed-database" if health.kind.sealed else "sqlite-database"
    told |= {"format": form, "sealed": health.kind.sealed, "findings": database_report.findings(health)}
    told["database"] = database_report.fields(health, checked)
    head = "doctor.damaged" if is_damaged else "doctor.sealed" if health.kind.sealed else "doctor.database"
    app = session.say("doctor.some-app")
    lines = [session.terminal.paint("bad" if is_damaged else "good", session.say(head, app=app, format=form))]
    session.printer.summary(told, [*lines, *database_report.lines(session, path, health, checked)])
    return ExitCode.DAMAGED if is_damaged else ExitCode.DONE


def _fields(summary: "ChatSummary", *, every: bool) -> dict[str, Any]:
    names = (
        "app", "package", "format", "sealed", "messages", "conversations", "media", "media_missing", "oldest", "newest",
        "times_are_local", "high_water",
    )  # fmt: skip
    fields: dict[str, Any] = {name: json_value(getattr(summary, name)) for name in names}
    shown = _conversations(summary, every=every)
    fields["by_conversation"] = json_value(shown)
    fields["by_conversation_left_off"] = len(summary.by_conversation) - len(shown)
    fields["findings"] = [_finding(one) for one in summary.findings]
    return fields


def _conversations(summary: "ChatSummary", *, every: bool) -> "list[ConversationSummary]":
    """Return the conversations with the most messages first: so many, or all of them."""
    ordered = sorted(summary.by_conversation, key=lambda one: (-one.messages, one.key))
    return ordered if every else ordered[:MOST_CONVERSATIONS]


def _finding(finding: "Finding") -> dict[str, object]:
    where = {"file": finding.locator.file, "place": finding.locator.place} if finding.locator else {}
    return {"code": finding.code, "severity": finding.severity.value, **where, "params": json_value(finding.facts)}


def _lines(session: Session, summary: "ChatSummary", *, every: bool) -> list[str]:
    say, catalogue, terminal = session.say, session.catalogue, session.terminal
    head = "doctor.damaged" if summary.is_damaged else "doctor.sealed" if summary.sealed else "doctor.sound"
    app = summary.app or say("word.unknown")
    lines = [terminal.paint("bad" if summary.is_damaged else "good", say(head, app=app, format=summary.format))]
    if summary.messages is not None:
        lines.append("  " + say("snapshot.messages", messages=summary.messages, conversations=summary.conversations))
    if summary.media:
        key = "snapshot.media-missing" if summary.media_missing else "snapshot.media"
        lines.append("  " + say(key, media=summary.media, missing=summary.media_missing))
    if summary.oldest is not None:
        span = {"oldest": catalogue.time(summary.oldest), "newest": catalogue.time(summary.newest)}
        lines.append("  " + say("show.span", **span))
    if every:
        lines += [
            "  " + say("doctor.conversation", title=printable(one.title or one.key), messages=one.messages)
            for one in _conversations(summary, every=True)
        ]
    most = len(summary.findings) if every or session.asked.verbose else MOST_LISTED
    for finding in summary.findings[:most]:
        mark = {"error": "x", "warning": "!", "info": "i"}[finding.severity.value]
        where = f"  {printable(str(finding.locator))}" if finding.locator else ""
        lines.append(
            f"{mark} {say(f'finding.{finding.code}', **finding.sentence_facts)}{terminal.paint('faint', where)}"
        )
    if len(summary.findings) > most:
        lines.append(say("results.more", count=len(summary.findings) - most))
    return lines
