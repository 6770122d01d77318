"""`backupkit snapshot`: save chats, read every byte back, and say what was found."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backupkit.cli.chat_keys import AskChatKey, ChatKeyFiles, ChatKeys
from backupkit.cli.first_use import create_repository
from backupkit.cli.guard_desk import publish_policy
from backupkit.cli.results import coverage_lines, state_word
from backupkit.cli.session import Session, session_of
from backupkit.cli.usage import ArgumentMissing, OptionsClash, ValueWrong
from backupkit.config.keys import KEYS
from backupkit.errors import BackupkitError, ExitCode, reason_of
from backupkit.ops.events import Notice, Tell
from backupkit.ops.failures import NoRepository
from backupkit.ui.json_fields import json_fields

if TYPE_CHECKING:
    from backupkit.ops.saving.snapshot import SnapshotTaken, SourceSpec

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
    no_parity: Annotated[bool, typer.Option("--no-parity")] = False,
    init: Annotated[bool, typer.Option("--init")] = False,
    recovery_sheet: Annotated[Path | None, typer.Option("--recovery-sheet", metavar="FILE")] = None,
    chat_key_files: ChatKeyFiles = None,
    ask_chat_key: AskChatKey = False,
) -> ExitCode:
    """Take a snapshot of paths, of named sources, or of all sources in the settings."""
    session = session_of(context)
    keys = ChatKeys(session, chat_key_files, ask=ask_chat_key)
    specs = source_specs(session, sources or [], app=app, name=name, package=package, keys=keys)
    _ensure_repository(session, specs, recovery_sheet, wanted=init)
    publish_policy(session)
    verifies = not no_verify and session.settings.verify.after_snapshot == "all"
    taken = save(session, specs, session.tell, tags=tags or (), verify=verifies)
    if taken.state == "verified" and not no_parity and not session.stop.asked:
        write_parity(session, session.tell)
    session.printer.summary(taken_fields(taken), _lines(session, taken))
    is_unread = taken.state == "saved" and verifies
    if session.stop.asked and (taken.state == "partial" or is_unread):
        raise session.stop.error()
    if taken.wrong_key is not None:
        from backupkit.chats.backups.opened_backups import ChatKeyWrong

        raise ChatKeyWrong(file=taken.wrong_key)
    if taken.state == "damaged":
        return ExitCode.DAMAGED
    return ExitCode.DONE if taken.complete else ExitCode.INCOMPLETE


def save(
    session: Session, specs: "Sequence[SourceSpec]", tell: Tell, *, tags: Sequence[str], verify: bool
) -> "SnapshotTaken":
    """Take a snapshot, and read it back where that is wanted here and in the settings."""
    from backupkit.ops.saving.snapshot import take_snapshot

    return take_snapshot(
        session.places, specs, clock=session.clock, tell=tell, stop=session.stop, tags=tuple(tags),
        verify=verify and session.settings.verify.after_snapshot == "all",
        max_age=session.settings.guard.max_backup_age,
    )  # fmt: skip


def write_parity(session: Session, tell: Tell) -> None:
    """Write parity for what was just saved. The snapshot is there already, so a failure is told and nothing more."""
    from backupkit.ops.mending.parity import write_parity as write

    try:
        write(session.places, tell=tell, stop=session.stop)
    except (BackupkitError, OSError) as error:
        reason = reason_of(error)
        tell(Notice("parity-not-written", {"reason": reason}))


def taken_fields(taken: "SnapshotTaken") -> dict[str, object]:
    """Return what JSON says of a snapshot that was just taken."""
    counts = {name: getattr(taken, name) for name in ("messages", "conversations", "media", "media_missing")}
    fields = {**json_fields(taken), **counts}
    # Told as a finding, and by `snapshot` as an error of its own behind the summary.
    fields.pop("wrong_key")
    return fields


def source_specs(
    session: Session,
    named: list[str],
    *,
    app: str | None = None,
    name: str | None = None,
    package: str | None = None,
    keys: ChatKeys | None = None,
) -> "list[SourceSpec]":
    """Find out what is meant: paths, names of the settings, or all sources there.

    Raises:
        NothingToSave: nothing was named and the settings list nothing.
        ArgumentMissing: a name is empty.
        OptionsClash, ValueWrong: what is said about one source cannot hold.
    """
    from backupkit.ops.saving.snapshot import SourceSpec

    if app not in {None, *APPS}:
        raise ValueWrong(name="--app", found=str(app), expected=" | ".join(APPS), help=HELP)
    require_package_name(package, HELP)
    if "" in named:
        # As from a variable that was never set: the folder we stand in is not what was meant.
        raise ArgumentMissing(name="PATH|SOURCE", help=HELP)
    about = {"--app": app, "--name": name, "--package": package}
    given = [option for option, value in about.items() if value is not None]
    if given and len(named) != 1:
        raise OptionsClash(first=given[0], second="PATH PATH ..." if named else "-", help=HELP)
    if not named and not session.settings.sources:
        raise NothingToSave
    specs, keys = [], keys or ChatKeys(session)
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
                keys=keys(source.name) if source else keys.at(path),
            )
        )
    return specs


def require_package_name(package: str | None, help_command: str) -> None:
    """Refuse what can be no Android package: the guard keeps files under that name.

    Raises:
        ValueWrong: it is none.
    """
    from backupkit.guard.package_name import is_package_name

    if package is not None and not is_package_name(package):
        raise ValueWrong(name="--package", found=package, expected="com.tencent.mm", help=help_command)


def _ensure_repository(session: Session, specs: "Sequence[SourceSpec]", sheet: Path | None, *, wanted: bool) -> None:
    from backupkit.ops.repository.repository import is_initialised
    from backupkit.ops.saving.snapshot import require_there

    if is_initialised(session.places):
        return
    # A mistyped path must be told before a passphrase is thought up and a sheet is printed.
    for spec in specs:
        require_there(spec.path)
    # Without somebody to ask, a mistyped --repo must not silently become a second repository.
    if not wanted and session.person is None:
        raise NoRepository(path=str(session.places.repository))
    create_repository(session, sheet)


def _lines(session: Session, taken: "SnapshotTaken") -> list[str]:
    say, catalogue = session.say, session.catalogue
    lines = [say("snapshot.head", snapshot=taken.snapshot) + "  " + state_word(session, taken.state)]
    if taken.messages is not None:
        lines.append("  " + say("snapshot.messages", messages=taken.messages, conversations=taken.conversations))
    if taken.media:
        key = "snapshot.media-missing" if taken.media_missing else "snapshot.media"
        lines.append("  " + say(key, media=taken.media, missing=taken.media_missing))
    stored = catalogue.size(taken.new_bytes)
    lines.append("  " + say("snapshot.size", files=taken.files, bytes=catalogue.size(taken.bytes), stored=stored))
    if taken.unreadable:
        unreadable = say("snapshot.unreadable", count=len(taken.unreadable))
        lines.append(f"{session.terminal.paint('bad', 'x')} {unreadable}")
    lines += coverage_lines(session, taken.coverage)
    if taken.same_disk:
        lines.append(session.terminal.paint("warning", "!") + " " + say("snapshot.same-disk"))
    if taken.state == "saved":
        lines.append(say("snapshot.verify-next", snapshot=taken.snapshot))
    return lines
