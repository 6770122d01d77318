"""A repository as this machine knows it: its objects, its log, and this machine's right to write.

Opening needs no passphrase. What must be opened is asked for later, by the use case that needs it.
"""

import hashlib
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.domains import DomainSecrets, open_domain
from backupkit.crypto.failures import SignatureInvalid
from backupkit.crypto.keyring import Keyring, KeyringPublic, open_keyring, read_public
from backupkit.crypto.writer import WriterState, decode_writer_state
from backupkit.errors import BackupkitError, reason_of
from backupkit.ids import DomainId, RepositoryId
from backupkit.ops.events import Found, Notice, Severity, Tell, tell_nobody
from backupkit.ops.failures import (
    ConfigLost,
    CopyIsOlder,
    HistoryRolledBack,
    KeysLost,
    NoRepository,
    NotAWriter,
    RepositoryIsCopy,
)
from backupkit.ops.memory.damaged_packs import DamagedPacks
from backupkit.ops.memory.journal import Journal
from backupkit.ops.memory.let_go import LetGo
from backupkit.ops.memory.pack_reads import PackReads
from backupkit.ops.memory.second_copies import SecondCopies
from backupkit.ops.places import Places, shown_path, write_private
from backupkit.ops.repository.signed_log import SignedLog
from backupkit.ops.unlock import AskSecret
from backupkit.store import layout
from backupkit.store.backend import Backend, BackendDenied, BackendError, ObjectMissing, ObjectUnreadable
from backupkit.store.backends.posix_backend import PosixBackend
from backupkit.store.finding import Finding
from backupkit.store.layout import PackRef
from backupkit.store.objects.config import RepositoryConfig, decode_config
from backupkit.store.objects.log_store import LogStore
from backupkit.store.objects.small_objects import SmallObjects

if TYPE_CHECKING:
    from backupkit.crypto.slots import Slot

