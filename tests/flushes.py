"""What was flushed to the disk, and what is still open: real flushes, written down. What was not flushed is gone after a power failure."""

import os
from pathlib import Path

import pytest


class Flushes:
    """The inodes that were flushed so far, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._inodes: list[int] = []
        real = os.fsync

        def fsync(handle: int) -> None:
            real(handle)
            self._inodes.append(os.fstat(handle).st_ino)

        monkeypatch.setattr(os, "fsync", fsync)

    def place_of(self, path: Path) -> int:
        """When a file or folder was flushed; fails where it never was."""
        inode = path.stat().st_ino
        assert inode in self._inodes, f"{path.name} was not flushed"
        return self._inodes.index(inode)


def open_files() -> int:
    """How many files this process holds open."""
    return len(list(Path("/proc/self/fd").iterdir()))
