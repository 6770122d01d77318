"""What would be gone if the app were wiped now, against the newest verified snapshot. Needs no passphrase.

This machine remembers of each snapshot how many messages it counted and the newest of them. Where it remembers nothing,
or the source is not a chat that can be read, the answer is `unknown`, never a guess.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path

from backupkit.chats.summary import summarise
from backupkit.clock import to_rfc3339
from backupkit.ids import SnapshotId
from backupkit.ops.journal import SourceFacts
from backupkit.ops.places import Places, shown_path
from backupkit.ops.repository import open_repository
from backupkit.ops.snapshots import KnownSnapshot, known_snapshots


class LossLevel(Enum):
    """How much of what is there now is in a verified snapshot."""

    COVERED = "covered"
    COVERED_WITH_GAP = "covered-with-gap"
    UNKNOWN = "unknown"
    NOT_COVERED = "not-covered"


@dataclass(frozen=True, slots=True)
class LossPreview:
    """`messages` are there now, `uncovered` of them are not in the snapshot; None where that is not known."""

    level: LossLevel
    package: str | None
    messages: int | None
    conversations: int | None
    media: int | None
    uncovered: int | None
    newest: str | None
    covered_until: str | None
    snapshot: SnapshotId | None
    verified_at: datetime | None


def preview_loss(places: Places, package: str | None, source: Path) -> LossPreview:
    """Compare what a source holds now with the newest verified snapshot of it.

    Raises:
        NoRepository: there is none.
    """
    found = _newest_verified(places, package, source)
    now = summarise(source)
    snapshot, facts = found or (None, None)
    if now is None or now.messages is None:
        level = LossLevel.NOT_COVERED if found is None else LossLevel.UNKNOWN
        return _preview(level, package, None, None, None, None, None, snapshot, facts)
    newest = to_rfc3339(now.newest) if now.newest else None
    if facts is None:
        level, uncovered = LossLevel.NOT_COVERED, now.messages
    elif facts.messages is None:
        level, uncovered = LossLevel.UNKNOWN, None
    elif facts.high_water == now.high_water:
        level, uncovered = LossLevel.COVERED, 0
    elif now.messages > facts.messages:
        level, uncovered = LossLevel.COVERED_WITH_GAP, now.messages - facts.messages
    else:
        # As many or fewer, and yet not the same: something was deleted or exchanged, and counts do not tell what.
        level, uncovered = LossLevel.UNKNOWN, None
    return _preview(level, package, now.messages, now.conversations, now.media, uncovered, newest, snapshot, facts)


def _preview(
    level: LossLevel,
    package: str | None,
    messages: int | None,
    conversations: int | None,
    media: int | None,
    uncovered: int | None,
    newest: str | None,
    snapshot: KnownSnapshot | None,
    facts: SourceFacts | None,
) -> LossPreview:
    return LossPreview(
        level=level,
        package=package or (facts.package if facts else None),
        messages=messages,
        conversations=conversations,
        media=media,
        uncovered=uncovered,
        newest=newest,
        covered_until=facts.newest if facts else None,
        snapshot=snapshot.id if snapshot else None,
        verified_at=snapshot.verified_at if snapshot else None,
    )


def _newest_verified(places: Places, package: str | None, source: Path) -> tuple[KnownSnapshot, SourceFacts] | None:
    place = shown_path(source.resolve())
    for known in reversed(known_snapshots(open_repository(places))):
        if known.state not in {"verified", "drilled"} or known.facts is None:
            continue
        for facts in known.facts.sources:
            if facts.path == place or (package is not None and facts.package == package):
                return known, facts
    return None
