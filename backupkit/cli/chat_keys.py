"""The owner's own keys of sealed backups: from files that are named, from the settings, or typed at the terminal.

As with the passphrase, never from the command line or the environment itself. The files of the settings belong to one source each.
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from backupkit.cli.handed_over import open_handed, read_handed
from backupkit.cli.session import Session
from backupkit.errors import BackupkitError, ExitCode
from backupkit.ops.events import Found, Severity

if TYPE_CHECKING:
    from backupkit.chats.owner_keys import OwnerKeys

ChatKeyFiles: TypeAlias = Annotated[list[Path] | None, typer.Option("--chat-key-file", metavar="FILE")]
AskChatKey: TypeAlias = Annotated[bool, typer.Option("--ask-chat-key")]


class ChatKeyUnreadable(BackupkitError):
    """A file with a key of a sealed backup cannot be read. Facts: `path`, `reason`."""

    code = "chat-key-unreadable"
    exit_code = ExitCode.CANNOT_UNLOCK


class ChatKeyNeeded(BackupkitError):
    """A key of a sealed backup was to be typed, and nobody is there."""

    code = "chat-key-needed"
    exit_code = ExitCode.CANNOT_UNLOCK


class ChatKeys:
    """The keys of each source: those that were handed over now, and the source's own of the settings."""

    def __init__(self, session: Session, files: Sequence[Path] | None = None, *, ask: bool = False) -> None:
        """Read what was handed over now, and ask for a key where that is wanted.

        Raises:
            ChatKeyUnreadable: a file cannot be read.
            ExportKeyWrong: what is in a file, or was typed, is no key.
            ChatKeyNeeded: nobody can be asked.
        """
        from backupkit.chats.owner_keys import NO_KEYS, owner_keys

        self._session = session
        self._of_files: dict[Path, OwnerKeys] = {}
        self._given = NO_KEYS
        for file in files or ():
            self._given |= self._read(file)
        if ask:
            if session.person is None:
                raise ChatKeyNeeded
            self._given |= owner_keys(session.person.secret(session.say("ask.chat-key")).encode())

    def __call__(self, source: str) -> "OwnerKeys":
        """Return the keys of a source by its name."""
        known = self._session.settings.source(source)
        return self._with_file(known.chat_key_file if known else None)

    def at(self, path: Path) -> "OwnerKeys":
        """Return the keys of whatever lies at a path."""
        for known in self._session.settings.sources:
            if known.chat_key_file is not None and known.path.resolve() == path.resolve():
                return self._with_file(known.chat_key_file)
        return self._given

    def _with_file(self, file: Path | None) -> "OwnerKeys":
        from backupkit.chats.owner_keys import NO_KEYS, ExportKeyWrong

        if file is None:
            return self._given
        if file not in self._of_files:
            try:
                self._of_files[file] = self._read(file)
            except (ChatKeyUnreadable, ExportKeyWrong) as error:
                # Chats are saved without their key too, so a file that is away stops nothing.
                self._of_files[file] = NO_KEYS
                facts = {"path": str(file), "reason": str(error.facts.get("reason", error.code))}
                self._session.tell(Found("chat-key-not-read", Severity.WARNING, facts))
        return self._given | self._of_files[file]

    def _read(self, file: Path) -> "OwnerKeys":
        from backupkit.chats.owner_keys import MAX_KEY_FILE_BYTES, owner_keys

        try:
            descriptor = open_handed(file)
            try:
                mode = os.fstat(descriptor).st_mode
                text = read_handed(descriptor, MAX_KEY_FILE_BYTES)
            finally:
                os.close(descriptor)
        except OSError as problem:
            raise ChatKeyUnreadable(path=str(file), reason=problem.strerror or "unreadable") from problem
        if stat.S_ISREG(mode) and mode & 0o077 and os.name == "posix":
            self._session.tell(Found("passphrase-file-open-to-others", Severity.WARNING, {"path": str(file)}))
        return owner_keys(text)
