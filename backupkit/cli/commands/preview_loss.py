"""`backupkit preview-loss`: what would be gone if the app were wiped now, against the newest verified snapshot."""

from pathlib import Path
from typing import Annotated

import typer

from backupkit.cli.session import session_of
from backupkit.ui.json_fields import json_fields
from backupkit.ui.terminal import Role

_ROLES: dict[str, Role] = {"covered": "good", "covered-with-gap": "warning", "not-covered": "bad", "unknown": "warning"}


def preview_loss(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="PATH|SOURCE")],
    package: Annotated[str | None, typer.Option("--package", metavar="PACKAGE")] = None,
) -> None:
    """Count what no verified snapshot holds yet. No passphrase is needed."""
    from backupkit.ops.loss import preview_loss as previewed_by

    session = session_of(context)
    known = session.settings.source(source)
    path = known.path if known else Path(source).absolute()
    preview = previewed_by(session.places, package or (known.package if known else None), path)
    level = preview.level.value
    lines = [
        session.terminal.paint(_ROLES.get(level, "warning"), session.say(f"loss.{level}")),
        "  " + session.say("loss.counts", messages=preview.messages, uncovered=preview.uncovered),
    ]
    session.printer.summary(json_fields(preview), lines)
