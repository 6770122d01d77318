"""The ways into a repository: listing, trying, adding and removing them."""

from dataclasses import dataclass
from datetime import datetime

from backupkit.clock import Clock
from backupkit.crypto.failures import CannotUnlock
from backupkit.crypto.keyring import Keyring
from backupkit.crypto.recovery import RecoveryCode
from backupkit.crypto.slots import (
    RECOVERY_CODE,
    Slot,
    make_passphrase_slot,
    make_recovery_slot,
    open_with_passphrase,
    open_with_recovery_code,
)
from backupkit.crypto.writer import WriterKeys, WriterState
from backupkit.errors import BackupkitError
from backupkit.ops.events import Notice, Tell, tell_nobody
from backupkit.ops.failures import LastSlot, SlotNotFound
from backupkit.ops.keys.confirm_recovery import confirmation
from backupkit.ops.keys.recovery_sheet import SheetFacts
from backupkit.ops.places import Places
from backupkit.ops.repository.guard_files import write_pins
from backupkit.ops.repository.repository import Repository, open_repository
from backupkit.ops.repository.statements import record_keys
from backupkit.ops.unlock import AskSecret, Secret
from backupkit.store import layout
from backupkit.store.backend import SwapLost
from backupkit.store.objects.config import WriterEntry, decode_config


@dataclass(frozen=True, slots=True)
class KeyLine:
    """A key slot. `confirmed` is None for slots that need no typing back."""

    id: str
    kind: str
    label: str
    created: datetime
    confirmed: bool | None


def list_keys(places: Places) -> list[KeyLine]:
    """Return the key slots."""
    repository = open_repository(places)
    return [_line(repository, slot) for slot in repository.slots()]


def test_key(places: Places, secret: AskSecret) -> KeyLine:
    """Try a passphrase or a recovery code and say which slot it opens.

    Raises:
        CannotUnlock: none.
    """
    repository = open_repository(places)
    given = secret()
    _open(repository, given)
    for slot in repository.slots():
        try:
            _open_one_of([slot], given)
        except BackupkitError:
            continue
        return _line(repository, slot)
    raise CannotUnlock(kind="passphrase")


def add_passphrase(places: Places, secret: AskSecret, passphrase: str, *, label: str, clock: Clock) -> KeyLine:
    """Add a passphrase, opened by one of the ways in that are there.

    Raises:
        CannotUnlock: the secret opens nothing.
    """
    repository = open_repository(places)
    key = _open(repository, secret())
    slot = make_passphrase_slot(key, passphrase, label=label, created=clock.now())
    repository.objects.create(layout.slot(slot.id), slot.encode())
    return _line(repository, slot)


def sheet_again(places: Places, secret: AskSecret, *, clock: Clock, tell: Tell = tell_nobody) -> SheetFacts:
    """Make a new recovery code and its sheet; the old codes are removed, so that an old sheet opens nothing new.

    A slot that the disk does not give may be an old code's. It stays, and is told.

    Raises:
        CannotUnlock: the secret opens nothing.
    """
    repository = open_repository(places)
    slots, unread = repository.slots_and_unread()
    old = [slot for slot in slots if slot.kind == RECOVERY_CODE]
    at = clock.now()
    slot, code = make_recovery_slot(_open(repository, secret()), created=at)
    # The new one first: a crash in between leaves two sheets that work, never none.
    repository.objects.create(layout.slot(slot.id), slot.encode())
    for one in old:
        repository.objects.delete(layout.slot(one.id))
    for name in unread:
        tell(Notice("slot-unread", {"slot": name.removeprefix(layout.SLOTS)}))
    return SheetFacts(repository.origin, tuple(code.words("en")), tuple(code.words("zh-CN")), code.fingerprint, at)


def remove_slot(places: Places, secret: AskSecret, slot_id: str) -> KeyLine:
    """Remove a slot, for somebody who can open the repository. What it opened stays openable by the others.

    Raises:
        SlotNotFound: there is none of this id.
        ObjectUnreadable, BackendDenied: the disk does not give it, or not the one that the secret opens.
        LastSlot: fewer than two would be left, or no recovery code.
    """
    repository = open_repository(places)
    slots, unread = repository.slots_and_unread()
    wanted = next((slot for slot in slots if slot.id == slot_id), None)
    if wanted is None:
        if (failure := unread.get(f"{layout.SLOTS}{slot_id}")) is not None:
            raise failure
        raise SlotNotFound(slot=slot_id[:64])
    left = [slot for slot in slots if slot.id != slot_id]
    if len(left) < 2 or not any(slot.kind == RECOVERY_CODE for slot in left):
        raise LastSlot(slot=slot_id)
    # Not before the others were seen to work: who cannot open a slot could not undo this.
    _open(repository, secret(), without=wanted)
    line = _line(repository, wanted)
    repository.objects.delete(layout.slot(slot_id))
    return line


def enrol_writer(places: Places, secret: AskSecret, *, label: str, clock: Clock, tell: Tell = tell_nobody) -> str:
    """Make this machine a writer of a repository that is there already; return the writer's id.

    Its domains are opened once, for the keys that writing needs; the keys that read are not kept. Its guard counts the backups
    from here, unless it counts another repository's already.

    Raises:
        CannotUnlock: the secret opens nothing.
    """
    repository = open_repository(places)
    if repository.writer is not None:
        return repository.writer.writer.id
    keyring = repository.unlock(secret)
    writer = WriterKeys.generate()
    config = _admitted(
        repository, WriterEntry(writer.id, writer.log.verify_key, writer.attest.verify_key, label), keyring
    )
    state = WriterState(
        repository.id, repository.origin, writer, keyring.public.owner_key, keyring.public.root_recipient
    )
    for domain in repository.domains():
        state = state.with_domain(domain, repository.open_domain(domain, keyring).writer_keys())
    repository.with_writer(state)
    enrolled = open_repository(places)
    record_keys(enrolled, "writer-enrolled", config, clock.now())
    if not write_pins(enrolled):
        tell(Notice("guard-counts-another"))
    return writer.id


def _admitted(repository: Repository, entry: WriterEntry, keyring: Keyring) -> bytes:
    """Write a config that admits a writer, on top of what others wrote by now: two machines may enrol at once."""
    while True:
        current, config = repository.objects.read_newest(
            layout.CONFIG, lambda data: decode_config(data, keyring.public.owner_key), lambda found: found.revision
        )
        new = config.with_writer(entry).encode(keyring.owner)
        try:
            repository.objects.replace(layout.CONFIG, current, new)
        except SwapLost:
            continue
        return new


def _open(repository: Repository, secret: Secret, *, without: Slot | None = None) -> bytes:
    slots, unread = repository.slots_and_unread()
    try:
        return _open_one_of([slot for slot in slots if slot != without], secret)
    except CannotUnlock as error:
        for failure in unread.values():
            # The secret may be right, and its slot be the one that cannot be read.
            raise failure from error
        raise


def _open_one_of(slots: list[Slot], secret: Secret) -> bytes:
    if secret.recovery_words is not None:
        return open_with_recovery_code(slots, RecoveryCode.from_words(secret.recovery_words))
    return open_with_passphrase(slots, secret.passphrase or "")


def _line(repository: Repository, slot: Slot) -> KeyLine:
    confirmed = confirmation(repository) is not None if slot.kind == RECOVERY_CODE else None
    return KeyLine(slot.id, slot.kind, slot.label, slot.created, confirmed)
