"""Beginning a log again where the old one is lost or cannot be believed; and a config, where that is lost too.

Only the owner may: who opens the keyring says with it that this repository is to go on as it lies here. Of the old log the
entries stay that can be read without a gap. Snapshots that it does not name any more are entered behind them: first those whose
signed statements are left, then those of which the packs hold the root; these get new statements. It is never done silently: a
signed statement in the log says what was done, and whoever remembers an old head, another computer or the hook, sees that this log
does not continue it, until its owner tells it otherwise.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from backupkit import __version__
from backupkit.clock import Clock, to_rfc3339
from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.failures import OpenFailed, SignatureInvalid
from backupkit.crypto.keyring import Keyring
from backupkit.crypto.writer import WriterKeys, WriterState
from backupkit.errors import BackupkitError, Fact
from backupkit.ids import ChunkId, DomainId, SnapshotId
from backupkit.ops.chats.snapshot_chats import domain_reader
from backupkit.ops.events import Found, Severity, Tell
from backupkit.ops.failures import LogDamaged
from backupkit.ops.places import Places, held
from backupkit.ops.repository.commit import publish_snapshot
from backupkit.ops.repository.lifecycle import Lifecycle, lifecycle_of, repacks_lying_there, replace_packs
from backupkit.ops.repository.reach import listed_for, packs_of
from backupkit.ops.repository.repository import WRITER_FILE, Repository, open_repository
from backupkit.ops.repository.snapshots import KnownSnapshot, read_snapshot, signed_snapshots
from backupkit.ops.repository.statements import statements_lying_there
from backupkit.ops.restoring.left_in_packs import InPacks, find_in_packs, packs_under
from backupkit.ops.restoring.lookup import open_what_is_left
from backupkit.ops.unlock import AskSecret
from backupkit.proof.dsse import sign_envelope
from backupkit.proof.log_entry import LogEntry
from backupkit.proof.rebuild_statement import RebuildStatement
from backupkit.proof.repack_statement import RepackStatement, decode_repack_statement
from backupkit.proof.snapshot_statement import PackSet, SnapshotStatement
from backupkit.proof.statement import PAYLOAD_TYPE
from backupkit.proof.sweep_statement import decode_sweep_statement
from backupkit.store import layout
from backupkit.store.backend import AlreadyExists, ObjectMissing
from backupkit.store.domains.domain_reader import DomainReader
from backupkit.store.finding import Finding
from backupkit.store.layout import PackRef
from backupkit.store.objects.config import RepositoryConfig, WriterEntry
from backupkit.store.objects.pack_list import publish_pack_list
from backupkit.store.trees.manifest import read_manifest
from backupkit.store.upkeep.salvage import index_new_packs


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What came of it. `reason` is what was wrong with the log, None where nothing was and nothing was missing from it.

    `kept_entries` stayed; `entered` snapshots were entered again, of which `from_packs` got new statements. `continues` says that
    whoever knew the old log will take this one for its continuation. `left_out` are found and not whole.
    """

    reason: str | None
    config_made_anew: bool
    kept_entries: int
    seen_entries: int
    entered: tuple[SnapshotId, ...]
    from_packs: int
    continues: bool
    left_out: tuple[Found, ...]

    @property
    def has_changed(self) -> bool:
        """Tell whether anything was written."""
        return self.reason is not None or self.config_made_anew or bool(self.entered)


