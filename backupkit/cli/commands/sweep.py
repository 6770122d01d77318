"""`backupkit sweep`: delete what no snapshot needs any more."""

from typing import Annotated

import typer

from backupkit.cli.session import session_of
from backupkit.ui.json_fields import json_fields


def sweep(
    context: typer.Context,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n")] = False,
) -> None:
    """Mark what is needless, and delete what was marked a day ago. Needs no passphrase."""
    from backupkit.ops.sweep import sweep as swept_by

    session = session_of(context)
    done = swept_by(session.places, clock=session.clock, tell=session.tell, dry_run=dry_run)
    say, catalogue = session.say, session.catalogue
    lines = []
    if done.deleted_packs:
        key = "sweep.would-delete" if dry_run else "sweep.deleted_packs"
        lines.append(say(key, packs=done.deleted_packs, bytes=catalogue.size(done.freed_bytes)))
    if done.snapshots:
        lines.append("  " + say("sweep.snapshots", count=len(done.snapshots)))
    if done.marked:
        key = "sweep.would-mark" if dry_run else "sweep.marked"
        lines.append(say(key, packs=done.marked, bytes=catalogue.size(done.marked_bytes)))
    if done.waiting:
        lines.append(say("sweep.waiting", packs=done.waiting))
    if done.next_at is not None:
        lines.append(say("sweep.next", at=catalogue.time(done.next_at)))
    session.printer.summary(json_fields(done), lines or [say("sweep.nothing")])
