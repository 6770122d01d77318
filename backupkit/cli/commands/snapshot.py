"""`backupkit snapshot`: save chats, read every byte back, and say what was found."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backupkit.cli.first_use import create_repository
from backupkit.cli.guard_desk import publish_policy
from backupkit.cli.results import coverage_lines, damage_lines, state_word
from backupkit.cli.session import Session, session_of
from backupkit.cli.usage import OptionsClash, ValueWrong
from backupkit.config.keys import KEYS
from backupkit.errors import BackupkitError, ExitCode
from backupkit.ops.events import Tell
from backupkit.ops.failures import NoRepository
from backupkit.ui.json_fields import json_fields, path_fields

if TYPE_CHECKING:
    from backupkit.ops.coverage import CoverageIssued
    from backupkit.ops.snapshot import SnapshotTaken, SourceSpec

HELP = "backupkit snapshot --help"
APPS = next(key.choices for key in KEYS if key.dotted == "source.app")


class NothingToSave(BackupkitError):
    """No path was given and the settings list no source."""

    code = "nothing-to-save"
    exit_code = ExitCode.USAGE


def snapshot(
    context: typer.Context,
    sources: Annotated[list[str] | None, typer.Argument(metavar="PATH|SOURCE")] = None,
    app: Annotated[str | None, typer.Option("--app", metavar="|".join(APPS))] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME")] = None,
    package: Annotated[str | None, typer.Option("--package", metavar="PACKAGE")] = None,
    tags: Annotated[list[str] | None, typer.Option("--tag", metavar="TAG")] = None,
    no_verify: Annotated[bool, typer.Option("--no-verify")] = False,
    init: Annotated[bool, typer.Option("--init")] = False,
    recovery_sheet: Annotated[Path | None, typer.Option("--recovery-sheet", metavar="FILE")] = None,
) -> ExitCode:
    """Take a snapshot of paths, of named sources, or of all sources in the settings."""
    session = session_of(context)
    specs = source_specs(session, sources or [], app=app, name=name, package=package)
    _ensure_repository(session, recovery_sheet, wanted=init)
    publish_policy(session)
    verify = not no_verify and session.settings.verify.after_snapshot == "all"
    taken, state, covered = save_and_verify(session, specs, session.tell, tags=tags or (), verify=verify)
    session.printer.summary(taken_fields(taken, state), _lines(session, taken, state, covered))
    if taken.state == "partial" and session.stop.asked:
        raise session.stop.error()
    if state == "damaged":
        return ExitCode.DAMAGED
    return ExitCode.DONE if taken.complete else ExitCode.INCOMPLETE


def save_and_verify(
    session: Session, specs: "Sequence[SourceSpec]", tell: Tell, *, tags: Sequence[str] = (), verify: bool
) -> "tuple[SnapshotTaken, str, tuple[CoverageIssued, ...]]":
    """Take a snapshot and, unless it was stopped, read it back. Return it with its state and what it covers now."""
    from backupkit.ops.snapshot import take_snapshot
    from backupkit.ops.verify import verify_snapshot

    taken = take_snapshot(
        session.places, specs, clock=session.clock, tell=tell, stop=session.stop, tags=tuple(tags)
    )  # fmt: skip
    if not verify or taken.state == "partial" or session.stop.asked:
        return taken, taken.state, ()
    checked = verify_snapshot(
        session.places, taken.snapshot, clock=session.clock, tell=tell, max_age=session.settings.guard.max_backup_age
    )
    return taken, checked.state, checked.coverage


def taken_fields(taken: "SnapshotTaken", state: str) -> dict[str, object]:
    """Return what JSON says of a snapshot that was just taken."""
    counts = {name: getattr(taken, name) for name in ("messages", "conversations", "media", "media_missing")}
    unreadable = [{**path_fields(path), "reason": reason} for path, reason in taken.unreadable]
    return {**json_fields(taken), **counts, "state": state, "unreadable": unreadable}


def source_specs(
    session: Session, named: list[str], *, app: str | None = None, name: str | None = None, package: str | None = None
) -> "list[SourceSpec]":
    """Find out what is meant: paths, names of the settings, or all sources there.

    Raises:
        NothingToSave: nothing was named and the settings list nothing.
        OptionsClash, ValueWrong: what is said about one source cannot hold.
    """
    from backupkit.ops.snapshot import SourceSpec

    if app not in {None, *APPS}:
        raise ValueWrong(name="--app", found=str(app), expected=" | ".join(APPS), help=HELP)
    about = {"--app": app, "--name": name, "--package": package}
    given = [option for option, value in about.items() if value is not None]
    if given and len(named) != 1:
        raise OptionsClash(first=given[0], second="PATH PATH ..." if named else "-", help=HELP)
    if not named and not session.settings.sources:
        raise NothingToSave
    specs = []
    for text in named or [source.name for source in session.settings.sources]:
        # A name of the settings wins over a file beside us; ./name means the file.
        source = session.settings.source(text)
        path = source.path if source else Path(text).absolute()
        kind = app or (source.app if source else None)
        specs.append(
            SourceSpec(
                path=path,
                name=name or (source.name if source else Path(os.path.normpath(path)).name or "root"),
                app=None if kind == "auto" else kind,
                package=package or (source.package if source else None),
            )
        )
    return specs


def _ensure_repository(session: Session, sheet: Path | None, *, wanted: bool) -> None:
    from backupkit.ops.repository import is_initialised

    if is_initialised(session.places):
        return
    # Without somebody to ask, a mistyped --repo must not silently become a second repository.
    if not wanted and session.person is None:
        raise NoRepository(path=str(session.places.repository))
    create_repository(session, sheet)


def _lines(session: Session, taken: "SnapshotTaken", state: str, covered: "tuple[CoverageIssued, ...]") -> list[str]:
    say, catalogue = session.say, session.catalogue
    lines = [say("snapshot.head", snapshot=taken.snapshot) + "  " + state_word(session, state)]
    if taken.messages is not None:
        lines.append("  " + say("snapshot.messages", messages=taken.messages, conversations=taken.conversations))
    if taken.media is not None:
        key = "snapshot.media-missing" if taken.media_missing else "snapshot.media"
        lines.append("  " + say(key, media=taken.media, missing=taken.media_missing))
    stored = catalogue.size(taken.stored_bytes)
    lines.append("  " + say("snapshot.size", files=taken.files, bytes=catalogue.size(taken.bytes), stored=stored))
    lines += damage_lines(session, "snapshot.unreadable", [f"{path}  ({reason})" for path, reason in taken.unreadable])
    if taken.same_disk:
        lines.append(session.terminal.paint("warning", "!") + " " + say("snapshot.same-disk"))
    lines += coverage_lines(session, covered)
    if state == "saved":
        lines.append(say("snapshot.verify-next", snapshot=taken.snapshot))
    return lines
