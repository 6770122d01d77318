"""`backupkit stats`: how large the repository is, what of, and how it grows."""

from typing import TYPE_CHECKING

import typer

from backupkit.cli.results import exit_for, lost_line
from backupkit.cli.session import Session, session_of
from backupkit.errors import ExitCode
from backupkit.ops.events import Losses
from backupkit.text import printable
from backupkit.ui.columns import aligned
from backupkit.ui.json_fields import json_fields

if TYPE_CHECKING:
    from backupkit.ops.looking.stats import Stats

_BAR = 24


def stats(context: typer.Context) -> ExitCode:
    """Show sizes and growth. No passphrase is needed."""
    from backupkit.ops.looking.stats import stats as added_up

    session = session_of(context)
    losses = Losses(session.tell)
    found = added_up(session.places, tell=losses.tell)
    lines = [*_head(session, found), "", *_kinds(session, found)]
    if found.by_source:
        lines += ["", *_sources(session, found)]
    if found.months:
        lines += ["", *_months(session, found)]
    session.printer.summary(json_fields(found), [*lines, *lost_line(session, losses.found)])
    return exit_for(losses.found)


def _head(session: Session, found: "Stats") -> list[str]:
    say, size = session.say, session.catalogue.size
    lines = [say("stats.repository", path=found.path, snapshots=found.snapshots, stored=size(found.stored_bytes))]
    if found.snapshots:
        lines.append("  " + say("stats.saved", saved=size(found.saved_bytes)))
    if found.forgotten:
        lines.append("  " + say("stats.forgotten", count=found.forgotten))
    return lines


def _kinds(session: Session, found: "Stats") -> list[str]:
    say = session.say
    rows = [
        [say(f"stats.kind.{one.kind}"), session.catalogue.size(one.stored_bytes), say("stats.files", files=one.files)]
        for one in found.stored
    ]
    return aligned(rows, indent=2)


def _sources(session: Session, found: "Stats") -> list[str]:
    say = session.say
    rows = [
        [
            printable(one.name),
            session.catalogue.size(one.bytes),
            say("snapshots.messages", messages=one.messages) if one.messages is not None else "-",
            say("stats.media", media=one.media) if one.media is not None else "-",
            say("stats.in-snapshots", snapshots=one.snapshots),
        ]
        for one in found.by_source
    ]
    return [say("stats.by-source"), *aligned(rows, indent=2)]


def _months(session: Session, found: "Stats") -> list[str]:
    say, size = session.say, session.catalogue.size
    most = max((one.new_bytes or 0 for one in found.months), default=0)
    rows = [
        [
            one.month,
            say("stats.taken", snapshots=one.snapshots),
            say("snapshots.messages", messages=one.messages) if one.messages is not None else "-",
            size(one.new_bytes),
            "#" * _length(one.new_bytes or 0, most),
        ]
        for one in found.months
    ]
    return [say("stats.by-month"), *aligned(rows, indent=2)]


def _length(part: int, most: int) -> int:
    """Return a bar's length: anything at all is seen."""
    return max(round(part * _BAR / most), 1) if part else 0
