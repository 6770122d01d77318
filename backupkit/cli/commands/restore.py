"""`backupkit restore`: put a snapshot into a new folder. Nothing is ever written over."""

from pathlib import Path
from typing import Annotated

import typer

from backupkit.cli.results import conclude, elsewhere_lines, fields_of, lost_line, repair_line
from backupkit.cli.session import session_of
from backupkit.errors import ExitCode
from backupkit.text import printable


def restore(
    context: typer.Context,
    to: Annotated[Path, typer.Option("--to", metavar="DIR")],
    snapshot: Annotated[str, typer.Argument(metavar="SNAPSHOT")] = "latest",
    only: Annotated[list[str] | None, typer.Option("--only", metavar="SOURCE")] = None,
    *,
    from_packs: Annotated[bool, typer.Option("--from-packs")] = False,
    recovery_words_file: Annotated[Path | None, typer.Option("--recovery-words-file", metavar="FILE")] = None,
) -> ExitCode:
    """Restore all sources of a snapshot, or only some of them."""
    from backupkit.ops.restoring.restore import restore as restored_by

    session = session_of(context)
    restored = restored_by(
        session.places, snapshot, to.absolute(), secret=session.secret(recovery_words_file), only=tuple(only or ()),
        from_packs=from_packs,
        tell=session.tell, clock=session.clock,
        stop=session.stop,
    )  # fmt: skip
    lines = [
        session.say(
            "restore.done",
            snapshot=restored.snapshot,
            files=restored.files,
            bytes=session.catalogue.size(restored.bytes),
        ),
        *([session.say("restore.already-there", files=restored.already_there)] if restored.already_there else []),
        *(f"  {printable(str(folder))}" for folder in restored.folders),
        *elsewhere_lines(session, "restore", restored.elsewhere, to=to.absolute()),
        *lost_line(session, restored.damaged),
        *repair_line(session, restored.damaged),
    ]
    session.printer.summary(fields_of(restored), lines)
    return conclude(restored.damaged, restored.distrust)
