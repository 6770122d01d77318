"""A cheap look at a source, to see whether anything in it changed.

Events are hints; they are lost in overflows, on network disks and while the watcher was off, and reading a live database
causes some. What counts is whether a source looks different from when it was last saved. No file is opened.
"""

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_NUMBERS = 2**128


@dataclass(frozen=True, slots=True)
class Glance:
    """How a source looked: a digest over paths, sizes and times, and the newest change in seconds since 1970, if any."""

    digest: bytes
    newest: float | None


def is_passed_over(name: str) -> bool:
    """Tell whether a file's changes mean nothing: SQLite's shared memory is rebuilt by whoever opens the database."""
    return name.endswith("-shm")


def files_of(source: Path) -> tuple[Path, ...]:
    """Return a single file and what belongs to it: a database's newest messages are in the log beside it."""
    return (source, *(source.with_name(source.name + suffix) for suffix in ("-wal", "-journal")))


def glance(source: Path, *, ignore: Sequence[Path] = ()) -> Glance | None:
    """Look at a file or folder without opening any file; None where it is not there.

    What lies under one of `ignore` is passed over. What cannot be entered counts as it is, without its inside.
    """
    place = source.resolve()
    ignored = frozenset(os.fspath(folder.resolve()) for folder in ignore)
    total, newest = 0, None
    try:
        roots = [(os.fspath(place), place.stat())]
    except OSError:
        return None
    if not stat.S_ISDIR(roots[0][1].st_mode):
        roots = [(os.fspath(path), status) for path in files_of(place) if (status := _status(path)) is not None]
    for path, status in _walk(roots, ignored):
        total += _fingerprint(path, status)
        if not stat.S_ISDIR(status.st_mode):
            changed = max(status.st_mtime, status.st_ctime)
            newest = changed if newest is None else max(newest, changed)
    # A sum does not care about order, so nothing is sorted and nothing is kept, however many files there are.
    return Glance((total % _NUMBERS).to_bytes(16, "big"), newest)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _walk(roots: list[tuple[str, os.stat_result]], ignored: frozenset[str]) -> Iterator[tuple[str, os.stat_result]]:
    waiting = list(roots)
    while waiting:
        path, status = waiting.pop()
        yield path, status
        if not stat.S_ISDIR(status.st_mode):
            continue
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.path in ignored or is_passed_over(entry.name):
                        continue
                    try:
                        waiting.append((entry.path, entry.stat(follow_symlinks=False)))
                    except OSError:
                        # Gone between the listing and the look: the next glance sees the folder without it.
                        continue
        except OSError:
            continue


def _fingerprint(path: str, status: os.stat_result) -> int:
    # A folder's own times and size change with every temporary file in it, and say nothing that its entries do not.
    facts: tuple[int, ...] = (status.st_mode,)
    if not stat.S_ISDIR(status.st_mode):
        facts = (status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    digest = hashlib.blake2b(os.fsencode(path), digest_size=16)
    digest.update(b"\x00" + repr(facts).encode("ascii"))
    return int.from_bytes(digest.digest(), "big")
