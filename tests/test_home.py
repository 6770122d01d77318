"""Everybody's state lies in their own home, whatever the environment says of it."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from backupkit.config import standard_folders
from backupkit.home import home_of
from backupkit.hooks.asking import places_in

OWN = Path(pwd.getpwuid(os.getuid()).pw_dir)


@pytest.mark.parametrize(
    ("environment", "home"),
    [({"HOME": "/somewhere"}, Path("/somewhere")), ({"HOME": ""}, OWN), ({"HOME": "here"}, OWN), ({}, OWN)],
)
def test_a_home_that_is_no_absolute_path_is_not_believed(environment: dict[str, str], home: Path) -> None:
    assert home_of(environment) == home
    assert places_in(environment).root == home / ".local/state/backupkit/guard"


def test_the_command_and_the_hook_look_in_the_same_place(tmp_path: Path) -> None:
    program = "from backupkit.__main__ import run; run()"
    environment = {"PATH": os.environ["PATH"], "HOME": "", "LANG": "C.UTF-8"}

    shown = subprocess.run(
        [sys.executable, "-c", program, "config", "show", "--json"],
        env=environment, capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip

    assert f'"{OWN}/.local/state/backupkit' in shown.stdout


@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_the_hook_looks_where_the_commands_write_on_every_system(system: str) -> None:
    environment = {"HOME": "/somewhere"}

    written = standard_folders(environment, home_of(environment), system).state / "guard"

    assert places_in(environment, system).root == written
