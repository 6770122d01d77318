"""`backupkit sweep`: delete what no snapshot needs any more."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backupkit.cli.session import Session, session_of
from backupkit.cli.usage import ValueWrong
from backupkit.ui.json_fields import json_fields

if TYPE_CHECKING:
    from backupkit.ops.keeping.repack import Repacked


def sweep(
    context: typer.Context,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n")] = False,
    repack: Annotated[bool, typer.Option("--repack")] = False,
    max_unused: Annotated[str, typer.Option("--max-unused", metavar="PERCENT")] = "10%",
    recovery_words_file: Annotated[Path | None, typer.Option("--recovery-words-file", metavar="FILE")] = None,
) -> None:
    """Mark what is needless, and delete what was marked a day ago. Needs no passphrase but for --repack."""
    from backupkit.ops.keeping.sweep import sweep as swept_by

    session = session_of(context)
    repacked = _repack(session, recovery_words_file, _share(max_unused), dry_run=dry_run) if repack else None
    done = swept_by(session.places, clock=session.clock, tell=session.tell, dry_run=dry_run)
    say, catalogue = session.say, session.catalogue
    lines = [] if repacked is None else _repacked_lines(session, repacked)
    if done.deleted_packs:
        key = "sweep.would-delete" if dry_run else "sweep.deleted"
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
    fields = json_fields(done)
    session.printer.summary(
        fields if repacked is None else {**fields, "repacked": json_fields(repacked)}, lines or [say("sweep.nothing")]
    )


def _repack(session: Session, words_file: Path | None, most_unused: float, *, dry_run: bool) -> "Repacked":
    from backupkit.ops.keeping.repack import repack as repacked_by

    return repacked_by(
        session.places, secret=session.secret(words_file), clock=session.clock, tell=session.tell,
        most_unused=most_unused, dry_run=dry_run,
    )  # fmt: skip


def _repacked_lines(session: Session, repacked: "Repacked") -> list[str]:
    say, size = session.say, session.catalogue.size
    if not repacked.packs:
        return [say("sweep.repacked-nothing", bytes=size(repacked.dead_bytes))]
    key = "sweep.would-repack" if repacked.dry_run else "sweep.repacked"
    old, live = size(repacked.old_bytes), size(repacked.live_bytes)
    return [say(key, packs=repacked.packs, bytes=old, live=live, dead=size(repacked.dead_bytes))]


def _share(text: str) -> float:
    """Read `10%` or `10` as a tenth."""
    try:
        percent = float(text.strip().removesuffix("%"))
    except ValueError:
        percent = -1.0
    if not 0 <= percent < 100:
        raise ValueWrong(name="--max-unused", found=text, expected="0% .. 99%", help="backupkit sweep --help")
    return percent / 100