WRITER_FILE = "writer"
PLACE_FILE = "place"
_DOMAIN = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Repository:
    """An opened repository. `writer` is None on a machine that was never enrolled to write."""

    places: Places
    backend: Backend
    objects: SmallObjects
    config: RepositoryConfig
    public: KeyringPublic
    writer: WriterState | None
    log: SignedLog

    @property
    def id(self) -> RepositoryId:
        """The repository's id."""
        return self.config.repository

    @property
    def origin(self) -> str:
        """The name of its log."""
        return self.config.origin

    @property
    def memory(self) -> Path:
        """What this machine remembers of it."""
        return self.places.state_of(self.id)

    @property
    def cache(self) -> Path:
        """What may be lost at any time."""
        return self.places.cache_of(self.id)

    @property
    def journal(self) -> Journal:
        """The snapshots that this machine took."""
        return Journal(self.memory / "journal.jsonl")

    @property
    def damaged_packs(self) -> DamagedPacks:
        """The packs that this machine found damaged."""
        return DamagedPacks(self.memory / "damaged-packs")

    @property
    def pack_reads(self) -> PackReads:
        """When this machine read each pack whole, here: what a copy's disk still holds says nothing of the original's."""
        if self.original is None:
            return PackReads(self.memory / "pack-reads")
        place = hashlib.sha256(os.fsencode(self.places.repository.resolve())).hexdigest()
        return PackReads(self.memory / f"pack-reads-{place[:16]}")

    @property
    def second_copies(self) -> SecondCopies:
        """The snapshots that this machine copied to another disk, or read back from there."""
        return SecondCopies(self.memory / "second-copies.json")

    @property
    def let_go(self) -> LetGo:
        """The sources that count no more for their owner."""
        return LetGo(self.memory / "let-go.json")

    def require_writer(self) -> WriterState:
        """Return this machine's keys for writing.

        Raises:
            NotAWriter: it has none.
            RepositoryIsCopy: this machine writes to the repository that this one was copied from.
        """
        if self.writer is None:
            raise NotAWriter(path=str(self.places.repository))
        if self.place is None:
            self.remember_place()
        if (original := self.original) is not None:
            if self._lies_at(original):
                raise RepositoryIsCopy(path=str(self.places.repository), original=str(original))
            # The old place is gone: the repository was moved, and this is where it goes on.
            self.remember_place()
        return self.writer

    def _lies_at(self, place: Path) -> bool:
        """Tell whether this repository lies at another place too. What cannot be read there counts as this one."""
        places = replace(self.places, repository=place)
        if not is_initialised(places):
            return False
        try:
            return open_repository(places).id == self.id
        except BackupkitError:
            return True

    def behind(self, seen: int, found: int) -> HistoryRolledBack:
        """Say what it means that this machine has seen more entries of the log than there are: of a copy, only that it is older."""
        original = self.original
        if original is None or not self._lies_at(original):
            return HistoryRolledBack(seen=seen, found=found)
        return CopyIsOlder(path=str(self.places.repository), original=str(original), seen=seen, found=found)

    def remember_place(self) -> None:
        """Keep where the repository lies that this machine writes to."""
        places = (self.memory.resolve(), self.places.repository.resolve())
        write_private(self.memory / PLACE_FILE, b"\0".join(map(os.fsencode, places)))

    @property
    def original(self) -> Path | None:
        """Where this machine writes to the repository, if that is not here; None where this is the place.

        An entry in a copy's log would fork the history: afterwards the original itself would look rolled back.
        """
        place = self.place
        return None if place == self.places.repository.resolve() else place

    @property
    def place(self) -> Path | None:
        """Where this machine writes to the repository, as it remembers it."""
        try:
            memory, _, place = (self.memory / PLACE_FILE).read_bytes().partition(b"\0")
        except OSError:
            return None
        # A memory that was itself copied, with a whole home, speaks of the other home's repository.
        return Path(os.fsdecode(place)) if memory == os.fsencode(self.memory.resolve()) else None

    def with_writer(self, state: WriterState) -> "Repository":
        """Keep new writing keys, and return the repository that uses them."""
        write_private(self.memory / WRITER_FILE, state.encode())
        return replace(self, writer=state)

    def slots(self) -> "list[Slot]":
        """Return the key slots that can be read, in the order of their ids."""
        return self.slots_and_unread()[0]

    def slots_and_unread(self) -> "tuple[list[Slot], dict[str, BackendError]]":
        """Return the slots that can be read, and what the disk said of those that it did not give, by their names."""
        from backupkit.crypto.slots import decode_slot  # noqa: PLC0415 - who only writes opens no slot

        found: list[Slot] = []
        unread: dict[str, BackendError] = {}
        for name in self.objects.names(layout.SLOTS):
            try:
                found.append(self.objects.read(name, decode_slot))
            except (ObjectUnreadable, BackendDenied) as error:
                unread[name] = error
            except BackupkitError:
                continue
        return found, unread

    def unlock(self, ask: AskSecret) -> Keyring:
        """Open the keyring with what the person gives, who may be asked again after a slip.

        Raises:
            CannotUnlock: it opens no slot.
            KeysLost: there is no slot that is whole.
            ObjectUnreadable, BackendDenied: none was opened, and the disk did not give one of them.
        """
        # Imported here: a machine that only writes opens nothing, and starts sooner without.
        from backupkit.crypto.failures import CannotUnlock  # noqa: PLC0415
        from backupkit.crypto.recovery import RecoveryCode  # noqa: PLC0415
        from backupkit.crypto.slots import open_with_passphrase, open_with_recovery_code  # noqa: PLC0415

        secret = ask()
        slots, unread = self.slots_and_unread()
        if not slots:
            for failure in unread.values():
                # The keys are there: it is the disk that needs help.
                raise failure
            raise KeysLost(path=str(self.places.repository), name=layout.SLOTS.rstrip("/"))
        while True:
            try:
                if secret.recovery_words is not None:
                    key = open_with_recovery_code(slots, RecoveryCode.from_words(secret.recovery_words))
                else:
                    key = open_with_passphrase(slots, secret.passphrase or "")
                break
            except CannotUnlock as error:
                if secret.again is None:
                    for failure in unread.values():
                        # The right passphrase may have been typed, and its slot be the one that cannot be read.
                        raise failure from error
                    raise
                secret = secret.again()
        return self.objects.read(layout.KEYRING, lambda data: open_keyring(data, key))

    def packs(self) -> set[PackRef]:
        """Return every pack that is there."""
        found = (layout.pack_of(name) for name in self.backend.names(layout.PACKS))
        return {ref for ref in found if ref is not None}

    def domains(self) -> list[DomainId]:
        """Return the ids of all domains whose file is there."""
        names = self.objects.names(layout.DOMAINS)
        ids = (name.removeprefix(layout.DOMAINS) for name in names)
        return [DomainId(bytes.fromhex(one)) for one in ids if _DOMAIN.fullmatch(one)]

    def open_domain(self, domain: DomainId, keyring: Keyring) -> DomainSecrets:
        """Open one domain with the keyring.

        Raises:
            SignatureInvalid: the file is another domain's.
        """
        secrets = self.objects.read(layout.domain_file(domain), lambda data: open_domain(data, keyring.root))
        if secrets.id != domain:
            raise SignatureInvalid(what="domain")
        return secrets


