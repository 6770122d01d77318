"""`backupkit guard inspect FILE`: whether a package is genuine, and who signed it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from backupkit.cli.session import Session, session_of
from backupkit.errors import ExitCode
from backupkit.text import width
from backupkit.ui.columns import wrapped


def guard_inspect(
    context: typer.Context,
    file: Annotated[list[Path], typer.Argument(metavar="FILE")],
    device_sdk: Annotated[int | None, typer.Option("--device-sdk", min=1, max=10000, metavar="N")] = None,
    idsig: Annotated[Path | None, typer.Option("--idsig", metavar="FILE")] = None,
) -> ExitCode:
    """Read a package for one Android level, or for all that it installs on. Exit 41: not genuine; 42: undecided."""
    from backupkit.guard.inspect_view import inspect

    session = session_of(context)
    seen, code = inspect(*file, device_sdk=device_sdk, idsig=idsig)
    lines = _genuine(session, seen) if seen["genuine"] else _refused(session, seen["findings"][0], code)
    fields = {name: value for name, value in seen.items() if name not in {"type", "v"}}
    session.printer.summary(fields, lines, kind=seen["type"])
    return code


def _genuine(session: Session, seen: dict[str, Any]) -> list[str]:
    say = session.say
    is_package = seen["packaging"] != "lineage"
    head = session.terminal.paint("good", say("inspect.genuine" if is_package else "inspect.lineage-alone"))
    named = [head, seen["package"], seen["version_code"]]
    lines = ["  ".join(str(part) for part in named if part is not None)]
    if seen["scheme"] is not None:
        lines += ["  " + say("inspect.signer", scheme=seen["scheme"], digest=digest) for digest in seen["signers"]]
    for node in seen["lineage"]:
        allowed = say("word.between").join(node["capabilities"]) or say("word.none")
        lines.append("  " + say("inspect.lineage", digest=node["sha256"], capabilities=allowed))
    for finding in seen["findings"]:
        lines.append("! " + say(f"finding.{finding['code']}", detail=finding["detail"]))
    if len(seen["members"]) > 1:
        lines += ["  " + say("inspect.member", name=member["file"]) for member in seen["members"]]
    manifest = seen["manifest"]
    if manifest is not None:
        lines += _about_data(session, manifest)
    return [*lines, "  SHA-256  " + seen["sha256"]]


def _about_data(session: Session, manifest: dict[str, Any]) -> list[str]:
    say, lines = session.say, []
    if manifest["allow_backup"] is False:
        lines.append("  " + say("inspect.no-system-backup"))
    elif manifest["has_extraction_rules"] or manifest["has_backup_rules"]:
        lines.append("  " + say("inspect.partial-system-backup"))
    if manifest["debuggable"]:
        lines.append("  " + say("inspect.debuggable"))
    return lines


def _refused(session: Session, finding: dict[str, Any], code: ExitCode) -> list[str]:
    say = session.say
    head = say("inspect.not-genuine" if code is ExitCode.DENY else "inspect.undecided")
    facts = {name: value for name, value in finding.items() if name != "code"}
    key = f"package.{finding.get('reason')}"
    rule = say(key) if session.catalogue.has(key) else ""
    columns = min(session.terminal.columns, 100)
    lines = [session.terminal.paint("bad", head)]
    rows = [("explain.what", "what"), ("error.label.why", "why"), ("error.label.try", "try")]
    indent = max(width(say(label)) for label, _ in rows) + 4
    for label, part in rows:
        text = say(f"error.{finding['code']}.{part}", **facts)
        lines += wrapped(text, columns, indent=indent, first=f"  {say(label)}")
        # Most rules stand in the sentence already, in brackets.
        if part == "what" and rule.rstrip(".。").casefold() not in text.casefold():
            lines += wrapped(rule, columns, indent=indent, first="")
    return lines
