"""Snapshots that grow old: taken day by day, forgotten, and a guard that decides in between."""

from datetime import timedelta

from backup_scene import Scene

from backupkit.clock import to_rfc3339
from backupkit.crypto.signing import SigningKey
from backupkit.guard.ledger import append
from backupkit.guard.places import GuardPlaces
from backupkit.ops.keeping.forget import Forgotten, apply_retention, forget_snapshots
from backupkit.ops.keeping.retention import KeepRules
from backupkit.ops.looking.list_snapshots import list_snapshots


def take_days(scene: Scene, days: int, *, verify: bool = False) -> list[str]:
    """A snapshot a day, each with one more note."""
    taken = []
    for day in range(days):
        scene.write(f"note-{day}.txt", f"day {day} " * 400)
        taken.append(str(scene.take(verify=verify).snapshot))
        scene.clock.at += timedelta(days=1)
    return taken


def forget(scene: Scene, *snapshots: str, **more: bool) -> Forgotten:
    return forget_snapshots(scene.places, snapshots, clock=scene.clock, tell=scene.tell, **more)


def keep(scene: Scene, dry_run: bool = False, accept_shrink: bool = False, **counts: int) -> Forgotten:
    rules = KeepRules(**counts)
    return apply_retention(
        scene.places, rules, clock=scene.clock, tell=scene.tell, dry_run=dry_run, accept_shrink=accept_shrink
    )


def listed(scene: Scene) -> list[str]:
    return [str(line.snapshot) for line in list_snapshots(scene.places)]


def decide_in_ledger(scene: Scene, decision: str, package: str = "com.tencent.mm") -> None:
    event = {"time": to_rfc3339(scene.clock.now()), "decision": decision, "package": package, "exit_code": 40}
    append(GuardPlaces(scene.places.guard).ledger, event, SigningKey.generate())
