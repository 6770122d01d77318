"""`backupkit guard log` and `guard explain`: what was decided on this machine, and the last answer in plain words."""

from typing import Annotated, Any

import typer

from backupkit.cli.guard_desk import guard_places
from backupkit.cli.session import Session, session_of
from backupkit.errors import BackupkitError, ExitCode
from backupkit.text import printable
from backupkit.ui.columns import aligned, wrapped


class NothingDecided(BackupkitError):
    """The guard was never asked on this machine."""

    code = "nothing-decided"
    exit_code = ExitCode.NOT_FOUND


def guard_log(
    context: typer.Context,
    last: Annotated[int | None, typer.Option("--last", min=1, metavar="N")] = None,
) -> None:
    """Check the ledger's signatures and order, and list its decisions, oldest first."""
    session = session_of(context)
    entries, checked = _checked(session)
    shown = entries[-last:] if last else entries
    for entry in shown:
        session.printer.record("decision", {name: value for name, value in entry.items() if name not in {"type", "v"}})
    rows = [
        [
            session.catalogue.time(str(entry["time"])), session.say(f"verdict.{entry['decision']}"),
            printable(str(entry.get("package") or "-")), printable(str(entry["reason"])),
        ]
        for entry in shown
    ]  # fmt: skip
    fields = {"entries": checked["entries"], "torn": checked["torn"], "head": checked["head"]}
    session.printer.summary(fields, [*aligned(rows), session.say("guard.log-checked", entries=checked["entries"])])


def guard_explain(context: typer.Context) -> None:
    """Say the last decision in plain words."""
    session = session_of(context)
    entries, _ = _checked(session)
    if not entries:
        raise NothingDecided
    entry = entries[-1]
    facts = {"app": entry.get("package") or session.say("word.unknown")}
    columns = min(session.terminal.columns, 100)
    decision, at = session.say(f"verdict.{entry['decision']}"), session.catalogue.time(str(entry["time"]))
    lines = [session.terminal.paint("strong", decision) + f"  {at}"]
    fields = {name: entry.get(name) for name in ("time", "decision", "outcome", "reason", "package", "exit_code")}
    for part, label in (("what", "explain.what"), ("why", "error.label.why"), ("try", "error.label.try")):
        sentence = session.say(f"reason.{entry['reason']}.{part}", **facts)
        lines += wrapped(sentence, columns, indent=8, first=f"  {session.say(label)}")
    session.printer.summary(fields, lines)


def _checked(session: Session) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    from backupkit.guard.desk import load_hook_key
    from backupkit.guard.ledger import read_ledger, verify_ledger

    places = guard_places(session)
    if not places.ledger.exists():
        return [], {"entries": 0, "torn": 0, "head": None}
    found = verify_ledger(places.ledger, load_hook_key(places).verify_key)
    return list(read_ledger(places.ledger)), {"entries": found.entries, "torn": found.torn, "head": found.head}
