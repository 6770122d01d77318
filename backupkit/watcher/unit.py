"""A systemd user unit that keeps the watcher running.

Every path in it is quoted as systemd reads it, so that no name of a folder becomes another argument.
"""

from collections.abc import Sequence
from pathlib import Path


def unit_text(program: Path, options: Sequence[str]) -> str:
    """Return the unit for `program watch`, with `options` such as `--repo DIR` behind it."""
    command = " ".join([_quoted(str(program)), "watch", "--no-input", *map(_quoted, options)])
    return f"""\
# ~/.config/systemd/user/backupkit-watch.service
# systemctl --user enable --now backupkit-watch
[Unit]
Description=backupkit: saves chats whenever they come to rest

[Service]
Type=notify
ExecStart={command}
Restart=on-failure
RestartSec=60
NoNewPrivileges=yes
UMask=0077

[Install]
WantedBy=default.target
"""


def _quoted(word: str) -> str:
    """Write one word of `ExecStart=`: systemd expands `%` and `$` in quotation marks, too."""
    if word.startswith("--"):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
