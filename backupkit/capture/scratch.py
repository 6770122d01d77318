"""A private place for copies that must not outlive the process that made them.

The copies hold chats in the clear, so nobody else may read them, and what a killed process left is removed by the next.
"""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

if sys.platform != "win32":
    import fcntl

_PREFIX: Final = "live-"


@contextlib.contextmanager
def private_folder(scratch: Path) -> Iterator[Path]:
    """Make a folder below `scratch` that only this user can enter, and remove it with all it holds at the end."""
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.ExitStack() as locks:
        with _locked(scratch, exclusive=False):
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=scratch))
            locks.enter_context(_locked(folder, exclusive=True))
        try:
            yield folder
        finally:
            discard(folder)


def discard_leftovers(scratch: Path) -> int:
    """Remove the folders that killed processes left below `scratch`; return how many there were."""
    if sys.platform == "win32" or not scratch.is_dir():
        return 0  # without locks nobody can tell a leftover from a copy in use
    removed = 0
    # Held exclusively, so that no folder is met between being made and being locked by its owner.
    with _locked(scratch, exclusive=True):
        for folder in scratch.glob(_PREFIX + "*"):
            try:
                with _locked(folder, exclusive=True, wait=False):
                    discard(folder)
                    removed += 1
            except OSError:
                continue
    return removed


@contextlib.contextmanager
def kept_folder(folder: Path) -> Iterator[None]:
    """Hold a folder for this process, so that `discard_if_left` of another one lets it be."""
    with _locked(folder, exclusive=True):
        yield


def discard_if_left(folder: Path) -> bool:
    """Remove a folder that a killed process held, with all in it; False where a living one holds it, or nobody can tell."""
    if sys.platform == "win32" or folder.is_symlink() or not folder.is_dir():
        return False
    try:
        with _locked(folder, exclusive=True, wait=False):
            discard(folder)
    except OSError:
        return False
    return not folder.exists()


def discard(folder: Path) -> None:
    """Remove a folder with all it holds, as far as that can be done.

    What was restored into it keeps its modes, and in a folder that its owner made read-only nothing could be deleted: those
    chats would lie in the clear for ever.
    """
    for place, below, _ in os.walk(folder):
        for name in below:
            path = Path(place, name)
            with contextlib.suppress(OSError):
                if not path.is_symlink():
                    path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path, *, exclusive: bool, wait: bool = True) -> Iterator[None]:
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        fcntl.flock(descriptor, kind if wait else kind | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
