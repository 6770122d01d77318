"""Looking at every copy of every small object, and putting right those that are damaged or gone.

What is signed is believed by its signature. A key file is not, and a checksum does not say where it belongs, so it is what
most of its sound copies say. What changes while the repository lives is its newest copy, and its copies are made to follow it,
also while somebody writes.
"""

from collections.abc import Callable, Set as AbstractSet
from contextlib import suppress
from functools import partial
from typing import TypeVar

from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.domains import read_domain
from backupkit.crypto.failures import SignatureInvalid
from backupkit.crypto.keyring import read_public
from backupkit.crypto.slots import decode_slot
from backupkit.errors import BackupkitError
from backupkit.ids import SnapshotId
from backupkit.ops.events import Found, Severity, Tell
from backupkit.ops.mending.soundness import SSHSIG, passes, require_signed, require_ssh_signed
from backupkit.ops.repository.repository import Repository, store_finding
from backupkit.ops.repository.signed_log import History
from backupkit.proof.checkpoint import verify_checkpoint
from backupkit.proof.snapshot_statement import SnapshotStatement, decode_snapshot_statement
from backupkit.store import layout
from backupkit.store.backend import BackendError, BadName, ObjectMissing
from backupkit.store.finding import Finding, cause
from backupkit.store.objects.config import decode_config
from backupkit.store.objects.pack_list import MAX_PACK_LIST, ListedPack, decode_listed
from backupkit.store.objects.small_objects import COPIES, MAX_SMALL

_T = TypeVar("_T")


class MendCopies:
    """The work on one repository. Its `objects` tell of each copy that is mended; `tell` hears what cannot be."""

    def __init__(self, repository: Repository, tell: Tell) -> None:
        self._repository = repository
        self._objects = repository.objects
        self._tell = tell

    def keys(self) -> None:
        """Mend what opens the repository and says who may write: keyring, slots, domains, config."""
        owner = self._repository.public.owner_key
        self._mend(layout.KEYRING, read_public)
        for name in self._objects.names(layout.SLOTS):
            self._mend(name, decode_slot)
        for name in self._objects.names(layout.DOMAINS):
            self._mend(name, read_domain)
        self._follow(layout.CONFIG, lambda data: decode_config(data, owner).revision)

    def log(self, history: History) -> None:
        """Mend the log's head and the entries that it covers. What lies past the head is nobody's yet."""
        if history.head is not None:
            self._follow(layout.LOG_HEAD, self._size_of)
        for entry in history.entries:
            self._mend(layout.log_entry(entry.seq), entry.require_same)

    def statements(
        self, history: History | None, *, swept: AbstractSet[SnapshotId] = frozenset()
    ) -> dict[SnapshotId, SnapshotStatement]:
        """Mend all that was signed: what lies there, and what the log says must. Return the snapshots to be had.

        Those that were `swept` stay on record. Where one of them is lost, or what the log does not name at all, that is told and
        counts for no damage.
        """
        spoken = [] if history is None else [(entry.type == "snapshot", entry.subject) for entry in history.entries]
        taken = self._digests(layout.SNAPSHOTS) | {subject for is_snapshot, subject in spoken if is_snapshot}
        others = self._digests(layout.STATEMENTS) | {subject for is_snapshot, subject in spoken if not is_snapshot}
        named = None if history is None else {subject for _, subject in spoken} - swept
        for digest in sorted(others):
            self._mend(
                layout.statement(digest),
                partial(require_signed, self._repository, digest),
                matters=_matters(digest, named),
            )
        found = {}
        for digest in sorted(taken):
            snapshot = SnapshotId(digest)
            matters = _matters(digest, named)
            payload = self._mend(
                layout.snapshot(snapshot), partial(require_signed, self._repository, digest), matters=matters
            )
            if payload is None:
                continue
            self._mend(
                layout.snapshot_signature(snapshot),
                partial(require_ssh_signed, self._repository, payload),
                matters=matters,
            )
            with suppress(BackupkitError):
                statement = decode_snapshot_statement(payload)
                if matters:
                    found[snapshot] = statement
        return found

    def pack_list(self, digest: str) -> list[ListedPack]:
        """Mend the list of the packs that a snapshot needs, and return it; nothing where it is lost."""
        return self._mend(layout.pack_list(digest), partial(decode_listed, digest), most=MAX_PACK_LIST) or []

    def _mend(
        self, name: str, check: Callable[[bytes], _T], *, most: int = MAX_SMALL, matters: bool = True
    ) -> _T | None:
        """Make all copies of an object what most of its sound copies are, and return what `check` makes of it."""
        objects = self._objects.up_to(most)
        sound = [data for data in objects.versions(name) if passes(data, check)]
        if not sound:
            self._say_lost(name, check, Severity.ERROR if matters else Severity.WARNING)
            return None
        agreed = max(sound, key=sound.count)

        def require_agreed(data: bytes) -> None:
            if data != agreed:
                raise MalformedObject(what=name, reason="copies-differ")

        with suppress(BackendError):
            objects.check_copies(name, require_agreed)
        self._require_written(name, agreed)
        return check(agreed)

    def _follow(self, name: str, age: Callable[[bytes], int]) -> None:
        """Make the copies of an object that changes what the object itself is. `age` checks a copy and tells how new it is."""
        try:
            current, _ = self._objects.read_newest(name, age, lambda size: size)
        except BackupkitError:
            self._say_lost(name, age, Severity.ERROR)
            return
        for copy in COPIES[1:]:
            present = self._present(copy + name)
            if present != current:
                code = "copy-missing" if present is None else "copy-damaged"
                self._tell(store_finding(Finding(code, copy + name)))
        with suppress(BackendError):
            self._objects.refresh_copies(name)
        for copy in COPIES:
            present = self._present(copy + name)
            if present is None or not passes(present, age):
                self._tell(Found("copy-not-written", Severity.ERROR, {"name": copy + name}))

    def _require_written(self, name: str, data: bytes) -> None:
        for copy in COPIES:
            if self._present(copy + name) != data:
                self._tell(Found("copy-not-written", Severity.ERROR, {"name": copy + name}))

    def _say_lost(self, name: str, check: Callable[[bytes], object], severity: Severity) -> None:
        error: BackupkitError = ObjectMissing(name=name)
        for data in self._objects.versions(name):
            try:
                check(data)
            except BackupkitError as refused:
                error = refused
                break
        self._tell(Found("object-lost", severity, {"name": name, "reason": cause(error)}))

    def _present(self, name: str) -> bytes | None:
        try:
            return self._repository.backend.read(name)
        except BackendError:
            return None

    def _digests(self, prefix: str) -> set[str]:
        found = set()
        for name in self._objects.names(prefix):
            with suppress(BadName):
                found.add(layout.require_digest(name.removeprefix(prefix).removesuffix(SSHSIG)))
        return found

    def _size_of(self, head: bytes) -> int:
        failure: BackupkitError = SignatureInvalid(what="checkpoint")
        for writer in self._repository.config.writers:
            try:
                return verify_checkpoint(head, self._repository.origin, writer.log_key).size
            except BackupkitError as error:
                failure = error
        raise failure


def _matters(digest: str, named: AbstractSet[str] | None) -> bool:
    """Tell whether anybody needs a statement: the log names it, or nobody knows what the log names."""
    return named is None or digest in named
