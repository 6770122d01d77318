"""How much of an app no verified backup held at some moment: a note that `backupkit` leaves for the guard.

Nobody signs it and nothing turns on it: a verdict only takes numbers from it, and says of when they are. What is
malformed, of another app or backup, too old or from the future is passed over, and the verdict says so.
"""

from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple

from backupkit.clock import from_rfc3339, to_rfc3339
from backupkit.codec.canonical import decode_json, encode_canonical
from backupkit.codec.malformed import MalformedObject
from backupkit.errors import BackupkitError
from backupkit.guard.verdict import Loss
from backupkit.ids import AppPackage, SnapshotId
from backupkit.proof.fields import Fields

MAX_HINT_BYTES = 4096
_MOST = 1 << 50
_WHAT = "loss-hint"


class HintFinding(Enum):
    """Why a note was passed over."""

    MALFORMED = "loss-hint-malformed"
    OF_ANOTHER_APP = "loss-hint-of-another-app"
    OF_ANOTHER_BACKUP = "loss-hint-of-another-backup"
    OLD = "loss-hint-old"
    FROM_THE_FUTURE = "loss-hint-from-the-future"


class LossHint(NamedTuple):
    """At `as_of` the app had `messages`, of which `not_in_backup` were not in `snapshot`, the newest verified one."""

    package: AppPackage
    as_of: datetime
    not_in_backup: int
    messages: int
    conversations: int | None = None
    newest: datetime | None = None
    snapshot: SnapshotId | None = None

    def encode(self) -> bytes:
        """One line of canonical JSON."""
        return encode_canonical({
            "type": _WHAT,
            "v": 1,
            "package": self.package,
            "as_of": to_rfc3339(self.as_of),
            "not_in_backup": self.not_in_backup,
            "messages": self.messages,
            "conversations": self.conversations,
            "newest": None if self.newest is None else to_rfc3339(self.newest),
            "snapshot": self.snapshot,
        })  # fmt: skip

    def doubt(
        self, package: AppPackage, snapshot: SnapshotId | None, now: datetime, max_age: timedelta
    ) -> HintFinding | None:
        """Why it must not be used; `snapshot` is that of the accepted pass, if there is one."""
        if self.package != package:
            return HintFinding.OF_ANOTHER_APP
        if self.as_of > now:
            return HintFinding.FROM_THE_FUTURE
        if now - self.as_of > max_age:
            return HintFinding.OLD
        if snapshot is not None and self.snapshot != snapshot:
            return HintFinding.OF_ANOTHER_BACKUP
        return None

    def fill(self, said: Loss) -> Loss:
        """Add its numbers to a loss. What the question and the pass say stays."""
        return said._replace(
            not_in_backup=self.not_in_backup,
            as_of=self.as_of,
            messages=self.messages if said.messages is None else said.messages,
            conversations=self.conversations if said.conversations is None else said.conversations,
        )


def decode_hint(data: bytes) -> LossHint:
    """Read a note.

    Raises:
        MalformedObject: it is anything else.
    """
    try:
        fields = Fields(decode_json(data, what=_WHAT, max_bytes=MAX_HINT_BYTES), what=_WHAT)
        snapshot, newest = fields.optional_text("snapshot"), fields.optional_text("newest")
        hint = LossHint(
            package=AppPackage(fields.text("package")),
            as_of=from_rfc3339(fields.text("as_of")),
            not_in_backup=fields.count("not_in_backup"),
            messages=fields.count("messages"),
            conversations=fields.optional_count("conversations"),
            newest=None if newest is None else from_rfc3339(newest),
            snapshot=None if snapshot is None else SnapshotId(fields.hex("snapshot", size=32)),
        )
        is_hint = fields.text("type") == _WHAT and fields.count("v") == 1
    except (BackupkitError, ValueError, TypeError, AttributeError) as error:
        raise MalformedObject(what=_WHAT, reason="unreadable") from error
    if not is_hint or max(hint.messages, hint.not_in_backup, hint.conversations or 0) > _MOST:
        raise MalformedObject(what=_WHAT, reason="out-of-range")
    if hint.not_in_backup > hint.messages:
        raise MalformedObject(what=_WHAT, reason="more-than-all")
    return hint
