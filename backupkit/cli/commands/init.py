"""`backupkit init`: make an encrypted, signed repository with a recovery sheet."""

from pathlib import Path
from typing import Annotated

import typer

from backupkit.cli.first_use import create_repository
from backupkit.cli.session import session_of
from backupkit.ops.failures import RepositoryExists


def init(
    context: typer.Context,
    recovery_sheet: Annotated[Path | None, typer.Option("--recovery-sheet", metavar="FILE")] = None,
) -> None:
    """Make the repository."""
    from backupkit.ops.repository.repository import is_initialised

    session = session_of(context)
    if is_initialised(session.places):
        raise RepositoryExists(path=str(session.places.repository))
    created = create_repository(session, recovery_sheet)
    fields = {
        "repository": str(session.places.repository), "repository_id": created.made.repository_id,
        "origin": created.made.origin, "fingerprint": created.made.fingerprint,
        "recovery_sheet": str(created.sheet), "recovery_confirmed": created.is_confirmed,
    }  # fmt: skip
    from backupkit.ui.json_fields import json_fields

    path = str(session.places.repository)
    lines = [session.say("init.done", path=path), session.say("init.next")]
    session.printer.summary(json_fields(fields), lines)
