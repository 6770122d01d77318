"""`backupkit doctor PATH`: what an export holds and what is wrong with it, before or without saving it."""

from pathlib import Path
from typing import Annotated

import typer

from backupkit.cli import database_report, export_report
from backupkit.cli.chat_keys import AskChatKey, ChatKeyFiles, ChatKeys
from backupkit.cli.session import Session, session_of
from backupkit.errors import ExitCode


def doctor(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="PATH")],
    mapping: Annotated[Path | None, typer.Option("--mapping", metavar="FILE")] = None,
    chat_key_files: ChatKeyFiles = None,
    ask_chat_key: AskChatKey = False,
    verify_key: Annotated[Path | None, typer.Option("--verify-key", metavar="FILE")] = None,
    every: Annotated[bool, typer.Option("--all")] = False,
) -> ExitCode:
    """Look into an export and count what is there. Nothing is written."""
    from backupkit.chats.counting.summary import summarise
    from backupkit.ops.failures import SourceNotFound

    session = session_of(context)
    if not path.exists():
        raise SourceNotFound(path=str(path), reason="missing")
    if mapping is not None:
        _require_right(mapping)
    keys = ChatKeys(session, chat_key_files, ask=ask_chat_key).at(path)
    summary = summarise(path, mapping=mapping, keys=keys, now=session.clock.now())
    if summary is None:
        return _database(session, path, verify_key)
    fields, lines = export_report.fields(summary, every=every), export_report.lines(session, summary, every=every)
    is_damaged = summary.is_damaged
    if (found := database_report.examine(path, verify_key)) is not None:
        fields["database"] = database_report.fields(found)
        fields["findings"] = [*fields["findings"], *database_report.findings(found)]
        lines += database_report.lines(session, path, found)
        is_damaged = is_damaged or found.is_damaged
    if mapping is not None:
        shown = export_report.first_messages(path, mapping, summary)
        fields["first_messages"] = shown
        for one in shown:
            called = {"conversation": one["title"] or one["conversation"], "time": _time(session, one["time"])}
            lines.append(session.say("doctor.first-message", **one | called))
    session.printer.summary(fields, lines)
    return ExitCode.DAMAGED if is_damaged else ExitCode.DONE


def _time(session: Session, text: str | None) -> str:
    """Write an RFC 3339 time; one without a zone stays what the phone's clock showed."""
    if text is None:
        return session.say("word.unknown")
    return session.catalogue.time(text) if text.endswith("Z") else text[:16].replace("T", " ")


def _require_right(mapping: Path) -> None:
    from backupkit.chats.reading.mapping import MAX_MAPPING_BYTES, parse_mapping
    from backupkit.ops.failures import SourceNotFound

    if not mapping.is_file():
        # A pipe would be read here, and be empty when the export is read by it.
        raise SourceNotFound(path=str(mapping), reason="no-file")
    try:
        with mapping.open("rb") as stream:
            parse_mapping(stream.read(MAX_MAPPING_BYTES + 1))
    except OSError as error:
        raise SourceNotFound(path=str(mapping), reason="unreadable") from error


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
    is_sealed = found.health.kind.sealed
    form = "sealed-database" if is_sealed else "sqlite-database"
    told |= {"format": form, "sealed": is_sealed, "findings": database_report.findings(found)}
    told["database"] = database_report.fields(found)
    head = "doctor.damaged" if found.is_damaged else "doctor.sealed" if is_sealed else "doctor.database"
    app = session.say("doctor.some-app")
    lines = [session.terminal.paint("bad" if found.is_damaged else "good", session.say(head, app=app, format=form))]
    session.printer.summary(told, [*lines, *database_report.lines(session, path, found)])
    return ExitCode.DAMAGED if found.is_damaged else ExitCode.DONE
