"""When this machine last read each pack whole: what a rolling verification has to read next.

Remembered on this machine only. A date in the future counts for nothing, and losing the memory costs one full reading.
"""

import struct
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path

from backupkit.ids import PackName
from backupkit.ops.places import write_private

_ROW = struct.Struct(">32sq")
_MOST = 64 << 20


class PackReads:
    """A file of rows: a pack's name, and the second in which reading it began."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def known(self, now: datetime) -> dict[PackName, datetime]:
        """Return when each pack was read. What says that it will be read is not believed."""
        try:
            with self._path.open("rb") as file:
                rows = file.read(_MOST)
        except OSError:
            return {}
        rows = rows[: len(rows) // _ROW.size * _ROW.size]
        found = {PackName(name.hex()): second for name, second in _ROW.iter_unpack(rows)}
        latest = int(now.timestamp())
        return {name: datetime.fromtimestamp(second, UTC) for name, second in found.items() if 0 < second <= latest}

    def learn(self, *, whole: Collection[PackName], damaged: Collection[PackName], at: datetime) -> None:
        """Take in what was read, `at` being when it began: a pack that is damaged was never read whole."""
        after = self.known(at) | dict.fromkeys(whole, at)
        for pack in damaged:
            after.pop(pack, None)
        self._write(after)

    def keep(self, present: Collection[PackName], now: datetime) -> None:
        """Forget the packs that are not there any more."""
        known = self.known(now)
        kept = {name: read for name, read in known.items() if name in present}
        if len(kept) < len(known):
            self._write(kept)

    def _write(self, reads: Mapping[PackName, datetime]) -> None:
        rows = (_ROW.pack(bytes.fromhex(name), int(read.timestamp())) for name, read in sorted(reads.items()))
        write_private(self._path, b"".join(rows))
