"""Whether the guard of this machine holds an update now: then nothing that was saved is let go."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from backupkit.clock import from_rfc3339, to_rfc3339
from backupkit.guard.ledger import read_ledger
from backupkit.guard.places import GuardPlaces
from backupkit.guard.verdict import Decision
from backupkit.ops.failures import GuardHoldOpen
from backupkit.ops.places import Places

LASTS = timedelta(days=30)
"""How long a hold stays open when nobody asks about that app again."""

_OPEN = frozenset({Decision.HOLD.value, Decision.UNDECIDED.value})


def open_hold(entries: Iterable[Mapping[str, Any]], now: datetime) -> Mapping[str, Any] | None:
    """Return the newest ledger entry of an app about which the last answer was to hold, or None."""
    last: dict[object, Mapping[str, Any]] = {}
    for entry in entries:
        # An entry that names no package was no question that anybody could act on.
        if entry.get("package") is not None:
            last[entry["package"]] = entry
    held = [entry for entry in last.values() if entry.get("decision") in _OPEN and _is_recent(entry, now)]
    return held[-1] if held else None


def require_no_hold(places: Places, now: datetime) -> None:
    """Look whether anything may be let go now.

    Raises:
        GuardHoldOpen: the guard holds an update, or what it decided cannot be read.
    """
    try:
        held = open_hold(read_ledger(GuardPlaces(places.guard).ledger), now)
    except OSError as error:
        raise GuardHoldOpen(package="?", since=to_rfc3339(now)) from error
    if held is not None:
        raise GuardHoldOpen(package=str(held["package"]), since=str(held.get("time", "?")))


def _is_recent(entry: Mapping[str, Any], now: datetime) -> bool:
    try:
        return now - from_rfc3339(str(entry.get("time"))) < LASTS
    except ValueError:
        return True
