"""Which snapshots a copy on another disk holds whole, and when that was seen: what the check `second-copy` of a pass rests on.

Either the copy was read back, or `copy` found or put every pack there, each hashed when it arrived.

This machine's own memory. Losing it costs one more `copy`, or `verify --repo` of the copy.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from backupkit.clock import from_rfc3339, to_rfc3339
from backupkit.codec.canonical import decode_json, encode_canonical
from backupkit.codec.malformed import MalformedObject
from backupkit.ids import SnapshotId
from backupkit.ops.places import write_private

_MOST_BYTES = 64 << 10
_MOST_SNAPSHOTS = 256


@dataclass(frozen=True, slots=True)
class SecondCopies:
    """The file of one repository."""

    path: Path

    def learn(self, at: datetime, *snapshots: SnapshotId) -> None:
        """Remember that a copy of each of these snapshots, oldest first, is whole; of very many the newest."""
        read = self._read()
        read.update((snapshot, to_rfc3339(at)) for snapshot in snapshots[-_MOST_SNAPSHOTS:])
        newest = sorted(read.items(), key=lambda one: one[1])[-_MOST_SNAPSHOTS:]
        write_private(self.path, encode_canonical({"v": 1, "read": dict(newest)}))

    def holds(self, snapshot: SnapshotId, at: datetime, max_age: timedelta) -> bool:
        """Whether a copy of a snapshot was read back no longer ago than `max_age`. What cannot be read was not."""
        read = self._read().get(snapshot)
        try:
            return read is not None and timedelta(0) <= at - from_rfc3339(read) <= max_age
        except ValueError:
            return False

    def _read(self) -> dict[str, str]:
        try:
            fields = decode_json(self.path.read_bytes(), what="second-copies", max_bytes=_MOST_BYTES)
            return {str(name): str(time) for name, time in fields["read"].items()}
        except (OSError, MalformedObject, KeyError, TypeError, AttributeError):
            return {}
