"""What would be gone if the app were wiped now, against the newest verified snapshot. Needs no passphrase.

This machine keeps a ledger of what each snapshot holds. Where it is lost, or the source is not a chat that can be
read, the answer is `unknown`, never a guess.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backupkit.chats.backups.opened_backups import require_right_keys
from backupkit.chats.losing import loss
from backupkit.chats.losing.ledger import Ledger, name_digest
from backupkit.chats.losing.loss import CoverageLevel, SealedLoss
from backupkit.chats.malformed import MalformedExport
from backupkit.chats.owner_keys import NO_KEYS, OwnerKeys
from backupkit.chats.sources.source import SourceFiles, open_source
from backupkit.clock import to_rfc3339
from backupkit.ids import SnapshotId
from backupkit.ops.chats.message_ledgers import MessageLedgers
from backupkit.ops.memory.journal import SourceFacts
from backupkit.ops.places import Places, shown_path
from backupkit.ops.repository.repository import open_repository
from backupkit.ops.repository.snapshots import KnownSnapshot, known_snapshots

LossLevel = CoverageLevel
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DayLoss:
    """What one day would lose. `day` is in the export's own clock, None for messages without a time."""

    day: str | None
    uncovered: int


@dataclass(frozen=True, slots=True)
class ConversationLoss:
    """What one conversation would lose."""

    app: str
    conversation: str
    title: str | None
    level: LossLevel
    messages: int
    uncovered: int
    changed: int
    newest_uncovered: str | None
    days: tuple[DayLoss, ...]


@dataclass(frozen=True, slots=True)
class LossPreview:
    """`messages` are there now, `uncovered` of them are not in the snapshot, `changed` are there in older words; None where not known.

    `by_conversation` are the conversations that would lose something; `read` is how many messages had to be read to know.
    """

    level: LossLevel
    package: str | None
    messages: int | None
    conversations: int | None
    media: int | None
    uncovered: int | None
    changed: int | None
    newest_uncovered: str | None
    covered_until: str | None
    snapshot: SnapshotId | None
    verified_at: datetime | None
    sealed: SealedLoss
    read: int
    by_conversation: tuple[ConversationLoss, ...]


def preview_loss(places: Places, package: str | None, source: Path, keys: OwnerKeys = NO_KEYS) -> LossPreview:
    """Compare what a source holds now with the newest verified snapshot of it.

    Raises:
        NoRepository: there is none.
        ChatKeyWrong: a sealed backup in it is opened by none of the `keys` of its kind.
    """
    repository = open_repository(places)
    known = known_snapshots(repository)
    found = _newest_verified(known, package, source)
    snapshot, facts = found or (None, None)
    ledger, key, cut = None, bytes(32), None
    if repository.writer is not None and repository.original is None:
        ledgers = MessageLedgers(repository)
        ledger, key, cut = ledgers.read(facts.tree if facts else None), ledgers.key, ledgers.cut
    try:
        with open_source(source, keys=keys) as opened:
            require_right_keys(opened.findings)
            if ledger is not None and _was_saved_sealed(opened, ledger, key):
                ledger = None
            preview = loss.preview_loss(opened, ledger, key, cut or iter)
    except MalformedExport:
        preview = None
    if preview is None:
        preview = loss.LossPreview(LossLevel.UNKNOWN, None, None, None, None)
    level, uncovered = preview.level, preview.uncovered
    if facts is None:
        # Nothing of it was ever verified: all that is there would be gone, however much that is.
        level, uncovered = LossLevel.NOT_COVERED, preview.messages
    return LossPreview(
        level=level,
        package=package or (facts.package if facts else None),
        messages=preview.messages,
        conversations=preview.conversation_count,
        media=facts.media if facts else None,
        uncovered=uncovered,
        changed=preview.changed,
        newest_uncovered=_time(preview.newest_uncovered_us),
        covered_until=facts.newest if facts else None,
        snapshot=snapshot.id if snapshot else None,
        verified_at=snapshot.verified_at if snapshot else None,
        sealed=preview.sealed,
        read=preview.read,
        by_conversation=tuple(_conversation(one) for one in preview.conversations),
    )


def _was_saved_sealed(source: SourceFiles, ledger: Ledger, key: bytes) -> bool:
    """Say whether the snapshot has sealed what a key opens now: it holds messages that its ledger does not know."""
    sealed = {file.name for file in ledger.files if file.sealed}
    opened = {name for name in map(source.sealed_name, source.names()) if name is not None}
    return any(name_digest(name, key) in sealed for name in opened)


def _conversation(one: loss.ConversationLoss) -> ConversationLoss:
    days = sorted(one.uncovered_by_day.items(), key=lambda day: (day[0] is None, day[0] or 0))
    return ConversationLoss(
        one.app, one.conversation, one.title, one.level, one.messages, one.uncovered, one.changed,
        _time(one.newest_uncovered_us), tuple(DayLoss(_day(day), count) for day, count in days),
    )  # fmt: skip


def _day(day: int | None) -> str | None:
    try:
        return None if day is None else f"{_EPOCH + timedelta(days=day):%Y-%m-%d}"
    except OverflowError:
        return None


def _time(moment_us: int | None) -> str | None:
    try:
        return None if moment_us is None else to_rfc3339(_EPOCH + timedelta(microseconds=moment_us))
    except OverflowError:
        return None


def _newest_verified(
    known: list[KnownSnapshot], package: str | None, source: Path
) -> tuple[KnownSnapshot, SourceFacts] | None:
    place = shown_path(source.resolve())
    by_package = None
    for one in reversed(known):
        if one.state not in {"verified", "drilled"} or one.facts is None:
            continue
        for facts in one.facts.sources:
            if facts.path == place:
                return one, facts
            if by_package is None and package is not None and facts.package == package:
                by_package = one, facts
    return by_package
