"""`backupkit repair`: put right what is damaged, and write parity for what has none."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backupkit.cli.results import exit_for, lost_line, state_word
from backupkit.cli.session import Session, session_of
from backupkit.errors import ExitCode
from backupkit.ui.json_fields import json_fields

if TYPE_CHECKING:
    from backupkit.ops.mending.rebuild import Rebuilt

_MOST_NAMED = 5


def repair(
    context: typer.Context,
    *,
    copy: Annotated[Path | None, typer.Option("--from", metavar="DIR")] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild")] = False,
    recovery_words_file: Annotated[Path | None, typer.Option("--recovery-words-file", metavar="FILE")] = None,
) -> ExitCode:
    """Repair the repository; needs no passphrase but for --rebuild, which begins a lost log again."""
    from backupkit.ops.mending.repair import repair_repository

    session = session_of(context)
    rebuilt = _rebuild(session, recovery_words_file) if rebuild else None
    done = repair_repository(
        session.places, clock=session.clock, tell=session.tell, copy=None if copy is None else copy.absolute()
    )
    if rebuilt is not None and rebuilt.left_out and done.repaired:
        # What parity brought back may be what was missing.
        rebuilt = _rebuild(session, recovery_words_file)
    left_out = () if rebuilt is None else rebuilt.left_out
    say = session.say
    size = session.catalogue.size(done.bytes_read)
    lines = [
        f"{say('repair.head')}  {state_word(session, done.state)}",
        "  " + say("repair.read", packs=done.packs, bytes=size),
    ]
    if done.repaired or done.copies:
        lines.append("  " + say("repair.repaired", packs=len(done.repaired), copies=done.copies))
    if done.groups:
        lines.append("  " + say("repair.parity", groups=done.groups))
    if rebuilt is not None:
        lines += _rebuilt_lines(session, rebuilt)
    lines += lost_line(session, (*done.findings, *left_out))
    if done.lost and done.state == "damaged":
        lines += [say("repair.lost-copy" if copy is None else "repair.lost"), "  " + say("repair.lost-snapshot")]
    if done.needed_by:
        ids = [one[:8] for one in done.needed_by[:_MOST_NAMED]]
        lines.append(
            "  " + say("repair.needed-by", count=len(done.needed_by), snapshots=", ".join(ids), command=" ".join(ids))
        )
    if done.repaired or (rebuilt is not None and rebuilt.entered):
        lines.append(say("repair.next"))
    fields = json_fields(done)
    session.printer.summary(fields if rebuilt is None else {**fields, "rebuilt": json_fields(rebuilt)}, lines)
    return exit_for((*done.findings, *left_out))


def _rebuild(session: Session, words_file: Path | None) -> "Rebuilt":
    from backupkit.ops.mending.rebuild import rebuild_repository

    secret = session.secret(words_file)
    return rebuild_repository(session.places, secret=secret, clock=session.clock, tell=session.tell)


def _rebuilt_lines(session: Session, rebuilt: "Rebuilt") -> list[str]:
    if not rebuilt.has_changed:
        return ["  " + session.say("repair.rebuild-nothing")]
    lines = ["  " + session.say("repair.rebuilt", kept=rebuilt.kept_entries, snapshots=len(rebuilt.entered))]
    if not rebuilt.continues:
        witness = session.places.guard / "witness.json"
        lines.append("  " + session.say("repair.rebuilt-witness", path=str(witness)))
    return lines
