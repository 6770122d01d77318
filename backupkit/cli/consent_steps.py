"""Consent as it comes to the command line: two steps asked at the terminal, the loss in numbers, then the app's name; or a token.

Whatever is typed but the two right answers keeps the app, and nothing is written. Only somebody who sees the numbers
is asked: no pipe on either side, no JSON, no `--plain`.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from backupkit.cli.handed_over import open_handed, read_handed
from backupkit.cli.session import Session
from backupkit.cli.verdict_page import page_lines, step_lines, verdict_lines
from backupkit.clock import to_rfc3339
from backupkit.errors import BackupkitError, ExitCode

if TYPE_CHECKING:
    from backupkit.cli.asking import Person
    from backupkit.guard.consent import Consent
    from backupkit.guard.desk import Desk
    from backupkit.guard.request import ConsentToken, UpdateRequest
    from backupkit.guard.verdict import Verdict


class TokenUnreadable(BackupkitError):
    """The file with a consent token cannot be read. Facts: `path`, `reason`."""

    code = "consent-token-unreadable"
    exit_code = ExitCode.USAGE


def can_be_asked(session: Session) -> bool:
    """Whether a person reads what is printed and can answer it."""
    if session.asked.json or session.asked.plain or session.person is None:
        return False
    return session.terminal.is_tty and sys.stdin is not None and sys.stdin.isatty()


def ask_for_consent(session: Session, desk: "Desk", request: "UpdateRequest", verdict: "Verdict") -> ExitCode:
    """Ask both steps. The answers are judged anew, so that what was swapped meanwhile is not consented to."""
    from backupkit.guard.consent import ConsentAnswers, GivenConsent
    from backupkit.guard.desk import save_given

    asked, person = verdict.consent, session.person
    assert asked is not None
    assert person is not None
    session.printer.record("verdict", {}, page_lines(session, verdict))
    try:
        typed = _typed(session, person, verdict, asked)
    except KeyboardInterrupt:
        # Somebody who breaks off here wants to know one thing: whether the chats are still there.
        session.printer.note("guard.kept", app=asked.app_name)
        desk.note_kept(verdict, session.clock.now())
        raise
    if typed is None:
        desk.note_kept(verdict, session.clock.now())
        session.printer.summary({}, [session.say("guard.kept", app=asked.app_name)])
        return ExitCode.HOLD
    now = session.clock.now()
    answers = ConsentAnswers(asked.binding.id, understood=True, typed=typed)
    answered = desk.answer(request._replace(consent=answers), now)
    if answered.consent is None or answered.consent.given_by is None:
        session.printer.summary({}, verdict_lines(session, answered))
        return ExitCode(int(answered.exit_code))
    given = GivenConsent(asked.binding.id, now)
    save_given(desk.places, asked.binding.package, given)
    until = to_rfc3339(given.until(asked.binding))
    session.printer.summary({}, [session.say("guard.consented", until=until)])
    return ExitCode(int(answered.exit_code))


def _typed(session: Session, person: "Person", verdict: "Verdict", asked: "Consent") -> str | None:
    """What was typed for the app's name, None where the person keeps the app."""
    from backupkit.guard.consent import is_same_name
    from backupkit.guard.wording import wording

    first, second = wording(verdict).steps
    lost = [said for said in wording(verdict).more if said.key.startswith("loss.not-in-backup")]
    session.printer.record("step", {}, step_lines(session, 1, first, *lost))
    word = person.line(session.say("guard.keep-or-continue", app=asked.app_name))
    if word.casefold() not in {"continue", session.say("guard.continue")}:
        return None
    session.printer.record("step", {}, step_lines(session, 2))
    typed = person.line(session.say(second.key, **second.facts))
    return typed if is_same_name(typed, asked.app_name) else None


def token_in(path: Path | None) -> "ConsentToken | None":
    """Read a consent token, not yet checked.

    Raises:
        TokenUnreadable: there is none at that path.
    """
    from backupkit.guard.consent import MAX_TOKEN_BYTES
    from backupkit.guard.request import ConsentToken

    if path is None:
        return None
    try:
        descriptor = open_handed(path)
        try:
            return ConsentToken(read_handed(descriptor, MAX_TOKEN_BYTES + 1))
        finally:
            os.close(descriptor)
    except OSError as problem:
        raise TokenUnreadable(path=str(path), reason=problem.strerror or "unreadable") from problem
