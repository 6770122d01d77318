"""The snapshots in the log: which there are, what was signed, and how far each was verified."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Literal

from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.crypto.failures import SignatureInvalid
from backupkit.errors import BackupkitError
from backupkit.ids import SnapshotId
from backupkit.ops.events import Found, Severity, Tell, tell_nobody
from backupkit.ops.failures import (
    HistoryForked,
    HistoryRolledBack,
    LogDamaged,
    NoSnapshotYet,
    SnapshotAmbiguous,
    SnapshotForgotten,
    SnapshotNotFound,
    SnapshotSwept,
    SnapshotUnreadable,
)
from backupkit.ops.memory.journal import TakenFacts
from backupkit.ops.repository.lifecycle import Lifecycle, lifecycle_of
from backupkit.ops.repository.repository import Repository
from backupkit.ops.repository.signed_log import History
from backupkit.ops.repository.statements import read_statement
from backupkit.proof.dsse import open_envelope
from backupkit.proof.snapshot_statement import SnapshotStatement, decode_snapshot_statement, snapshot_id
from backupkit.proof.statement import PAYLOAD_TYPE
from backupkit.proof.verify_statement import Method, VerifyStatement, decode_verify_statement
from backupkit.store import layout
from backupkit.store.finding import cause

LATEST = "latest"
Life = Literal["kept", "forgotten", "swept"]
NO_HISTORY = (LogDamaged, HistoryRolledBack, HistoryForked, MalformedObject, NewerFormat, SignatureInvalid)
"""What says that the log cannot be believed."""


@dataclass(frozen=True, slots=True)
class KnownSnapshot:
    """A snapshot in the log. `state` is saved, verified, drilled, partial or damaged; `facts` is what this machine remembers.

    `life` is forgotten while that can be taken back, and swept when the bytes are gone. `drilled_at` is of the last drill
    that it passed, however it was verified since; `method` is how it was verified last.
    """

    id: SnapshotId
    seq: int
    statement: SnapshotStatement
    state: str
    verified_at: datetime | None
    facts: TakenFacts | None
    life: Life = "kept"
    drilled_at: datetime | None = None
    method: Method | None = None


def read_snapshot(repository: Repository, snapshot: SnapshotId) -> SnapshotStatement:
    """Return what was signed for a snapshot.

    Raises:
        ObjectMissing: no copy of the statement is there.
        SignatureInvalid: nobody who may write signed it.
    """
    keys = [writer.attest_key for writer in repository.config.writers]

    def check(data: bytes) -> SnapshotStatement:
        payload = open_envelope(data, keys, PAYLOAD_TYPE)
        if snapshot_id(payload) != snapshot:
            raise MalformedObject(what="snapshot-statement", reason="wrong-digest")
        return decode_snapshot_statement(payload)

    return repository.objects.read(layout.snapshot(snapshot), check)


@dataclass(frozen=True, slots=True)
class UnreadableSnapshot:
    """A snapshot that the log names and whose statement cannot be read."""

    id: SnapshotId
    seq: int
    error: BackupkitError

    @property
    def finding(self) -> Found:
        """Return what is told of it."""
        return Found("snapshot-unreadable", Severity.ERROR, {"snapshot": self.id, "reason": self.error.code})

    @property
    def failure(self) -> BackupkitError:
        """Return what to raise where it was wanted. A false signature is worse than a missing one, and stays the answer."""
        if isinstance(self.error, SignatureInvalid):
            return self.error
        failure = SnapshotUnreadable(snapshot=self.id, reason=cause(self.error))
        failure.__cause__ = self.error
        return failure


@dataclass(frozen=True, slots=True)
class NamedSnapshots:
    """The snapshots that the log names, oldest first, forgotten ones too: `known` are those whose statements can be read."""

    known: tuple[KnownSnapshot, ...]
    unreadable: tuple[UnreadableSnapshot, ...]

    def choose(self, wanted: str, *, forgotten_too: bool = False) -> tuple[KnownSnapshot, list[Found]]:
        """Return the snapshot that is wanted, as `find_snapshot` does, and what is lost of newer ones where the latest is wanted.

        Raises:
            SnapshotUnreadable, SignatureInvalid: the log names the one that is wanted, and its statement cannot be read.
        """
        try:
            chosen = find_snapshot(self.known, wanted, forgotten_too=forgotten_too)
        except SnapshotNotFound:
            lost = next(
                (one for one in reversed(self.unreadable) if wanted == LATEST or one.id.startswith(wanted.lower())),
                None,
            )
            if lost is None:
                raise
            raise lost.failure  # noqa: B904  it has a cause of its own
        newer = [one for one in self.unreadable if wanted == LATEST and one.seq > chosen.seq]
        return chosen, [one.finding for one in newer]


def known_snapshots(
    repository: Repository, tell: Tell = tell_nobody, *, with_forgotten: bool = False
) -> list[KnownSnapshot]:
    """Return every snapshot that the log names and whose statement can be read, oldest first; forgotten ones if asked."""
    return [one for one in named_snapshots(repository, tell).known if with_forgotten or one.life == "kept"]


def choose_snapshot(repository: Repository, wanted: str, tell: Tell) -> tuple[KnownSnapshot, list[Found]]:
    """Return the snapshot that is wanted by what the log says, as `NamedSnapshots.choose` does."""
    return named_snapshots(repository, tell).choose(wanted)


def signed_snapshots(repository: Repository) -> list[KnownSnapshot]:
    """Return the snapshots whose statements can be read, whatever the log says, each after the one that it names as its previous."""
    found = []
    for name in repository.objects.names(layout.SNAPSHOTS):
        with suppress(BackupkitError):
            snapshot = SnapshotId(layout.require_digest(name.removeprefix(layout.SNAPSHOTS)))
            found.append((snapshot, read_snapshot(repository, snapshot)))
    journal = repository.journal.taken()
    return [
        KnownSnapshot(
            snapshot, number, statement, "saved" if statement.complete else "partial", None, journal.get(snapshot)
        )
        for number, (snapshot, statement) in enumerate(_in_chain(found))
    ]


def _in_chain(found: Iterable[tuple[SnapshotId, SnapshotStatement]]) -> Iterator[tuple[SnapshotId, SnapshotStatement]]:
    """Give each snapshot after the one that it names as its previous, and otherwise by its time: clocks tell seconds, and lie."""
    following: dict[SnapshotId | None, list[tuple[datetime, SnapshotId]]] = {}
    statements = dict(found)
    for snapshot, statement in statements.items():
        before = statement.previous if statement.previous in statements else None
        following.setdefault(before, []).append((statement.created_at, snapshot))
    ready = following.pop(None, [])
    heapify(ready)
    while ready:
        _, snapshot = heappop(ready)
        yield snapshot, statements[snapshot]
        for one in following.pop(snapshot, ()):
            heappush(ready, one)


def named_snapshots(repository: Repository, tell: Tell) -> NamedSnapshots:
    """Read the statement of every snapshot that the log names. What cannot be read is told, unless it was forgotten.

    Raises:
        BackupkitError: the log cannot be believed.
    """
    history = repository.log.read()
    verified = _verifications(repository, history)
    life = lifecycle_of(repository, history.entries)
    journal = repository.journal.taken()
    found: list[KnownSnapshot] = []
    unreadable: list[UnreadableSnapshot] = []
    for entry in history.subjects("snapshot"):
        snapshot = SnapshotId(entry.subject)
        try:
            statement = read_snapshot(repository, snapshot)
        except BackupkitError as error:
            if snapshot not in life.forgotten:
                lost = UnreadableSnapshot(snapshot, entry.seq, error)
                unreadable.append(lost)
                tell(lost.finding)
            continue
        said = verified.get(snapshot, [])
        passed = [one for one in said if one.result == "passed"]
        state, at = _state(said, statement)
        drills = (one.verified_at for one in passed if one.method == "drill")
        known = KnownSnapshot(
            snapshot,
            entry.seq,
            statement,
            state,
            at,
            journal.get(snapshot),
            _life(life, snapshot),
            max(drills, default=None),
            passed[-1].method if passed else None,
        )
        found.append(known)
    return NamedSnapshots(tuple(found), tuple(unreadable))


def _life(life: Lifecycle, snapshot: SnapshotId) -> Life:
    if snapshot in life.swept:
        return "swept"
    return "forgotten" if snapshot in life.forgotten else "kept"


def find_snapshot(snapshots: Iterable[KnownSnapshot], wanted: str, *, forgotten_too: bool = False) -> KnownSnapshot:
    """Return the snapshot that `latest`, a whole id or its first digits (at least 4) name. The latest is the newest whole one.

    A forgotten one is never the latest, and is found only where `forgotten_too` says so.

    Raises:
        SnapshotNotFound: there is none.
        SnapshotAmbiguous: several begin like that.
        SnapshotForgotten, SnapshotSwept: there is one, and it is not wanted any more, or is gone.
    """
    all_of_them = list(snapshots)
    if wanted == LATEST:
        kept = [one for one in all_of_them if one.life == "kept"]
        whole = [one for one in kept if one.state != "partial"] or kept
        if not whole:
            raise NoSnapshotYet
        return whole[-1]
    fitting = [one for one in all_of_them if len(wanted) >= 4 and one.id.startswith(wanted.lower())]
    if not fitting:
        raise SnapshotNotFound(snapshot=wanted[:64])
    if len({one.id for one in fitting}) > 1:
        raise SnapshotAmbiguous(snapshot=wanted, count=len(fitting))
    chosen = fitting[-1]
    if chosen.life == "swept":
        raise SnapshotSwept(snapshot=chosen.id)
    if chosen.life == "forgotten" and not forgotten_too:
        raise SnapshotForgotten(snapshot=chosen.id)
    return chosen


def _verifications(repository: Repository, history: History) -> dict[SnapshotId, list[VerifyStatement]]:
    found: dict[SnapshotId, list[VerifyStatement]] = {}
    for entry in history.subjects("verify"):
        try:
            said = decode_verify_statement(read_statement(repository, entry.subject))
        except BackupkitError:
            # A verification that cannot be read counts for nothing; the snapshot is then only `saved`.
            continue
        found.setdefault(said.snapshot, []).append(said)
    return found


def _state(said: Iterable[VerifyStatement], statement: SnapshotStatement) -> tuple[str, datetime | None]:
    every = list(said)
    if every and every[-1].result == "failed":
        return "damaged", None
    passed = [one for one in every if one.result == "passed"]
    if not passed:
        return ("saved" if statement.complete else "partial"), None
    state = "drilled" if passed[-1].method == "drill" else "verified"
    return state, passed[-1].verified_at
