"""Reading every byte of a snapshot back, and saying so under a signature."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

from backupkit.clock import Clock
from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.domains import read_domain
from backupkit.crypto.keyring import Keyring
from backupkit.errors import BackupkitError
from backupkit.ids import DomainId, PackName, SnapshotId
from backupkit.ops.checking.check_record import record_check
from backupkit.ops.checking.coverage import CoverageIssued
from backupkit.ops.events import Found, Notice, Phase, Progress, Severity, Tell
from backupkit.ops.failures import PacksUnknown
from backupkit.ops.places import Places, on_same_disk
from backupkit.ops.repository.lifecycle import lifecycle_of, lifecycle_without_log
from backupkit.ops.repository.reach import listed_for
from backupkit.ops.repository.repository import Repository, open_repository, store_finding
from backupkit.ops.repository.snapshots import LATEST, KnownSnapshot, choose_snapshot
from backupkit.ops.repository.statements import recorded_keys
from backupkit.ops.restoring.left_in_packs import packs_of_found
from backupkit.ops.restoring.lookup import open_lookup
from backupkit.ops.unlock import AskSecret
from backupkit.proof.verify_statement import Method
from backupkit.store import layout
from backupkit.store.backend import ObjectMissing
from backupkit.store.domains.domain_reader import DomainReader
from backupkit.store.finding import Finding, cause
from backupkit.store.layout import pack_of
from backupkit.store.objects.pack_list import ListedPack
from backupkit.store.upkeep.check import FileChecked, PackChecked, check_open, check_sealed

DEFAULT_MAX_AGE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Verified:
    """What came of it. `bytes_read` and `packs` count what was read of the repository, `packs_total` all that is needed.

    `state` is verified, damaged, or saved where not enough was read to say more. `oldest_read` is when the pack that was read
    longest ago was read whole, None while one of them never was. `distrust` says why the log could not be believed; nothing
    counts as verified then.
    """

    snapshot: SnapshotId
    state: Literal["verified", "damaged", "saved"]
    method: Literal["sealed", "open", "drill", "sample", "quick"]
    bytes_read: int
    packs: int
    packs_total: int
    oldest_read: datetime | None
    findings: tuple[Found, ...]
    coverage: tuple[CoverageIssued, ...]
    distrust: BackupkitError | None = None


def verify_snapshot(
    places: Places,
    snapshot: str = LATEST,
    *,
    open_with: AskSecret | None = None,
    clock: Clock,
    tell: Tell,
    max_age: timedelta = DEFAULT_MAX_AGE,
    stop: Callable[[], bool] = lambda: False,
) -> Verified:
    """Read every byte that a snapshot needs; with `open_with`, open everything too. Nothing counts where `stop` ended it.

    The result is signed and logged where this machine writes, never in a copy's log, and coverage passes are issued for the hook.

    Raises:
        NoRepository, SnapshotNotFound: there is nothing to verify.
        PacksUnknown: which packs it needs is lost.
        CannotUnlock: the secret opens nothing.
    """
    work = begin(places, snapshot, tell, open_with)
    keyring = work.keyring or (None if open_with is None else work.repository.unlock(open_with))
    started = clock.now()
    work.check_keys()
    listed = work.listed()
    read = work.read_packs(listed, started, stop)
    if keyring is not None:
        _open_all(work, keyring)
    method: Method = "sealed" if keyring is None else "open"
    coverage = work.publish(method, read.size, len(read.whole), clock.now(), clock=clock, max_age=max_age)
    whole: Literal["verified", "saved"] = "verified" if work.distrust is None else "saved"
    return Verified(
        snapshot=work.known.id,
        state="damaged" if work.found else whole,
        method=method,
        bytes_read=read.size,
        packs=len(read.whole),
        packs_total=len(listed),
        oldest_read=started if len(read.whole) == len(listed) else None,
        findings=tuple(work.found),
        coverage=coverage,
        distrust=work.distrust,
    )


@dataclass(frozen=True, slots=True)
class PacksRead:
    """The packs that were read and are what their names say, and their bytes."""

    whole: tuple[PackName, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Work:
    """A snapshot that is being looked at, and what was found so far.

    `distrust` says why the log could not be believed; `keyring` is there where the packs themselves had to be asked.
    """

    repository: Repository
    known: KnownSnapshot
    found: list[Found]
    tell: Tell
    distrust: BackupkitError | None = None
    keyring: Keyring | None = None

    def note(self, finding: Finding) -> None:
        """Take in what is lost, and tell it."""
        event = Found(finding.code, Severity.ERROR, finding.facts)
        self.found.append(event)
        self.tell(event)

    def check_keys(self) -> None:
        """See that the keys of each domain are there as they were when they were made: packs without them open for nobody.

        Damaged copies are mended. A file that the log does not know, because its writer died before it could say so, only has
        to be a domain's.
        """
        objects = self.repository.objects
        recorded = None if self.distrust is not None else recorded_keys(self.repository, "domain-added")
        for domain in self.known.statement.domains:
            name = layout.domain_file(domain.id)
            try:
                try:
                    objects.check_copies(name, partial(_require_domain, domain.id, recorded))
                except BackupkitError:
                    objects.check_copies(name, partial(_require_domain, domain.id, None))
            except BackupkitError as error:
                self.note(Finding("domain-lost", domain.id.hex(), cause(error)))

    def listed(self) -> list[ListedPack]:
        """Return the packs that the snapshot needs; where no list of them was signed, what its trees lead to.

        Raises:
            PacksUnknown: the list that was signed cannot be read.
        """
        if self.keyring is not None:
            return packs_of_found(self.repository, self.known, self.keyring, self.note, self.tell)
        repository = self.repository
        try:
            life = lifecycle_of(repository, repository.log.read().entries)
        except BackupkitError:
            life = lifecycle_without_log(repository)
        try:
            return listed_for(repository, self.known.statement, life, lambda found: self.tell(store_finding(found)))
        except (ObjectMissing, MalformedObject) as error:
            raise PacksUnknown(snapshot=self.known.id, reason=cause(error)) from error

    def read_packs(
        self, listed: Sequence[ListedPack], started: datetime, stop: Callable[[], bool] = lambda: False
    ) -> PacksRead:
        """Read every byte of some packs, and remember which are whole."""
        total = sum(pack.size for pack in listed)
        done = 0
        whole: list[PackName] = []
        damaged: list[PackName] = []
        for outcome in check_sealed(self.repository.backend, (pack.ref for pack in listed)):
            if stop():
                raise KeyboardInterrupt
            if isinstance(outcome, PackChecked):
                done += outcome.size
                whole.append(outcome.ref.pack)
                self.tell(Progress(Phase.CHECK, done, total, len(whole), len(listed)))
                continue
            ref = pack_of(outcome.name)
            if ref is not None:
                damaged.append(ref.pack)
            self.note(outcome)
        # Where this machine's memory cannot be written, on a read-only disk say, the reading counts all the same.
        with suppress(OSError):
            self.remember_damaged(damaged, whole)
            self.repository.pack_reads.learn(whole=whole, damaged=damaged, at=started)
        return PacksRead(tuple(whole), done)

    def remember_damaged(self, damaged: Collection[PackName], whole: Collection[PackName] = ()) -> None:
        """Let the next snapshot save anew what damaged packs held; not for what a second copy lacks."""
        if self.repository.original is None:
            self.repository.damaged_packs.learn(damaged=damaged, whole=whole)

    def publish(
        self, method: Method, bytes_read: int, packs: int, at: datetime, *, clock: Clock, max_age: timedelta
    ) -> tuple[CoverageIssued, ...]:
        """Sign and log what was found, as of `at`, where this machine writes; issue passes where nothing is lost."""
        repository, passed = self.repository, not self.found
        if self.distrust is not None:
            # A log that cannot be believed can take no entry, and a pass for what it does not name is worth nothing.
            return ()
        if repository.original is not None:
            # A copy on the same disk dies with it, and counts for nothing.
            if passed and not on_same_disk(repository.places.repository, repository.original):
                repository.second_copies.learn(at, self.known.id)
            self.tell(Notice("copy-only-read", {"original": str(repository.original)}))
            return ()
        if repository.writer is None:
            return ()
        return record_check(
            repository, self.known, method=method, passed=passed, bytes_read=bytes_read, packs=packs, at=at,
            clock=clock, max_age=max_age, tell=self.tell,
        )  # fmt: skip


def begin(places: Places, snapshot: str, tell: Tell, secret: AskSecret | None = None) -> Work:
    """Find what is to be looked at. With a `secret`, also where only the packs can still tell.

    Raises:
        NoRepository, SnapshotNotFound: there is nothing to verify.
        SignatureInvalid, HistoryRolledBack, LogDamaged, ...: the log cannot be believed, and there is no `secret`.
    """
    if secret is None:
        repository = open_repository(places, tell)
        repository.config.require("check")
        known, found = choose_snapshot(repository, snapshot, tell)
        return Work(repository, known, found, tell)
    lookup = open_lookup(places, secret, tell)
    lookup.repository.config.require("check")
    chosen = lookup.choose(snapshot)
    keyring = lookup.keyring if chosen.in_packs else None
    return Work(lookup.repository, chosen.known, list(chosen.lost), tell, chosen.distrust, keyring)


def _require_domain(domain: DomainId, recorded: set[str] | None, data: bytes) -> None:
    if recorded is not None and hashlib.sha256(data).hexdigest() not in recorded:
        raise MalformedObject(what="domain", reason="wrong-digest")
    if read_domain(data).id != domain:
        raise MalformedObject(what="domain", reason="another-domain")


def _open_all(work: Work, keyring: Keyring) -> None:
    repository, known, tell = work.repository, work.known, work.tell
    done = files = 0
    # The statement rounds its size up; only the machine that took the snapshot knows it to the byte.
    total = sum(source.bytes for source in known.facts.sources) if known.facts else None
    for domain in known.statement.domains:
        try:
            secrets = repository.open_domain(domain.id, keyring)
        except BackupkitError as error:
            # Said already where no copy of the file is what it was; the other domains are opened all the same.
            if not any(found.code == "domain-lost" and found.facts["name"] == domain.id.hex() for found in work.found):
                work.note(Finding("domain-lost", domain.id.hex(), cause(error)))
            continue
        reader = DomainReader(
            repository.backend, repository.id, domain.id, secrets, tell=lambda found: tell(store_finding(found))
        )
        for outcome in check_open(reader, domain.root):
            if isinstance(outcome, FileChecked):
                done += outcome.size
                files += 1
                tell(Progress(Phase.CHECK, done, total, files))
            else:
                work.note(outcome)
