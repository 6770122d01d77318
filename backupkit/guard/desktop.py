"""A chat program on this computer that its package manager is about to change.

The package manager leaves the home folder alone, so nothing is wiped by rule. What is at stake are scripts inside the
package and a profile that the new version rewrites for ever: nobody can say beforehand. So the change waits for a
verified backup that counts; there is no consent that could replace one, because a backup takes minutes.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from backupkit.errors import Fact
from backupkit.guard.advice import BACK_UP_FIRST, against
from backupkit.guard.judge import Judgement, Known, coverage_of, pass_policy
from backupkit.guard.outcome import Action, Outcome
from backupkit.guard.package_name import is_package_name
from backupkit.guard.pass_envelope import require_as_issued
from backupkit.guard.verdict import Decision, Judged, Verdict
from backupkit.ids import AppPackage
from backupkit.proof.pass_check import check_pass
from backupkit.proof.refusals import PassRefused, PassWrongApp

_WATCHED = {
    # Tencent's own package, those of deepin and UOS, and those that Arch's users make.
    "com.tencent.mm": (
        "wechat", "com.tencent.wechat", "com.tencent.weixin", "wechat-appimage", "wechat-beta-bwrap", "wechat-bin",
        "wechat-universal", "wechat-universal-bwrap", "wechat-uos", "wechat-uos-bwrap", "wechat-uos-qt",
    ),
    "com.tencent.mobileqq": ("linuxqq", "com.qq.im.deepin", "linuxqq-appimage", "linuxqq-nt-bwrap"),
    "org.telegram.messenger": ("telegram-desktop", "telegram-desktop-bin"),
    "org.thoughtcrime.securesms": ("signal-desktop", "signal-desktop-beta", "signal-desktop-beta-bin"),
}  # fmt: skip

WATCHED: Mapping[str, AppPackage] = {name: AppPackage(app) for app, names in _WATCHED.items() for name in names}
"""Packages of chat programs, and the app whose backup counts for each."""

_SYSTEM_PACKAGE = re.compile(r"[A-Za-z0-9@_+][A-Za-z0-9@_+.-]{0,254}")


class DesktopChange(NamedTuple):
    """What would happen to one package of the system. `app` is the app whose chats the program keeps.

    `action` is None where the package manager does not say what it will do.
    """

    name: str
    action: Action | None
    app: AppPackage
    store: str


def is_system_package(text: str) -> bool:
    """Whether a text can be the name of a package of Debian's or Arch's."""
    return _SYSTEM_PACKAGE.fullmatch(text) is not None


def read_watch(text: str) -> tuple[str, AppPackage]:
    """Read `wechat-git=com.tencent.mm`: a package, and the app whose chats it keeps.

    Raises:
        ValueError: it is anything else.
    """
    name, _, app = text.partition("=")
    if not is_system_package(name) or not is_package_name(app):
        raise ValueError(text)
    return name, AppPackage(app)


def watched_with(more: Iterable[tuple[str, AppPackage]], but: Iterable[str]) -> Mapping[str, AppPackage]:
    """Return the packages to ask about: those that are known and those that the owner named, without those left out.

    Raises:
        ValueError: a package is left out that would not be asked about, or that was named itself.
    """
    left, named = set(but), dict(more)
    watched = {**WATCHED, **named}
    if strays := sorted(left - watched.keys() | left & named.keys()):
        raise ValueError(strays[0])
    return {name: app for name, app in watched.items() if name not in left}


def decide_desktop(change: DesktopChange, known: Known) -> Judgement:
    """Let a change through when a verified backup of the app's chats counts, and hold it otherwise."""
    judged = Judged(action=change.action, package=change.app, app_name=change.name, store=change.store)
    if known.pass_data is None:
        return Judgement(_held("no-verified-backup", judged))
    if known.pins is None:
        return Judgement(_held("no-pinned-store", judged))
    try:
        require_as_issued(known.pass_data)
        checked = check_pass(
            known.pass_data,
            pins=known.pins,
            # Which certificate signed the app on a phone says nothing of a program on a computer.
            installed=None,
            challenge=None,
            now=known.now,
            policy=pass_policy(known.policy),
            witness=known.witness,
        )
        if checked.coverage.app.package != change.app:
            raise PassWrongApp(covered=checked.coverage.app.package, installed=change.app)
    except PassRefused as error:
        return Judgement(_held(error.reason, judged, error.facts, helps=against(error)))
    verdict = Verdict(
        decision=Decision.ALLOW,
        outcome=Outcome.KEEPS_DATA,
        reason="desktop-covered",
        would_erase=False,
        coverage=coverage_of(checked.coverage, known.policy),
        judged=judged,
    )
    return Judgement(verdict, checked.witness)


def _held(
    reason: str, judged: Judged, facts: dict[str, Fact] | None = None, *, helps: tuple[str, ...] = BACK_UP_FIRST
) -> Verdict:
    return Verdict(
        decision=Decision.HOLD,
        outcome=Outcome.UNKNOWN,
        reason=reason,
        suggestions=helps,
        judged=judged,
        facts=facts or {},
    )
