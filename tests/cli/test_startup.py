"""Help and errors come at once, because nothing heavy is imported for them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "cryptography",
    "zstandard",
    "watchdog",
    "mnemonic",
    "pyfastcdc",
    "rich",
    "backupkit.store",
    "tomllib",
    "pydantic",
)

NOT_FOR_NOTHING_NEW = (
    "backupkit.capture.live_database",
    "backupkit.chats.losing.ledger",
    "backupkit.chats.readers.registry",
    "backupkit.crypto.slots",
    "backupkit.guard.outcome",
    "backupkit.guard.request",
    "backupkit.ops.checking.verify",
    "backupkit.proof.forget_statement",
    "backupkit.proof.sweep_statement",
    "pyfastcdc",
)
"""What a snapshot needs only where there is something new, something to open, or something forgotten."""


@pytest.mark.parametrize("arguments", [["--help"], ["snapshto"], ["--version"]])
def test_nothing_heavy_is_imported_for_help_and_errors(arguments: list[str]) -> None:
    script = (
        "import sys, atexit\n"
        f"sys.argv = ['backupkit', *{arguments!r}]\n"
        f"atexit.register(lambda: print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr))\n"
        "from backupkit.cli.main import run\n"
        "run()\n"
    )

    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert ran.stderr.splitlines()[-1] == "[]"


def test_a_snapshot_that_finds_nothing_new_imports_only_what_looking_takes(tmp_path: Path) -> None:
    (tmp_path / "chats" / "empty").mkdir(parents=True)
    (tmp_path / "passphrase").write_text("four words of a passphrase\n")
    arguments = [
        "--repo",
        str(tmp_path / "repository"),
        "snapshot",
        "--no-input",
        "--no-verify",
        str(tmp_path / "chats"),
    ]
    script = (
        "import sys, atexit\n"
        "sys.argv = ['backupkit', *sys.argv[1:]]\n"
        f"modules = {NOT_FOR_NOTHING_NEW!r}\n"
        "atexit.register(lambda: print([m for m in modules if m in sys.modules], file=sys.stderr))\n"
        "from backupkit.cli.main import run\n"
        "run()\n"
    )
    environment = {**os.environ, "HOME": str(tmp_path), "BACKUPKIT_PASSPHRASE_FILE": str(tmp_path / "passphrase")}

    def take(*more: str) -> str:
        command = [sys.executable, "-c", script, *arguments, *more]
        ran = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        return ran.stderr.splitlines()[-1]

    first = take("--init", "--recovery-sheet", str(tmp_path / "sheet.txt"))
    second = take()

    assert "backupkit.chats.readers.registry" in first
    assert second == "[]"
