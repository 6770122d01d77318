"""Everybody's state lies in their own home, whatever the environment says of it."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from backupkit.config import standard_folders
from backupkit.home import home_of, is_open_to_others, make_private
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


def test_a_private_folder_and_what_was_missing_above_it_are_closed_to_others_whatever_the_umask(tmp_path: Path) -> None:
    """Only the last one was, and others could put a folder of theirs in the place of the one above it."""
    before = os.umask(0)
    try:
        make_private(tmp_path / "state" / "guard" / "records")
    finally:
        os.umask(before)

    made = [tmp_path / "state", tmp_path / "state/guard", tmp_path / "state/guard/records"]
    assert [folder.stat().st_mode & 0o777 for folder in made] == [0o700] * 3


def test_a_folder_that_is_there_keeps_its_mode_and_a_file_in_its_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o755)
    (tmp_path / "file").touch()

    make_private(tmp_path / "shared")

    assert (tmp_path / "shared").stat().st_mode & 0o777 == 0o755
    with pytest.raises(FileExistsError):
        make_private(tmp_path / "file")


@pytest.mark.parametrize(
    ("mode", "who", "is_open"),
    [
        (0o700, "owner", False),
        (0o755, "owner", False),
        (0o755, "root", False),
        (0o755, "another", True),
        (0o775, "owner", True),
        (0o757, "owner", True),
        (0o1777, "owner", True),
        (0o777, "root", True),
    ],
)
def test_a_folder_is_open_where_another_user_may_write_or_owns_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, who: str, is_open: bool
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    if os.geteuid() == 0:
        os.chown(folder, 1000, -1)
    folder.chmod(mode)
    owner = folder.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: {"owner": owner, "root": 0, "another": owner + 1}[who])

    assert is_open_to_others(folder) == is_open
    assert not is_open_to_others(Path("/")), "what is root's is open to nobody else"
    assert not is_open_to_others(tmp_path / "absent")
