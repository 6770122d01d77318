"""The guard on this machine, asked with the owner's settings."""

from pathlib import Path
from typing import TYPE_CHECKING

from backupkit.cli.chat_keys import ChatKeys
from backupkit.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backupkit.guard.desk import Desk
    from backupkit.guard.places import GuardPlaces
    from backupkit.guard.policy import GuardPolicy
    from backupkit.guard.request import UpdateRequest
    from backupkit.guard.verdict import Loss, Verdict
    from backupkit.ids import AppPackage
    from backupkit.ops.guarding.guard_loss import Preview


def guard_places(session: Session) -> "GuardPlaces":
    """Return where the guard keeps its memory; the fast program looks there too."""
    from backupkit.guard.places import GuardPlaces

    return GuardPlaces(session.places.guard)


def known_names(session: Session) -> "Mapping[AppPackage, str]":
    """Return what people call the apps that backupkit knows. For programs an app keeps its package name, whatever the language."""
    from backupkit.ids import AppPackage
    from backupkit.ops.apps import PACKAGES

    if session.asked.json:
        return {}
    return {AppPackage(package): session.say(f"app.{app}") for app, package in PACKAGES.items()}


def guard_policy(session: Session) -> "GuardPolicy":
    """Return what the settings ask of a backup.

    Raises:
        PolicyRefused: a setting would make the guard unsafe.
    """
    from backupkit.guard.policy import GuardPolicy

    guard = session.settings.guard
    return GuardPolicy.from_mapping({
        "max-backup-age": f"{max(int(guard.max_backup_age.total_seconds()) // 60, 1)}m",
        "needs": guard.needs,
        "needs-second-copy": guard.needs_second_copy,
        "needs-challenge": guard.needs_challenge,
        "consent-from": guard.consent_from,
        "when-unsure": guard.when_unsure,
    })  # fmt: skip


def guard_desk(session: Session) -> "Desk":
    """Return the guard of this machine with the policy of the settings."""
    from backupkit.guard.desk import Desk

    return Desk(guard_places(session), guard_policy(session))


def publish_policy(session: Session) -> None:
    """Lay the policy of the settings where the fast program finds it, which reads no settings itself.

    Settings that count for one run only, because a flag named them, do not change what app stores are told.
    """
    # Not through `guard.desk`: that brings the whole judge, which would be a fifth of a snapshot of nothing new.
    from backupkit.guard.places import read_small, write_whole

    if session.asked.profile or session.asked.config:
        return
    path, policy = guard_places(session).policy, guard_policy(session).encode()
    try:
        if read_small(path, most=len(policy)) == policy:
            return
    except OSError:
        # What is there cannot be used; it is replaced.
        pass
    write_whole(path, policy)


def ask_desk(session: Session, request: "UpdateRequest") -> "tuple[Desk, Verdict]":
    """Ask the guard of this machine, and count the loss where the asker did not."""
    from backupkit.ops.guarding.guard_loss import with_loss

    publish_policy(session)
    desk, now = guard_desk(session), session.clock.now()
    verdict = desk.answer(request, now)
    if request.loss is None:
        sources = session.settings.sources
        verdict = with_loss(verdict, session.places, sources, now, preview=preview_with_keys(session))
    return desk, verdict


def live_loss(session: Session, source: str) -> "Loss":
    """Count what is in a source now, and how much of it no verified backup holds.

    Raises:
        SourceNotFound: there is nothing at that place.
    """
    from backupkit.guard.verdict import Loss
    from backupkit.ops.failures import SourceNotFound
    from backupkit.ops.guarding.loss import preview_loss

    known = session.settings.source(source)
    path = known.path if known else Path(source).absolute()
    if not path.exists():
        raise SourceNotFound(path=str(path), reason="missing")
    preview = preview_loss(session.places, known.package if known else None, path, ChatKeys(session).at(path))
    return Loss(messages=preview.messages, conversations=preview.conversations, not_in_backup=preview.uncovered)


def preview_with_keys(session: Session) -> "Preview":
    """Return how the loss of a source is counted, with its owner's key where the settings name one."""
    from backupkit.ops.guarding.loss import preview_loss

    keys = ChatKeys(session)
    return lambda places, package, path: preview_loss(places, package, path, keys.at(path))
