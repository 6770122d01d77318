"""Where things lie."""

from pathlib import Path

from backupkit.config import standard_folders

HOME = Path("/home/lin")


def test_without_variables_the_xdg_defaults_count() -> None:
    folders = standard_folders({}, HOME, "linux")

    assert folders.repository == HOME / ".local/share/backupkit/repository"
    assert folders.config_file == HOME / ".config/backupkit/config.toml"
    assert folders.state == HOME / ".local/state/backupkit"
    assert folders.cache == HOME / ".cache/backupkit"


def test_a_relative_xdg_variable_is_ignored() -> None:
    folders = standard_folders({"XDG_DATA_HOME": "here", "XDG_STATE_HOME": "/s"}, HOME, "linux")

    assert folders.data == HOME / ".local/share/backupkit"
    assert folders.state == Path("/s/backupkit")


def test_other_systems_ask_the_library() -> None:
    folders = standard_folders({}, HOME, "darwin")

    assert folders.config.name == "backupkit"
