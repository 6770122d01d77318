"""Finding what to read: by the log, else by the statements that are signed, else by what lies in the packs.

Whatever reads chats begins here, so that each command finds as much in a damaged repository as every other does, and says the
same of it.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

from backupkit.codec.malformed import NewerFormat
from backupkit.crypto.failures import SignatureInvalid
from backupkit.crypto.keyring import Keyring
from backupkit.errors import BackupkitError
from backupkit.ids import DomainId, RepositoryId
from backupkit.ops.chats.snapshot_chats import domain_reader, sources_of
from backupkit.ops.events import Found, Notice, Severity, Tell
from backupkit.ops.failures import (
    LogDamaged,
    OnlyPacksLeft,
    SnapshotAmbiguous,
    SnapshotNotFound,
    SnapshotSwept,
    SnapshotUnreadable,
)
from backupkit.ops.places import Places
from backupkit.ops.repository.repository import Repository, is_left_over, open_over, open_repository
from backupkit.ops.repository.snapshots import (
    LATEST,
    NO_HISTORY,
    KnownSnapshot,
    NamedSnapshots,
    find_snapshot,
    named_snapshots,
    signed_snapshots,
)
from backupkit.ops.restoring.left_in_packs import find_in_packs, loose_snapshot
from backupkit.ops.unlock import AskSecret
from backupkit.store.backends.posix_backend import PosixBackend
from backupkit.store.domains.domain_reader import DomainReader
from backupkit.store.finding import cause
from backupkit.store.objects.config import RepositoryConfig, UnknownFeature, WriterEntry
from backupkit.store.trees.manifest import Source
from backupkit.store.upkeep.salvage import find_addresses

_CHOICE_IS_WRONG = (SnapshotNotFound, SnapshotAmbiguous, SnapshotSwept)
"""A log that can be believed has the last word."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Snapshots to read, oldest first, and what is to be told of how they were found.

    `lost` are others that cannot be read. `distrust` says why the log could not be believed. `loose` are folders of domains of
    which no root is left; they go with the newest.
    """

    snapshots: tuple[KnownSnapshot, ...]
    lost: tuple[Found, ...] = ()
    distrust: BackupkitError | None = None
    in_packs: bool = False
    loose: tuple[tuple[DomainId, Source], ...] = ()

    @property
    def known(self) -> KnownSnapshot:
        """The newest of them; where one was wanted, that one."""
        return self.snapshots[-1]


class Lookup:
    """Finds snapshots of one repository. It asks for the secret, reads the log and looks through the packs once at most.

    Without a `secret` packs cannot be looked into. `config_lost` is what was wrong with the config.
    """

    def __init__(
        self, repository: Repository, secret: AskSecret | None, tell: Tell, config_lost: BackupkitError | None = None
    ) -> None:
        self.repository = repository
        self._secret = secret
        self._tell = tell
        self._config_lost = config_lost

    @cached_property
    def keyring(self) -> Keyring:
        """The keyring, opened with the secret.

        Raises:
            CannotUnlock: the secret opens nothing.
        """
        assert self._secret is not None
        return self.repository.unlock(self._secret)

    def unlock(self) -> None:
        """Ask for the secret now, if it was not asked for yet. Raises as `keyring` does."""
        _ = self.keyring

    def choose(self, wanted: str, *, from_packs: bool = False) -> Chosen:
        """Return the one that is wanted. With `from_packs` it is looked for nowhere else, and that is no reason for distrust.

        Raises:
            SnapshotNotFound, SnapshotAmbiguous, SnapshotSwept: as `find_snapshot` does.
            CannotUnlock: the secret opens nothing.
            BackupkitError: the log names it and it cannot be read, or nothing can.
        """
        if from_packs and self._secret is not None:
            return self._chosen_in_packs(wanted, self._config_lost)
        try:
            chosen = self._by_log_or_statement(wanted)
        except _CHOICE_IS_WRONG:
            raise
        except BackupkitError as error:
            if self._secret is None:
                raise
            distrust = self._distrust(error)
            try:
                return self._chosen_in_packs(wanted, distrust)
            except SnapshotNotFound:
                if wanted == LATEST or _is_about(error, wanted):
                    # It is known that something was saved, and why it cannot be found is the better answer.
                    raise error from None
                raise
        if chosen.known.life == "forgotten":
            self._tell(Notice("snapshot-forgotten", {"snapshot": chosen.known.id}))
        return chosen

    def every(self) -> Chosen:
        """Return all that are kept; where the log cannot be believed, all that there are. There may be none.

        Raises:
            CannotUnlock: the secret opens nothing.
            BackupkitError: nothing can be read.
        """
        try:
            named = self._named
        except NO_HISTORY as error:
            reason: BackupkitError = error
        else:
            if named.known or not (named.unreadable or self._has_lost_its_log()):
                kept = tuple(one for one in named.known if one.life == "kept")
                return Chosen(kept, tuple(one.finding for one in named.unreadable), self._config_lost)
            reason = named.unreadable[-1].failure if named.unreadable else LogDamaged(size=0, reason="no-head")
        if self._signed:
            return Chosen(tuple(self._signed), (), reason)
        if self._secret is None or not self.repository.packs():
            raise reason
        distrust = self._distrust(reason)
        found, loose = self._in_packs
        return Chosen(tuple(found) or ((loose_snapshot(self.repository),) if loose else ()), (), distrust, True, loose)

    def sources(self, chosen: Chosen, known: KnownSnapshot, tell: Tell) -> Iterator[tuple[DomainReader, Source]]:
        """Give each source of one that was chosen, with the reader that opens it. A domain that is lost is told and passed over."""
        yield from sources_of(self.repository, known, self.keyring, tell)
        if known is chosen.known:
            for domain, source in chosen.loose:
                yield domain_reader(self.repository, self.repository.open_domain(domain, self.keyring), tell), source

    @cached_property
    def _named(self) -> NamedSnapshots:
        return named_snapshots(self.repository, self._tell)

    @cached_property
    def _signed(self) -> list[KnownSnapshot]:
        return signed_snapshots(self.repository)

    @cached_property
    def _in_packs(self) -> tuple[list[KnownSnapshot], tuple[tuple[DomainId, Source], ...]]:
        found, loose = find_in_packs(self.repository, self.keyring, self._tell)
        return [one.known for one in found], tuple(loose)

    def _by_log_or_statement(self, wanted: str) -> Chosen:
        """Return the one that is wanted by the log; without that by its statement, which is still signed.

        Without the log nobody can say which snapshot is the newest, only when each says that it was made.
        """
        try:
            known, lost = self._named.choose(wanted, forgotten_too=True)
        except NO_HISTORY as error:
            distrust: BackupkitError = error
        except SnapshotNotFound as error:
            if self._named.unreadable:
                # It may be the id that one of these has in the packs, as the list of snapshots shows it.
                raise self._named.unreadable[-1].failure from error
            if not self._has_lost_its_log():
                raise
            distrust = LogDamaged(size=0, reason="no-head")
            distrust.__cause__ = error
        else:
            return Chosen((known,), tuple(lost), self._config_lost)
        try:
            return Chosen((find_snapshot(self._signed, wanted),), (), distrust)
        except SnapshotNotFound as error:
            # Why the log cannot be believed is the better answer.
            raise distrust from error

    def _has_lost_its_log(self) -> bool:
        """Tell whether there is no log at all, and something that only a log leads to."""
        head = self.repository.log.read().head
        return head is None and bool(self._signed or self.repository.packs())

    def _distrust(self, reason: BackupkitError) -> BackupkitError:
        """Say where it is looked for now, and return what is to be said of what is found there."""
        if "_in_packs" not in self.__dict__:
            self._tell(Found("looking-in-packs", Severity.ERROR, {"reason": cause(reason)}))
        if isinstance(reason, SignatureInvalid):
            # A false signature is worse than a missing one, and stays the answer.
            return reason
        distrust = OnlyPacksLeft(reason=cause(reason))
        distrust.__cause__ = reason
        return distrust

    def _chosen_in_packs(self, wanted: str, distrust: BackupkitError | None) -> Chosen:
        found, loose = self._in_packs
        known = loose_snapshot(self.repository) if loose and not found else find_snapshot(found, wanted)
        return Chosen((known,), (), distrust, True, loose)


def _is_about(error: BackupkitError, wanted: str) -> bool:
    return isinstance(error, SnapshotUnreadable) and str(error.facts["snapshot"]).startswith(wanted.lower())


def open_lookup(places: Places, secret: AskSecret | None, tell: Tell) -> Lookup:
    """Open a repository to read chats in it, also one whose config is lost.

    Raises:
        NoRepository: there is none.
        NewerFormat, UnknownFeature: this program does not know how to read it.
        BackupkitError: what is left of it cannot be opened.
    """
    repository, config_lost = open_what_is_left(places, tell)
    repository.config.require("read")
    return Lookup(repository, secret, tell, config_lost)


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
