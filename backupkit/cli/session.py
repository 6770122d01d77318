"""What a command works with: the process around it, and the session that its options shape.

`Process` holds what the machine gave us; `Session` adds what was asked for. Commands get a `Session` and read nothing
else of the world.
"""

import os
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import typer

from backupkit.cli.asking import Person, somebody
from backupkit.cli.everywhere import Everywhere
from backupkit.cli.stopping import Stop
from backupkit.cli.verbs import BY_PATH
from backupkit.clock import Clock, SystemClock
from backupkit.home import home_of
from backupkit.i18n import Catalogue, choose_language
from backupkit.ui.json_printer import JsonPrinter
from backupkit.ui.output import Output
from backupkit.ui.plain_printer import PlainPrinter
from backupkit.ui.printer import Printer
from backupkit.ui.progress import NoProgress, ProgressBar, ProgressLines, ProgressView
from backupkit.ui.terminal import ColorChoice, Terminal, progress_kind, wants_color
from backupkit.ui.text_printer import TextPrinter

if TYPE_CHECKING:
    from backupkit.cli.passphrase import PassphraseSources
    from backupkit.config import Folders, Settings
    from backupkit.ops.places import Places
    from backupkit.ops.unlock import AskSecret, Secret

TRIES = 3
"""So often a person may type what opens the repository."""


@dataclass(slots=True)
class Process:
    """The machine's side: environment, streams, clock, signals; and `ending`, what is done when the process ends."""

    environment: Mapping[str, str]
    out: TextIO
    notes: TextIO
    clock: Clock = field(default_factory=SystemClock)
    stop: Stop = field(default_factory=Stop)
    ending: ExitStack = field(default_factory=ExitStack)
    session: "Session | None" = None

    def begin(self, asked: Everywhere, verb: str) -> "Session":
        """Begin a session; the process remembers it, so that whatever ends it is said in its manner."""
        self.session = Session(self, asked, verb)
        return self.session

    @property
    def home(self) -> Path:
        """The owner's home folder."""
        return home_of(self.environment)


