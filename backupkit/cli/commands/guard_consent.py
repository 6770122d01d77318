"""`backupkit guard consent`: the owner's signed consent to one update, for where no person can be asked."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from backupkit.cli.session import Session, session_of
from backupkit.cli.usage import ArgumentMissing

HELP = "backupkit guard consent --help"
_MOST_BYTES = 1 << 20


def guard_consent(
    context: typer.Context,
    verdict: Annotated[Path, typer.Argument(metavar="FILE")],
    typed: Annotated[str | None, typer.Option("--type-name", metavar="TEXT")] = None,
) -> None:
    """Sign consent to the update that a verdict is about."""
    from backupkit.guard.consent import ConsentAnswers, accept_answers, asked_in
    from backupkit.ops.guarding.consent import sign_consent

    session = session_of(context)
    asked = asked_in(_read(verdict))
    answers = ConsentAnswers(asked.binding.id, understood=True, typed=_typed(session, typed, asked.app_name))
    accept_answers(answers, asked.binding, asked.app_name, session.clock.now())
    token = sign_consent(session.places, asked.binding, secret=session.secret(), tell=session.tell).decode()
    fields = {"id": asked.binding.id, "token": token, "expires": asked.binding.to_json()["expires"]}
    session.printer.summary(fields, [token])


def _typed(session: Session, typed: str | None, app_name: str) -> str:
    if typed is not None:
        return typed
    if session.person is None:
        raise ArgumentMissing(name="--type-name", help=HELP)
    return session.person.line(session.say("consent.second", app=app_name))


def _read(path: Path) -> bytes:
    try:
        if str(path) == "-":
            return sys.stdin.buffer.read(_MOST_BYTES + 1)
        with path.open("rb") as file:
            return file.read(_MOST_BYTES + 1)
    except OSError as problem:
        from backupkit.guard.consent import NoVerdict

        raise NoVerdict(reason=problem.strerror or "unreadable") from problem
