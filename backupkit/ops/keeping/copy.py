"""A second copy of the repository in another folder, on another disk: the same objects, every pack hashed when it arrived.

The head of the copy's log comes last, so that a copy which was cut off is an older copy, and the next run goes on. What the copy
has already is hashed once, by the first run of this machine that finds it there, and again when that is asked for; nothing counts by
its size alone. What it has and we have not is left alone, unless the log says that it was swept.
"""

import hashlib
import os
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from backupkit.clock import Clock
from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.failures import SignatureInvalid
from backupkit.crypto.keyring import read_public
from backupkit.errors import BackupkitError, Fact
from backupkit.ids import PackName, SnapshotId
from backupkit.ops.events import Found, Notice, Phase, Progress, Severity, Tell
from backupkit.ops.failures import CopyForked, CopyIsNewer, CopyOfAnother, CopyRunning, CopyToItself
from backupkit.ops.memory.pack_reads import PackReads
from backupkit.ops.mending.soundness import sound_bytes
from backupkit.ops.places import Places, on_same_disk, taken
from backupkit.ops.repository.lifecycle import Lifecycle, lifecycle_of
from backupkit.ops.repository.reach import packs_of
from backupkit.ops.repository.repository import Repository, open_repository
from backupkit.ops.repository.signed_log import History
from backupkit.proof.checkpoint import Checkpoint, verify_checkpoint
from backupkit.proof.merkle import tree_root
from backupkit.store import layout
from backupkit.store.backend import AlreadyExists, Backend, BackendError, BadName, NoSpace, ObjectMissing, pieces_of
from backupkit.store.backends.posix_backend import PosixBackend
from backupkit.store.domains.domain_writer import UNFINISHED_AGE
from backupkit.store.finding import cause
from backupkit.store.layout import PackRef
from backupkit.store.objects.config import decode_config
from backupkit.store.objects.pack_list import MAX_PACK_LIST
from backupkit.store.objects.small_objects import SmallObjects
from backupkit.store.packs.index import MAX_INDEX
from backupkit.store.parity.parity import ParityFile, read_parity_files
from backupkit.store.parity.parity_format import MAX_PARITY

MARK = ".backupkit-copy"
"""Names a copy to this machine. It begins with a dot and is no object."""

_LEAST_SLOTS = 2
_PIECE = 1 << 20
_BY_HASH = (layout.PACKS, layout.PARITY, layout.INDEXES)
_SIGNED = (layout.STATEMENTS, layout.SNAPSHOTS)


@dataclass(frozen=True, slots=True)
class Copied:
    """What came of it. `objects` and `bytes` are those that were copied now; `snapshots` how many the copy holds whole.

    `checked` and `checked_bytes` lay there already and were read back. `state` is whole, or damaged where something could not be copied, or stopped. `second_copy`
    says that the guard may count it.
    """

    path: Path
    state: Literal["whole", "damaged", "stopped"]
    objects: int
    bytes: int
    checked: int
    checked_bytes: int
    deleted_packs: int
    snapshots: int
    second_copy: bool
    findings: tuple[Found, ...]

    @property
    def is_original_damaged(self) -> bool:
        """Whether nothing is wrong but with the repository that was copied."""
        return bool(self.findings) and all(found.code.startswith("original-") for found in self.findings)


