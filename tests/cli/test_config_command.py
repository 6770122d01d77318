"""`backupkit config` shows, checks and edits the settings."""

import json
import stat
from pathlib import Path

from command_line import Run


def test_settings_are_found_where_the_system_keeps_them(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "settings" / "backupkit"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("[repository]\npath = 'chats'\n[guard]\nmax-backup-age = '2h'\n")

    ran = run("config", "show", "--json", environment={"XDG_CONFIG_HOME": str(tmp_path / "settings")})

    assert ran.last["repository"] == str(folder / "chats")
    assert ran.last["guard_max_backup_age_s"] == 7200


def test_a_flag_wins_over_the_environment_and_that_over_the_settings(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text("[repository]\npath = '/from/file'\n[profile.usb.repository]\npath = '/from/profile'\n")

    def repository(*arguments: str, **environment: str) -> object:
        return run("config", "show", "--json", "--config", file, *arguments, environment=environment).last["repository"]

    assert repository() == "/from/file"
    assert repository("-P", "usb") == "/from/profile"
    assert repository("-P", "usb", BACKUPKIT_REPO="/from/environment") == "/from/environment"
    assert repository("--repo", "/from/flag", BACKUPKIT_REPO="/from/environment") == "/from/flag"
    assert repository(BACKUPKIT_PROFILE="usb") == "/from/profile"


def test_a_misspelt_key_is_an_error_with_its_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("version = 1\n\n[guard]\nmax-bakup-age = '24h'\n")

    ran = run("config", "check", "--config", tmp_path / "c.toml")

    assert ran.code == 2
    assert "line 4" in " ".join(ran.notes.split())
    assert "max-backup-age" in ran.notes
    assert "config-unknown-key" in ran.notes


def test_a_file_that_was_named_must_be_there(run: Run, tmp_path: Path) -> None:
    ran = run("config", "check", "--json", environment={"BACKUPKIT_CONFIG": str(tmp_path / "none.toml")})

    assert ran.last["code"] == "config-unreadable"


def test_a_file_that_is_no_text_is_one_typed_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_bytes(b"\xff\xfe\x00")

    assert run("config", "check", "--json", "--config", tmp_path / "c.toml").last["code"] == "config-unreadable"
    assert run("config", "check", "--json", "--config", tmp_path).last["code"] == "config-unreadable"


def test_editing_begins_with_a_template_and_ends_with_a_check(run: Run, tmp_path: Path) -> None:
    editor = tmp_path / "editor.sh"
    editor.write_text('#!/bin/sh\necho "[watch]" >> "$1"\necho "settle = \'3x\'" >> "$1"\n')
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)

    ran = run("config", "edit", "--config", tmp_path / "c.toml", environment={"EDITOR": str(editor)})

    assert (tmp_path / "c.toml").read_text().startswith("#:schema")
    assert ran.code == 2
    assert "watch.settle" in ran.notes


def test_the_schema_of_the_settings_is_printed(run: Run) -> None:
    ran = run("config", "schema")

    assert json.loads(ran.out)["properties"]["version"] == {"const": 1}
