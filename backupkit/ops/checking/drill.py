"""A drill: restore to a scratch place, compare, ask every database whether it is sound, count the messages again.

Nothing shorter proves that a backup can be restored. What was restored is removed at the end, whatever came of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from backupkit.capture.databases import recognise_database
from backupkit.capture.scratch import discard_leftovers, private_folder
from backupkit.capture.sqlite_health import image_complaints
from backupkit.capture.unreadable import SourceUnreadable
from backupkit.chats.counting.summary import summarise
from backupkit.chats.owner_keys import KeysOf, no_keys
from backupkit.clock import Clock
from backupkit.errors import Fact
from backupkit.ids import SnapshotId
from backupkit.ops.checking.check_record import record_check
from backupkit.ops.checking.coverage import CoverageIssued
from backupkit.ops.checking.verify import DEFAULT_MAX_AGE
from backupkit.ops.events import Found, Notice, Phase, Progress, Severity, Tell
from backupkit.ops.looking.show import ShownSource, show
from backupkit.ops.places import Places, shown_path
from backupkit.ops.repository.repository import Repository, open_repository
from backupkit.ops.repository.snapshots import LATEST, KnownSnapshot, choose_snapshot
from backupkit.ops.restoring.restore import Restored, restore
from backupkit.ops.unlock import AskSecret, Secret


@dataclass(frozen=True, slots=True)
class Drilled:
    """What came of a drill. `databases` were asked and sound or not; `messages` were counted again, None without chats."""

    snapshot: SnapshotId
    state: Literal["drilled", "damaged"]
    files: int
    bytes: int
    databases: int
    messages: int | None
    findings: tuple[Found, ...]
    coverage: tuple[CoverageIssued, ...]


def drill_snapshot(
    places: Places,
    snapshot: str = LATEST,
    *,
    secret: AskSecret,
    clock: Clock,
    tell: Tell,
    max_age: timedelta = DEFAULT_MAX_AGE,
    keys: KeysOf = no_keys,
) -> Drilled:
    """Restore a snapshot into a private folder of the cache and judge what came back.

    The result is signed and logged where this machine may write, and coverage passes are issued for the hook.

    Raises:
        NoRepository, SnapshotNotFound: there is nothing to drill.
        UnknownFeature: checking here takes what this program does not know.
        CannotUnlock: the secret opens nothing.
        OSError: there is no room for the restored files.
        ChatKeyWrong: a sealed backup is opened by none of its `keys`.
    """
    repository = open_repository(places, tell)
    # A drill that passed issues coverage passes, as a verification does.
    repository.config.require("check")
    known, lost = choose_snapshot(repository, snapshot, tell)
    ask = _asked_once(secret)
    expected = show(places, known.id, secret=ask, tell=tell).sources
    scratch = repository.cache / "drill"
    discard_leftovers(scratch)
    with private_folder(scratch) as folder:
        restored = restore(places, known.id, folder / "restored", secret=ask, clock=clock, tell=tell)
        judged = _Judged(tell, keys)
        for source, place in zip(expected, restored.folders, strict=False):
            judged.look_at(source, place)
    findings = (*lost, *restored.damaged, *judged.found)
    passed = not findings and len(restored.folders) == len(expected)
    coverage = _conclude(repository, known, restored, passed=passed, clock=clock, tell=tell, max_age=max_age)
    return Drilled(
        snapshot=known.id,
        state="drilled" if passed else "damaged",
        files=restored.files,
        bytes=restored.bytes,
        databases=judged.databases,
        messages=judged.messages,
        findings=findings,
        coverage=coverage,
    )


class _Judged:
    """What was seen of the restored files so far."""

    def __init__(self, tell: Tell, keys: KeysOf) -> None:
        self._keys = keys
        self.databases = 0
        self.messages: int | None = None
        self.found: list[Found] = []
        self._tell = tell

    def look_at(self, source: ShownSource, folder: Path) -> None:
        """Ask the databases of one source, and count its messages again."""
        for path in _files(folder):
            self._ask_database(path, folder)
        if source.messages is None:
            return
        summary = summarise(folder, keys=self._keys(source.name))
        counted = summary.messages if summary is not None else None
        if summary is not None and summary.waits_for_a_key and (counted or 0) < source.messages:
            # Every byte of a sealed backup was compared; what is in it was counted with a key that is not here now.
            self._tell(Notice("sealed-left-out", {"name": source.name}))
            self.messages = None if counted is None else (self.messages or 0) + counted
            return
        if counted != source.messages:
            facts: dict[str, Fact] = {"name": source.name, "expected": source.messages, "counted": counted}
            self._note(Found("drill-count-differs", Severity.ERROR, facts))
        self.messages = (self.messages or 0) + (counted or 0)

    def _ask_database(self, path: Path, folder: Path) -> None:
        try:
            kind = recognise_database(path)
        except SourceUnreadable:
            # A link that leads nowhere came back as it was.
            return
        if kind is None or kind.sealed:
            return
        self.databases += 1
        self._tell(Progress(Phase.COMPARE, done_files=self.databases))
        complaints = image_complaints(path, thorough=True)
        if complaints is None:
            self._tell(Found("database-needs-its-app", Severity.INFO, {"path": shown_path(path.relative_to(folder))}))
        elif complaints:
            facts: dict[str, Fact] = {"path": shown_path(path.relative_to(folder)), "complaint": complaints[0][:200]}
            self._note(Found("drill-database-unsound", Severity.ERROR, facts))

    def _note(self, found: Found) -> None:
        self.found.append(found)
        self._tell(found)


def _conclude(
    repository: Repository,
    known: KnownSnapshot,
    restored: Restored,
    *,
    passed: bool,
    clock: Clock,
    tell: Tell,
    max_age: timedelta,
) -> tuple[CoverageIssued, ...]:
    if repository.writer is None or repository.original is not None:
        return ()
    return record_check(
        repository, known, method="drill", passed=passed, bytes_read=restored.bytes, packs=known.statement.packs.count,
        at=clock.now(), clock=clock, max_age=max_age, tell=tell,
    )  # fmt: skip


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())


def _asked_once(ask: AskSecret) -> AskSecret:
    given: list[Secret] = []

    def answer() -> Secret:
        if not given:
            given.append(ask())
        return given[0]

    return answer
