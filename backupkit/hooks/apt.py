"""apt: asked by `DPkg::Pre-Install-Pkgs` (version 3) before anything is unpacked or removed. Any exit but 0 stops apt.

`dpkg -i` does not ask.
"""

from collections.abc import Iterator

from backupkit.clock import Clock
from backupkit.guard.outcome import Action
from backupkit.hooks.system_packages import Guarded, QuestionMalformed, Row, Told, answer_rows, not_understood, say

MAX_LINES = 100_000


def read_rows(data: bytes) -> Iterator[Row]:
    """Read apt's question: which installed packages would be upgraded, downgraded, reinstalled or removed.

    Raises:
        QuestionMalformed: it is anything else.
    """
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    if lines[0] != "VERSION 3" or "" not in lines or len(lines) > MAX_LINES:
        raise QuestionMalformed
    # apt's whole configuration comes first, and ends with an empty line.
    for line in lines[lines.index("") + 1 :]:
        if not line:
            continue
        fields = line.split(" ", 8)
        if len(fields) != 9:
            raise QuestionMalformed
        name, old, _, _, direction, new, _, _, what = fields
        if what == "**REMOVE**" or new == "-":
            yield Row(name, Action.UNINSTALL)
        elif old == "-" or what == "**CONFIGURE**":
            # Newly installed, or unpacked by a row before.
            continue
        elif direction in _ACTIONS:
            yield Row(name, _ACTIONS[direction])
        else:
            raise QuestionMalformed


_ACTIONS = {"<": Action.UPGRADE, ">": Action.DOWNGRADE, "=": Action.REINSTALL}


def ask_apt(data: bytes, guarded: Guarded, language: str, clock: Clock | None = None) -> Told:
    """Answer apt. Never raises for what apt sent."""
    try:
        rows = list(read_rows(data))
    except QuestionMalformed:
        return not_understood("apt", language)
    told = answer_rows(rows, "apt", guarded, language, clock)
    if not told.held or all(row.name in told.held for row in rows):
        return told
    # apt changes all or nothing: what has no chats must not wait for a backup of them.
    return told._replace(text=told.text + say("others.apt", language, names=" ".join(dict.fromkeys(told.held))))
