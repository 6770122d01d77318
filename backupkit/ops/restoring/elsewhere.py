"""Sources that a snapshot does not hold, and other snapshots do.

Each snapshot holds what was named when it was taken. Whoever restores the latest one after an accident and saved two apps apart
must not take the half for everything. So it is with whoever exports it or looks into it.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from backupkit.crypto.keyring import Keyring
from backupkit.errors import BackupkitError
from backupkit.ids import DomainId, SnapshotId
from backupkit.ops.places import shown_path
from backupkit.ops.repository.repository import Repository
from backupkit.ops.repository.snapshots import LATEST, KnownSnapshot, known_snapshots
from backupkit.ops.restoring.lookup import Chosen, Lookup
from backupkit.store.domains.domain_reader import DomainReader
from backupkit.store.trees.manifest import read_manifest


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The newest snapshot of some sources, and their names."""

    snapshot: SnapshotId
    sources: tuple[str, ...]


def beside_latest(lookup: Lookup, wanted: str, chosen: Chosen, there: Iterable[bytes]) -> tuple[Elsewhere, ...]:
    """Return what other snapshots hold beside the latest one, whose sources have the paths `there`; nothing where somebody chose."""
    if wanted != LATEST or chosen.distrust is not None or chosen.in_packs:
        return ()
    return _held_elsewhere(lookup.repository, chosen.known.id, there, lookup.keyring)


def _held_elsewhere(
    repository: Repository, chosen: SnapshotId, there: Iterable[bytes], keyring: Keyring
) -> tuple[Elsewhere, ...]:
    """Return what other snapshots hold of sources whose paths are not in `there`, the newest snapshot first.

    This machine's memory answers for the snapshots that it took; of all others the sealed lists are read. What cannot be read is
    passed over: a check tells of damage, not this.
    """

    @cache
    def reader(domain: DomainId) -> DomainReader:
        secrets = repository.open_domain(domain, keyring)
        return DomainReader(repository.backend, repository.id, domain, secrets, tell=lambda _: None)

    seen = {shown_path(os.fsdecode(path)) for path in there}
    found = []
    with suppress(BackupkitError):
        for known in reversed(known_snapshots(repository)):
            if known.id == chosen:
                continue
            names = []
            for name, path in _sources(known, reader):
                if path not in seen:
                    seen.add(path)
                    names.append(name)
            if names:
                found.append(Elsewhere(known.id, tuple(names)))
    return tuple(found)


def _sources(known: KnownSnapshot, reader: Callable[[DomainId], DomainReader]) -> Iterator[tuple[str, str]]:
    """Give the name and the path of each source that a snapshot holds."""
    if known.facts is not None:
        yield from ((source.name, source.path) for source in known.facts.sources if not source.is_empty)
        return
    for domain in known.statement.domains:
        with suppress(BackupkitError):
            for source in read_manifest(reader(domain.id), domain.root).sources:
                if source.bytes:
                    yield source.name, shown_path(os.fsdecode(source.path))
