"""A person's computer: a home, a passphrase, and the real programs as processes of their own."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PASSPHRASE = "correct horse battery staple"


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
        secret = home / "passphrase"
        secret.write_text(PASSPHRASE + "\n")
        secret.chmod(0o600)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LANG": language,
            "BACKUPKIT_PASSPHRASE_FILE": str(secret),
        }

    @property
    def repository(self) -> Path:
        return self.home / ".local/share/backupkit/repository"

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "backupkit", *map(str, arguments)]

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
        return answer

    def hook(self, request: dict[str, Any]) -> Answer:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("backupkit-hook"))],
            env=self.environment,
            cwd=self.home,
            input=json.dumps(request),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def initialise(self) -> None:
        """Make the repository and type the recovery words back."""
        sheet = self.home / "sheet.html"
        self.run("init", "--no-input", "--recovery-sheet", sheet)
        words = self.home / "words"
        words.write_text(" ".join(words_on(sheet)))
        self.run("key", "confirm", "--recovery-words-file", words)


def words_on(sheet: Path) -> list[str]:
    """Read the 24 words off a recovery sheet, as a person with the paper in hand would."""
    listed = sheet.read_text("utf-8").partition('<ol class="words">')[2].partition("</ol>")[0]
    words = re.findall(r"<li><span>([^<]+)</span></li>", listed)
    assert len(words) == 24, words
    return words
