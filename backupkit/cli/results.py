"""Pieces that several commands' results are made of."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from backupkit.errors import ExitCode
from backupkit.ops.events import Found, Severity
from backupkit.text import printable
from backupkit.ui.terminal import Role

if TYPE_CHECKING:
    from backupkit.cli.session import Session

MOST_LISTED = 20
_ROLES: dict[str, Role] = {
    "verified": "good",
    "drilled": "good",
    "saved": "strong",
    "partial": "warning",
    "stale": "bad",
}


def state_word(session: "Session", state: str) -> str:
    """Return a snapshot's state in words and, where there is colour, in colour too."""
    return session.terminal.paint(_ROLES.get(state, "bad"), session.say(f"state.{state}"))


def damage_lines(session: "Session", key: str, items: Sequence[str]) -> list[str]:
    """List what is damaged or missing under a heading that counts it; the first ones by name."""
    if not items:
        return []
    head = session.terminal.paint("bad", "x") + " " + session.say(key, count=len(items))
    shown = [f"    {printable(item)}" for item in items[:MOST_LISTED]]
    if len(items) > MOST_LISTED:
        shown.append("    " + session.say("results.more", count=len(items) - MOST_LISTED))
    return [head, *shown]


def found_lines(session: "Session", findings: Sequence[Found]) -> list[str]:
    """List findings, the worst first."""
    order = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
    lines = []
    for found in sorted(findings, key=lambda one: order[one.severity])[:MOST_LISTED]:
        mark = {Severity.ERROR: "x", Severity.WARNING: "!", Severity.INFO: "i"}[found.severity]
        role: Role = {Severity.ERROR: "bad", Severity.WARNING: "warning", Severity.INFO: "faint"}[found.severity]  # type: ignore[assignment]  # literals in a dictionary
        lines.append(session.terminal.paint(role, mark) + " " + session.say(f"finding.{found.code}", **found.facts))
    if len(findings) > MOST_LISTED:
        lines.append(session.say("results.more", count=len(findings) - MOST_LISTED))
    return lines


def exit_for(findings: Sequence[Found]) -> ExitCode:
    """Return 20 where something was lost, else 0."""
    lost = any(found.severity is Severity.ERROR for found in findings)
    return ExitCode.DAMAGED if lost else ExitCode.DONE
