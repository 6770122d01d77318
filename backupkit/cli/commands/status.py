"""`backupkit status`: one screen that says whether the chats are safe."""

import shlex
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import typer

from backupkit.cli.results import lost_line, repository_option, state_word
from backupkit.cli.session import Session, session_of
from backupkit.errors import ExitCode
from backupkit.ops.events import Losses
from backupkit.text import printable, width
from backupkit.ui.json_fields import json_fields

if TYPE_CHECKING:
    from backupkit.ops.looking.status import SourceStatus, Status


def status(context: typer.Context) -> ExitCode:
    """Show sources, their last verified backup, and what to do next. Exit 5 says that something is stale, 20 that something is lost."""
    from backupkit.ops.looking.status import status as looked_at

    session = session_of(context)
    say, terminal, losses = session.say, session.terminal, Losses(session.tell)
    found = looked_at(
        session.places,
        max_age=session.settings.guard.max_backup_age,
        drill_every=session.settings.verify.drill_every,
        clock=session.clock,
        configured=[source.path for source in session.settings.sources],
        tell=losses.tell,
    )
    there = repository_option(session)
    found = replace(found, next=tuple(step + there for step in found.next))
    verdict = say(_verdict(found))
    lines = [terminal.paint("bad" if found.stale else "good", verdict)]
    stored = session.catalogue.size(found.repository.stored_bytes)
    lines.append(
        say("status.repository", path=found.repository.path, snapshots=found.repository.snapshots, stored=stored)
    )
    if session.asked.verbose:
        lines.append("  " + say("status.origin", origin=found.repository.origin))
    for source in found.sources:
        lines += _source_lines(session, source)
    if found.let_go:
        lines += ["", say("status.let-go", paths=say("word.between").join(map(printable, found.let_go)))]
    if any(step.startswith("backupkit key confirm") for step in found.next):
        lines.append(f"{terminal.paint('warning', '!')} {say('status.not-confirmed', there=there)}")
    if found.copy_of is not None:
        lines.append(f"{terminal.paint('faint', 'i')} {say('status.is-copy', path=found.copy_of)}")
    elif not found.can_write:
        lines.append(f"{terminal.paint('warning', '!')} {say('status.cannot-write', there=there)}")
    if found.guard_counts_another:
        lines.append(f"{terminal.paint('warning', '!')} {say('notice.guard-counts-another')}")
    if found.drill_due:
        due = say("status.drill-due", every=session.settings.verify.drill)
        lines.append(f"{terminal.paint('warning', '!')} {due}")
    if found.same_disk and not found.copied_elsewhere and found.copy_of is None:
        lines.append(f"{terminal.paint('warning', '!')} {say('snapshot.same-disk', there=there)}")
    lines += _next_lines(session, found.next)
    session.printer.summary(json_fields(found), [*lines, *lost_line(session, losses.found)])
    if losses.found:
        return ExitCode.DAMAGED
    return ExitCode.STALE if found.stale else ExitCode.DONE


def _verdict(found: "Status") -> str:
    if not found.stale:
        return "status.fresh"
    if found.sources:
        return "status.stale"
    return "status.sealed" if found.repository.snapshots else "status.nothing"


def _next_lines(session: Session, steps: Iterable[str]) -> list[str]:
    """Give each command a line of its own: several in a row look like one."""
    before = session.say("status.next", commands="")
    lines: list[str] = []
    for step in steps:
        command = step.replace(" PATH", f" {session.say('status.path')}").replace(
            " DIR", f" {session.say('status.folder')}"
        )
        lines.append((" " * width(before) if lines else before) + command)
    return lines


def _times(source: "SourceStatus", age: timedelta) -> str:
    """How the times are told. Of what is stale a person asks how old it is, and of what lies ahead, whether the clock is right."""
    # Two computers that share a repository differ by seconds.
    if age < -timedelta(minutes=5):
        return "status.times-ahead"
    return "status.times-ago" if source.stale and age.days else "status.times"


def _source_lines(session: Session, source: "SourceStatus") -> list[str]:
    say, catalogue = session.say, session.catalogue
    head = f"{session.terminal.paint('strong', printable(source.name))}  {state_word(session, source.state)}"
    verified, saved = catalogue.time(source.last_verified_at), catalogue.time(source.last_saved_at)
    # What a damaged snapshot was once verified for counts no more; "never" would not be true all the same.
    is_lost = source.state == "damaged" and source.last_verified_at is None
    age = timedelta() if source.last_verified_at is None else session.clock.now() - source.last_verified_at
    times = "status.damaged" if is_lost else _times(source, age)
    lines = ["", head, "  " + say(times, verified=verified, saved=saved, days=age.days)]
    if source.messages is not None:
        lines.append("  " + say("snapshots.messages", messages=source.messages))
    elif source.app is not None:
        lines.append("  " + say("status.uncounted"))
    if source.package is not None and source.guard_until is not None:
        until = catalogue.time(source.guard_until)
        lines.append("  " + say("verify.coverage", package=source.package, expires=until))
    if source.not_covered:
        command = f"backupkit verify {source.last_snapshot[:8]}{repository_option(session)}"
        lines.append(f"  {session.terminal.paint('warning', '!')} {say('status.not-covered', command=command)}")
    if source.unreadable:
        lines.append("  " + say("show.unreadable", count=source.unreadable))
    if not source.exists or (source.stale and not source.in_settings):
        key = "status.not-in-settings" if source.exists else "status.not-there"
        repository = ["--repo", session.asked.repo] if session.asked.repo else []
        command = shlex.join(["backupkit", "forget", "--source", source.path, *repository])
        lines.append(
            f"  {session.terminal.paint('warning', '!')} {say(key, path=source.path, command=printable(command))}"
        )
    return lines
