"""How many messages an update would lose that no verified backup holds: counted for a verdict, within a time.

A verdict waits for nobody's chats. What cannot be counted in time, or at all, is unknown, and no decision turns on it.
"""

import signal
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from types import FrameType

from backupkit.config.settings import SourceSettings
from backupkit.guard.verdict import Loss, Verdict
from backupkit.ops.loss import LossPreview, preview_loss
from backupkit.ops.places import Places
from backupkit.ops.repository import open_repository

LONGEST_COUNT = timedelta(seconds=30)

Preview = Callable[[Places, str | None, Path], LossPreview]


def with_loss(
    verdict: Verdict,
    places: Places,
    sources: Sequence[SourceSettings],
    *,
    within: timedelta = LONGEST_COUNT,
    preview: Preview = preview_loss,
) -> Verdict:
    """Return the verdict with what was counted just now; the same one where nothing would be erased or known. Never raises."""
    package = verdict.judged.package
    if package is None or not verdict.would_erase:
        return verdict
    try:
        counted = _in_time(lambda: _counted(places, package, sources, preview), within)
    except (Exception, _TooLong):  # noqa: BLE001 - numbers explain a decision; they must not be able to stop it
        return verdict
    if counted is None:
        return verdict
    said = verdict.loss or Loss()
    return verdict.but(
        loss=said._replace(
            messages=said.messages if counted.messages is None else counted.messages,
            conversations=said.conversations if counted.conversations is None else counted.conversations,
            not_in_backup=counted.uncovered,
        )
    )


def _counted(places: Places, package: str, sources: Sequence[SourceSettings], preview: Preview) -> LossPreview | None:
    source = next((source.path for source in sources if source.package == package), None)
    source = source or _last_source(places, package)
    return None if source is None else preview(places, package, source)


def _last_source(places: Places, package: str) -> Path | None:
    """Where this machine last took a snapshot of the app from."""
    for taken in reversed(open_repository(places).journal.taken().values()):
        for facts in taken.sources:
            if facts.package == package:
                return Path(facts.path)
    return None


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
