"""Reading every byte of a snapshot back, and saying so under a signature."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Literal

from backupkit.clock import Clock
from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.domains import read_domain
from backupkit.crypto.keyring import Keyring
from backupkit.errors import BackupkitError
from backupkit.ids import DomainId, PackName, SnapshotId
from backupkit.ops.coverage import CoverageIssued, issue_passes
from backupkit.ops.events import Found, Notice, Phase, Progress, Severity, Tell
from backupkit.ops.places import Places
from backupkit.ops.repository import Repository, open_repository, store_finding
from backupkit.ops.snapshots import LATEST, KnownSnapshot, choose_snapshot
from backupkit.ops.statements import publish_statement, recorded_keys
from backupkit.ops.unlock import AskSecret
from backupkit.proof.verify_statement import Method, VerifyStatement
from backupkit.store import layout
from backupkit.store.check import FileChecked, PackChecked, check_open, check_sealed
from backupkit.store.domain_reader import DomainReader
from backupkit.store.finding import Finding, cause
from backupkit.store.layout import PackRef, pack_of
from backupkit.store.pack_list import ListedPack, read_pack_list

DEFAULT_MAX_AGE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of it. `bytes_read` counts the repository's bytes; `state` is verified, or damaged."""

    snapshot: SnapshotId
    state: Literal["verified", "damaged"]
    method: Method
    bytes_read: int
    packs: int
    findings: tuple[Found, ...]
    coverage: tuple[CoverageIssued, ...]


def verify_snapshot(
    places: Places,
    snapshot: str = LATEST,
    *,
    open_with: AskSecret | None = None,
    clock: Clock,
    tell: Tell,
    max_age: timedelta = DEFAULT_MAX_AGE,
) -> Verified:
    """Read every byte that a snapshot needs; with `open_with`, open everything too.

    The result is signed and logged where this machine writes, never in a copy's log, and coverage passes are issued for the hook.

    Raises:
        NoRepository, SnapshotNotFound: there is nothing to verify.
        CannotUnlock: the secret opens nothing.
    """
    repository = open_repository(places, tell)
    repository.config.require("check")
    known, found = choose_snapshot(repository, snapshot, tell)
    keyring = None if open_with is None else repository.unlock(open_with)

    def note(finding: Finding) -> None:
        event = Found(finding.code, Severity.ERROR, finding.facts)
        found.append(event)
        tell(event)

    _check_keys(repository, known, note)
    bytes_read, packs = _read_packs(repository, known, note, tell)
    if keyring is not None:
        _open_all(repository, known, keyring, note, tell)
    passed = not found
    method: Method = "sealed" if keyring is None else "open"
    coverage: tuple[CoverageIssued, ...] = ()
    if repository.original is not None:
        tell(Notice("copy-only-read", {"original": str(repository.original)}))
    elif repository.writer is not None:
        at = clock.now()
        statement = VerifyStatement(
            store=repository.origin,
            snapshot=known.id,
            snapshot_root=known.statement.root,
            method=method,
            result="passed" if passed else "failed",
            bytes_read=bytes_read,
            packs=packs,
            verified_at=at,
        )
        publish_statement(repository, statement.encode(), "verify", at)
        if passed:
            coverage = issue_passes(repository, known, method=method, at=at, max_age=max_age, tell=tell)
    state: Literal["verified", "damaged"] = "verified" if passed else "damaged"
    return Verified(known.id, state, method, bytes_read, packs, tuple(found), coverage)


def _check_keys(repository: Repository, known: KnownSnapshot, note: Callable[[Finding], None]) -> None:
    """See that the keys of each domain are there as they were when they were made: packs without them open for nobody.

    Damaged copies are mended. A file that the log does not know, because its writer died before it could say so, only has
    to be a domain's.
    """
    recorded = recorded_keys(repository, "domain-added")
    for domain in known.statement.domains:
        name = layout.domain_file(domain.id)
        try:
            try:
                repository.objects.check_copies(name, partial(_require_domain, domain.id, recorded))
            except BackupkitError:
                repository.objects.check_copies(name, partial(_require_domain, domain.id, None))
        except BackupkitError as error:
            note(Finding("domain-lost", domain.id.hex(), cause(error)))


def _require_domain(domain: DomainId, recorded: set[str] | None, data: bytes) -> None:
    if recorded is not None and hashlib.sha256(data).hexdigest() not in recorded:
        raise MalformedObject(what="domain", reason="wrong-digest")
    if read_domain(data).id != domain:
        raise MalformedObject(what="domain", reason="another-domain")


def _read_packs(
    repository: Repository, known: KnownSnapshot, note: Callable[[Finding], None], tell: Tell
) -> tuple[int, int]:
    listed = read_pack_list(repository.backend, known.statement.packs.digest, lambda found: tell(store_finding(found)))
    total = sum(pack.size for pack in listed)
    done = 0
    whole: list[PackName] = []
    damaged: list[PackName] = []
    for outcome in check_sealed(repository.backend, _refs(listed)):
        if isinstance(outcome, PackChecked):
            done += outcome.size
            whole.append(outcome.ref.pack)
            tell(Progress(Phase.CHECK, done, total, len(whole), len(listed)))
            continue
        ref = pack_of(outcome.name)
        if ref is not None:
            damaged.append(ref.pack)
        note(outcome)
    if repository.original is None:
        repository.damaged_packs.learn(damaged=damaged, whole=whole)
    return done, len(whole)


def _refs(listed: list[ListedPack]) -> Iterator[PackRef]:
    return (pack.ref for pack in listed)


def _open_all(
    repository: Repository, known: KnownSnapshot, keyring: Keyring, note: Callable[[Finding], None], tell: Tell
) -> None:
    done = files = 0
    # The statement rounds its size up; only the machine that took the snapshot knows it to the byte.
    total = sum(source.bytes for source in known.facts.sources) if known.facts else None
    for domain in known.statement.domains:
        secrets = repository.open_domain(domain.id, keyring)
        reader = DomainReader(
            repository.backend, repository.id, domain.id, secrets, tell=lambda found: tell(store_finding(found))
        )
        for outcome in check_open(reader, domain.root):
            if isinstance(outcome, FileChecked):
                done += outcome.size
                files += 1
                tell(Progress(Phase.CHECK, done, total, files))
            else:
                note(outcome)
