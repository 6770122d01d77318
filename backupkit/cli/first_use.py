"""Making a repository: a passphrase, a recovery sheet, and the words typed back.

A backup that nobody can open is no backup. So the sheet is written where it can be printed, two of its words are asked
for at once, and until they were typed back nothing counts as covered.
"""

import os
import re
import secrets
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from backupkit.errors import BackupkitError, ExitCode

if TYPE_CHECKING:
    from backupkit.cli.session import Session
    from backupkit.ops.keys.initialise import Initialised

SHEET_NAME = "backupkit-recovery-sheet.html"
WORDS_ASKED = 2
TRIES = 3


class SheetExists(BackupkitError):
    """The recovery sheet would be written over a file that is there. Facts: `path`."""

    code = "sheet-exists"
    exit_code = ExitCode.TARGET_NOT_EMPTY


class SheetUnwritable(BackupkitError):
    """The recovery sheet cannot be written there, so no repository was made. Facts: `path`, `reason`."""

    code = "sheet-unwritable"
    exit_code = ExitCode.USAGE


class SheetFile:
    """A place for the sheet, taken before the repository is made: afterwards it would be too late to find none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")

    def __enter__(self) -> Self:
        """Prove that the place can be written.

        Raises:
            SheetExists: there is a file of that name.
            SheetUnwritable: the folder does not take files.
        """
        if self.path.exists() or self.path.is_symlink():
            raise SheetExists(path=str(self.path))
        try:
            self._clear_left()
            os.close(self._opened())
            # Questions are asked now. Whoever is killed at one of them leaves nothing.
            self._temporary.unlink()
        except OSError as problem:
            raise SheetUnwritable(path=str(self.path), reason=problem.strerror or "unwritable") from problem
        return self

    def _opened(self) -> int:
        return os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)

    def _clear_left(self) -> None:
        """Remove what a run left that was killed while it wrote the words down: nobody would ever look there."""
        name = re.compile(rf"\.{re.escape(self.path.name)}\.(\d{{1,9}})\.tmp")
        for entry in os.scandir(self.path.parent):
            left = name.fullmatch(entry.name)
            if left is not None and not _runs(int(left[1])):
                Path(entry.path).unlink(missing_ok=True)

    def write(self, html: str) -> None:
        """Write the sheet under its name, whole or not at all."""
        with os.fdopen(self._opened(), "wb") as file:
            file.write(html.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        # Somebody may have put a file there since; a rename would lose it. Not every file system has links.
        if self.path.exists():
            raise SheetExists(path=str(self.path))
        self._temporary.rename(self.path)

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing half written behind."""
        self._temporary.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        # Somebody else's.
        return True
    return True


@dataclass(frozen=True, slots=True)
class Created:
    """A repository that was just made."""

    made: "Initialised"
    sheet: Path
    is_confirmed: bool


def create_repository(session: "Session", sheet: Path | None) -> Created:
    """Make the repository of the session, with a recovery sheet, and have two words typed back by whoever is there."""
    from backupkit.ops.keys.initialise import initialise
    from backupkit.ops.keys.recovery_sheet import render_sheet

    place = sheet.absolute() if sheet else _free(session.process.home / SHEET_NAME)
    with SheetFile(place) as file:
        session.printer.note("init.creating", path=str(session.places.repository))
        if session.person is not None and not session.passphrases.is_named():
            session.printer.note("init.passphrase")
        passphrase = session.passphrases.new(session.say("ask.new-passphrase"), session.say("ask.same-again"))
        made = initialise(session.places, passphrase=passphrase, clock=session.clock, tell=session.tell)
        file.write(render_sheet(made.sheet, session.catalogue.language))
    session.printer.note("init.sheet-written", path=str(place))
    is_confirmed = _typed_back(session, made)
    session.printer.note("init.confirmed" if is_confirmed else "init.not-confirmed")
    return Created(made, place, is_confirmed)


def _free(path: Path) -> Path:
    """Return the first name in a row that is not taken, so that no older sheet is lost."""
    taken = 1
    while path.exists():
        taken += 1
        path = path.with_name(f"{Path(SHEET_NAME).stem}-{taken}.html")
    return path


def _typed_back(session: "Session", made: "Initialised") -> bool:
    from backupkit.ops.keys.confirm_recovery import confirm_recovery

    person = session.person
    if person is None:
        return False
    languages = (made.sheet.words_en, made.sheet.words_zh)
    places = sorted(secrets.SystemRandom().sample(range(len(languages[0])), WORDS_ASKED))
    for place in places:
        expected = {_folded(words[place]) for words in languages}
        for attempt in range(TRIES):
            if _folded(person.secret(session.say("ask.word", number=place + 1))) in expected:
                break
            if attempt == TRIES - 1:
                return False
            session.printer.note("init.wrong-word")
    confirm_recovery(session.places, " ".join(languages[0]), clock=session.clock)
    return True


def _folded(word: str) -> str:
    return unicodedata.normalize("NFKD", word).strip().casefold()
