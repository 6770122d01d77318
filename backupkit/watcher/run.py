"""The watcher: saves the chats whenever they have come to rest, for as long as it is let.

Events only say where to look. What is saved is decided by a look at the source itself, at every settling and again every
`Pace.scan_every`, so lost events cost time and never a chat. A save that fails is tried again, later and later; the
watcher itself goes on.
"""

import errno
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from backupkit.errors import BackupkitError, Unplugged
from backupkit.ops.events import Notice, Tell, tell_nobody
from backupkit.watcher.glance import Glance, glance
from backupkit.watcher.lookout import Lookout
from backupkit.watcher.settle import Pace, Unsaved, back_off, settled
from backupkit.watcher.tell import NOBODY, Notifier

Save = Callable[[Sequence[str]], object]
"""Takes a snapshot of the named sources. It raises where nothing was saved."""

Recheck = Callable[[], Collection[str]]
"""Verifies again what was verified a while ago, and returns the sources whose backup is damaged."""

IsOurs = Callable[[str], bool]
"""Tells whether a source is to be saved here, and not by another watcher that has it."""

MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Watched:
    """What the watcher did until it ended: saves that succeeded and failed, and the sources that were not there at the end."""

    saves: int
    failures: int
    missing: tuple[str, ...]


def watch(
    sources: Mapping[str, Path],
    save: Save,
    *,
    stop: threading.Event,
    recheck: Recheck = frozenset,
    pace: Pace | None = None,
    tell: Tell = tell_nobody,
    notifier: Notifier = NOBODY,
    ignore: Sequence[Path] = (),
    once: bool = False,
    is_ours: IsOurs = lambda _: True,
    make_observer: Callable[[], BaseObserver] = Observer,
) -> Watched:
    """Watch `sources` (name to path) until `stop` is set; with `once`, until what is there now has settled and is saved.

    At the start everything counts as unsaved since its newest change. Chats at rest are verified again by `recheck`, asked at
    every scan while nothing is unsaved; what it finds damaged is saved anew. `ignore` are folders whose changes mean nothing,
    such as the repository itself. The changes of a source that is not ours stay unsaved until it is.

    Raises:
        BackupkitError, OSError: with `once` only, what the save failed with.
    """
    watcher = _Watcher(sources, save, recheck, pace or Pace(), tell, tuple(ignore), is_ours, once=once)
    with Lookout(sources, watcher.changes.mark, ignore=ignore, make_observer=make_observer) as lookout:
        notifier.ready()
        tell(Notice("watch-started", {"sources": len(sources)}))
        watcher.hear_of_blindness(lookout)
        try:
            while not stop.is_set():
                watcher.look_around(lookout)
                watcher.save_what_settled()
                if once and not watcher.changes.all():
                    break
                notifier.alive()
                stop.wait(watcher.tick)
        finally:
            notifier.stopping()
    return Watched(watcher.saves, watcher.failures, tuple(sorted(watcher.missing)))


