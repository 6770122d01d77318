"""Snapshots found in the packs themselves: where log and signed statements are gone, and where even the config is.

A root says what it holds of one domain and when it was made, and nothing of other domains. So each root that is found gives
one snapshot: it, and of every other domain the newest whole root that was there by then. What is found is authentic, chunk by
chunk; that it is all there was, or the newest, nobody can prove any more. What was forgotten is found too.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from backupkit import __version__
from backupkit.clock import from_rfc3339
from backupkit.codec.malformed import NewerFormat
from backupkit.crypto.failures import SignatureInvalid
from backupkit.crypto.keyring import Keyring
from backupkit.errors import BackupkitError
from backupkit.ids import ChunkId, DomainId, PackName, RepositoryId, SnapshotId
from backupkit.ops.events import Found, Severity, Tell
from backupkit.ops.failures import (
    OnlyPacksLeft,
    SnapshotAmbiguous,
    SnapshotForgotten,
    SnapshotNotFound,
    SnapshotSwept,
)
from backupkit.ops.memory.journal import TakenFacts, facts_of
from backupkit.ops.places import Places
from backupkit.ops.repository.repository import Repository, is_left_over, open_over, open_repository, store_finding
from backupkit.ops.repository.snapshots import KnownSnapshot, find_snapshot, salvage_snapshot
from backupkit.ops.unlock import AskSecret
from backupkit.proof.snapshot_statement import DomainRoot, PackSet, SnapshotStatement
from backupkit.store.backends.posix_backend import PosixBackend
from backupkit.store.domains.domain_reader import DomainReader
from backupkit.store.finding import Finding, cause
from backupkit.store.layout import PackRef
from backupkit.store.objects.config import RepositoryConfig, UnknownFeature, WriterEntry
from backupkit.store.objects.pack_list import ListedPack
from backupkit.store.trees.contents import reachable_chunks
from backupkit.store.trees.manifest import Manifest, Source, read_manifest
from backupkit.store.upkeep.salvage import FoundSnapshot, find_addresses, find_loose_folders, find_snapshots

_NEVER = datetime.fromtimestamp(0, UTC)
_UNNAMED = "0" * 64
"""In place of the digest of a list that nobody signed."""

_CHOICE_IS_WRONG = (SnapshotAmbiguous, SnapshotForgotten, SnapshotSwept)


@dataclass(frozen=True, slots=True)
class InPacks:
    """A snapshot that was found by a root, and the root: what else belongs to it was found by others."""

    root: ChunkId
    known: KnownSnapshot


@dataclass(frozen=True, slots=True)
class Chosen:
    """A snapshot to read, and what is to be told of how it was found.

    `lost` are newer ones that cannot be read. `distrust` says why the log could not be believed. `keyring` is there if it had
    to be opened already, and `loose` are folders of domains of which no root is left.
    """

    known: KnownSnapshot
    lost: list[Found]
    distrust: BackupkitError | None
    keyring: Keyring | None = None
    loose: tuple[tuple[DomainId, Source], ...] = ()


def open_what_is_left(places: Places, tell: Tell) -> tuple[Repository, BackupkitError | None]:
    """Open a repository for reading, also one whose config is lost: then by the ids that its packs bear, and with what was wrong.

    Raises:
        NoRepository: there is none.
        NewerFormat, UnknownFeature: it is whole, and this program does not know how to read it.
        BackupkitError: keyring or packs are lost too: what was said of the config.
    """
    try:
        return open_repository(places, tell), None
    except (NewerFormat, UnknownFeature):
        raise
    except BackupkitError as error:
        if not is_left_over(places):
            raise
        backend = PosixBackend(places.repository)
        # Packs of other repositories may have been laid among them; ours are the many.
        bearing = Counter(address.repository for address in find_addresses(backend))
        if not bearing:
            raise
        id_ = bearing.most_common(1)[0][0]
        with suppress(BackupkitError):
            opened = _with_own_writer(open_over(places, backend, _stand_in(id_), tell))
            tell(Found("config-unreadable", Severity.ERROR, {"reason": cause(error)}))
            return opened, error
        raise


def choose(
    repository: Repository, wanted: str, secret: AskSecret | None, tell: Tell, *, from_packs: bool = False
) -> Chosen:
    """Return the snapshot that is wanted: by the log, else by the statements that are signed, else by what lies in the packs.

    Without a `secret` packs cannot be looked into. With `from_packs` nothing else is, and that is no reason for distrust.

    Raises:
        SnapshotNotFound, SnapshotAmbiguous, SnapshotForgotten, SnapshotSwept: as `find_snapshot` does.
        CannotUnlock: the secret opens nothing.
        BackupkitError: the log names it and it cannot be read, or nothing can.
    """
    if from_packs and secret is not None:
        return _chosen_in_packs(repository, wanted, repository.unlock(secret), tell, None)
    try:
        known, lost, distrust = salvage_snapshot(repository, wanted, tell)
    except _CHOICE_IS_WRONG:
        raise
    except BackupkitError as error:
        if secret is None or not _may_lie_in_packs(repository, error):
            raise
        reason: BackupkitError = error
    else:
        return Chosen(known, lost, distrust)
    tell(Found("looking-in-packs", Severity.ERROR, {"reason": cause(reason)}))
    distrust = reason
    if not isinstance(reason, SignatureInvalid):
        # A false signature is worse than a missing one, and stays the answer.
        distrust = OnlyPacksLeft(reason=cause(reason))
        distrust.__cause__ = reason
    return _chosen_in_packs(repository, wanted, repository.unlock(secret), tell, distrust)


def find_in_packs(
    repository: Repository, keyring: Keyring, tell: Tell
) -> tuple[list[InPacks], list[tuple[DomainId, Source]]]:
    """Return the snapshots whose roots lie in the packs, oldest first, and the folders of domains that have no root left.

    Their ids are those of their roots: nothing that was signed names them.
    """
    roots: list[tuple[datetime, DomainId, DomainRoot, Manifest]] = []
    loose: list[tuple[DomainId, Source]] = []
    for domain in repository.domains():
        try:
            reader = reader_of(repository, domain, keyring, tell)
        except BackupkitError as error:
            tell(Found("domain-lost", Severity.ERROR, {"name": domain.hex(), "reason": cause(error)}))
            continue
        before = len(roots)
        for found in find_snapshots(reader):
            if isinstance(found, FoundSnapshot):
                pack = reader.where(found.root)
                assert pack is not None
                roots.append(
                    (_moment(found.manifest), domain, DomainRoot(domain, found.root, pack.pack), found.manifest)
                )
            else:
                tell(Found(found.code, Severity.ERROR, found.facts))
        if len(roots) == before:
            loose += [(domain, _loose(tree)) for tree in find_loose_folders(reader)]
    roots.sort(key=lambda one: (one[0], one[2].root))
    newest: dict[DomainId, tuple[DomainRoot, Manifest]] = {}
    snapshots: list[InPacks] = []
    for at, domain, root, manifest in roots:
        parts = {**newest, domain: (root, manifest)}
        known = _snapshot_of(repository, parts, at, complete=manifest.complete)
        snapshots.append(InPacks(root.root, replace(known, seq=len(snapshots))))
        if manifest.complete or domain not in newest or not newest[domain][1].complete:
            newest[domain] = (root, manifest)
    return snapshots, loose


def _chosen_in_packs(
    repository: Repository, wanted: str, keyring: Keyring, tell: Tell, distrust: BackupkitError | None
) -> Chosen:
    found, loose = find_in_packs(repository, keyring, tell)
    if not found and loose:
        known = _snapshot_of(repository, {}, _NEVER, complete=False)
    else:
        known = find_snapshot((one.known for one in found), wanted)
    return Chosen(known, [], distrust, keyring, tuple(loose))


def reader_of(repository: Repository, domain: DomainId, keyring: Keyring, tell: Tell) -> DomainReader:
    """Return what reads a domain.

    Raises:
        BackupkitError: its keys cannot be opened.
    """
    secrets = repository.open_domain(domain, keyring)
    return DomainReader(
        repository.backend, repository.id, domain, secrets, tell=lambda found: tell(store_finding(found))
    )


def packs_under(
    reader: DomainReader, root: ChunkId, manifest: Manifest, tell: Callable[[Finding], None]
) -> set[PackRef]:
    """Return the packs that a root needs. `tell` is called for what cannot be found in any."""
    packs: set[PackName] = set()
    for chunk in _chunks_under(reader, root, manifest, tell):
        place = reader.where(chunk)
        if place is None:
            tell(Finding("chunk-lost", chunk.hex(), "in-no-pack", chunks=(chunk,)))
        else:
            packs.add(place.pack)
    present = set(reader.present_packs())
    for pack in packs - present:
        tell(Finding("pack-damaged", PackRef(reader.address.domain, pack).name, "object-missing"))
    return {PackRef(reader.address.domain, pack) for pack in packs & present}


def packs_of_found(
    repository: Repository, known: KnownSnapshot, keyring: Keyring, note: Callable[[Finding], None], tell: Tell
) -> list[ListedPack]:
    """Return the packs that a snapshot needs which was found in packs. `note` is called for what is lost."""
    listed = []
    for part in known.statement.domains:
        reader = reader_of(repository, part.id, keyring, tell)
        needed = packs_under(reader, part.root, read_manifest(reader, part.root), note)
        listed += [ListedPack(ref, repository.backend.size(ref.name)) for ref in needed]
    return sorted(listed)


def _chunks_under(
    reader: DomainReader, root: ChunkId, manifest: Manifest, tell: Callable[[Finding], None]
) -> Iterator[ChunkId]:
    yield root
    for source in manifest.sources:
        yield from reachable_chunks(reader, source.tree, tell)


def _may_lie_in_packs(repository: Repository, error: BackupkitError) -> bool:
    if not isinstance(error, SnapshotNotFound):
        return True
    # A log that can be believed and does not know it has the last word; one that is empty has none while there are packs.
    try:
        is_empty = repository.log.read().head is None
    except BackupkitError:
        is_empty = True
    return is_empty and bool(repository.packs())


def _snapshot_of(
    repository: Repository, parts: dict[DomainId, tuple[DomainRoot, Manifest]], at: datetime, *, complete: bool
) -> KnownSnapshot:
    sources = [source for _, manifest in parts.values() for source in manifest.sources]
    statement = SnapshotStatement(
        store=repository.origin,
        writer="",
        previous=None,
        created_at=at,
        complete=complete,
        domains=tuple(root for _, (root, _) in sorted(parts.items())),
        packs=PackSet(_UNNAMED, 0, 0),
        size_bytes=sum(source.bytes for source in sources),
        tool_name="backupkit",
        tool_version=__version__,
    )
    facts = TakenFacts(statement.root, "", complete, tuple(facts_of(source) for source in sources))
    state = "saved" if complete else "partial"
    return KnownSnapshot(SnapshotId(statement.root), 0, statement, state, None, facts)


def _loose(tree: ChunkId) -> Source:
    name = f"folder-{tree.hex()[:8]}"
    return Source(name, name.encode(), tree, 0, 0, "")


def _moment(manifest: Manifest) -> datetime:
    try:
        return from_rfc3339(manifest.created)
    except ValueError:
        return _NEVER


def _stand_in(repository: RepositoryId) -> RepositoryConfig:
    return RepositoryConfig(repository, "1970-01-01T00:00:00Z")


def _with_own_writer(repository: Repository) -> Repository:
    """Let what this machine signed itself count: of other writers only the lost config knew."""
    if repository.writer is None:
        return repository
    keys = repository.writer.writer
    entry = WriterEntry(keys.id, keys.log.verify_key, keys.attest.verify_key, "this-machine")
    config = replace(repository.config, writers=(entry,))
    return open_over(repository.places, repository.backend, config, lambda _: None)


__all__ = ["Chosen", "choose", "find_in_packs", "open_what_is_left", "packs_under", "reader_of"]
