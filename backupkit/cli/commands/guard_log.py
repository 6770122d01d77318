"""`backupkit guard log` and `guard explain`: what was decided on this machine, and the last answer in plain words."""

from typing import Annotated, Any

import typer

from backupkit.cli.guard_desk import guard_places
from backupkit.cli.session import Session, session_of
from backupkit.errors import BackupkitError, ExitCode
from backupkit.i18n import placeholders
from backupkit.i18n.catalogue import find
from backupkit.text import printable
from backupkit.ui.columns import aligned, wrapped

_WIDEST = 48
"""Letters of a package's name in the list: one app with an endless name must not push the reasons of all others off the screen."""


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
            session.catalogue.time(str(entry["time"])), session.say(_verdict_word(entry)),
            printable(str(entry.get("package") or "-"), limit=_WIDEST), printable(str(entry["reason"])),
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
    facts = _facts(session, entry)
    columns = min(session.terminal.columns, 100)
    decision, at = session.say(_verdict_word(entry)), session.catalogue.time(str(entry["time"]))
    lines = [session.terminal.paint("strong", decision) + f"  {at}"]
    fields = {name: entry.get(name) for name in ("time", "decision", "outcome", "reason", "package", "exit_code")}
    headline = _headline(entry)
    if _is_kept(entry):
        # What was found is the decision before this one; here it is what became of it.
        session.printer.summary({**fields, "kept": True}, [*lines, *_kept_lines(session, facts, columns)])
        return
    # The list keeps no times, counts or details; a sentence that needs one is left out, and the headline stands for it.
    parts = [(headline, "explain.what")] if session.catalogue.has(headline) else []
    parts += [(f"reason.{entry['reason']}.{part}", "error.label.why") for part in ("what", "why")]
    parts.append((f"reason.{entry['reason']}.try", "error.label.try"))
    language, before = session.catalogue.language, ""
    for key, label in parts:
        if not placeholders(find(language, key) or "{}") <= set(facts):
            continue
        word = session.say(label) if label != before else ""
        lines += wrapped(session.say(key, **facts), columns, indent=8, first=f"  {word}")
        before = label
    session.printer.summary(fields, lines)


def _is_kept(entry: dict[str, Any]) -> bool:
    return entry.get("kept") is True


def _kept_lines(session: Session, facts: dict[str, str], columns: int) -> list[str]:
    rows = [("guard.kept", "explain.what"), ("guard.kept.why", "error.label.why")]
    return [
        line
        for key, label in rows
        for line in wrapped(session.say(key, **facts), columns, indent=8, first=f"  {session.say(label)}")
    ]


def _verdict_word(entry: dict[str, Any]) -> str:
    if _is_kept(entry):
        return "verdict.kept"
    # What waited for a person was not let through yet, and must not look as if it had been.
    waits = entry["decision"] == "allow" and entry.get("consent") == "needed"
    return "verdict.ask-first" if waits else f"verdict.{entry['decision']}"


def _facts(session: Session, entry: dict[str, Any]) -> dict[str, str]:
    from backupkit.guard.package_record import Records
    from backupkit.ids import AppPackage

    package = entry.get("package")
    if not package:
        return {"app": session.say("word.unknown")}
    try:
        record = Records(guard_places(session).records).read(AppPackage(str(package)))
    except BackupkitError:
        # A damaged record costs the app's name, not the explanation.
        record = None
    return {"app": (record.label if record else None) or str(package), "package": str(package)}


def _headline(entry: dict[str, Any]) -> str:
    outcome, decision = entry["outcome"], entry["decision"]
    if outcome != "would-wipe":
        return "headline.waits" if (outcome, decision) == ("unknown", "hold") else f"headline.{outcome}"
    if decision == "deny":
        return "headline.would-wipe.deny"
    # A backup counts where consent was refused, and what is missing is the person's word.
    told = "unconsented" if entry["reason"] == "consent-refused" else decision
    return f"headline.would-wipe.{told}.uncounted"


def _checked(session: Session) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    from backupkit.guard.desk import load_hook_key
    from backupkit.guard.ledger import read_ledger, verify_ledger

    places = guard_places(session)
    if not places.ledger.exists():
        return [], {"entries": 0, "torn": 0, "head": None}
    found = verify_ledger(places.ledger, load_hook_key(places).verify_key)
    return list(read_ledger(places.ledger)), {"entries": found.entries, "torn": found.torn, "head": found.head}
