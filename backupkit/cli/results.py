"""Pieces that several commands' results are made of."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backupkit.errors import BackupkitError, ExitCode
from backupkit.ops.events import Found, Severity
from backupkit.text import printable
from backupkit.ui.json_fields import json_fields
from backupkit.ui.terminal import Role

if TYPE_CHECKING:
    from backupkit.cli.session import Session
    from backupkit.ops.checking.coverage import CoverageIssued
    from backupkit.ops.restoring.elsewhere import Elsewhere

MOST_LISTED = 20
_ROLES: dict[str, Role] = {
    "verified": "good",
    "drilled": "good",
    "whole": "good",
    "repaired": "good",
    "saved": "strong",
    "partial": "warning",
}


def state_word(session: "Session", state: str) -> str:
    """Return a snapshot's state in words and, where there is colour, in colour too."""
    return session.terminal.paint(_ROLES.get(state, "bad"), session.say(f"state.{state}"))


def lost_line(session: "Session", findings: Sequence[Found]) -> list[str]:
    """Say how many findings there were; each was told when it was found."""
    if not findings:
        return []
    return [session.terminal.paint("bad", "x") + " " + session.say("results.damaged", count=len(findings))]


def repair_line(session: "Session", findings: Sequence[Found]) -> list[str]:
    """Name what may bring back the damage that was found, as it must be typed."""
    if not findings:
        return []
    repository = ["--repo", session.asked.repo] if session.asked.repo else []
    return [session.say("status.next", commands=shlex.join(["backupkit", "repair", *repository]))]


def elsewhere_lines(
    session: "Session", verb: str, elsewhere: "Iterable[Elsewhere]", *, to: Path | None = None, more: Sequence[str] = ()
) -> list[str]:
    """Name what the latest snapshot does not hold, each with the command that gets it beside what came now."""
    lines = []
    repository = ["--repo", session.asked.repo] if session.asked.repo else []
    for one in elsewhere:
        names = ", ".join(printable(name) for name in one.sources)
        said = session.say(f"{verb}.elsewhere", sources=names, snapshot=one.snapshot)
        lines.append(f"{session.terminal.paint('warning', '!')} {said}")
        short = one.snapshot[:8]
        beside = [] if to is None else ["--to", f"{to}-{short}"]
        lines.append("  " + printable(shlex.join(["backupkit", verb, short, *beside, *more, *repository])))
    return lines


def repository_option(session: "Session") -> str:
    """Return what a command that is told needs to mean the same repository: it does not remember what this one was told."""
    return f" --repo {shlex.quote(session.asked.repo)}" if session.asked.repo else ""


def coverage_lines(session: "Session", covered: "Sequence[CoverageIssued]") -> list[str]:
    """Say which apps a verified backup covers now, and until when."""
    return [
        "  " + session.say("verify.coverage", package=one.package, expires=session.catalogue.time(one.expires))
        for one in covered
    ]


def fields_of(found: Any) -> dict[str, Any]:
    """Return what a command found as JSON, but not what makes the log unbelievable: that is an error of its own, told after it."""
    fields = json_fields(replace(found, distrust=None))
    del fields["distrust"]
    return fields


def conclude(findings: Sequence[Found], distrust: BackupkitError | None) -> ExitCode:
    """Return 20 where something was lost, else 0; raise what makes the log unbelievable."""
    if distrust is not None:
        raise distrust
    return exit_for(findings)


def exit_for(findings: Sequence[Found]) -> ExitCode:
    """Return 20 where something was lost, else 0."""
    lost = any(found.severity is Severity.ERROR for found in findings)
    return ExitCode.DAMAGED if lost else ExitCode.DONE
