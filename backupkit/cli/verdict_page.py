"""A verdict for a person: the answer first, the loss as a number, one thing to do."""

from typing import TYPE_CHECKING

from backupkit.cli.session import Session
from backupkit.text import width
from backupkit.ui.columns import padded, wrapped
from backupkit.ui.terminal import Role

if TYPE_CHECKING:
    from backupkit.guard.verdict import Verdict
    from backupkit.guard.wording import Sentence

_ROLES: dict[str, Role] = {"allow": "good", "hold": "warning", "deny": "bad", "undecided": "warning"}


def tell_verdict(session: Session, verdict: "Verdict", *more: str, **fields: object) -> None:
    """Print a verdict, with lines and fields of the command's own behind it."""
    told = verdict.to_json()
    kind = told.pop("type")
    told.pop("v")
    session.printer.summary({**told, **fields}, [*verdict_lines(session, verdict), *more], kind=kind)


def verdict_lines(session: Session, verdict: "Verdict") -> list[str]:
    """Lay a verdict out, the steps of consent included."""
    from backupkit.guard.wording import wording

    lines = page_lines(session, verdict)
    for number, step in enumerate(wording(verdict).steps, 1):
        lines += step_lines(session, number, step)
    return lines


def page_lines(session: Session, verdict: "Verdict") -> list[str]:
    """Lay a verdict out, without the steps of consent."""
    from backupkit.guard.wording import wording

    said = wording(verdict)
    columns = min(session.terminal.columns, 100)

    def text(sentence: "Sentence") -> str:
        return session.say(sentence.key, **sentence.facts)

    label = session.terminal.paint(_ROLES[verdict.decision.value], text(said.label))
    indent = width(text(said.label)) + 2
    head = wrapped(text(said.headline), columns, indent=indent)
    lines = [label + "  " + head[0].lstrip(), *head[1:]]
    rows = [
        ("explain.what", [said.what]),
        ("error.label.why", [said.why, *said.more]),
        ("error.label.try", [said.advice]),
    ]
    inner = max(width(session.say(key)) for key, _ in rows) + 4
    for key, sentences in rows:
        for place, sentence in enumerate(sentences):
            lines += wrapped(text(sentence), columns, indent=inner, first="" if place else f"  {session.say(key)}")
    lines += wrapped(f"guard/{verdict.reason}", columns, indent=inner, first=f"  {session.say('error.label.code')}")
    return lines


def step_lines(session: Session, number: int, *sentences: "Sentence") -> list[str]:
    """Lay one step of consent out."""
    columns = min(session.terminal.columns, 100)
    lines = ["", padded(session.say("guard.step", number=number), 0)]
    for sentence in sentences:
        lines += wrapped(session.say(sentence.key, **sentence.facts), columns, indent=2)
    return lines