class Changes:
    """Which sources have unsaved changes. Marked from the observer's threads, read from the watcher's."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._unsaved: dict[str, Unsaved] = {}
        self._monotonic = monotonic

    def mark(self, name: str) -> None:
        """Note a change that happened now."""
        now = self._monotonic()
        self.put_back({name: Unsaved(now, now)})

    def put_back(self, unsaved: Mapping[str, Unsaved]) -> None:
        """Note changes that happened before."""
        with self._lock:
            for name, changes in unsaved.items():
                self._unsaved[name] = changes.joined(self._unsaved.get(name))

    def take(self, names: Sequence[str]) -> dict[str, Unsaved]:
        """Return and forget the changes of some sources; what comes after is noted anew."""
        with self._lock:
            return {name: self._unsaved.pop(name) for name in names if name in self._unsaved}

    def all(self) -> dict[str, Unsaved]:
        """Return a copy of all there is."""
        with self._lock:
            return dict(self._unsaved)


@dataclass(slots=True)
class _Watcher:
    sources: Mapping[str, Path]
    save: Save
    recheck: Recheck
    pace: Pace
    tell: Tell
    ignore: tuple[Path, ...]
    is_ours: IsOurs
    once: bool = field(kw_only=True)
    changes: Changes = field(default_factory=Changes)
    saved: dict[str, bytes] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)
    saves: int = 0
    failures: int = 0
    failed_in_a_row: int = 0
    scan_at: float = field(default_factory=time.monotonic)
    retry_at: float = field(default_factory=time.monotonic)
    blind: bool = False
    has_scanned: bool = False

    @property
    def tick(self) -> float:
        """Seconds between looks at the clock: a second, less only for an owner in a hurry."""
        return max(0.02, min(1.0, self.pace.quiet.total_seconds() / 4))

    def hear_of_blindness(self, lookout: Lookout) -> None:
        """Tell once when there are no events, and scan more often while there are none."""
        if lookout.blind is not None and not self.blind:
            self.tell(Notice("watch-by-scanning", {"reason": lookout.blind}))
        self.blind = lookout.blind is not None

    def look_around(self, lookout: Lookout) -> None:
        """Scan every source when it is time to, or when events may have been lost."""
        if lookout.tend():
            self.hear_of_blindness(lookout)
            self.tell(Notice("watch-looking-again"))
            self.scan_at = time.monotonic()
        now = time.monotonic()
        if now < self.scan_at:
            return
        if self.blind:
            lookout.open_again()
            self.hear_of_blindness(lookout)
        if self.has_scanned and not self.changes.all().keys() - self.others:
            self.check_what_rests()
        self.has_scanned = True
        for name in self.sources:
            look = self._look_at(name)
            if look is not None and look.digest != self.saved.get(name) and name not in self.changes.all():
                # As old as the newest change: what has long been at rest need not rest again.
                at = now - max(0.0, time.time() - look.newest) if look.newest is not None else now
                self.changes.put_back({name: Unsaved(at, at)})
        every = self.pace.scan_every.total_seconds()
        self.scan_at = now + (min(every, MINUTE) if self.blind else every)

    def check_what_rests(self) -> None:
        """Have it verified that what was saved is still whole. What is not counts as changed, so that it is saved anew."""
        try:
            damaged = self.recheck()
        except (BackupkitError, Unplugged, OSError) as error:
            self.tell(Notice("watch-check-failed", {"reason": _reason(error)}))
            return
        for name in sorted(damaged):
            self.saved.pop(name, None)
            if name not in self.missing:
                self.tell(Notice("watch-saving-anew", {"source": name}))

    def save_what_settled(self) -> None:
        """Save the sources that have settled and do look different from when they were last saved."""
        now = time.monotonic()
        ready = tuple(name for name in settled(self.changes.all(), now, self.pace) if self._has_turn(name))
        if not ready or now < self.retry_at:
            return
        # Forget the flags, then look, then save: a change that comes in between is flagged again, and saved again.
        taken = self.changes.take(ready)
        looks = {name: look for name in ready if (look := self._look_at(name)) is not None}
        names = tuple(name for name, look in looks.items() if look.digest != self.saved.get(name))
        if not names:
            return
        self.tell(Notice("watch-saving", {"sources": len(names)}))
        try:
            self.save(names)
        except (BackupkitError, Unplugged, OSError) as error:
            if self.once:
                raise
            self.changes.put_back({name: taken[name] for name in names})
            self._failed(error)
        else:
            self.saved |= {name: looks[name].digest for name in names}
            self.saves += 1
            self.failed_in_a_row = 0
            self.tell(Notice("watch-saved", {"sources": len(names)}))

    def _has_turn(self, name: str) -> bool:
        is_ours = self.is_ours(name)
        if is_ours and name in self.others:
            self.others.discard(name)
            self.tell(Notice("watch-taking-over", {"source": name}))
        elif not is_ours and name not in self.others:
            self.others.add(name)
            self.tell(Notice("watch-standing-by", {"source": name}))
        return is_ours

    def _failed(self, error: BackupkitError | Unplugged | OSError) -> None:
        self.failures += 1
        self.failed_in_a_row += 1
        wait = back_off(self.failed_in_a_row, self.pace).total_seconds()
        self.retry_at = time.monotonic() + wait
        self.tell(Notice("watch-save-failed", {"reason": _reason(error), "retry_seconds": round(wait)}))

    def _look_at(self, name: str) -> Glance | None:
        look = glance(self.sources[name], ignore=self.ignore)
        if look is None and name not in self.missing:
            self.missing.add(name)
            self.tell(Notice("watch-source-missing", {"source": name}))
        elif look is not None and name in self.missing:
            self.missing.discard(name)
            self.tell(Notice("watch-source-back", {"source": name}))
        return look


def _reason(error: BackupkitError | Unplugged | OSError) -> str:
    if isinstance(error, Unplugged):
        error = error.error
    if isinstance(error, BackupkitError):
        return error.code
    return errno.errorcode.get(error.errno or 0, "unusable")
