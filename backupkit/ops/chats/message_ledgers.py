"""The ledgers of what snapshots hold, in this machine's cache. Losing one costs an answer of the loss preview, never a message."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from backupkit.capture.cuts import text_cuts
from backupkit.crypto.derive import derive
from backupkit.ops.places import write_private
from backupkit.ops.repository.repository import Repository

if TYPE_CHECKING:
    from backupkit.chats.losing.ledger import Ledger

_KEPT_PER_SOURCE = 6


class MessageLedgers:
    """The ledgers of one repository, each named by the tree that it is of."""

    def __init__(self, repository: Repository) -> None:
        writer = repository.require_writer()
        seed = writer.writer.seed
        self.key = derive(seed, "message-ledger", context=repository.id)
        self._cuts = int.from_bytes(derive(seed, "message-ledger-cuts", context=repository.id, size=8), "big") | 1
        self._folder = repository.cache / "ledgers"

    @property
    def cut(self) -> Callable[..., Iterator[bytes]]:
        """How files are cut: by this machine's own seed."""
        return lambda pieces: text_cuts(pieces, self._cuts)

    def has(self, tree: str) -> bool:
        """Tell whether there is a ledger of a tree."""
        return self._path(tree).is_file()

    def read(self, tree: str | None) -> "Ledger | None":
        """Return a ledger; None where it is lost or damaged."""
        from backupkit.chats.losing.ledger import MAX_BYTES, Ledger  # noqa: PLC0415 - a run that finds nothing new reads none

        if not tree:
            return None
        path = self._path(tree)
        try:
            if path.stat().st_size > MAX_BYTES:
                return None
            return Ledger.decode(path.read_bytes(), self.key)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, tree: str, ledger: "Ledger") -> None:
        """Keep a ledger."""
        # A cache on a full disk must keep nobody from a backup on another one.
        with suppress(OSError):
            write_private(self._path(tree), ledger.encode(self.key))

    def forget_but(self, wanted: set[str]) -> None:
        """Remove what no snapshot worth comparing with needs."""
        try:
            found = list(self._folder.glob("*.ledger"))
        except OSError:
            return
        for path in found:
            if path.stem not in wanted:
                path.unlink(missing_ok=True)

    def _path(self, tree: str) -> Path:
        return self._folder / f"{tree}.ledger"


def trees_to_keep(trees_by_source: dict[str, list[str]]) -> set[str]:
    """Choose the ledgers to keep: the newest few of each source, oldest first in each list."""
    kept: set[str] = set()
    for trees in trees_by_source.values():
        kept.update(list(dict.fromkeys(reversed(trees)))[:_KEPT_PER_SOURCE])
    return kept


def newest_archive(path: Path) -> tuple[int, ...]:
    """Return a stamp with the newest times of all archives of a source, since the files in them have none of their own."""
    newest = 0
    for archive in _archives(path):
        try:
            status = archive.stat()
        except OSError:
            continue
        newest = max(newest, status.st_mtime_ns, status.st_ctime_ns)
    return (0, newest, newest, 0, 0)


def _archives(path: Path) -> Iterator[Path]:
    from backupkit.chats.archives.members import may_be_archive  # noqa: PLC0415 - only where chats are counted anew

    if path.is_file():
        yield path
    for folder, _folders, files in os.walk(path):
        for name in files:
            if may_be_archive(name):
                yield Path(folder, name)
