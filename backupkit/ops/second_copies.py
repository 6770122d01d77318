"""Which snapshots lie on another disk too, every byte hashed when it arrived there.

Remembered on this machine only. Losing the memory costs a copy run that finds everything there.
"""

import json
import os
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backupkit.codec.canonical import decode_json
from backupkit.errors import BackupkitError
from backupkit.ids import SnapshotId
from backupkit.ops.places import write_private
from backupkit.proof.fields import MAX_ROWS, Fields

_WHAT = "second-copies"
_MOST = 8 << 20


@dataclass(frozen=True, slots=True)
class SecondCopies:
    """A file with one entry for each place that was copied to."""

    path: Path

    def snapshots(self) -> set[SnapshotId]:
        """Return the snapshots of which some place holds all bytes."""
        return {snapshot for held in self._read().values() for snapshot in held}

    def remember(self, place: Path, snapshots: Collection[SnapshotId]) -> None:
        """Take in what a place holds now; the newest, where they are very many."""
        known = self._read()
        known[os.fspath(place)] = tuple(snapshots)[-MAX_ROWS:]
        rows = [{"place": name, "snapshots": [*held]} for name, held in sorted(known.items())]
        write_private(self.path, json.dumps({"v": 1, "copies": rows}).encode("ascii"))

    def _read(self) -> dict[str, tuple[SnapshotId, ...]]:
        with suppress(OSError, BackupkitError):
            fields = Fields(decode_json(self.path.read_bytes(), what=_WHAT, max_bytes=_MOST), what=_WHAT)
            return {
                row.text("place", most=4096): tuple(map(SnapshotId, row.hexes("snapshots", size=32)))
                for row in fields.objects("copies")
            }
        return {}
