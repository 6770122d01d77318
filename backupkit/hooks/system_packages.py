"""Packages of this computer that are about to be changed: each is judged, and the person is told why one must wait.

`apt.py` and `pacman.py` read the question, each in its host's own protocol. A host does not wipe a home folder; see
`guard/desktop.py` for what is at stake.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from backupkit.clock import Clock, SystemClock
from backupkit.guard.desk import Desk
from backupkit.guard.desktop import WATCHED, DesktopChange, is_system_package, read_watch, watched_with
from backupkit.guard.outcome import Action
from backupkit.guard.places import GuardPlaces
from backupkit.guard.verdict import Decision
from backupkit.hooks.protocol import UNDECIDED_EXIT
from backupkit.ids import AppPackage
from backupkit.text import printable

MAX_INPUT_BYTES = 8 << 20

_SAID = {
    "en": {
        "hold": "backupkit: {name} waits: no verified backup of its chats counts now ({reason}).\n"
        "  {first}Why: backupkit explain {reason}\n",
        "first": "{commands}, then again. ",
        "then": ", then ",
        "others.apt": "  To update everything else now: apt-mark hold {names}, then the same again; later: apt-mark unhold {names}\n",
        "others.pacman": "  To update everything else now: pacman -Syu --ignore {names}\n",
        "unknown": "backupkit: whose chats {name} keeps is not known, so nothing is changed.\n"
        "  The entry of {host} was written for something else; anew: backupkit guard install --store {host}\n",
        "no-guard": "backupkit: the guard's folder {folder} cannot be read, so {names} is not changed.\n"
        "  See that it is there. If the guard lies elsewhere, write the entry anew: backupkit guard install --store {host}\n",
        "undecided": "backupkit: {host}'s question was not understood, so nothing is changed (request-malformed).\n",
    },
    "zh": {
        "hold": "backupkit：{name} 暂缓：目前没有算数的已核验备份（{reason}）。\n"
        "  {first}原因：backupkit explain {reason}\n",
        "first": "先运行 {commands}，然后重试。",
        "then": "，再运行 ",
        "others.apt": "  要现在更新其余软件包：先运行 apt-mark hold {names}，再重试；以后用 apt-mark unhold {names} 解除。\n",
        "others.pacman": "  要现在更新其余软件包：pacman -Syu --ignore {names}\n",
        "unknown": "backupkit：不知道 {name} 保存的是哪个应用的聊天记录，因此不做任何更改。\n"
        "  {host} 的这项配置不是为它写的；重新写入：backupkit guard install --store {host}\n",
        "no-guard": "backupkit：守卫的文件夹 {folder} 无法读取，因此不更改 {names}。\n"
        "  请确认它还在。如果守卫在别处，请重新写入配置：backupkit guard install --store {host}\n",
        "undecided": "backupkit：看不懂 {host} 的问题，因此不做任何更改（request-malformed）。\n",
    },
}


class QuestionMalformed(Exception):
    """What came in is not what the host sends."""


class Row(NamedTuple):
    """One package that is about to be changed. `action` is None where the host does not say how."""

    name: str
    action: Action | None


class Guarded(NamedTuple):
    """What the entry of a host says: where the guard's memory lies, and which packages it is asked about."""

    places: GuardPlaces
    watched: Mapping[str, AppPackage] = WATCHED


class Told(NamedTuple):
    """What the person is told, and the exit code: any but 0 stops the host."""

    text: str
    code: int
    held: tuple[str, ...] = ()


def answer_rows(rows: Iterable[Row], host: str, guarded: Guarded, language: str, clock: Clock | None = None) -> Told:
    """Judge the rows that are chat programs; the others are none of the guard's business."""
    places, apps = guarded
    watched = [row for row in rows if row.name in apps]
    if not watched:
        # Whatever state the guard is in, the host can go on with everything else.
        return Told("", 0)
    try:
        become_owner(places)
    except OSError:
        names = ", ".join(row.name for row in watched)
        return Told(
            say("no-guard", language, folder=printable(str(places.root)), names=names, host=host), UNDECIDED_EXIT
        )
    desk, now = Desk(places), (clock or SystemClock()).now()
    text, code, held = "", 0, []
    for row in watched:
        verdict = desk.answer_desktop(DesktopChange(row.name, row.action, apps[row.name], host), now)
        if verdict.decision is not Decision.ALLOW:
            first = _first(verdict.suggestions, language)
            text += say("hold", language, name=row.name, reason=verdict.reason, first=first)
            code = max(code, int(verdict.exit_code))
            held.append(row.name)
    return Told(text, code, tuple(held))


def _first(suggestions: Sequence[str], language: str) -> str:
    """Say which commands help before the host is started again; nothing where none does."""
    commands = [one for one in suggestions if one.startswith("backupkit ") and not one.startswith("backupkit explain ")]
    if not commands:
        return ""
    return say("first", language, commands=say("then", language).join(commands))


def not_understood(host: str, language: str) -> Told:
    """Answer something that is no question of this host."""
    return Told(say("undecided", language, host=host), UNDECIDED_EXIT)


def say(key: str, language: str, **facts: str) -> str:
    """Return a sentence for the host's terminal."""
    return _SAID[language][key].format(**facts)


def guarded_of(arguments: Sequence[str]) -> Guarded | None:
    """Read `--state DIR`, then any number of `--watch NAME=APP` and `--except NAME`; None where there is anything else.

    A word that is not understood may be one that would have guarded something.
    """
    state = Path(arguments[1]) if len(arguments) > 1 and arguments[0] == "--state" else Path()
    if not state.is_absolute() or len(arguments) % 2:
        return None
    words = [*zip(arguments[2::2], arguments[3::2], strict=True)]
    try:
        more = [read_watch(value) for word, value in words if word == "--watch"]
        left = [value for word, value in words if word == "--except" and is_system_package(value)]
        if len(more) + len(left) != len(words):
            return None
        return Guarded(GuardPlaces(state / "backupkit" / "guard"), watched_with(more, left))
    except ValueError:
        return None


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
