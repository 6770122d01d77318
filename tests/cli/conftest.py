"""Running backupkit as people and programs do: as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from command_line import Ran, Run
from computer import UNFILLED


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run backupkit in an empty folder, without a terminal, in English unless told otherwise.

    The line is long, so that no sentence is broken where a test looks for it: how long the names of folders are depends
    on the machine.
    """

    def ran(*arguments: str | Path, environment: Mapping[str, str] | None = None, stdin: str = "") -> Ran:
        process = subprocess.run(
            [sys.executable, "-m", "backupkit", *(os.fspath(one) for one in arguments)],
            cwd=tmp_path, env={**os.environ, "COLUMNS": "400", **(environment or {})}, input=stdin.encode(),
            capture_output=True, timeout=120, check=False, start_new_session=True,
        )  # fmt: skip
        assert not UNFILLED.search(process.stderr.decode("utf-8")), process.stderr
        return Ran(process.returncode, process.stdout.decode("utf-8"), process.stderr.decode("utf-8"))

    return ran
