"""The eyes of the watcher: the system's file events, turned into one flag for each source.

Events are told on other threads and in storms; nothing happens there but a flag. Whatever may have cost events (an
overflow, a dead observer, a folder that was removed and made anew, as a reinstalled app does) is told by `tend`, so
that the watcher looks at everything again.
"""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from backupkit.watcher.glance import files_of, is_passed_over

# Opening and reading are left out: our own reading of the chats must not look like a change. So is a folder's own
# modification, which repeats what was told of its entries.
_TOLD: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileClosedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]
_JOIN_SECONDS = 5.0


class Lookout:
    """Watches sources while the `with` block lasts, and calls `mark(name)` from another thread when one changes."""

    def __init__(
        self,
        sources: Mapping[str, Path],
        mark: Callable[[str], None],
        *,
        ignore: Sequence[Path] = (),
        make_observer: Callable[[], BaseObserver] = Observer,
    ) -> None:
        self._sources = dict(sources)
        self._mark = mark
        self._ignore = tuple(os.fspath(folder.resolve()) for folder in ignore)
        self._make_observer = make_observer
        self._observer: BaseObserver | None = None
        self._roots: dict[str, tuple[int, int] | None] = {}
        self._alarm = _Alarm()
        self.blind: str | None = None
        """Why there are no events, or None while there are."""

    def __enter__(self) -> Self:
        logging.getLogger("watchdog").addHandler(self._alarm)
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        logging.getLogger("watchdog").removeHandler(self._alarm)

    def tend(self) -> bool:
        """See to it that events still come, and tell whether some may have been lost since the last call."""
        lost = self._alarm.taken()
        if self._is_well():
            return lost
        self.open_again()
        return True

    def open_again(self) -> None:
        """Try to get events again where there were none."""
        self._stop()
        self._start()

    def _is_well(self) -> bool:
        if {name: _identity(path) for name, path in self._sources.items()} != self._roots:
            return False
        if self._observer is None:
            return self.blind is not None
        return self._observer.is_alive() and all(emitter.is_alive() for emitter in self._observer.emitters)

    def _start(self) -> None:
        # The identities are taken first: a folder exchanged while its watch is set up is noticed at the next look.
        self._roots = {name: _identity(path) for name, path in self._sources.items()}
        observer = self._make_observer()
        try:
            for name, path in self._sources.items():
                if self._roots[name] is not None:
                    self._schedule(observer, name, path)
            observer.start()
        except OSError as error:
            # Most often the system's limit of watches. Scanning goes on, and is the truth in any case.
            self.blind = os.strerror(error.errno) if error.errno else "unusable"
            _end(observer)
        else:
            self.blind, self._observer = None, observer

    def _schedule(self, observer: BaseObserver, name: str, path: Path) -> None:
        place = path.resolve()
        is_folder = place.is_dir()
        only = None if is_folder else frozenset(map(os.fspath, files_of(place)))
        handler = _Flag(name, self._mark, only=only, ignore=self._ignore)
        # A single file is watched through its folder, or replacing it by renaming would go unseen.
        watched = place if is_folder else place.parent
        observer.schedule(handler, os.fspath(watched), recursive=is_folder, event_filter=_TOLD)

    def _stop(self) -> None:
        if self._observer is not None:
            _end(self._observer)
            self._observer = None


class _Flag(FileSystemEventHandler):
    def __init__(
        self, name: str, mark: Callable[[str], None], *, only: frozenset[str] | None, ignore: tuple[str, ...]
    ) -> None:
        self._name, self._mark_source, self._only, self._ignore = name, mark, only, ignore

    def on_any_event(self, event: FileSystemEvent) -> None:
        if any(self._counts(os.fsdecode(path)) for path in (event.src_path, event.dest_path) if path):
            self._mark_source(self._name)

    def _counts(self, path: str) -> bool:
        if self._only is not None:
            return path in self._only
        if is_passed_over(path):
            return False
        return not any(path == folder or path.startswith(folder + os.sep) for folder in self._ignore)


class _Alarm(logging.Handler):
    """Hears what watchdog says in its log only, such as that the system's queue of events ran over."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._rang = False

    def emit(self, _record: logging.LogRecord) -> None:
        self._rang = True

    def taken(self) -> bool:
        rang, self._rang = self._rang, False
        return rang


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    # A file may be replaced as often as its app likes: its folder is what is watched.
    return (status.st_dev, status.st_ino) if path.is_dir() else (0, 0)


def _end(observer: BaseObserver) -> None:
    observer.stop()
    if observer.is_alive():
        observer.join(_JOIN_SECONDS)
