"""Help and errors come at once, because nothing heavy is imported for them."""

import subprocess
import sys

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
