"""Completion scripts are valid in their shells and know every command."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Run

from backupkit.cli.verbs import VERBS

CHECKS = {"bash": ["bash", "-n"], "zsh": ["zsh", "-n"], "fish": ["fish", "--no-execute"]}


@pytest.mark.parametrize("shell", CHECKS)
@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_a_script_is_understood_by_its_shell(
    run: Run, tmp_path: Path, shell: str, language: str, system_tool: Callable[[str], str]
) -> None:
    ran = run("completion", shell, "--lang", language)

    assert ran.code == 0
    assert all(verb.path.split()[-1] in ran.out for verb in VERBS)
    system_tool(shell)
    (tmp_path / "script").write_text(ran.out)
    checked = subprocess.run([*CHECKS[shell], str(tmp_path / "script")], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("snap", {"snapshot", "snapshots"}), ("key con", {"confirm"}), ("--color a", {"auto", "always"}),
        ("verify --op", {"--open"}), ("export --format ''", {"html", "jsonl", "csv", "text"}), ("export --color n", {"never"}),
        ("key public --format p", {"pem"}), ("completion ''", {"bash", "zsh", "fish"}), ("restore latest --to ''", set()),
    ],
)  # fmt: skip
def test_bash_completes_what_was_begun(run: Run, tmp_path: Path, typed: str, expected: set[str]) -> None:
    (tmp_path / "script").write_text(run("completion", "bash").out)
    words = ["backupkit", *typed.split()]
    quoted = " ".join(words)
    ask = f'. ./script; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _backupkit; printf "%s\\n" "${{COMPREPLY[@]}}"'

    ran = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True, cwd=tmp_path)

    assert set(ran.stdout.split()) == expected
