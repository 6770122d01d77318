"""`backupkit snapshots`: list what was saved, oldest first."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backupkit.cli.passphrase import PassphraseNeeded
from backupkit.cli.results import conclude, lost_line, state_word
from backupkit.cli.session import Session, session_of
from backupkit.errors import BackupkitError, ExitCode
from backupkit.ops.events import Losses
from backupkit.text import printable
from backupkit.ui.columns import aligned
from backupkit.ui.json_fields import json_fields

if TYPE_CHECKING:
    from backupkit.ops.looking.list_snapshots import SnapshotLine


class SnapshotState(Enum):
    """How far a snapshot was checked."""

    SAVED = "saved"
    VERIFIED = "verified"
    DRILLED = "drilled"
    PARTIAL = "partial"
    DAMAGED = "damaged"


def snapshots(
    context: typer.Context,
    last: Annotated[int | None, typer.Option("--last", min=1, metavar="N")] = None,
    source: Annotated[str | None, typer.Option("--source", metavar="NAME")] = None,
    state: Annotated[SnapshotState | None, typer.Option("--state", metavar="STATE")] = None,
    *,
    forgotten: Annotated[bool, typer.Option("--forgotten")] = False,
    from_packs: Annotated[bool, typer.Option("--from-packs")] = False,
    recovery_words_file: Annotated[Path | None, typer.Option("--recovery-words-file", metavar="FILE")] = None,
) -> ExitCode:
    """List snapshots. No passphrase is needed, unless log and statements are lost."""
    session = session_of(context)
    losses = Losses(session.tell)
    distrust: BackupkitError | None = None
    if forgotten:
        from backupkit.ops.looking.list_snapshots import list_forgotten

        found = list_forgotten(session.places, clock=session.clock, tell=losses.tell)
    else:
        found, distrust = _kept(session, losses, recovery_words_file, from_packs=from_packs)
    if source is not None:
        found = [line for line in found if line.sources and source in line.sources]
    if state is not None:
        found = [line for line in found if line.state == state.value]
    found = found[-last:] if last else found
    rows = []
    for line in found:
        # Which sources a snapshot holds is known only to the machine that took it.
        row = [
            line.snapshot[:8], session.catalogue.time(line.created_at), state_word(session, line.state),
            session.say("snapshots.messages", messages=line.messages) if line.messages is not None else "-",
            _size(session, line), printable(session.say("word.between").join(line.sources)) if line.sources else "-",
        ]  # fmt: skip
        if forgotten:
            until = session.catalogue.time(line.undo_until) if line.undo_until else None
            row.append(session.say("snapshots.undo-until", until=until) if until else session.say("state.swept"))
        rows.append(row)
        session.printer.record("snapshot", json_fields(line))
    if not rows:
        narrowed = source is not None or state is not None
        none = "snapshots.none-fits" if narrowed else "snapshots.none-forgotten" if forgotten else "snapshots.none"
        rows = [[session.say(none)]]
    lines = [*aligned(rows), *lost_line(session, losses.found)]
    if any(line.sources is None for line in found if line.life != "swept"):
        lines.append(session.say("snapshots.sealed"))
    session.printer.summary({"snapshots": len(found)}, lines)
    return conclude(losses.found, distrust)


def _kept(
    session: Session, losses: Losses, words_file: Path | None, *, from_packs: bool
) -> "tuple[list[SnapshotLine], BackupkitError | None]":
    """Return the snapshots, and where the log cannot be believed, what is left of them and why not."""
    from backupkit.ops.looking.list_snapshots import list_in_packs, list_snapshots, list_what_is_left

    secret = session.secret(words_file)
    if from_packs:
        return list_in_packs(session.places, secret=secret, tell=losses.tell), None
    try:
        return list_snapshots(session.places, tell=losses.tell), None
    except BackupkitError as error:
        if error.exit_code not in {ExitCode.DAMAGED, ExitCode.NOT_AUTHENTIC}:
            raise
        try:
            left = list_what_is_left(session.places, secret=secret, tell=losses.tell, reason=error)
        except PassphraseNeeded:
            # Nobody is there to open the packs: what is wrong is still the better answer.
            raise error from None
    return list(left.lines), left.distrust


def _size(session: Session, line: "SnapshotLine") -> str:
    """Say how much a snapshot holds; where this machine did not take it, only what was signed is known, and that is rounded up."""
    size = session.catalogue.size(line.bytes)
    return f"≤ {size}" if line.sources is None else size
