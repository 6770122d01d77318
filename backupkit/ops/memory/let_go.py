"""Sources that their owner wants to hear of no more: whose folder was renamed, or that are not to be saved again.

This machine's own memory. Losing it costs a reminder; whatever was saved of such a source stays as it is.
"""

from dataclasses import dataclass
from pathlib import Path

from backupkit.codec.canonical import decode_json, encode_canonical
from backupkit.codec.malformed import MalformedObject
from backupkit.ids import SnapshotId
from backupkit.ops.places import write_private

_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class LetGo:
    """The file of one repository."""

    path: Path

    def learn(self, source: str, snapshot: SnapshotId) -> None:
        """Remember that a source, by its path, counts no more, as long as `snapshot` is the newest that holds it."""
        write_private(self.path, encode_canonical({"v": 1, "sources": {**self._read(), source: snapshot}}))

    def holds(self, source: str, snapshot: SnapshotId) -> bool:
        """Whether a source was let go when `snapshot` was its newest. One that is saved again counts again."""
        return self._read().get(source) == snapshot

    def _read(self) -> dict[str, str]:
        try:
            fields = decode_json(self.path.read_bytes(), what="let-go", max_bytes=_MOST_BYTES)
            return {str(path): str(snapshot) for path, snapshot in fields["sources"].items()}
        except (OSError, MalformedObject, KeyError, TypeError, AttributeError):
            return {}
