"""What `snapshot` and the watcher share: which sources are meant, saving them, and what is said of it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from backupkit.cli.chat_keys import ChatKeys
from backupkit.cli.session import Session
from backupkit.cli.usage import ArgumentMissing, OptionsClash, ValueWrong
from backupkit.config.keys import KEYS
from backupkit.errors import BackupkitError, ExitCode, Unplugged, reason_of
from backupkit.ops.events import Notice, Tell
from backupkit.ui.json_fields import json_fields

if TYPE_CHECKING:
    from backupkit.ops.saving.snapshot import SnapshotTaken, SourceSpec

APPS = next(key.choices for key in KEYS if key.dotted == "source.app")
_HELP = "backupkit snapshot --help"


class NothingToSave(BackupkitError):
    """No path was given and the settings list no source."""

    code = "nothing-to-save"
    exit_code = ExitCode.USAGE


class NothingNamed(BackupkitError):
    """The same, where something was saved before. Facts: `command`, which saves it again."""

    code = "nothing-named"
    exit_code = ExitCode.USAGE


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
    except (BackupkitError, Unplugged, OSError) as error:
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
        raise ValueWrong(name="--app", found=str(app), expected=" | ".join(APPS), help=_HELP)
    require_package_name(package, _HELP)
    if "" in named:
        # As from a variable that was never set: the folder we stand in is not what was meant.
        raise ArgumentMissing(name="PATH|SOURCE", help=_HELP)
    about = {"--app": app, "--name": name, "--package": package}
    given = [option for option, value in about.items() if value is not None]
    if given and len(named) != 1:
        raise OptionsClash(first=given[0], second="PATH PATH ..." if named else "-", help=_HELP)
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
