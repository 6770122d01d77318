"""The repository's log as this machine trusts it: signed, adding up, and continuing what was seen before.

The store keeps the bytes and their order, `proof` knows what they mean; here the two meet. This machine is a witness of
the log too: it remembers the last head it saw and refuses a log that does not continue it.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.failures import SignatureInvalid
from backupkit.crypto.writer import WriterKeys
from backupkit.errors import BackupkitError
from backupkit.ids import SnapshotId
from backupkit.ops.failures import HistoryForked, HistoryRolledBack, LogDamaged
from backupkit.ops.memory.first_seen import FirstSeen
from backupkit.ops.places import held, write_private
from backupkit.proof.checkpoint import Checkpoint, claimed_checkpoint, sign_checkpoint, verify_checkpoint
from backupkit.proof.log_entry import LogEntry, decode_log_entry, entry_about
from backupkit.proof.merkle import leaf_hash, tree_root
from backupkit.store import layout
from backupkit.store.backend import ObjectMissing
from backupkit.store.objects.config import RepositoryConfig
from backupkit.store.objects.log_store import LogStore
from backupkit.store.objects.small_objects import SmallObjects

_HASH = 32


@dataclass(frozen=True, slots=True)
class History:
    """A log that was checked: its head's bytes (None: nothing was ever committed), its entries and their leaf hashes."""

    head: bytes | None
    entries: tuple[LogEntry, ...]
    leaves: tuple[bytes, ...]

    def subjects(self, kind: str) -> list[LogEntry]:
        """Return the entries of one type, oldest first."""
        return [entry for entry in self.entries if entry.type == kind]


