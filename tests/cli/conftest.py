"""Running backupkit as people and programs do: as a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest


@dataclass(frozen=True, slots=True)
class Ran:
    """What a process answered."""

    code: int
    out: str
    notes: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The JSON objects on the standard output."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def last(self) -> dict[str, Any]:
        """The last JSON object."""
        return self.objects[-1]


Run: TypeAlias = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run backupkit in an empty folder, without a terminal, in English unless told otherwise."""

    def ran(*arguments: str | Path, environment: Mapping[str, str] | None = None, stdin: str = "") -> Ran:
        process = subprocess.run(
            [sys.executable, "-m", "backupkit", *map(os.fspath, arguments)],
            cwd=tmp_path, env={**os.environ, **(environment or {})}, input=stdin.encode(),
            capture_output=True, timeout=120, check=False, start_new_session=True,
        )  # fmt: skip
        return Ran(process.returncode, process.stdout.decode("utf-8"), process.stderr.decode("utf-8"))

    return ran