def rebuild_repository(places: Places, *, secret: AskSecret, clock: Clock, tell: Tell) -> Rebuilt:
    """Make config and log whole from what is left. Nobody else may write meanwhile. It may be cut off anywhere, and done again.

    Raises:
        NoRepository: there is none, or not even keys of one.
        CannotUnlock: the secret opens nothing.
        RepositoryIsCopy: this machine writes to another place.
        SignatureInvalid: this machine writes here for another owner.
    """
    repository, config_lost = open_what_is_left(places, tell)
    repository.config.require("write")
    keyring = repository.unlock(secret)
    if repository.writer is not None:
        repository.require_writer()
    elif (repository.memory / WRITER_FILE).exists():
        # This machine writes for another owner: its keys are not thrown away for whoever laid this keyring here.
        raise SignatureInvalid(what="keyring")
    with held(repository.memory / "sweep.lock"):
        at = clock.now()
        if config_lost is not None or repository.writer is None:
            _admit_this_machine(repository, keyring, at, is_lost=config_lost is not None)
            # With the config as it is now: it says whose statements count.
            repository = open_repository(places, tell)
        return _Rebuild(repository, keyring, at, tell, config_made_anew=config_lost is not None).run()


class _Rebuild:
    """One run."""

    def __init__(
        self, repository: Repository, keyring: Keyring, at: datetime, tell: Tell, *, config_made_anew: bool
    ) -> None:
        self._repository = repository
        self._keyring = keyring
        self._at = at
        self._tell = tell
        self._config_made_anew = config_made_anew
        self._left_out: list[Found] = []
        self._swept = _swept_by_statements(repository)
        self._present = repository.packs()
        self._repacks: dict[str, RepackStatement] = {}

    def run(self) -> Rebuilt:
        repository, log = self._repository, self._repository.log
        seen = log.seen_size
        kept, wrong = self._kept()
        self._repacks = repacks_lying_there(repository, _named(kept, "repack"))
        signed = signed_snapshots(repository)
        done = self._covered(kept, signed)
        again = [one for one in signed if not _roots_of(one.statement) <= done and self._is_to_enter(one, kept)]
        for one in again:
            done |= _roots_of(one.statement)
        made = self._from_packs(done, [*_named(kept, "snapshot"), *(str(one.id) for one in again)])
        entered = (*(one.id for one in again), *made)
        gone = self._gone(kept)
        self._index()
        reason = wrong.code if wrong is not None else "snapshots-missing" if entered or gone else None
        if reason is not None or self._config_made_anew:
            self._write(kept, (entered, tuple(self._repacks)), gone, len(made), seen, reason or "config-lost")
        return Rebuilt(
            reason=reason,
            config_made_anew=self._config_made_anew,
            kept_entries=len(kept),
            seen_entries=seen,
            entered=entered,
            from_packs=len(made),
            continues=wrong is None and len(kept) >= seen,
            left_out=tuple(self._left_out),
        )

    def _kept(self) -> tuple[tuple[LogEntry, ...], BackupkitError | None]:
        """Return the entries that stay, and what was wrong with the log."""
        repository = self._repository
        wrong: BackupkitError | None = None
        try:
            history = repository.log.read()
        except BackupkitError as error:
            wrong, entries = error, repository.log.left_entries()
        else:
            entries = history.entries
            left = repository.log.left_entries() if history.head is None else ()
            if history.head is None and (left or repository.packs()):
                wrong, entries = LogDamaged(size=len(left), reason="no-head"), left
        if self._config_made_anew and not all(self._reads(snapshot) for snapshot in _named(entries, "snapshot")):
            # Writers whom only the lost config knew: nothing that they signed can be believed, and the order of it neither.
            entries = ()
        return entries, wrong

    def _reads(self, snapshot: str) -> bool:
        try:
            read_snapshot(self._repository, SnapshotId(snapshot))
        except BackupkitError:
            return False
        return True

    def _index(self) -> None:
        """Write down what lies in packs that no index file names. A machine that only writes cannot, and would save it all again."""
        repository = self._repository
        for domain in repository.domains():
            with suppress(OpenFailed, MalformedObject, ObjectMissing):
                secrets = repository.open_domain(domain, self._keyring)
                index_new_packs(repository.backend, repository.id, secrets)

    def _life(self, kept: Sequence[LogEntry]) -> Lifecycle:
        """Return what the kept log says, and what it will say of replaced packs."""
        life = lifecycle_of(self._repository, kept)
        for said in self._repacks.values():
            replace_packs(said, life)
        return life

    def _gone(self, kept: Sequence[LogEntry]) -> list[SnapshotId]:
        """Return the snapshots that the kept log names, and that nobody can read by that name ever again: what they need is unknown."""
        life = lifecycle_of(self._repository, kept)
        named = [SnapshotId(one) for one in dict.fromkeys(_named(kept, "snapshot")) if one not in life.swept]
        return [one for one in named if not self._has_packs(one, life)]

    def _has_packs(self, snapshot: SnapshotId, life: Lifecycle) -> bool:
        try:
            packs = packs_of(self._repository, snapshot, life)
        except BackupkitError:
            return False
        # Where nobody can read any more what replaced which packs, a list that names missing ones says nothing.
        return life.lost_repack is None or packs <= self._present

    def _covered(self, kept: Sequence[LogEntry], signed: Iterable[KnownSnapshot]) -> set[tuple[DomainId, ChunkId]]:
        """Return the roots that need no new statement: of all that the kept log names, and of what was swept."""
        named = {*_named(kept, "snapshot"), *lifecycle_of(self._repository, kept).swept, *self._swept}
        named -= set(self._gone(kept))
        roots: set[tuple[DomainId, ChunkId]] = set()
        for one in signed:
            if one.id in named:
                roots |= _roots_of(one.statement)
        return roots

    def _is_to_enter(self, one: KnownSnapshot, kept: Sequence[LogEntry]) -> bool:
        """Tell whether a snapshot with a statement is to be entered again: it can be read, with the list of its packs."""
        if one.id in _named(kept, "snapshot") or one.id in self._swept:
            return False
        try:
            listed = listed_for(self._repository, one.statement, self._life(kept))
            lost: list[Finding] = []
            for part in one.statement.domains:
                reader = self._reader(part.id)
                manifest = read_manifest(reader, part.root)
                if not {pack.ref for pack in listed} <= self._present:
                    packs_under(reader, part.root, manifest, lost.append)
        except BackupkitError:
            # Perhaps its root is found in the packs all the same, and gets a new statement.
            return False
        # Packs that it lists are gone, and nothing is lost: they were replaced, and a new list says by what.
        return {pack.ref for pack in listed} <= self._present or bool(lost)

    def _from_packs(self, done: set[tuple[DomainId, ChunkId]], taken: Sequence[str]) -> list[SnapshotId]:
        """Sign anew for roots that lie in the packs and that no statement speaks of. Return their snapshots."""
        made: list[SnapshotId] = []
        previous = SnapshotId(taken[-1]) if taken else None
        for found in find_in_packs(self._repository, self._keyring, self._tell)[0]:
            if any((part.id, part.root) in done for part in found.known.statement.domains if part.root == found.root):
                continue
            packs = self._packs_of(found)
            if packs is None:
                continue
            digest, count, size = publish_pack_list(self._repository.backend, packs)
            statement = replace(
                found.known.statement,
                writer=self._repository.require_writer().writer.id,
                previous=previous,
                packs=PackSet(digest, count, size),
                tool_version=__version__,
            )
            _, previous = publish_snapshot(self._repository, statement)
            made.append(previous)
        return made

    def _reader(self, domain: DomainId) -> DomainReader:
        return domain_reader(self._repository, self._repository.open_domain(domain, self._keyring), self._tell)

    def _packs_of(self, found: InPacks) -> set[PackRef] | None:
        """Return the packs that a found snapshot needs; None where some of it is lost: nobody may sign for that."""
        lost: list[Finding] = []
        packs: set[PackRef] = set()
        for part in found.known.statement.domains:
            reader = self._reader(part.id)
            packs |= packs_under(reader, part.root, read_manifest(reader, part.root), lost.append)
        if not lost:
            return packs
        facts: dict[str, Fact] = {"snapshot": found.known.id, "count": len(lost), "reason": lost[0].code}
        left_out = Found("snapshot-not-entered", Severity.ERROR, facts)
        self._left_out.append(left_out)
        self._tell(left_out)
        return None

    def _write(
        self,
        kept: Sequence[LogEntry],
        entering: tuple[Sequence[SnapshotId], Sequence[str]],
        gone: Sequence[SnapshotId],
        from_packs: int,
        seen: int,
        reason: str,
    ) -> None:
        repository = self._repository
        writer = repository.require_writer().writer
        entered, repacks = entering
        rebuilt = RebuildStatement(
            store=repository.origin,
            reason=reason,
            kept_size=len(kept),
            seen_size=seen,
            snapshots=tuple(entered),
            snapshot_count=len(entered),
            gone=tuple(gone),
            from_packs=from_packs,
            config_made_anew=self._config_made_anew,
            rebuilt_at=self._at,
        )
        # What replaced packs comes after the snapshots: none that follows it may need them.
        said = [*(("snapshot", str(snapshot)) for snapshot in entered), *(("repack", one) for one in repacks)]
        said.append(("import", self._signed(rebuilt.encode())))
        added = [LogEntry(kind, len(kept) + at, self._at, subject) for at, (kind, subject) in enumerate(said)]
        repository.log.begin_again(kept, added, writer, times_known=not entered)
        facts: dict[str, Fact] = {"reason": reason, "kept": len(kept), "seen": seen, "entered": len(entered)}
        self._tell(Found("log-begun-again", Severity.WARNING, facts))

    def _signed(self, payload: bytes) -> str:
        """Sign and store a statement, and return its digest."""
        digest, writer = sha256(payload).hexdigest(), self._repository.require_writer().writer
        with suppress(AlreadyExists):
            envelope = sign_envelope(payload, PAYLOAD_TYPE, [writer.attest])
            self._repository.objects.create(layout.statement(digest), envelope)
        return digest


