"""Whose turn it is: where several watchers of this computer watch one source for one repository, one saves it and the others stand by.

The turn ends with the process, however it ends, and goes to one that stood by. Where it cannot be told, everybody saves: a snapshot too
many costs little, one too few may cost a chat.
"""

import hashlib
import os
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from backupkit.home import make_private
from backupkit.ops.places import taken


class Turns:
    """The sources whose turn this process has while the `with` block lasts. The files in `folder` stay, and say nothing."""

    def __init__(self, folder: Path, repository: Path, sources: Mapping[str, Path]) -> None:
        self._folder = folder
        # By place and not by name: two settings may name one source differently.
        self._files = {name: folder / _key(repository, path) for name, path in sources.items()}
        self._held: set[str] = set()
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()
        self._held.clear()

    def has(self, name: str) -> bool:
        """Tell whether this process is to save a source. What nobody else has, it has from now on."""
        if name not in self._held:
            with suppress(OSError):
                make_private(self._folder)
                self._files[name].touch(0o600)
            with ExitStack() as attempt:
                if attempt.enter_context(taken(self._files[name])):
                    self._held.add(name)
                    self._open.push(attempt.pop_all())
        return name in self._held


def _key(repository: Path, source: Path) -> str:
    return hashlib.sha256(b"\0".join(os.fsencode(path.resolve()) for path in (repository, source))).hexdigest()[:32]
