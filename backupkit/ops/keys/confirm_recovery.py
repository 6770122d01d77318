"""Whether the recovery code was typed back: until then a backup may be one that nobody can open."""

import json
from dataclasses import dataclass
from datetime import datetime

from backupkit.clock import Clock, from_rfc3339, to_rfc3339
from backupkit.crypto.failures import CannotUnlock
from backupkit.crypto.recovery import RecoveryCode
from backupkit.crypto.slots import open_with_recovery_code
from backupkit.ops.failures import WrongRecoveryWords
from backupkit.ops.places import Places, write_private
from backupkit.ops.repository.repository import Repository, open_repository

_FILE = "recovery-confirmed.json"


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The code with this fingerprint was typed back at this time."""

    fingerprint: str
    at: datetime


def confirm_recovery(places: Places, words: str, clock: Clock) -> Confirmed:
    """Check the words that were typed back and remember that they were right.

    Raises:
        RecoveryCodeMistyped: they are no recovery code; the error names the first wrong word.
        WrongRecoveryWords: they are another repository's.
        ObjectUnreadable, BackendDenied: the disk does not give a slot, which may be theirs.
    """
    repository = open_repository(places)
    code = RecoveryCode.from_words(words)
    slots, unread = repository.slots_and_unread()
    try:
        open_with_recovery_code(slots, code)
    except CannotUnlock as error:
        for failure in unread.values():
            raise failure from error
        raise WrongRecoveryWords from error
    confirmed = Confirmed(code.fingerprint, clock.now())
    record = {"fingerprint": confirmed.fingerprint, "at": to_rfc3339(confirmed.at)}
    write_private(repository.memory / _FILE, json.dumps(record).encode())
    return confirmed


def confirmation(repository: Repository) -> Confirmed | None:
    """Return when the present recovery code was typed back on this machine; None if it never was.

    A code that was replaced since counts no more.
    """
    try:
        record = json.loads((repository.memory / _FILE).read_bytes())
        confirmed = Confirmed(str(record["fingerprint"]), from_rfc3339(record["at"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    present = {slot.recovery_fingerprint for slot in repository.slots()}
    return confirmed if confirmed.fingerprint in present else None
