"""`backupkit guard drill`: the accident of 2018 with throw-away packages, to see what the guard does about it."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import typer

from backupkit.cli.session import Session, session_of
from backupkit.cli.verdict_page import verdict_lines
from backupkit.ui.columns import wrapped

if TYPE_CHECKING:
    from backupkit.ops.guarding.accident import AccidentStep


def guard_drill(context: typer.Context) -> None:
    """Play the accident through in a scratch folder. Nothing of the owner's is read or changed."""
    from backupkit.ops.guarding.accident import replay_accident

    session = session_of(context)
    columns = min(session.terminal.columns, 100)
    opening = [*wrapped(session.say("guard.drill.intro"), columns, indent=0), ""]
    played = []
    with TemporaryDirectory(prefix="backupkit-drill-") as folder:
        for step in replay_accident(Path(folder), session.clock):
            played.append(step)
            session.printer.record("drill-step", _fields(step), [*opening, *_lines(session, step, len(played)), ""])
            opening = []
    last = played[-1]
    fields = {"steps": len(played), "as_expected": True, "messages": last.messages, "files": last.files}
    session.printer.summary(fields, [session.say("guard.drill.done")])


def _fields(step: "AccidentStep") -> dict[str, object]:
    said = step.verdict
    return {
        "step": step.name,
        "decision": said.decision.value if said else None,
        "outcome": said.outcome.value if said else None,
        "reason": said.reason if said else None,
        "consent": said.consent.to_json()["state"] if said and said.consent else None,
        "exit_code": int(said.exit_code) if said else None,
    }


def _lines(session: Session, step: "AccidentStep", number: int) -> list[str]:
    facts = {"messages": step.messages, "files": step.files, "typed": step.typed}
    told = session.say(f"guard.drill.{step.name}", **facts)
    heading = wrapped(f"{number}. {told}", min(session.terminal.columns, 100), indent=3)
    heading = [session.terminal.paint("strong", line) for line in [heading[0].lstrip(), *heading[1:]]]
    return [*heading, *(verdict_lines(session, step.verdict) if step.verdict else [])]
