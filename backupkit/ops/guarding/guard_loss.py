"""How many messages an update would lose that no verified backup holds: counted for a verdict, within a time.

A verdict waits for nobody's chats. What cannot be counted in time, or at all, is unknown, and no decision turns on it.
What was counted is left as a note for the guard, which reads no chats itself.
"""

import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType

from backupkit.clock import from_rfc3339
from backupkit.config.settings import SourceSettings
from backupkit.guard.loss_hint import LossHint
from backupkit.guard.package_name import is_package_name
from backupkit.guard.places import GuardPlaces, write_whole
from backupkit.guard.verdict import Loss, Verdict
from backupkit.ids import AppPackage
from backupkit.ops.guarding.loss import LossPreview, preview_loss
from backupkit.ops.places import Places
from backupkit.ops.repository.repository import open_repository

LONGEST_COUNT = timedelta(seconds=30)

Preview = Callable[[Places, str | None, Path], LossPreview]


def with_loss(
    verdict: Verdict,
    places: Places,
    sources: Sequence[SourceSettings],
    now: datetime,
    *,
    within: timedelta = LONGEST_COUNT,
    preview: Preview = preview_loss,
) -> Verdict:
    """Return the verdict with what was counted just now; the same one where nothing would be erased or known. Never raises."""
    package = verdict.judged.package
    if package is None or not verdict.would_erase:
        return verdict
    said = verdict.loss or Loss()
    try:
        counted = _in_time(lambda: _counted(places, package, sources, preview), within)
        if counted is None or counted.messages is None or counted.messages < (said.messages or 0):
            # Fewer than the backup holds: an export that was cut. What is missing from it, nobody can count.
            return verdict
        note_loss(places, sources, counted, now)
    except (Exception, _TooLong):  # noqa: BLE001 - numbers explain a decision; they must not be able to stop it
        return verdict
    loss = said._replace(
        messages=counted.messages,
        conversations=said.conversations if counted.conversations is None else counted.conversations,
        not_in_backup=counted.uncovered,
        as_of=None,
    )
    return verdict.but(loss=loss, findings=())


def note_loss(
    places: Places,
    sources: Sequence[SourceSettings],
    counted: LossPreview,
    now: datetime,
    *,
    source: Path | None = None,
) -> None:
    """Leave what was counted for the guard. `source`: only that was looked at, which must be all there is of the app."""
    if counted.package is None or counted.messages is None or counted.uncovered is None:
        return
    if not is_package_name(counted.package):
        return
    package = AppPackage(counted.package)
    if source is not None and [path.resolve() for path in _sources_of(places, package, sources)] != [source.resolve()]:
        return
    newest = counted.newest_uncovered or counted.covered_until
    hint = LossHint(
        package=package,
        as_of=now.replace(microsecond=0),
        not_in_backup=counted.uncovered,
        messages=counted.messages,
        conversations=counted.conversations,
        newest=None if newest is None else from_rfc3339(newest),
        snapshot=counted.snapshot,
    )
    # A note that cannot be left costs the guard a number, and nobody an answer.
    with suppress(OSError):
        write_whole(GuardPlaces(places.guard).hint_of(package), hint.encode())


def _counted(
    places: Places, package: AppPackage, sources: Sequence[SourceSettings], preview: Preview
) -> LossPreview | None:
    """Count all sources of an app together; None where there is none, or one of them is not known."""
    counted: LossPreview | None = None
    for source in _sources_of(places, package, sources):
        one = replace(preview(places, package, source), package=package)
        if one.messages is None:
            return None
        counted = one if counted is None else _together(counted, one)
    return counted


def _together(first: LossPreview, second: LossPreview) -> LossPreview:
    return replace(
        first,
        messages=_sum(first.messages, second.messages),
        conversations=_sum(first.conversations, second.conversations),
        uncovered=_sum(first.uncovered, second.uncovered),
        newest_uncovered=max((first.newest_uncovered or "", second.newest_uncovered or "")) or None,
        # Of two snapshots neither is the one that it was all compared with.
        snapshot=first.snapshot if first.snapshot == second.snapshot else None,
    )


def _sum(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else first + second


def _sources_of(places: Places, package: AppPackage, sources: Sequence[SourceSettings]) -> list[Path]:
    """Where the app's chats lie: as the settings say, or where this machine last took a snapshot of them from."""
    named = [source.path for source in sources if source.package == package]
    if named:
        return named
    for taken in reversed(open_repository(places).journal.taken().values()):
        found = [Path(facts.path) for facts in taken.sources if facts.package == package]
        if found:
            return found
    return []


class _TooLong(BaseException):
    """The count took too long. No `Exception`: a reader that catches those must not go on."""


def _in_time(count: Callable[[], LossPreview | None], within: timedelta) -> LossPreview | None:
    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, within.total_seconds())
        return count()
    finally:
        # The clock first: it must not ring for whoever comes after.
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
