"""The log as objects: entries that are created once, and a head that is swapped. The head is the only commit point.

What an entry says and how a head is signed is the caller's; here is only the order of writes. A writer that dies between
entry and head leaves an entry past the head. The next writer commits it if it is sound, so nothing that was said is lost,
and two writers that race commit both entries, one behind the other.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from backupkit.errors import BackupkitError, ExitCode
from backupkit.store import layout
from backupkit.store.backend import AlreadyExists, Backend, ObjectMissing, SwapLost
from backupkit.store.finding import Finding
from backupkit.store.objects.small_objects import SmallObjects

_MOST_ATTEMPTS = 1000


class LogContended(BackupkitError):
    """Other writers were faster every time. Facts: `attempts`."""

    code = "log-contended"
    exit_code = ExitCode.LOCKED


@dataclass(frozen=True, slots=True)
class Appended:
    """An entry that was committed: its place in the log, its bytes, and the head that commits it."""

    sequence: int
    entry: bytes
    head: bytes


class LogStore:
    """Reads and extends a repository's log."""

    def __init__(self, backend: Backend, tell: Callable[[Finding], None] = lambda _: None) -> None:
        self._objects = SmallObjects(backend, tell)

    def read_head(self, size_of: Callable[[bytes], int], *, seen: int = 0) -> bytes | None:
        """Return the head, or None for an empty log.

        `size_of` checks a head and returns how many entries it covers; it raises a `BackupkitError` for a false one. Where
        the head covers fewer than the `seen` ones, a copy that covers more is the head.
        """
        try:
            return self._objects.read_newest(layout.LOG_HEAD, size_of, lambda size: size, least=seen)[0]
        except ObjectMissing:
            return None

    def entry(self, sequence: int, check: Callable[[bytes], object] = lambda _: None) -> bytes:
        """Return an entry's bytes, of the first copy that `check` accepts.

        Raises:
            ObjectMissing: no copy is there.
        """

        def checked(data: bytes) -> bytes:
            check(data)
            return data

        return self._objects.read(layout.log_entry(sequence), checked)

    def entries(self, start: int, stop: int) -> Iterator[bytes]:
        """Give the entries from `start` up to and without `stop`; raises as `entry` does."""
        for sequence in range(start, stop):
            yield self.entry(sequence)

    def append(
        self,
        build: Callable[[int], bytes],
        sign: Callable[[bytes | None, int, bytes], bytes],
        *,
        size_of: Callable[[bytes], int],
        accept: Callable[[int, bytes], None],
    ) -> Appended:
        """Commit one entry and return it.

        `build(sequence)` writes the entry for a place in the log. `sign(head, sequence, entry)` returns the head that
        follows `head` (None: the first) when `entry` is added at `sequence`. `accept(sequence, entry)` looks at an entry
        that somebody left without a head, and raises a `BackupkitError` for one that must not be committed. All may be
        called several times.

        Raises:
            LogContended: other writers never let this one through.
        """
        for _ in range(_MOST_ATTEMPTS):
            head = self.read_head(size_of)
            sequence = 0 if head is None else size_of(head)
            mine = build(sequence)
            entry = self._put_entry(sequence, mine, accept)
            committed = self._commit(head, sequence, entry, sign)
            if committed is None:
                # Somebody moved the head. It may be by this very entry.
                committed = self._committed_by_others(sequence, mine, size_of)
            if committed is not None and entry == mine:
                return Appended(sequence, entry, committed)
        raise LogContended(attempts=_MOST_ATTEMPTS)

    def _put_entry(self, sequence: int, mine: bytes, accept: Callable[[int, bytes], None]) -> bytes:
        """Return the entry that lies at this place: a sound one that was left there, else `mine`."""
        name = layout.log_entry(sequence)
        try:
            self._objects.create(name, mine)
        except AlreadyExists:
            try:
                return self.entry(sequence, lambda data: accept(sequence, data))
            except BackupkitError:
                # No head covers it and nobody could ever commit it: it stands in the way.
                self._objects.delete(name)
                return self._put_entry(sequence, mine, accept)
        return mine

    def _commit(
        self,
        head: bytes | None,
        sequence: int,
        entry: bytes,
        sign: Callable[[bytes | None, int, bytes], bytes],
    ) -> bytes | None:
        new = sign(head, sequence, entry)
        try:
            self._objects.replace(layout.LOG_HEAD, head, new)
        except SwapLost:
            return None
        return new

    def _committed_by_others(self, sequence: int, mine: bytes, size_of: Callable[[bytes], int]) -> bytes | None:
        head = self.read_head(size_of)
        if head is not None and size_of(head) > sequence and self.entry(sequence) == mine:
            return head
        return None
