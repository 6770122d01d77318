"""Where the passphrase comes from: a file, a descriptor, a program, or the person.

Never an argument, never a value in the environment: both can be read by others on the machine and end up in histories
and logs.
"""

import os
import shlex
import stat
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Timer

from backupkit.cli.asking import Person
from backupkit.cli.handed_over import open_handed, read_handed
from backupkit.errors import BackupkitError, ExitCode, reason_of
from backupkit.ops.events import Found, Notice, Severity, Tell

MOST_BYTES = 65_536
SECONDS_FOR_PROGRAM = 120
TRIES = 3
"""How often a person is asked for the same passphrase twice."""
SHORT_BYTES = 8
"""What is shorter than this can be tried out, however slow each try is made."""


class PassphraseNeeded(BackupkitError):
    """Something must be opened, no source of a passphrase is set, and nobody can be asked."""

    code = "passphrase-needed"
    exit_code = ExitCode.CANNOT_UNLOCK


class PassphraseUnreadable(BackupkitError):
    """The file, descriptor or program that should give the passphrase does not. Facts: `source`, `reason`."""

    code = "passphrase-unreadable"
    exit_code = ExitCode.CANNOT_UNLOCK


class PassphraseEmpty(BackupkitError):
    """Somebody who was asked for a new passphrase typed none."""

    code = "passphrase-empty"
    exit_code = ExitCode.CANNOT_UNLOCK


class PassphrasesDiffer(BackupkitError):
    """The new passphrase was not typed the same twice, however often it was asked for."""

    code = "passphrases-differ"
    exit_code = ExitCode.USAGE


class WordsFileUnreadable(BackupkitError):
    """The file with the recovery words cannot be read. Facts: `path`, `reason`."""

    code = "words-file-unreadable"
    exit_code = ExitCode.CANNOT_UNLOCK


class PassphraseSources:
    """Looks in the places that were named, in their order; `person` comes last."""

    def __init__(
        self, environment: Mapping[str, str], *, file: Callable[[], Path | None], program: Callable[[], str | None],
        person: Person | None, tell: Tell,
    ) -> None:  # fmt: skip
        self._environment = environment
        self._file = file
        self._program = program
        self._person = person
        self._tell = tell

    def existing(self, question: str) -> str:
        """Return the passphrase of a repository that exists.

        Raises:
            PassphraseNeeded: no place is named and nobody can be asked.
            PassphraseUnreadable: the place that is named gives none.
        """
        found = self._named()
        if found is not None:
            return found
        if self._person is None:
            raise PassphraseNeeded
        return self._person.secret(question)

    def new(self, question: str, again: str) -> str:
        """Return a passphrase for something new; a person types it twice.

        Raises:
            PassphraseNeeded, PassphraseUnreadable: as for `existing`.
            PassphraseEmpty: nothing was typed.
            PassphrasesDiffer: the two were not the same, three times.
        """
        found = self._named()
        if found is not None:
            return found
        if self._person is None:
            raise PassphraseNeeded
        for tried in range(1, TRIES + 1):
            first = self._person.secret(question)
            if not first:
                raise PassphraseEmpty
            if "\ufffd" in first:
                # The terminal is set to another writing than the locale. Whatever was meant, it could not be typed again elsewhere.
                raise PassphraseUnreadable(source="/dev/tty", reason="not-utf-8")
            if self._person.secret(again) == first:
                if len(first.encode()) < SHORT_BYTES:
                    self._tell(Found("passphrase-short", Severity.WARNING, {}))
                return first
            if tried < TRIES:
                self._tell(Notice("passphrases-differ", {}))
        raise PassphrasesDiffer

    def is_named(self) -> bool:
        """Tell whether a place other than the person is set."""
        names = ("BACKUPKIT_PASSPHRASE_FILE", "BACKUPKIT_PASSPHRASE_FD", "BACKUPKIT_PASSPHRASE_COMMAND")
        return any(self._environment.get(name) for name in names) or bool(self._file() or self._program())

    def _named(self) -> str | None:
        environment = self._environment
        if path := environment.get("BACKUPKIT_PASSPHRASE_FILE"):
            return self.in_file(Path(path), "BACKUPKIT_PASSPHRASE_FILE")
        if descriptor := environment.get("BACKUPKIT_PASSPHRASE_FD"):
            return self._from_descriptor(descriptor)
        if command := environment.get("BACKUPKIT_PASSPHRASE_COMMAND"):
            return self._from_program(command, "BACKUPKIT_PASSPHRASE_COMMAND")
        if file := self._file():
            return self.in_file(file, "repository.passphrase-file")
        if program := self._program():
            return self._from_program(program, "repository.passphrase-command")
        return None

    def in_file(self, path: Path, source: str) -> str:
        """Return the passphrase in a file; `source` is what the user calls the file.

        Raises:
            PassphraseUnreadable: it cannot be read, or holds none.
        """
        try:
            descriptor = open_handed(path)
        except OSError as problem:
            raise PassphraseUnreadable(source=source, reason=reason_of(problem)) from problem
        try:
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISDIR(mode):
                raise PassphraseUnreadable(source=source, reason="is-a-folder")
            if stat.S_ISREG(mode) and mode & 0o077 and os.name == "posix":
                self._tell(Found("passphrase-file-open-to-others", Severity.WARNING, {"path": str(path)}))
            return _passphrase(_read(descriptor, source), source)
        finally:
            os.close(descriptor)

    @staticmethod
    def _from_descriptor(number: str) -> str:
        source = "BACKUPKIT_PASSPHRASE_FD"
        if not number.isdecimal() or len(number) > 9:
            raise PassphraseUnreadable(source=source, reason="not-a-number")
        return _passphrase(_read(int(number), source), source)

    def _from_program(self, command: str, source: str) -> str:
        try:
            printed, status = _printed(shlex.split(command), dict(self._environment))
        except (OSError, ValueError, IndexError) as problem:
            raise PassphraseUnreadable(source=source, reason=reason_of(problem)) from problem
        if len(printed) > MOST_BYTES:
            raise PassphraseUnreadable(source=source, reason="too-large")
        if status != 0:
            raise PassphraseUnreadable(source=source, reason="program-too-slow" if status < 0 else "program-failed")
        return _passphrase(printed.split(b"\n")[0], source)


