"""The repository whose backups the guard of this computer counts: one, and another takes its place only on its owner's word."""

from dataclasses import dataclass

from backupkit.clock import Clock
from backupkit.ops.events import Tell, tell_nobody
from backupkit.ops.places import Places
from backupkit.ops.repository.guard_files import (
    asked_after,
    counts_another,
    forget_when_asked,
    pin_instead,
    remembers_log,
)
from backupkit.ops.repository.repository import open_repository
from backupkit.ops.unlock import AskSecret


@dataclass(frozen=True, slots=True)
class Paired:
    """The repository that counts now, by the name of its log.

    `changed`: another one, or none, counted before, or what was remembered of its log was not readable. `forgot_time`: it counted before, and
    the guard forgot that it was asked at a time that has not come.
    """

    repository: str
    origin: str
    changed: bool
    forgot_time: bool = False


def pair_guard(places: Places, *, secret: AskSecret, clock: Clock, tell: Tell = tell_nobody) -> Paired:
    """Make the guard count the backups of this repository, and no other's from now on.

    Who can open a repository may say that it counts. What the guard remembers of the other one's log goes; the record of apps, the
    policy and the ledger stay. The same is done where what it remembers of this one's log cannot be read any more. Where it was asked
    under a clock that was ahead, it forgets that time.

    Raises:
        NoRepository: there is none.
        NotAWriter: this computer does not write to it, so that no pass would ever come from here.
        CannotUnlock: the secret opens nothing.
    """
    repository = open_repository(places, tell)
    repository.require_writer()
    repository.unlock(secret)
    is_changed = counts_another(repository) is not False or not remembers_log(repository)
    if is_changed:
        pin_instead(repository)
    is_ahead = not is_changed and asked_after(repository, clock.now())
    if is_ahead:
        forget_when_asked(repository)
    return Paired(str(places.repository), repository.origin, is_changed, is_ahead)
