"""`backupkit preview-loss`: what would be gone if the app were wiped now, against the newest verified snapshot."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backupkit.cli.chat_keys import AskChatKey, ChatKeyFiles, ChatKeys
from backupkit.cli.results import MOST_LISTED
from backupkit.cli.saving import require_package_name
from backupkit.cli.session import Session, session_of
from backupkit.text import printable
from backupkit.ui.json_fields import json_fields
from backupkit.ui.terminal import Role

if TYPE_CHECKING:
    from backupkit.ops.guarding.loss import LossPreview

_ROLES: dict[str, Role] = {"covered": "good", "covered-with-gap": "warning", "not-covered": "bad", "unknown": "warning"}


def preview_loss(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="PATH|SOURCE")],
    package: Annotated[str | None, typer.Option("--package", metavar="PACKAGE")] = None,
    chat_key_files: ChatKeyFiles = None,
    ask_chat_key: AskChatKey = False,
) -> None:
    """Count what no verified snapshot holds yet. No passphrase is needed."""
    from backupkit.ops.failures import SourceNotFound
    from backupkit.ops.guarding.guard_loss import note_loss
    from backupkit.ops.guarding.loss import preview_loss as previewed_by

    session = session_of(context)
    require_package_name(package, "backupkit preview-loss --help")
    known = session.settings.source(source)
    path = known.path if known else Path(source).absolute()
    if not (path.is_dir() or path.is_file()):
        raise SourceNotFound(path=str(path), reason="missing")
    keys = ChatKeys(session, chat_key_files, ask=ask_chat_key).at(path)
    preview = previewed_by(session.places, package or (known.package if known else None), path, keys)
    note_loss(session.places, session.settings.sources, preview, session.clock.now(), source=path)
    session.printer.summary(json_fields(preview), _lines(session, preview))


def _lines(session: Session, preview: "LossPreview") -> list[str]:
    say, level = session.say, preview.level.value
    lines = [session.terminal.paint(_ROLES.get(level, "warning"), say(f"loss.{level}"))]
    if preview.messages is not None and preview.uncovered is not None:
        lines.append("  " + say("loss.counts", messages=preview.messages, uncovered=preview.uncovered))
    elif preview.messages is not None:
        lines.append("  " + say("loss.messages", messages=preview.messages))
    if preview.changed:
        lines.append("  " + say("loss.changed", changed=preview.changed))
    if preview.sealed.files:
        facts = {"pages": preview.sealed.pages, "pages_changed": preview.sealed.pages_changed}
        lines.append("  " + say("loss.sealed", **facts, commits=preview.sealed.commits))
    lost = sorted((one for one in preview.by_conversation if one.uncovered), key=lambda one: -one.uncovered)
    most = len(lost) if session.asked.verbose else MOST_LISTED
    for one in lost[:most]:
        known = [day.day for day in one.days if day.day is not None]
        days = "" if not known else known[0] if len(known) == 1 else f"{known[0]} - {known[-1]}"
        said = say("loss.conversation", uncovered=one.uncovered, messages=one.messages, days=days)
        lines.append(f"  {session.terminal.paint('strong', printable(one.title or one.conversation))}  {said}")
    if len(lost) > most:
        lines.append("  " + say("results.more", count=len(lost) - most))
    return lines
