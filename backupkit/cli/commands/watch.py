"""`backupkit watch`: save the sources of the settings whenever they have come to rest."""

import os
import sys
import threading
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backupkit.cli.guard_desk import publish_policy
from backupkit.cli.saving import NothingToSave, save, source_specs, taken_fields, write_parity
from backupkit.cli.session import Session, session_of
from backupkit.cli.stopping import Stop
from backupkit.errors import ExitCode
from backupkit.ops.events import Event, Notice
from backupkit.ops.failures import NoRepository
from backupkit.ui.json_fields import json_fields

if TYPE_CHECKING:
    from backupkit.watcher.tell import ServiceManager


def watch(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once")] = False,
    print_unit: Annotated[bool, typer.Option("--print-unit")] = False,
) -> ExitCode:
    """Watch until stopped; with --once until everything there is now was saved. Nobody is asked anything."""
    from backupkit.ops.repository.repository import is_initialised
    from backupkit.watcher.run import watch as watched_by
    from backupkit.watcher.settle import Pace
    from backupkit.watcher.tell import ServiceManager
    from backupkit.watcher.turns import Turns

    session = session_of(context)
    if print_unit:
        unit = _unit(session)
        session.printer.summary({"unit": unit}, unit.splitlines())
        return ExitCode.DONE
    sources = {source.name: source.path for source in session.settings.sources}
    if not sources:
        raise NothingToSave
    if not is_initialised(session.places):
        raise NoRepository(path=str(session.places.repository))
    publish_policy(session)
    manager = ServiceManager(session.environment.get("NOTIFY_SOCKET"))
    places = session.places
    with Turns(places.state / "watching", places.repository, sources) as turns:
        watched = watched_by(
            sources,
            lambda names: _save(session, names, manager),
            stop=_StopEvent(session.stop),
            recheck=lambda: _recheck(session, sources, manager),
            pace=Pace(quiet=session.settings.watch.settle),
            tell=session.tell,
            notifier=manager,
            ignore=(places.repository, places.state, places.cache),
            once=once,
            # Who asks for one save now gets it, whoever else is watching.
            is_ours=(lambda _: True) if once else turns.has,
        )
    session.printer.summary(
        json_fields(watched), [session.say("watch.ended", saves=watched.saves, failures=watched.failures)]
    )
    return ExitCode.INCOMPLETE if once and watched.missing else ExitCode.DONE


def _unit(session: Session) -> str:
    """Return the unit that runs this very program as it was called now."""
    from backupkit.watcher.unit import unit_text

    asked, environment = session.asked, session.environment
    # A service stands in no folder of ours and has none of this shell's variables.
    repository = asked.repo or environment.get("BACKUPKIT_REPO")
    file = asked.config or environment.get("BACKUPKIT_CONFIG")
    profile = asked.profile or environment.get("BACKUPKIT_PROFILE")
    options = ["--repo", os.fspath(Path(repository).absolute())] if repository else []
    options += ["--config", os.fspath(Path(file).absolute())] if file else []
    options += ["--profile", profile] if profile else []
    return unit_text(Path(sys.executable).with_name("backupkit"), options)


class _StopEvent(threading.Event):
    """Ctrl-C and SIGTERM as the watcher waits for them.

    A signal handler must not take the lock of a real event: it runs in the thread that may be holding it.
    """

    def __init__(self, stop: Stop) -> None:
        super().__init__()
        self._stop = stop

    def is_set(self) -> bool:
        """Tell whether somebody asked to stop."""
        return self._stop()

    def wait(self, timeout: float | None = None) -> bool:
        """Sleep, at most `timeout` seconds and in short pieces."""
        end = time.monotonic() + (60.0 if timeout is None else timeout)
        while not self._stop() and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.2))
        return self._stop()


def _save(session: Session, names: Sequence[str], manager: "ServiceManager") -> None:
    def tell(event: Event) -> None:
        # A long save is not a stuck watcher.
        manager.alive()
        session.tell(event)

    taken = save(session, source_specs(session, list(names)), tell, tags=(), verify=True)
    line = session.say("snapshot.head", snapshot=taken.snapshot) + "  " + session.say(f"state.{taken.state}")
    manager.status(line)
    session.printer.record("snapshot", taken_fields(taken), [line])
    write_parity(session, tell)


def _recheck(session: Session, sources: Collection[str], manager: "ServiceManager") -> Collection[str]:
    """Verify again what was verified a while ago. A pass for the guard would else run out while the chats rest."""
    from backupkit.ops.checking.verify_due import verify_due

    def tell(event: Event) -> None:
        manager.alive()
        session.tell(event)

    checked = verify_due(
        session.places, sources, clock=session.clock, tell=tell, max_age=session.settings.guard.max_backup_age
    )
    if checked.snapshots and not checked.damaged_sources:
        session.tell(Notice("watch-verified-again", {"snapshots": checked.snapshots}))
    return checked.damaged_sources