def copy_repository(
    places: Places,
    to: Path,
    *,
    clock: Clock,
    tell: Tell,
    check: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> Copied:
    """Bring a second copy up to date, or begin one in an empty folder.

    With `check` everything in it is read back, not only what this machine never read there.

    Raises:
        NoRepository: there is nothing to copy.
        CopyToItself: the copy would lie in the repository, or the repository in it.
        CopyOfAnother: something else lies there. CopyRunning: another run copies there now. CopyIsNewer, CopyForked: its log is not an older one of ours.
        NoSpace, BackendDenied: it cannot be written. What was copied stays, and the next run goes on.
    """
    repository = open_repository(places, tell)
    own, other = places.repository.resolve(), to.resolve()
    if own == other or own in other.parents or other in own.parents:
        raise CopyToItself(path=os.fspath(to))
    if to.exists() and (not to.is_dir() or (any(to.iterdir()) and not _is_begun(to))):
        raise CopyOfAnother(path=os.fspath(to))
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    with taken(to) as is_alone:
        # Two runs would each take for damage what the other one has begun.
        if not is_alone:
            raise CopyRunning(path=os.fspath(to))
        return _copy(repository, to, clock=clock, tell=tell, check=check, stop=stop)


def _copy(
    repository: Repository, to: Path, *, clock: Clock, tell: Tell, check: bool, stop: Callable[[], bool]
) -> Copied:
    started = clock.now()
    run = _Copy(repository, repository.log.read(), PosixBackend(to), to, tell, stop)
    head = run.require_older()
    reads = _reads_of(repository, to)
    try:
        copied = run.run(head, known=frozenset() if check else frozenset(reads.known(started)))
    finally:
        # What was read back counts, also where the run did not come to its end. A memory that cannot be kept costs a reading.
        with suppress(OSError):
            reads.learn(whole=run.read_whole, damaged=run.read_damaged, at=started)
    _tell_the_guard(repository, run, copied, clock)
    return copied


def _is_begun(to: Path) -> bool:
    """Tell whether a copy was begun here: the keyring comes first, in three copies, and unfinished files begin with a dot."""
    if any((to / place / "keyring").exists() for place in (".", "copies/1", "copies/2")):
        return True
    return all(entry.name.startswith(".") for entry in to.iterdir())


class _Stopped(Exception):
    """The person asked to stop."""


class _Copy:
    """One run."""

    def __init__(
        self,
        repository: Repository,
        history: History,
        backend: Backend,
        to: Path,
        tell: Tell,
        stop: Callable[[], bool],
    ) -> None:
        self.whole: list[SnapshotId] = []
        self.read_whole: list[PackName] = []
        self.read_damaged: list[PackName] = []
        self._known: frozenset[str] = frozenset()
        self._checked = 0
        self._checked_bytes = 0
        self._repository = repository
        self._history = history
        self._life: Lifecycle = lifecycle_of(repository, history.entries)
        self._own = repository.backend
        self._backend = backend
        self._objects = SmallObjects(backend, most=MAX_PACK_LIST)
        self._to = to
        self._tell = tell
        self._stop = stop
        self._copied = 0
        self._bytes = 0
        self._deleted = 0
        self._found: list[Found] = []

    def run(self, head: bytes | None, *, known: frozenset[str]) -> Copied:
        """Keys, packs and what serves them, statements, log; the head last, in place of `head`. What is `known` was read there before."""
        self._known = known
        state: Literal["whole", "damaged", "stopped"] = "whole"
        try:
            self._keys()
            self._by_hash()
            self._small()
        except _Stopped:
            state = "stopped"
        else:
            # Until here the copy is an older copy with more objects than it knows of.
            if self._history.head is not None and self._history.head != head:
                self._objects.replace(layout.LOG_HEAD, head, self._history.head)
            self._delete_swept()
            self.whole = list(self._whole())
        if self._found:
            state = "damaged"
        same_disk = on_same_disk(self._to, self._repository.places.repository)
        if same_disk:
            self._tell(Notice("copy-same-disk", {"path": os.fspath(self._to)}))
        second = state != "stopped" and not same_disk and bool(self.whole)
        return Copied(
            path=self._to,
            state=state,
            objects=self._copied,
            bytes=self._bytes,
            checked=self._checked,
            checked_bytes=self._checked_bytes,
            deleted_packs=self._deleted,
            snapshots=len(self.whole),
            second_copy=second,
            findings=tuple(self._found),
        )

    def require_older(self) -> bytes | None:
        """See that what lies there is an older state of this repository, and return its head."""
        path, own = os.fspath(self._to), self._repository
        if not any(not entry.name.startswith(".") for entry in self._to.iterdir()):
            return None
        try:
            is_ours = self._objects.read(layout.KEYRING, read_public).owner_key == own.public.owner_key
        except BackupkitError:
            is_ours = False
        try:
            config = self._objects.read(layout.CONFIG, lambda data: decode_config(data, own.public.owner_key))
        except BackupkitError as error:
            # A copy that was cut off right at its beginning, or whose config is damaged: the keyring says whose it is.
            if not is_ours:
                raise CopyOfAnother(path=path) from error
        else:
            if config.repository != own.id:
                raise CopyOfAnother(path=path)
            if config.revision > own.config.revision:
                raise CopyIsNewer(path=path, copy=config.revision, own=own.config.revision)
        try:
            head, there = self._objects.read_newest(layout.LOG_HEAD, self._opened, lambda one: one.size)
        except ObjectMissing:
            return None
        except BackupkitError as error:
            raise CopyForked(path=path, reason=cause(error)) from error
        leaves = self._history.leaves
        if there.size > len(leaves):
            raise CopyIsNewer(path=path, copy=there.size, own=len(leaves))
        if tree_root(leaves[: there.size]) != there.root:
            raise CopyForked(path=path, reason="root-differs")
        return head

    def _opened(self, head: bytes) -> Checkpoint:
        failure: BackupkitError = SignatureInvalid(what="checkpoint")
        for writer in self._repository.config.writers:
            try:
                return verify_checkpoint(head, self._repository.origin, writer.log_key)
            except BackupkitError as error:
                failure = error
        raise failure

    def _keys(self) -> None:
        """Copy what opens the repository; slots that were removed go only while the others are all there."""
        own = self._repository.objects
        slots, domains = own.names(layout.SLOTS), own.names(layout.DOMAINS)
        for name in (layout.KEYRING, layout.CONFIG, *slots, *domains):
            self._put(name, replace=True)
        if len(self._repository.slots()) == len(slots) >= _LEAST_SLOTS:
            for name in set(self._objects.names(layout.SLOTS)) - set(slots):
                self._objects.delete(name)

    def _by_hash(self) -> None:
        """Copy packs, parity and index files: what is named by the hash of its bytes. What is there already must be that, too."""
        wanted = [name for prefix in _BY_HASH for name in self._own.names(prefix) if not self._is_gone(name)]
        work = [(name, size, is_there) for name in wanted for size, is_there in self._work_on(name)]
        done, total = 0, sum(size for _, size, _ in work)
        self._backend.sweep_unfinished(UNFINISHED_AGE)
        for number, (name, size, is_there) in enumerate(work, 1):
            self._pause()
            if not is_there or not self._is_sound_there(name, size):
                self._copy_by_hash(name, size)
            done += size
            self._tell(Progress(Phase.STORE, done, total, number, len(work)))

    def _work_on(self, name: str) -> Iterator[tuple[int, bool]]:
        """Give an object's size, and whether the copy has it in that size; nothing where it was read back there before."""
        try:
            size = self._own.size(name)
        except BackendError:
            return
        is_there = self._size_there(name) == size
        if not is_there or _digest_in(name) not in self._known:
            yield size, is_there

    def _is_sound_there(self, name: str, size: int) -> bool:
        """Read back what the copy has. An earlier run that was cut off, or another tool, may have left anything."""
        hasher = hashlib.sha256()
        try:
            for offset in range(0, size, _PIECE):
                hasher.update(self._backend.read(name, offset, min(_PIECE, size - offset)))
            is_sound = hasher.hexdigest() == _digest_in(name)
        except BackendError:
            is_sound = False
        self._checked += 1
        self._checked_bytes += size
        if is_sound:
            self.read_whole.append(_digest_in(name))
        return is_sound

    def _size_there(self, name: str) -> int | None:
        try:
            return self._backend.size(name)
        except ObjectMissing:
            return None

    def _copy_by_hash(self, name: str, size: int) -> None:
        digest = _digest_in(name)

        def require_hash(pieces: Iterable[bytes | memoryview]) -> None:
            found = hashlib.sha256()
            for piece in pieces:
                found.update(piece)
            if found.hexdigest() != digest:
                raise MalformedObject(what=name, reason="wrong-sha256")

        try:
            # What is longer than anything that is named by its hash is cut there: it would be held in memory.
            most = MAX_INDEX if name.startswith(layout.INDEXES) else MAX_PARITY
            data = self._own.read(name, 0, min(size, most))
            # Ours first: where it is the damaged one, the copy may have the only good one.
            require_hash([data])
        except ObjectMissing:
            if not self._swept_meanwhile(name):
                self._lose(name, "object-missing")
            return
        except (BackendError, MalformedObject) as error:
            there = self._size_there(name)
            is_whole = there is not None and there <= MAX_INDEX and self._is_sound_there(name, there)
            self._lose(name, cause(error), code="original-damaged-copy-whole" if is_whole else "original-damaged")
            return
        try:
            if self._size_there(name) is not None:
                # It is not what it must be: somebody looked.
                self._tell(Found("second-copy-damaged", Severity.WARNING, {"name": name}))
            self._backend.overwrite(name, data, check=lambda written: require_hash(pieces_of(written)))
        except NoSpace:
            raise
        except AlreadyExists:
            # Another run copies to the same place.
            return
        except (BackendError, MalformedObject) as error:
            self._lose(name, cause(error))
        else:
            self._copied += 1
            self._bytes += size
            self.read_whole.append(_digest_in(name))

    def _swept_meanwhile(self, name: str) -> bool:
        if layout.pack_of(name) is None:
            # Parity and index files come and go; the packs are what counts.
            return True
        self._life = lifecycle_of(self._repository, self._repository.log.read().entries)
        return self._is_gone(name)

    def _small(self) -> None:
        own = self._repository.objects
        for prefix in (layout.PACK_LISTS, *_SIGNED):
            for name in own.names(prefix):
                self._pause()
                self._put(name)
        for entry in self._history.entries:
            data = entry.encode()
            self._count(data, self._objects.read_or_none(layout.log_entry(entry.seq)) != data)
            self._objects.create_named(layout.log_entry(entry.seq), data)

    def _put(self, name: str, *, replace: bool = False) -> None:
        """Copy a small object, in three copies, as one of its sound copies is. Only what changes in its life is replaced."""
        try:
            data = sound_bytes(self._repository, name)
        except BackupkitError as error:
            self._lose(name, cause(error), code="original-damaged")
            return
        there = self._objects.read_or_none(name)
        self._count(data, there != data)
        if there is not None and there != data and replace:
            self._objects.put(name, data)
        else:
            self._objects.create_named(name, data)

    def _count(self, data: bytes, is_new: bool) -> None:  # noqa: FBT001 - it is the claim itself
        if is_new:
            self._copied += 1
            self._bytes += len(data)

    def _delete_swept(self) -> None:
        """Delete what the log says is gone. Nothing else is ever deleted from a copy."""
        there = {layout.pack_of(name) for name in self._backend.names(layout.PACKS)}
        for domain in {ref.domain for ref in self._life.gone}:
            dead = {ref.pack for ref in self._life.gone if ref.domain == domain}
            for file in list(read_parity_files(self._backend, domain)):
                if isinstance(file, ParityFile) and file.group.packs & dead and not self._has(file.name):
                    self._backend.delete(file.name)
        # As long as it is here it stays there: a sweep that was cut off, or spared it, has not spoken its last word.
        for ref in sorted(ref for ref in self._life.gone & there if not self._has(ref.name)):
            self._backend.delete(ref.name)
            self._deleted += 1

    def _has(self, name: str) -> bool:
        try:
            self._own.size(name)
        except BackendError:
            return False
        return True

    def _whole(self) -> Iterator[SnapshotId]:
        """Give the snapshots of which the copy holds every pack, and name those that neither side has whole."""
        present: set[PackRef | None] = {layout.pack_of(name) for name in self._backend.names(layout.PACKS)}
        for entry in self._history.subjects("snapshot"):
            snapshot = SnapshotId(entry.subject)
            if snapshot in self._life.forgotten:
                continue
            with suppress(BackupkitError, BadName):
                if packs_of(self._repository, snapshot, self._life) <= present:
                    yield snapshot
                elif lost := self._lost_here(snapshot, present):
                    facts: dict[str, Fact] = {"snapshot": snapshot, "packs": len(lost)}
                    self._note(Found("original-lacks-packs", Severity.ERROR, facts))

    def _lost_here(self, snapshot: SnapshotId, present: Collection[PackRef | None]) -> list[PackRef]:
        """Return the packs of a snapshot that neither side has. By the log as it is now: a sweep may have come between."""
        life = lifecycle_of(self._repository, self._repository.log.read().entries)
        if snapshot in life.forgotten:
            return []
        return [
            ref for ref in packs_of(self._repository, snapshot, life) if ref not in present and not self._has(ref.name)
        ]

    def _is_gone(self, name: str) -> bool:
        return layout.pack_of(name) in self._life.gone

    def _lose(self, name: str, reason: str, *, code: str = "not-copied") -> None:
        if layout.pack_of(name) is not None and code != "original-damaged-copy-whole":
            self.read_damaged.append(_digest_in(name))
        self._note(Found(code, Severity.ERROR, {"name": name, "reason": reason}))

    def _note(self, found: Found) -> None:
        self._found.append(found)
        self._tell(found)

    def _pause(self) -> None:
        if self._stop():
            raise _Stopped


def _digest_in(name: str) -> PackName:
    """Return the digest that an object is named by; other objects than packs are remembered the same way."""
    return PackName(name.rpartition("/")[2])


def _reads_of(repository: Repository, to: Path) -> PackReads:
    """Return this machine's memory of what it read back in this copy.

    It goes by a mark in the copy, not by its path: tomorrow another disk may lie there.
    """
    place = to / MARK
    try:
        mark = place.read_bytes()
    except OSError:
        mark = b""
    if not re.fullmatch(rb"[0-9a-f]{32}", mark):
        mark = secrets.token_hex(16).encode()
        # A medium that takes no mark gets read whole each time.
        with suppress(OSError):
            place.unlink(missing_ok=True)
            place.write_bytes(mark)
    return PackReads(repository.memory / f"copy-reads-{mark.decode()}")


def _tell_the_guard(repository: Repository, run: _Copy, copied: Copied, clock: Clock) -> None:
    if not copied.second_copy:
        return
    at = clock.now()
    repository.second_copies.learn(at, *run.whole)
    if repository.writer is not None and repository.original is None:
        from backupkit.ops.checking.coverage import count_second_copy  # noqa: PLC0415 - the guard's side, only where it is needed

        count_second_copy(repository, run.whole, at)
