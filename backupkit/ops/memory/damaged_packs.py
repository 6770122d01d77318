"""The packs that a verification found damaged: the next snapshot does not build on them, it saves what they held again.

Remembered on this machine only, and forgotten when a pack is found whole again: somebody may bring it back from a copy.
Losing the memory costs a verification.
"""

from collections.abc import Collection
from pathlib import Path

from backupkit.ids import PackName
from backupkit.ops.places import write_private
from backupkit.store.backend import BadName
from backupkit.store.layout import require_digest

_MOST = 1 << 20


class DamagedPacks:
    """A list of pack names in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def known(self) -> set[PackName]:
        """Return the packs that are not to be built on."""
        found = set()
        try:
            with self._path.open("rb") as file:
                lines = file.read(_MOST).decode("ascii", "replace").split()
        except OSError:
            return set()
        for line in lines:
            try:
                found.add(PackName(require_digest(line)))
            except BadName:
                continue
        return found

    def learn(self, *, damaged: Collection[PackName], whole: Collection[PackName]) -> None:
        """Take in what a verification found."""
        before = self.known()
        after = (before - set(whole)) | set(damaged)
        if after != before:
            write_private(self._path, "".join(f"{pack}\n" for pack in sorted(after)).encode("ascii"))
