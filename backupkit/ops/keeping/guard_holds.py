"""Whether the guard of this machine holds an update now: then nothing that was saved is let go."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from backupkit.clock import from_rfc3339, to_rfc3339
from backupkit.guard.ledger import read_ledger
from backupkit.guard.package_name import is_package_name
from backupkit.guard.places import GuardPlaces
from backupkit.guard.verdict import Decision
from backupkit.ids import AppPackage, SnapshotId
from backupkit.ops.apps import app_of
from backupkit.ops.failures import GuardHoldOpen
from backupkit.ops.repository.lifecycle import lifecycle_of
from backupkit.ops.repository.repository import Repository

LASTS = timedelta(days=30)
"""How long a hold stays open when nobody asks about that app again."""

_OPEN = frozenset({Decision.HOLD.value, Decision.UNDECIDED.value})


def open_hold(
    entries: Iterable[Mapping[str, Any]], now: datetime, concerns: Callable[[str, Decision], bool]
) -> Mapping[str, Any] | None:
    """Return the newest ledger entry of an app about which the last answer was to hold, or None.

    Only what `concerns` this repository counts: anybody may ask the guard about any name, and must not stop all care by it.
    """
    last: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        # An entry that names no package was no question that anybody could act on.
        if isinstance(package := entry.get("package"), str):
            last[package] = entry
    held = [
        entry
        for package, entry in last.items()
        if (decision := str(entry.get("decision"))) in _OPEN
        and concerns(package, Decision(decision))
        and _is_recent(entry, now)
    ]
    return held[-1] if held else None


def require_no_hold(repository: Repository, now: datetime) -> None:
    """Look whether anything may be let go now.

    Raises:
        GuardHoldOpen: the guard holds an update of an app that is saved here, or what it decided cannot be read.
    """
    guard = GuardPlaces(repository.places.guard)
    saved = _Saved.of(repository)

    def concerns(package: str, decision: Decision) -> bool:
        name = AppPackage(package)
        is_known = is_package_name(package) and (guard.record_of(name).exists() or guard.pass_of(name).exists())
        return saved.may_hold(package, decision, is_known=is_known)

    try:
        held = open_hold(read_ledger(guard.ledger), now, concerns)
    except OSError as error:
        raise GuardHoldOpen(package="?", since=to_rfc3339(now)) from error
    if held is not None:
        raise GuardHoldOpen(package=str(held["package"]), since=str(held.get("time", "?")))


@dataclass(frozen=True, slots=True)
class _Saved:
    """Which apps are saved here, as far as this machine knows.

    `has_unnamed`: there are sources of which nobody said whose they are. `has_unknown`: there are snapshots that others took.
    """

    packages: frozenset[str]
    has_unnamed: bool
    has_unknown: bool

    @classmethod
    def of(cls, repository: Repository) -> "_Saved":
        """Look at every snapshot whose bytes are still there."""
        entries = repository.log.read().entries
        swept = lifecycle_of(repository, entries).swept
        journal = repository.journal.taken()
        named = {SnapshotId(entry.subject) for entry in entries if entry.type == "snapshot"} - swept
        sources = [source for snapshot in named if snapshot in journal for source in journal[snapshot].sources]
        return cls(
            packages=frozenset(source.package for source in sources if source.package is not None),
            has_unnamed=any(source.package is None for source in sources),
            has_unknown=bool(named - journal.keys()),
        )

    def may_hold(self, package: str, decision: Decision, *, is_known: bool) -> bool:
        """Tell whether an app may be among what is saved. `is_known`: its owner trusted a package of it, or it has a pass.

        Where that cannot be ruled out a hold counts: a true one that is lost may cost the snapshot that is needed.
        """
        if package in self.packages:
            return True
        if self.has_unknown:
            return is_known or decision is Decision.HOLD
        return self.has_unnamed and (is_known or (decision is Decision.HOLD and app_of(package) is not None))


def _is_recent(entry: Mapping[str, Any], now: datetime) -> bool:
    try:
        return now - from_rfc3339(str(entry.get("time"))) < LASTS
    except ValueError:
        return True
