"""Whether the guard of this machine holds an update now: then nothing that was saved is let go."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from backupkit.clock import from_rfc3339, to_rfc3339
from backupkit.guard.ledger import read_ledger
from backupkit.guard.package_name import is_package_name
from backupkit.guard.places import GuardPlaces
from backupkit.guard.verdict import Decision
from backupkit.ids import AppPackage
from backupkit.ops.failures import GuardHoldOpen
from backupkit.ops.repository.repository import Repository

LASTS = timedelta(days=30)
"""How long a hold stays open when nobody asks about that app again."""

_OPEN = frozenset({Decision.HOLD.value, Decision.UNDECIDED.value})


def open_hold(
    entries: Iterable[Mapping[str, Any]], now: datetime, is_known: Callable[[str], bool]
) -> Mapping[str, Any] | None:
    """Return the newest ledger entry of an app about which the last answer was to hold, or None.

    What could not be decided holds only for an app that `is_known` here: a slip of the pen must not stop all care for a month.
    """
    last: dict[object, Mapping[str, Any]] = {}
    for entry in entries:
        # An entry that names no package was no question that anybody could act on.
        if entry.get("package") is not None:
            last[entry["package"]] = entry
    held = [
        entry
        for package, entry in last.items()
        if entry.get("decision") in _OPEN
        and (entry["decision"] == Decision.HOLD.value or is_known(str(package)))
        and _is_recent(entry, now)
    ]
    return held[-1] if held else None


def require_no_hold(repository: Repository, now: datetime) -> None:
    """Look whether anything may be let go now.

    Raises:
        GuardHoldOpen: the guard holds an update, or what it decided cannot be read.
    """
    guard = GuardPlaces(repository.places.guard)
    saved = {source.package for taken in repository.journal.taken().values() for source in taken.sources}

    def is_known(package: str) -> bool:
        name = AppPackage(package)
        return package in saved or (
            is_package_name(package) and (guard.record_of(name).exists() or guard.pass_of(name).exists())
        )

    try:
        held = open_hold(read_ledger(guard.ledger), now, is_known)
    except OSError as error:
        raise GuardHoldOpen(package="?", since=to_rfc3339(now)) from error
    if held is not None:
        raise GuardHoldOpen(package=str(held["package"]), since=str(held.get("time", "?")))


def _is_recent(entry: Mapping[str, Any], now: datetime) -> bool:
    try:
        return now - from_rfc3339(str(entry.get("time"))) < LASTS
    except ValueError:
        return True
