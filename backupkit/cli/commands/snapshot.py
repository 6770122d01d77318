"""`backupkit snapshot`: save chats, read every byte back, and say what was found."""

import shlex
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backupkit.cli.chat_keys import AskChatKey, ChatKeyFiles, ChatKeys
from backupkit.cli.first_use import create_repository
from backupkit.cli.guard_desk import publish_policy
from backupkit.cli.results import coverage_lines, repository_option, state_word
from backupkit.cli.saving import APPS, NothingNamed, NothingToSave, save, source_specs, taken_fields, write_parity
from backupkit.cli.session import Session, session_of
from backupkit.errors import BackupkitError, ExitCode
from backupkit.ops.failures import NoRepository

if TYPE_CHECKING:
    from backupkit.ops.saving.snapshot import SnapshotTaken, SourceSpec


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
    try:
        specs = source_specs(session, sources or [], app=app, name=name, package=package, keys=keys)
    except NothingToSave:
        _name_what_was_saved(session)
        raise
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


def _name_what_was_saved(session: Session) -> None:
    """Give the whole command to whoever saved here before and named nothing now.

    Raises:
        NothingNamed: something was, and it is still there.
    """
    from backupkit.ops.looking.status import status

    paths = []
    with suppress(BackupkitError, OSError):
        looked = status(session.places, max_age=session.settings.guard.max_backup_age, clock=session.clock)
        paths = [source.path for source in looked.sources if source.exists]
    if paths:
        raise NothingNamed(command=shlex.join(["backupkit", "snapshot", *paths]) + repository_option(session))


def _lines(session: Session, taken: "SnapshotTaken") -> list[str]:
    say, catalogue = session.say, session.catalogue
    lines = [say("snapshot.head", snapshot=taken.snapshot) + "  " + state_word(session, taken.state)]
    if taken.messages is not None:
        lines.append("  " + say("snapshot.messages", messages=taken.messages, conversations=taken.conversations))
    if taken.media:
        key = "snapshot.media-missing" if taken.media_missing else "snapshot.media"
        lines.append("  " + say(key, media=taken.media, missing=taken.media_missing))
    stored = catalogue.size(taken.new_bytes)
    if taken.state == "partial":
        lines.append("  " + say("snapshot.partial", stored=stored))
    else:
        lines.append("  " + say("snapshot.size", files=taken.files, bytes=catalogue.size(taken.bytes), stored=stored))
    if taken.unreadable:
        unreadable = say("snapshot.unreadable", count=len(taken.unreadable))
        lines.append(f"{session.terminal.paint('bad', 'x')} {unreadable}")
    lines += coverage_lines(session, taken.coverage)
    if taken.state == "verified" and not any(source.package for source in taken.sources):
        lines.append(f"{session.terminal.paint('faint', 'i')} {say('snapshot.of-no-app')}")
    if taken.same_disk:
        lines.append(
            session.terminal.paint("warning", "!") + " " + say("snapshot.same-disk", there=repository_option(session))
        )
    if taken.state == "saved":
        lines.append(say("snapshot.verify-next", snapshot=taken.snapshot))
    return lines
