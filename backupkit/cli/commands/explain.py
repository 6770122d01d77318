"""`backupkit explain CODE`: what a code means, why it happens, what to do."""

from typing import Annotated

import typer

from backupkit.cli.codes import CodeUnknown, Meaning, every_code, meaning_of
from backupkit.cli.session import Session, session_of
from backupkit.cli.usage import nearest
from backupkit.errors import ExitCode
from backupkit.text import width
from backupkit.ui.columns import aligned, wrapped

_VERDICTS = {
    "allow": ExitCode.DONE,
    "hold": ExitCode.HOLD,
    "deny": ExitCode.DENY,
    "undecided": ExitCode.UNDECIDED,
}


def explain(
    context: typer.Context,
    code: Annotated[str | None, typer.Argument(metavar="CODE")] = None,
) -> None:
    """Explain one code, or list all."""
    session = session_of(context)
    if code is None:
        codes = every_code(session.catalogue)
        rows = [[name, meaning.what] for name, meaning in codes.items()]
        session.printer.summary(
            {"codes": [{"code": name, "kind": meaning.kind} for name, meaning in codes.items()]}, aligned(rows)
        )
        return
    # Screens show some codes with their area in front: guard/no-verified-backup.
    meaning = meaning_of(_code_in(session, code.rpartition("/")[2]), session.catalogue)
    if meaning is None:
        raise CodeUnknown(code=code, nearest=nearest(code, list(every_code(session.catalogue))))
    fields = {
        "code": meaning.code, "kind": meaning.kind, "exit_code": meaning.exit_code, "language": session.catalogue.language,
        "what": meaning.what, "why": meaning.why, "try": meaning.attempt,
    }  # fmt: skip
    session.printer.summary(fields, _page(session, meaning))


def _code_in(session: Session, word: str) -> str:
    """Return the code that is meant: the words that a verdict begins with stand for their exit codes."""
    for verdict, exit_code in _VERDICTS.items():
        if word.casefold() in {verdict, session.say(f"verdict.{verdict}").casefold()}:
            return str(int(exit_code))
    return word.casefold()


def _page(session: Session, meaning: Meaning) -> list[str]:
    say, terminal = session.say, session.terminal
    columns = min(terminal.columns, 100)
    head = [terminal.paint("strong", meaning.code) + "  " + say(f"explain.kind.{meaning.kind}")]
    rows = [("explain.what", meaning.what), ("error.label.why", meaning.why), ("error.label.try", meaning.attempt)]
    if meaning.exit_code is not None and meaning.kind != "exit":
        rows.append(("explain.exit", f"{meaning.exit_code}  {say(f'exit.{meaning.exit_code}')}"))
    indent = max(width(say(key)) for key, _ in rows) + 4
    return head + [
        line for key, text in rows if text for line in wrapped(text, columns, indent=indent, first=f"  {say(key)}")
    ]
