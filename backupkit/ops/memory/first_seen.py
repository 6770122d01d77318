"""When this machine first saw each entry of the log: what a writer's clock says is only a claim.

A line is added whenever the log is seen to have grown. Losing the file costs patience, never a snapshot: entries then count
as seen only now.
"""

import os
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from backupkit.clock import from_rfc3339, to_rfc3339
from backupkit.home import make_private
from backupkit.ops.places import write_private

_MOST = 16 << 20


class Window(NamedTuple):
    """When an entry came: not before one moment and not after another, as far as this machine can tell."""

    not_before: datetime | None
    not_after: datetime | None


class FirstSeen:
    """An append-only file of the sizes that the log had, and when that was first seen."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, size: int, at: datetime) -> None:
        """Remember that the log has so many entries by now."""
        seen = self._read()
        if size <= max((known for known, _ in seen), default=0):
            return
        make_private(self._path.parent)
        # It begins with a line's end: what a crash tore off before must not take this line with it.
        line = f"\n{size} {to_rfc3339(at)}\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode("ascii"))
        finally:
            os.close(descriptor)

    def forget_after(self, size: int) -> None:
        """Forget when entries came that are not those entries any more. Those before them keep their times."""
        kept = [(known, at) for known, at in self._read() if known <= size]
        write_private(self._path, "".join(f"\n{known} {to_rfc3339(at)}\n" for known, at in kept).encode("ascii"))

    def windows(self, size: int) -> list[Window]:
        """Return for each of the first `size` entries when it came."""
        found = []
        before: datetime | None = None
        start = 0
        for known, at in self._read():
            found += [Window(before, at)] * (min(known, size) - start)
            start, before = max(start, min(known, size)), at
        return found + [Window(before, None)] * (size - len(found))

    def since(self, size: int) -> list[datetime | None]:
        """Return for each of the first `size` entries the latest moment at which it may have been seen first; None: only now.

        A clock that was put back makes nothing older than what came before it.
        """
        found: list[datetime | None] = []
        latest: datetime | None = None
        for known, at in self._read():
            latest = at if latest is None else max(latest, at)
            found += [latest] * (min(known, size) - len(found))
        return found + [None] * (size - len(found))

    def _read(self) -> list[tuple[int, datetime]]:
        try:
            with self._path.open("rb") as file:
                lines = file.read(_MOST).decode("ascii", "replace").splitlines()
        except OSError:
            return []
        found: list[tuple[int, datetime]] = []
        for line in lines:
            size, _, at = line.partition(" ")
            try:
                record = int(size), from_rfc3339(at)
            except ValueError:
                continue
            if record[0] > (found[-1][0] if found else 0):
                found.append(record)
        return found
