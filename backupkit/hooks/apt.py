"""apt: asked by `DPkg::Pre-Install-Pkgs` (version 3) before anything is unpacked or removed. Any exit but 0 stops apt.

A package manager does not wipe a home folder; see `guard/desktop.py` for what is at stake. `dpkg -i` does not ask.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from backupkit.clock import Clock, SystemClock
from backupkit.guard.desk import Desk
from backupkit.guard.desktop import DesktopChange
from backupkit.guard.device_rules import Action
from backupkit.guard.places import GuardPlaces
from backupkit.guard.verdict import Decision, Verdict
from backupkit.hooks.protocol import UNDECIDED_EXIT
from backupkit.ids import AppPackage

MAX_INPUT_BYTES = 8 << 20
MAX_LINES = 100_000

WATCHED: Mapping[str, AppPackage] = {
    name: AppPackage(app)
    for name, app in {
        "wechat": "com.tencent.mm",
        "com.tencent.wechat": "com.tencent.mm",
        "linuxqq": "com.tencent.mobileqq",
        "com.qq.im.deepin": "com.tencent.mobileqq",
        "telegram-desktop": "org.telegram.messenger",
        "signal-desktop": "org.thoughtcrime.securesms",
    }.items()
}
"""Packages of chat programs, and the app whose backup counts for each."""

_SAID = {
    "en": {
        "hold": "backupkit: {name} waits: no verified backup of its chats counts now ({reason}).\n"
        "  backupkit snapshot, then backupkit verify, then again. Why: backupkit explain {reason}\n",
        "undecided": "backupkit: apt's question was not understood, so nothing is changed ({reason}).\n",
    },
    "zh": {
        "hold": "backupkit：{name} 暂缓：目前没有算数的已核验备份（{reason}）。\n"
        "  先运行 backupkit snapshot，再运行 backupkit verify，然后重试。原因：backupkit explain {reason}\n",
        "undecided": "backupkit：看不懂 apt 的问题，因此不做任何更改（{reason}）。\n",
    },
}


class AptMalformed(Exception):
    """What came in is not version 3 of apt's protocol."""


class Row(NamedTuple):
    """One package that apt will change."""

    name: str
    action: Action


def read_rows(data: bytes) -> Iterator[Row]:
    """Read apt's question: which installed packages would be upgraded, downgraded, reinstalled or removed.

    Raises:
        AptMalformed: it is anything else.
    """
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    if lines[0] != "VERSION 3" or "" not in lines or len(lines) > MAX_LINES:
        raise AptMalformed
    # apt's whole configuration comes first, and ends with an empty line.
    for line in lines[lines.index("") + 1 :]:
        if not line:
            continue
        fields = line.split(" ", 8)
        if len(fields) != 9:
            raise AptMalformed
        name, old, _, _, direction, new, _, _, what = fields
        if old == "-" or what == "**CONFIGURE**":
            # Newly installed, or unpacked by a row before.
            continue
        if what == "**REMOVE**" or new == "-":
            yield Row(name, Action.UNINSTALL)
        elif direction in _ACTIONS:
            yield Row(name, _ACTIONS[direction])
        else:
            raise AptMalformed


_ACTIONS = {"<": Action.UPGRADE, ">": Action.DOWNGRADE, "=": Action.REINSTALL}


def ask_apt(data: bytes, places: GuardPlaces, language: str, clock: Clock | None = None) -> tuple[str, int]:
    """Answer apt: what to tell the person, and the exit code. Never raises for what apt sent.

    Raises:
        OSError: there is no guard.
    """
    said = _SAID[language]
    try:
        rows = [row for row in read_rows(data) if row.name in WATCHED]
    except AptMalformed:
        return said["undecided"].format(reason="request-malformed"), UNDECIDED_EXIT
    if not rows:
        # Whatever state the guard is in, apt can go on with everything that is none of its business.
        return "", 0
    become_owner(places)
    desk, now = Desk(places), (clock or SystemClock()).now()
    told, code = "", 0
    for row in rows:
        change = DesktopChange(row.name, row.action, WATCHED[row.name], "apt")
        verdict: Verdict = desk.answer_desktop(change, now)
        if verdict.decision is not Decision.ALLOW:
            told += said["hold"].format(name=row.name, reason=verdict.reason)
            code = max(code, int(verdict.exit_code))
    return told, code


def state_of(arguments: Sequence[str]) -> Path | None:
    """Read `--state DIR`; None where the arguments are anything else."""
    is_named = len(arguments) == 2 and arguments[0] == "--state" and Path(arguments[1]).is_absolute()
    return Path(arguments[1]) if is_named else None


def become_owner(places: GuardPlaces) -> None:
    """As root, become the owner of the guard's folder: the ledger must stay theirs, and root's rights are not needed.

    Raises:
        OSError: there is no such folder.
    """
    owner = places.root.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