def is_initialised(places: Places) -> bool:
    """Tell whether there is a repository."""
    if not places.repository.is_dir():
        return False
    return bool(SmallObjects(PosixBackend(places.repository)).names(layout.CONFIG))


def is_left_over(places: Places) -> bool:
    """Tell whether something lies there that only a repository has, and that nobody may take for leftovers: packs, or their keys."""
    if not places.repository.is_dir():
        return False
    objects = SmallObjects(PosixBackend(places.repository))
    return any(objects.names(prefix) for prefix in (layout.DOMAINS, layout.SNAPSHOTS, layout.PACKS))


def open_repository(places: Places, tell: Tell = tell_nobody) -> Repository:
    """Open what lies at `places.repository`; damaged copies of small objects are told and mended.

    Raises:
        NoRepository: there is none.
        ConfigLost, KeysLost: there was one.
        SignatureInvalid: its config is not signed by the owner that this machine knows.
    """
    if not is_initialised(places):
        raise (ConfigLost if is_left_over(places) else NoRepository)(path=str(places.repository))
    backend = PosixBackend(places.repository)
    objects = SmallObjects(backend, _telling(tell))
    try:
        public = objects.read(layout.KEYRING, read_public)
    except (ObjectMissing, MalformedObject) as error:
        if is_left_over(places):
            raise KeysLost(path=str(places.repository), name=layout.KEYRING) from error
        raise NoRepository(path=str(places.repository)) from error
    config = objects.read(layout.CONFIG, lambda data: decode_config(data, public.owner_key))
    config.require("read")
    repository = _assembled(places, backend, public, config, tell)
    writer = repository.writer
    if writer is not None and (writer.owner_key, writer.repository_id) != (public.owner_key, config.repository):
        raise SignatureInvalid(what="config")
    if writer is not None and repository.place is None:
        # Whoever only reads needs no memory, as when this machine's own disk is full or broken; writing demands it.
        with suppress(OSError):
            repository.remember_place()
    return repository


def open_over(places: Places, found: Backend, config: RepositoryConfig, tell: Tell) -> Repository:
    """Open what is left of a repository whose own config cannot be read, with another in its place.

    This machine's writing keys count only if they are those of this owner.

    Raises:
        ObjectMissing, MalformedObject: the keyring is lost too.
    """
    public = SmallObjects(found, _telling(tell)).read(layout.KEYRING, read_public)
    repository = _assembled(places, found, public, config, tell)
    if repository.writer is not None and repository.writer.owner_key != public.owner_key:
        return replace(repository, writer=None)
    return repository


def _assembled(
    places: Places, backend: Backend, public: KeyringPublic, config: RepositoryConfig, tell: Tell
) -> Repository:
    told, memory = _telling(tell), places.state_of(config.repository)
    objects = SmallObjects(backend, told)

    def behind(seen: int, found: int) -> HistoryRolledBack:
        return opened.behind(seen, found)

    log = SignedLog(LogStore(backend, told), objects, config, memory, behind)
    opened = Repository(places, backend, objects, config, public, _read_writer(memory / WRITER_FILE, tell), log)
    return opened


def _read_writer(path: Path, tell: Tell) -> WriterState | None:
    try:
        return decode_writer_state(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        # As after a run by another user. Nobody needs this machine's memory to get their chats back.
        closed = next((folder for folder in reversed(path.parents) if not os.access(folder, os.X_OK)), path)
        tell(Notice("memory-unreadable", {"path": shown_path(closed), "reason": reason_of(error)}))
        return None


def _telling(tell: Tell) -> Callable[[Finding], None]:
    return lambda finding: tell(store_finding(finding))


def store_finding(finding: Finding) -> Found:
    """Return a finding of the store as the event that a person is shown."""
    return Found(finding.code, Severity.WARNING, finding.facts)
