"""`backupkit forget`: let snapshots go, by name or by rules. Nothing is deleted yet."""

from typing import TYPE_CHECKING, Annotated

import typer

from backupkit.cli.results import MOST_LISTED, state_word
from backupkit.cli.session import Session, session_of
from backupkit.cli.usage import OptionsClash
from backupkit.ui.columns import aligned
from backupkit.ui.json_fields import json_fields

if TYPE_CHECKING:
    from backupkit.ops.keeping.forget import Forgotten
    from backupkit.ops.keeping.retention import KeepRules

_Count = int | None


def forget(
    context: typer.Context,
    snapshots: Annotated[list[str] | None, typer.Argument(metavar="SNAPSHOT")] = None,
    *,
    keep_last: Annotated[_Count, typer.Option("--keep-last", min=0, metavar="N")] = None,
    keep_daily: Annotated[_Count, typer.Option("--keep-daily", min=0, metavar="N")] = None,
    keep_weekly: Annotated[_Count, typer.Option("--keep-weekly", min=0, metavar="N")] = None,
    keep_monthly: Annotated[_Count, typer.Option("--keep-monthly", min=0, metavar="N")] = None,
    keep_yearly: Annotated[_Count, typer.Option("--keep-yearly", min=0, metavar="N")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n")] = False,
    accept_shrink: Annotated[bool, typer.Option("--accept-shrink")] = False,
    source: Annotated[str | None, typer.Option("--source", metavar="PATH|NAME")] = None,
) -> None:
    """Forget snapshots; they can be taken back for 30 days."""
    from backupkit.ops.keeping.forget import apply_retention, forget_snapshots

    session = session_of(context)
    counts = (keep_last, keep_daily, keep_weekly, keep_monthly, keep_yearly)
    if snapshots and any(count is not None for count in counts):
        raise OptionsClash(first="--keep-...", second="SNAPSHOT", help="backupkit forget --help")
    if source is not None:
        if snapshots or dry_run or accept_shrink or any(count is not None for count in counts):
            others = "SNAPSHOT | --keep-... | --dry-run | --accept-shrink"
            raise OptionsClash(first="--source", second=others, help="backupkit forget --help")
        _let_go(session, source)
        return
    if snapshots:
        done = forget_snapshots(
            session.places, snapshots, clock=session.clock, tell=session.tell,
            dry_run=dry_run, accept_shrink=accept_shrink,
        )  # fmt: skip
    else:
        done = apply_retention(
            session.places, _rules(session, counts), clock=session.clock, tell=session.tell,
            dry_run=dry_run, accept_shrink=accept_shrink,
        )  # fmt: skip
    for one in done.judged:
        session.printer.record("retention", {**json_fields(one), "stays": one.stays})
    summary = {
        "forgotten": list(done.forgotten),
        "kept": len(done.judged) - len(done.forgotten),
        "dry_run": done.dry_run,
        "undo_until": json_fields(done)["undo_until"] if done.forgotten and not dry_run else None,
    }
    session.printer.summary(summary, _lines(session, done))


def _let_go(session: Session, source: str) -> None:
    from backupkit.ops.keeping.let_go_source import let_go_source

    gone = let_go_source(session.places, source, tell=session.tell)
    fields = {"forgotten": [], "kept": 0, "dry_run": False, "undo_until": None, "let_go": gone.path}
    session.printer.summary(fields, [session.say("forget.source", path=gone.path, snapshot=gone.snapshot)])


def _rules(session: Session, counts: tuple[_Count, ...]) -> "KeepRules":
    """Return the rules that were given; the others keep nothing then. Without any, those of the settings."""
    from backupkit.ops.keeping.retention import KeepRules

    if all(count is None for count in counts):
        keep = session.settings.keep
        return KeepRules(keep.last, keep.daily, keep.weekly, keep.monthly, keep.yearly)
    return KeepRules(*(count or 0 for count in counts))


def _lines(session: Session, done: "Forgotten") -> list[str]:
    say = session.say
    rows = []
    for one in done.judged if done.dry_run else [one for one in done.judged if not one.stays]:
        why = (
            say("word.between").join(say(f"forget.rule.{rule}") for rule in one.rules)
            if one.stays
            else say("forget.goes")
        )
        row = [one.snapshot[:8], session.catalogue.time(one.counted_at), state_word(session, one.state), why]
        rows.append(row)
    kept = len(done.judged) - len(done.forgotten)
    key = "forget.would" if done.dry_run else "forget.done"
    lines = [*aligned(rows), say(key, count=len(done.forgotten), kept=kept)]
    if done.forgotten and not done.dry_run:
        few = [one[:8] for one in done.forgotten[:MOST_LISTED]]
        lines.append(say("forget.undo", until=session.catalogue.time(done.undo_until), snapshots=" ".join(few)))
    return lines