def _swept_by_statements(repository: Repository) -> frozenset[SnapshotId]:
    """Return the snapshots of which a statement says that they were swept."""
    swept: set[SnapshotId] = set()
    for _, payload in statements_lying_there(repository):
        with suppress(BackupkitError):
            swept.update(decode_sweep_statement(payload).snapshots)
        with suppress(BackupkitError):
            swept.update(decode_repack_statement(payload).snapshots)
    return frozenset(swept)


def _roots_of(statement: SnapshotStatement) -> set[tuple[DomainId, ChunkId]]:
    return {(part.id, part.root) for part in statement.domains}


def _named(entries: Iterable[LogEntry], kind: str) -> list[str]:
    return [entry.subject for entry in entries if entry.type == kind]


def _admit_this_machine(repository: Repository, keyring: Keyring, at: datetime, *, is_lost: bool) -> None:
    """Write a config that names this machine as a writer, made anew where it `is_lost`, and keep its keys."""
    state = repository.writer
    keys = WriterKeys.generate() if state is None else state.writer
    entry = WriterEntry(keys.id, keys.log.verify_key, keys.attest.verify_key, "rebuilt")
    if is_lost:
        # Nobody knows how often the lost one was changed: the seconds since 1970 are more than that.
        revision = int(at.timestamp())
        config = RepositoryConfig(repository.id, to_rfc3339(at), revision=revision, writers=(entry,))
    else:
        config = repository.config.with_writer(entry)
    if state is None:
        public = keyring.public
        state = WriterState(repository.id, repository.origin, keys, public.owner_key, public.root_recipient)
        for domain in repository.domains():
            with suppress(BackupkitError):
                state = state.with_domain(domain, repository.open_domain(domain, keyring).writer_keys())
    # The keys first: a config that names a writer whose keys nobody has is of no use.
    repository.with_writer(state)
    repository.objects.put(layout.CONFIG, config.encode(keyring.owner))


__all__ = ["Rebuilt", "rebuild_repository"]