def _printed(parts: list[str], environment: dict[str, str]) -> tuple[bytes, int]:
    """Run a program and return what it prints, never more than a passphrase may be, and how it ended.

    No shell: what stands in a file of settings is one program with arguments and nothing cleverer.
    """
    with subprocess.Popen(parts, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment) as program:
        assert program.stdout is not None
        alarm = Timer(SECONDS_FOR_PROGRAM, program.kill)
        alarm.start()
        try:
            printed = program.stdout.read(MOST_BYTES + 1)
            if len(printed) > MOST_BYTES:
                program.kill()
            return printed, program.wait()
        finally:
            alarm.cancel()


def recovery_words(path: Path) -> str:
    """Read the words of the recovery code from a file; what they say is checked by who uses them.

    Raises:
        WordsFileUnreadable: it is not there, too large, or no text.
    """
    try:
        descriptor = open_handed(path)
        try:
            data = read_handed(descriptor, MOST_BYTES + 1)
        finally:
            os.close(descriptor)
        if len(data) > MOST_BYTES:
            raise WordsFileUnreadable(path=str(path), reason="too-large")
        return data.decode("utf-8-sig")
    except OSError as problem:
        raise WordsFileUnreadable(path=str(path), reason=reason_of(problem)) from problem
    except UnicodeDecodeError as problem:
        raise WordsFileUnreadable(path=str(path), reason="not-utf-8") from problem


def _read(descriptor: int, source: str) -> bytes:
    try:
        return read_handed(descriptor, MOST_BYTES + 1)
    except OSError as problem:
        raise PassphraseUnreadable(source=source, reason=reason_of(problem)) from problem


def _passphrase(data: bytes, source: str) -> str:
    """Decode a passphrase; one line end behind it does not belong to it."""
    if len(data) > MOST_BYTES:
        raise PassphraseUnreadable(source=source, reason="too-large")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise PassphraseUnreadable(source=source, reason="not-utf-8") from problem
    passphrase = text.removesuffix("\n").removesuffix("\r")
    if not passphrase:
        raise PassphraseUnreadable(source=source, reason="empty")
    return passphrase
