"""A person's computer: a home, a passphrase, and the real programs as processes of their own."""

import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backupkit.cli.main import answer
from backupkit.cli.session import Process
from backupkit.clock import Clock, SystemClock
from backupkit.ops.repository.repository import PLACE_FILE

UNFILLED = re.compile(r"\{[a-z_]+(?::[a-z]+)?\}")
PASSPHRASE = "correct horse battery staple"
_INITIALISED: dict[str, tuple["Computer", tempfile.TemporaryDirectory[str]]] = {}
"""The first computer of each language, and its folder, which goes when the tests end."""


@dataclass(frozen=True)
class Answer:
    """What a program printed and answered."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The JSON objects on standard output, one per line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def last(self) -> dict[str, Any]:
        return self.objects[-1]


class Computer:
    """Runs `backupkit` and `backupkit-hook` for one person."""

    def __init__(self, home: Path, language: str = "en_US.UTF-8") -> None:
        self.home = home
        self.home.mkdir(parents=True, exist_ok=True)
        self.clock: Clock = SystemClock()
        """What `run_here` takes for the time; processes of their own have the system's."""
        self._as: list[str] = []
        secret = home / "passphrase"
        secret.write_text(PASSPHRASE + "\n")
        secret.chmod(0o600)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LANG": language,
            "COLUMNS": "400",
            "BACKUPKIT_PASSPHRASE_FILE": str(secret),
        }

    def become(self, user: int, *reachable: Path) -> None:
        """Let another user run everything from now on. Needs root. `reachable` are folders the user must get through."""
        tool = shutil.which("setpriv")
        assert tool is not None, "setpriv (util-linux) is needed to run as somebody else"
        self._as = [tool, f"--reuid={user}", f"--regid={user}", "--clear-groups", "--"]
        for path in (self.home, *self.home.rglob("*")):
            os.chown(path, user, user)
        for folder in reachable:
            for place in (folder, *folder.parents):
                if not place.stat().st_mode & 0o001:
                    place.chmod(place.stat().st_mode | 0o011)
        tried = subprocess.run(
            self.command("--version"), cwd=self.home, env=self.environment, capture_output=True, check=False
        )
        if tried.returncode:
            pytest.skip("this checkout or its Python cannot be read by another user, so nothing ran as one")

    def give_up_privilege(self) -> None:
        """Run everything from now on with no more rights than the modes of files give, as root too."""
        if os.geteuid() == 0:
            tool = shutil.which("setpriv")
            assert tool is not None, "setpriv (util-linux) is needed to run without privileges"
            without = "-dac_override,-dac_read_search,-fowner,-chown"
            self._as = [tool, f"--bounding-set={without}", f"--inh-caps={without}", "--"]

    @property
    def repository(self) -> Path:
        return self.home / ".local/share/backupkit/repository"

    def command(self, *arguments: object) -> list[str]:
        return [*self._as, sys.executable, "-m", "backupkit", *map(str, arguments)]

    def run(self, *arguments: object, expect: int | None = 0, stdin: str | None = None, **environment: str) -> Answer:
        done = subprocess.run(
            self.command(*arguments),
            env={**self.environment, **environment},
            cwd=self.home,
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        answer = Answer(done.returncode, done.stdout, done.stderr)
        if expect is not None:
            assert answer.code == expect, f"exit {answer.code}\n{answer.out}\n{answer.err}"
        assert "Traceback" not in answer.out + answer.err, answer.err
        # A fact that a sentence asks for and nobody gave is shown as its placeholder.
        assert not UNFILLED.search(answer.err), answer.err
        return answer

    def run_here(self, *arguments: object, expect: int | None = 0) -> Answer:
        """Run the same command line in this process: for tests that ask hundreds of questions."""
        out, notes = io.StringIO(), io.StringIO()
        process = Process(self.environment, out, notes, self.clock)
        code = int(answer(process, [str(one) for one in arguments]))
        answered = Answer(code, out.getvalue(), notes.getvalue())
        if expect is not None:
            assert code == expect, f"exit {code}\n{answered.out}\n{answered.err}"
        return answered

    def hook(self, request: dict[str, Any]) -> Answer:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("backupkit-hook"))],
            env=self.environment,
            cwd=self.home,
            # A busy machine may take longer than the two seconds that a store waits by default.
            input=json.dumps({"deadline_ms": 60_000, **request}),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def double(self, home: Path) -> "Computer":
        """Another computer that is just like this one, down to its keys."""
        shutil.copytree(self.home, home, dirs_exist_ok=True)
        for place in home.rglob(PLACE_FILE):
            place.unlink()
        return Computer(home, self.environment["LANG"])

    def initialise(self) -> None:
        """Make the repository and type the recovery words back: once for all computers of a language, the others are doubles of the first."""
        language = self.environment["LANG"]
        if self._as or self.environment != Computer(self.home, language).environment:
            self.initialise_anew()
            return
        if language not in _INITIALISED:
            folder = tempfile.TemporaryDirectory(prefix="backupkit-test-")
            first = Computer(Path(folder.name) / "home", language)
            first.initialise_anew()
            _INITIALISED[language] = first, folder
        _INITIALISED[language][0].double(self.home)

    def initialise_anew(self) -> None:
        """Make a repository with keys of its own, as nobody else has it."""
        sheet = self.home / "sheet.html"
        self.run("init", "--no-input", "--recovery-sheet", sheet)
        words = self.home / "words"
        words.write_text(" ".join(words_on(sheet)))
        self.run("key", "confirm", "--recovery-words-file", words)


def words_on(sheet: Path) -> list[str]:
    """Read the 24 words off a recovery sheet, as a person with the paper in hand would."""
    listed = sheet.read_text("utf-8").partition('<ol class="words">')[2].partition("</ol>")[0]
    words = re.findall(r"<li><span>([^<]+)</span>", listed)
    assert len(words) == 24, words
    return words


def grow(folder: Path, dice: random.Random, files: int) -> None:
    """Add files of a few kinds, so that every run has something to pack."""
    folder.mkdir(parents=True, exist_ok=True)
    for _ in range(files):
        name = f"{dice.randrange(10**9):09d}"
        if dice.random() < 0.5:
            (folder / f"{name}.txt").write_text("".join(dice.choices("你好 hello 在吗 \n", k=20_000)))
        else:
            (folder / f"{name}.jpg").write_bytes(b"\xff\xd8\xff" + dice.randbytes(300_000))


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
