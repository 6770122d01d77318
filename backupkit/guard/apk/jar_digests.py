"""Digests of a JAR's entries, each entry read and expanded once, on two cores where there is enough to do.

To expand what is compressed takes longer than everything else about a package with a JAR signature, and nothing in it needs an order.
"""

import hashlib
from collections.abc import Iterable, Iterator
from threading import Thread
from typing import TypeAlias

from backupkit.guard.apk.jar_manifest import Section
from backupkit.guard.apk.zip_bytes import Archive, Entry

_WORTH_A_THREAD = 4 << 20

Wanted: TypeAlias = tuple[Entry, Section]
"""An entry and the section of the manifest that says which digests it has."""


class EntryDigests:
    """What the entries of one archive amount to, by every hash that any level could ask for."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._known: dict[bytes, dict[str, bytes]] = {}
        self._is_over = False

    def of(self, entry: Entry, section: Section) -> dict[str, bytes]:
        """Return an entry's digests by the name of the hash.

        Raises:
            PackageNotGenuine: the entry cannot be expanded.
            PackageUndecided: the file cannot be read.
        """
        if entry.name not in self._known:
            self._known[entry.name] = self._digest(entry, section)
        return self._known[entry.name]

    def prepare(self, wanted: Iterable[Wanted]) -> None:
        """Digest many entries before they are asked for. Never raises for one that is broken: `of` does, when its turn comes."""
        todo = [(entry, section) for entry, section in wanted if section.hashes()]
        if sum(entry.size for entry, _ in todo) < _WORTH_A_THREAD:
            return
        # Both threads take from it; the next of a list's iterator is taken in one step.
        rest = iter(todo)
        self._is_over = False
        second = Thread(target=self._work, args=(rest,), name="entry-digests", daemon=True)
        second.start()
        try:
            self._work(rest)
        finally:
            self._is_over = True
            second.join()

    def _work(self, rest: Iterator[Wanted]) -> None:
        for entry, section in rest:
            if self._is_over:
                return
            try:
                self.of(entry, section)
            except Exception:  # noqa: BLE001 - whoever asks for this entry meets it again
                self._is_over = True

    def _digest(self, entry: Entry, section: Section) -> dict[str, bytes]:
        hashers = {name: hashlib.new(name, usedforsecurity=False) for name in section.hashes()}
        for piece in self._archive.content(entry):
            for hasher in hashers.values():
                hasher.update(piece)
        return {name: hasher.digest() for name, hasher in hashers.items()}