class Session:
    """One run of one command."""

    def __init__(self, process: Process, asked: Everywhere, verb: str) -> None:
        self.process = process
        self.asked = asked
        self.verb = verb
        self.environment = process.environment
        self.clock = process.clock
        self.stop = process.stop
        self.catalogue = Catalogue(choose_language(asked.lang, self.environment))
        self.say = self.catalogue.say
        self.printer = self._printer()
        self.tell = self.printer.event
        self.stop.farewell = b"" if asked.json or asked.quiet else f"\n{self.say('stop.farewell')}\n".encode()

    @cached_property
    def folders(self) -> "Folders":
        """Where backupkit's own things lie."""
        from backupkit.config import standard_folders

        return standard_folders(self.environment, self.process.home, sys.platform)

    @property
    def settings_file(self) -> Path:
        """The owner's file of settings: flag, environment, default."""
        return Path(self._named_settings).absolute() if self._named_settings else self.folders.config_file

    @cached_property
    def settings(self) -> "Settings":
        """The settings as they were when this command began to need them."""
        return self.read_settings()

    def read_settings(self) -> "Settings":
        """Read the settings as they are now: the file that was named, or the owner's, over the machine's.

        Raises:
            ConfigProblem: one of them cannot be used, or a file that was named is not there.
        """
        from backupkit.cli.settings_files import read_settings

        return read_settings(
            self.settings_file,
            self.folders.system_config / "config.toml",
            own_must_exist=bool(self._named_settings),
            home=self.process.home,
            profile=self.asked.profile or self.environment.get("BACKUPKIT_PROFILE") or None,
        )

    @cached_property
    def places(self) -> "Places":
        """Where the repository and this machine's memory of it lie: flag, environment, settings, default."""
        from backupkit.ops.places import Places

        named = self.asked.repo or self.environment.get("BACKUPKIT_REPO")
        repository = Path(named) if named else self.settings.repository.path or self.folders.repository
        return Places(repository.absolute(), self.folders.state, self._cache)

    @property
    def _cache(self) -> Path:
        """The folder of caches, or one for this run only where that cannot be written."""
        from backupkit.cli.scratch_cache import can_write, scratch_cache
        from backupkit.ops.events import Notice

        usual = self.folders.cache
        if can_write(usual):
            return usual
        self.tell(Notice("cache-for-now", {"path": str(usual)}))
        return scratch_cache(self.process.ending)

    @cached_property
    def person(self) -> Person | None:
        """Who can be asked; None where nobody can."""
        return somebody(no_input=self.asked.no_input, about_pasting=self.say("ask.pasted"))

    @cached_property
    def passphrases(self) -> "PassphraseSources":
        """Where a passphrase comes from."""
        from backupkit.cli.passphrase import PassphraseSources

        return PassphraseSources(
            self.environment,
            file=lambda: self.settings.repository.passphrase_file,
            program=lambda: self.settings.repository.passphrase_command,
            person=self.person,
            tell=self.tell,
        )

    def secret(self, words_file: Path | None = None) -> "AskSecret":
        """Return how to get at what opens the repository: the recovery words of a file, or the passphrase."""
        from backupkit.cli.passphrase import recovery_words
        from backupkit.ops.unlock import Secret

        def ask() -> Secret:
            if words_file is not None:
                return Secret(recovery_words=recovery_words(words_file))
            if self.passphrases.is_named():
                return Secret(passphrase=self.passphrases.existing(""))
            return self._typed(TRIES)

        return ask

    def _typed(self, tries: int) -> "Secret":
        """Ask the person, who may try so often: a slip must not cost the whole command line."""
        from backupkit.ops.unlock import mistyped_words, typed_secret

        given = self.passphrases.existing(self.say("ask.passphrase", path=str(self.places.repository)))

        def again() -> "Secret":
            mistyped = mistyped_words(given)
            if mistyped is None:
                self.printer.note("ask.once-more")
            else:
                self.printer.note(f"error.{mistyped.code}.what", **mistyped.facts)
            return self._typed(tries - 1)

        return replace(typed_secret(given), again=again if tries > 1 else None)

    @property
    def terminal(self) -> Terminal:
        """The stream that results go to, for people."""
        is_tty = self.process.out.isatty()
        color = wants_color(self._color, self.environment, is_tty=is_tty)
        return Terminal(is_tty, color, self._columns())

    @property
    def _named_settings(self) -> str | None:
        return self.asked.config or self.environment.get("BACKUPKIT_CONFIG")

    @property
    def _color(self) -> ColorChoice:
        return self.asked.color or "auto"

    def _printer(self) -> Printer:
        notes = self.process.notes
        is_tty = notes.isatty()
        terminal = Terminal(is_tty, wants_color(self._color, self.environment, is_tty=is_tty), self._columns())
        kind = progress_kind(self.asked.progress or "auto", self.environment, is_tty=is_tty, quiet=self.asked.quiet)
        out = Output(self.process.out)
        if self.asked.json:
            return JsonPrinter(out, now=time.monotonic, progress=kind != "none", commands=BY_PATH)
        progress: ProgressView = NoProgress()
        if kind == "bar":
            frames = self.environment.get("BACKUPKIT_PROGRESS_FPS", "")
            progress = ProgressBar(
                notes, terminal, self.catalogue, time.monotonic, int(frames) if frames.isdecimal() else 10
            )
        elif kind == "lines":
            progress = ProgressLines(notes, self.catalogue, time.monotonic)
        verbosity = -1 if self.asked.quiet else self.asked.verbose
        people = TextPrinter(
            out, notes, catalogue=self.catalogue, terminal=terminal, progress=progress, verbosity=verbosity
        )
        return PlainPrinter(out, people) if self.asked.plain else people

    def _columns(self) -> int:
        columns = self.environment.get("COLUMNS", "")
        if columns.isdecimal() and int(columns) > 0:
            return int(columns)
        for stream in (self.process.notes, self.process.out):
            try:
                return max(os.get_terminal_size(stream.fileno()).columns, 20)
            except (OSError, ValueError):
                continue
        return 80


def session_of(context: typer.Context) -> Session:
    """Return the session that a command runs in."""
    session = context.obj
    assert isinstance(session, Session)
    return session