class SignedLog:
    """Reads and extends one repository's log. `memory` is this machine's folder for what it has seen of it.

    `behind` says what it means that fewer entries are there than were seen: as many as were seen, as many as are there.
    """

    def __init__(
        self,
        store: LogStore,
        objects: SmallObjects,
        config: RepositoryConfig,
        memory: Path,
        behind: Callable[[int, int], HistoryRolledBack],
    ) -> None:
        self._store = store
        self._objects = objects
        self._config = config
        self._behind = behind
        self._seen = memory / "seen-checkpoint"
        self._leaves_cache = memory / "log-leaves"
        self._lock = memory / "seen-checkpoint.lock"
        self.first_seen = FirstSeen(memory / "log-first-seen")

    def read(self) -> History:
        """Return the log.

        Raises:
            SignatureInvalid: its head is not signed by a writer of this repository.
            LogDamaged: its entries do not add up to its head.
            HistoryRolledBack, HistoryForked: it does not continue what this machine has seen.
        """
        # What was seen first, the head after it: another process may commit in between, and then the head is newer, never older.
        seen = self._last_seen()
        known = _claimed(seen)
        head = self._store.read_head(self._size_of, seen=0 if known is None else known.size)
        checkpoint = None if head is None else self._open(head)
        entries = self._entries(checkpoint) if checkpoint is not None else ()
        leaves = tuple(entry.hash() for entry in entries)
        self._require_continued(seen, checkpoint, leaves)
        if head is not None and checkpoint is not None:
            # A full or read-only disk of this machine must keep nobody from their backup. What was remembered before still
            # counts, and the next run that can write remembers this head, too.
            with suppress(OSError):
                self._remember(head, leaves)
        return History(head, entries, leaves)

    def append(
        self,
        kind: str,
        payload: bytes,
        writer: WriterKeys,
        at: datetime,
        *,
        admit: Callable[[Sequence[LogEntry]], None] | None = None,
    ) -> int:
        """Commit an entry about a statement or object that is stored already, and return its place.

        `admit` is shown all entries before that place, before the entry is put there, and raises to give it up. An entry is
        created once under its number, so whatever `admit` saw is all that will ever be before it.

        Raises:
            SignatureInvalid, LogDamaged, HistoryRolledBack, HistoryForked: as `read` does.
        """

        def build(sequence: int) -> bytes:
            if admit is not None:
                admit(self.read().entries[:sequence])
            return entry_about(payload, kind, seq=sequence, time=at).encode()

        seen = self._last_seen()

        def sign(head: bytes | None, sequence: int, entry: bytes) -> bytes:
            before = self._leaves_under(head)
            self._require_continued(seen, None if head is None else self._open(head), before)
            leaves = (*before, leaf_hash(entry))
            checkpoint = Checkpoint(self._config.origin, sequence + 1, tree_root(leaves))
            return sign_checkpoint(checkpoint, writer.log)

        appended = self._store.append(build, sign, size_of=self._size_of, accept=self._accept)
        self._remember(appended.head, self._leaves_under(appended.head))
        self.first_seen.note(appended.sequence + 1, at)
        return appended.sequence

    def has_head(self) -> bool:
        """Tell whether any copy of the head can be read and is signed by a writer."""
        try:
            return self._store.read_head(self._size_of) is not None
        except BackupkitError:
            return False

    @property
    def seen_size(self) -> int:
        """How many entries the newest head had that this machine remembers; 0 for none."""
        seen = _claimed(self._last_seen())
        return 0 if seen is None else seen.size

    def left_entries(self) -> tuple[LogEntry, ...]:
        """Return the entries from the first on, up to the first of which no copy can be read. Nothing says that they are all."""
        found: list[LogEntry] = []
        while True:
            try:
                found.append(self._by_majority(len(found), 0))
            except LogDamaged:
                return tuple(found)

    def sign_head_again(self, writer: WriterKeys) -> int:
        """Sign a head where none can be read, over entries that continue what this machine has seen. Return their number.

        An entry past what was seen counts if what it speaks of is there, as it does where a writer died before the head.

        Raises:
            LogDamaged: the entries do not continue it, or this machine has seen none.
        """
        seen, entries = _claimed(self._last_seen()), self.left_entries()
        leaves = [entry.hash() for entry in entries]
        if seen is None or len(entries) < seen.size or tree_root(leaves[: seen.size]) != seen.root:
            raise LogDamaged(size=len(entries), reason="not-continued")
        size = seen.size
        for entry in entries[seen.size :]:
            try:
                self._accept(entry.seq, entry.encode())
            except BackupkitError:
                break
            size += 1
        self._put_head(leaves[:size], writer)
        return size

    def begin_again(
        self, kept: Sequence[LogEntry], added: Sequence[LogEntry], writer: WriterKeys, *, times_known: bool
    ) -> None:
        """Make these entries the log, whatever this machine has seen of it, and remember it so. Others will see that it is another.

        Entries before the head: until that is written the old head stands, or none. Nobody else may write meanwhile.
        `times_known` false says that entries speak of what is older than this machine's memory of when they came.
        """
        entries = (*kept, *added)
        for entry in added:
            self._objects.put(layout.log_entry(entry.seq), entry.encode())
        for name in self._objects.names(layout.LOG_ENTRIES):
            if name > layout.log_entry(len(entries) - 1):
                # Past the new head it would be taken for what an interrupted writer left.
                self._objects.delete(name)
        leaves = [entry.hash() for entry in entries]
        head = self._put_head(leaves, writer)
        with held(self._lock):
            write_private(self._leaves_cache, b"".join(leaves))
            write_private(self._seen, head)
        self.first_seen.forget_after(len(kept) if times_known else 0)

    def _put_head(self, leaves: Sequence[bytes], writer: WriterKeys) -> bytes:
        head = sign_checkpoint(Checkpoint(self._config.origin, len(leaves), tree_root(leaves)), writer.log)
        self._objects.put(layout.LOG_HEAD, head)
        return head

    def _accept(self, sequence: int, entry: bytes) -> None:
        """Look at an entry that an interrupted writer left: it counts if what it speaks of is there."""
        left = decode_log_entry(entry)
        if left.seq != sequence:
            raise MalformedObject(what="log-entry", reason="wrong-place")
        name = layout.snapshot(SnapshotId(left.subject)) if left.type == "snapshot" else layout.statement(left.subject)
        if not self._objects.names(name):
            raise ObjectMissing(name=name)

    def _require_continued(
        self, seen_head: bytes | None, checkpoint: Checkpoint | None, leaves: tuple[bytes, ...]
    ) -> None:
        seen = _claimed(seen_head)
        if seen is None:
            return
        found = 0 if checkpoint is None else checkpoint.size
        if found < seen.size:
            raise self._behind(seen.size, found)
        if tree_root(leaves[: seen.size]) != seen.root:
            raise HistoryForked(seen=seen.size, found=found)

    def _leaves_under(self, head: bytes | None) -> tuple[bytes, ...]:
        """Return the leaf hashes that a head covers, from the cache as far as that adds up."""
        if head is None:
            return ()
        checkpoint = self._open(head)
        cached = self._cached_leaves()[: checkpoint.size]
        with suppress(BackupkitError):
            added = [leaf_hash(entry) for entry in self._store.entries(len(cached), checkpoint.size)]
            leaves = (*cached, *added)
            if tree_root(leaves) == checkpoint.root:
                return leaves
        return tuple(entry.hash() for entry in self._entries(checkpoint))

    def _entries(self, head: Checkpoint) -> tuple[LogEntry, ...]:
        """Return the entries that a head covers: the first sound copy of each, or what most copies of it say.

        A damaged copy may still read as an entry; then only the head tells which copy is the true one.
        """
        entries = tuple(self._entry(sequence, head.size) for sequence in range(head.size))
        if tree_root([entry.hash() for entry in entries]) == head.root:
            return entries
        entries = tuple(self._by_majority(sequence, head.size) for sequence in range(head.size))
        if tree_root([entry.hash() for entry in entries]) != head.root:
            raise LogDamaged(size=head.size, reason="root-differs")
        for entry in entries:
            self._objects.check_copies(layout.log_entry(entry.seq), entry.require_same)
        return entries

    def _entry(self, sequence: int, size: int) -> LogEntry:
        try:
            return decode_log_entry(self._store.entry(sequence, decode_log_entry))
        except BackupkitError as error:
            raise LogDamaged(size=size, reason=f"entry {sequence}: {error.code}") from error

    def _by_majority(self, sequence: int, size: int) -> LogEntry:
        said: list[LogEntry] = []
        for data in self._objects.versions(layout.log_entry(sequence)):
            with suppress(BackupkitError):
                said.append(decode_log_entry(data))
        said = [entry for entry in said if entry.seq == sequence]
        if not said:
            raise LogDamaged(size=size, reason=f"entry {sequence}: no copy")
        return max(said, key=said.count)

    def _cached_leaves(self) -> list[bytes]:
        try:
            data = self._leaves_cache.read_bytes()
        except OSError:
            return []
        return [data[at : at + _HASH] for at in range(0, len(data) - _HASH + 1, _HASH)]

    def _remember(self, head: bytes, leaves: tuple[bytes, ...]) -> None:
        """Keep the newest head that was ever seen, whichever of several processes comes last."""
        if self._last_seen() == head:
            return
        with held(self._lock):
            kept = _claimed(self._last_seen())
            if kept is None or kept.size < len(leaves):
                write_private(self._leaves_cache, b"".join(leaves))
                write_private(self._seen, head)

    def _last_seen(self) -> bytes | None:
        try:
            return self._seen.read_bytes()
        except OSError:
            return None

    def _size_of(self, head: bytes) -> int:
        return self._open(head).size

    def _open(self, head: bytes) -> Checkpoint:
        failure: BackupkitError = SignatureInvalid(what="checkpoint")
        for writer in self._config.writers:
            try:
                return verify_checkpoint(head, self._config.origin, writer.log_key)
            except SignatureInvalid as error:
                failure = error
        raise failure


def _claimed(head: bytes | None) -> Checkpoint | None:
    """Read our own memory of a head. If it is damaged it proves nothing any more, and is replaced by what is found now."""
    if head is None:
        return None
    try:
        return claimed_checkpoint(head)
    except BackupkitError:
        return None
