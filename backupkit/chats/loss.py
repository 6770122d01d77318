"""What would be lost if the messages on a device were gone now.

The machine that takes backups cannot read them. It keeps keyed digests of the message identities that the newest verified
snapshot holds; a live message whose digest is not among them would be lost. Where those digests are lost too, the
answer is `unknown`, never a guess.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Self

from backupkit.chats.identity import MessageIdentity

_ID_BYTES = 12
_CONTENT_BYTES = 4
_ROW_BYTES = _ID_BYTES + _CONTENT_BYTES
MAX_ROWS = 50_000_000


class CoverageLevel(Enum):
    """How far a verified backup covers what is on the device."""

    COVERED = "covered"
    COVERED_WITH_GAP = "covered-with-gap"
    UNKNOWN = "unknown"
    NOT_COVERED = "not-covered"


@dataclass(frozen=True, slots=True)
class CoveredDigests:
    """The keyed digests of what a snapshot holds: for each message its identity and its version, nothing readable."""

    rows: Mapping[bytes, bytes]

    def encode(self) -> bytes:
        """Write the rows sorted, so that the bytes tell nothing about the order of messages."""
        return b"".join(identity + self.rows[identity] for identity in sorted(self.rows))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read what `encode` wrote.

        Raises:
            ValueError: the bytes are anything else; what they covered is then unknown.
        """
        if len(data) % _ROW_BYTES or len(data) // _ROW_BYTES > MAX_ROWS:
            raise ValueError("not whole rows")
        starts = range(0, len(data), _ROW_BYTES)
        return cls({data[at : at + _ID_BYTES]: data[at + _ID_BYTES : at + _ROW_BYTES] for at in starts})


def cover(identities: Iterable[MessageIdentity], key: bytes) -> CoveredDigests:
    """Digest what a snapshot holds under the writer's key of 32 bytes."""
    return CoveredDigests(dict(_keyed(identity, key) for identity in identities))


@dataclass(frozen=True, slots=True)
class ConversationLoss:
    """What one conversation would lose. `uncovered_by_day` counts by days since 1970; None is "no time"."""

    conversation: str
    level: CoverageLevel
    messages: int
    uncovered: int
    changed: int
    uncovered_by_day: Mapping[int | None, int]
    newest_uncovered_us: int | None


@dataclass(frozen=True, slots=True)
class LossPreview:
    """What all conversations together would lose. `changed` counts edits that the snapshot does not hold yet."""

    level: CoverageLevel
    messages: int
    uncovered: int | None
    changed: int | None
    conversations: tuple[ConversationLoss, ...]
    newest_uncovered_us: int | None


def preview_loss(live: Iterable[MessageIdentity], covered: CoveredDigests | None, key: bytes) -> LossPreview:
    """Compare what is on the device with what a verified snapshot holds. `covered` is None where that is not known."""
    tallies: dict[str, _Tally] = {}
    for identity in live:
        tally = tallies.setdefault(identity.conversation, _Tally())
        tally.messages += 1
        if covered is None:
            continue
        row, version = _keyed(identity, key)
        known = covered.rows.get(row)
        if known is None:
            tally.uncovered += 1
            tally.by_day[identity.day] += 1
            if identity.ts_us is not None and (tally.newest_us is None or identity.ts_us > tally.newest_us):
                tally.newest_us = identity.ts_us
        elif known != version:
            tally.changed += 1
    lost = [tally.loss(name, is_known=covered is not None) for name, tally in tallies.items()]
    messages = sum(loss.messages for loss in lost)
    if covered is None:
        return LossPreview(CoverageLevel.UNKNOWN, messages, None, None, tuple(lost), None)
    uncovered = sum(loss.uncovered for loss in lost)
    newest = max((loss.newest_uncovered_us for loss in lost if loss.newest_uncovered_us is not None), default=None)
    changed = sum(loss.changed for loss in lost)
    return LossPreview(_level(messages, uncovered), messages, uncovered, changed, tuple(lost), newest)


@dataclass(slots=True)
class _Tally:
    messages: int = 0
    uncovered: int = 0
    changed: int = 0
    by_day: Counter[int | None] = field(default_factory=Counter)
    newest_us: int | None = None

    def loss(self, conversation: str, *, is_known: bool) -> ConversationLoss:
        level = _level(self.messages, self.uncovered) if is_known else CoverageLevel.UNKNOWN
        return ConversationLoss(
            conversation, level, self.messages, self.uncovered, self.changed, dict(self.by_day), self.newest_us
        )


def _level(messages: int, uncovered: int) -> CoverageLevel:
    if uncovered == 0:
        return CoverageLevel.COVERED
    return CoverageLevel.NOT_COVERED if uncovered == messages else CoverageLevel.COVERED_WITH_GAP


def _keyed(identity: MessageIdentity, key: bytes) -> tuple[bytes, bytes]:
    row = hashlib.blake2b(identity.digest, digest_size=_ID_BYTES, key=key, person=b"bk-chat-id").digest()
    version = hashlib.blake2b(
        identity.digest + identity.content, digest_size=_CONTENT_BYTES, key=key, person=b"bk-chat-version"
    ).digest()
    return row, version
