"""The owner's signature under one update: what can stand in for a person at a shop's screens, and nothing else can."""

from backupkit.errors import BackupkitError, ExitCode
from backupkit.guard.consent import ConsentBinding, sign_token
from backupkit.guard.desk import load_owner, save_owner
from backupkit.guard.places import GuardPlaces
from backupkit.ops.events import Tell
from backupkit.ops.places import Places
from backupkit.ops.repository.repository import open_repository
from backupkit.ops.unlock import AskSecret


class AnotherOwner(BackupkitError):
    """The guard of this machine counts the tokens of another key than this repository's.

    Facts: `path` (the guard's file that names it).
    """

    code = "another-owner"
    exit_code = ExitCode.NOT_AUTHENTIC


def sign_consent(places: Places, binding: ConsentBinding, *, secret: AskSecret, tell: Tell) -> bytes:
    """Return a consent token for exactly one update, under the owner's key in the keyring.

    Raises:
        CannotUnlock: the secret opens nothing.
        AnotherOwner: the token would not count here.
    """
    owner = open_repository(places, tell).unlock(secret).owner
    guard = GuardPlaces(places.guard)
    counted = load_owner(guard)
    if counted is None:
        save_owner(guard, owner.verify_key)
    elif counted != owner.verify_key:
        raise AnotherOwner(path=str(guard.owner_key))
    return sign_token(binding, owner)
