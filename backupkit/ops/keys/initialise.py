"""Making a repository: keys, two ways in, and this machine as its first writer."""

import secrets
from dataclasses import dataclass

from backupkit.clock import Clock, to_rfc3339
from backupkit.crypto.keyring import Keyring
from backupkit.crypto.slots import make_passphrase_slot, make_recovery_slot
from backupkit.crypto.writer import WriterKeys, WriterState
from backupkit.home import make_private
from backupkit.ids import RepositoryId
from backupkit.ops.events import Notice, Tell
from backupkit.ops.failures import ConfigLost, RepositoryExists
from backupkit.ops.keys.recovery_sheet import SheetFacts
from backupkit.ops.places import Places, on_same_disk, write_private
from backupkit.ops.repository.guard_files import write_pins
from backupkit.ops.repository.repository import WRITER_FILE, is_initialised, is_left_over, open_repository
from backupkit.ops.repository.statements import record_keys
from backupkit.store import layout
from backupkit.store.backends.posix_backend import PosixBackend
from backupkit.store.objects.config import REPOSITORY_ID_SIZE, RepositoryConfig, WriterEntry, origin_of
from backupkit.store.objects.small_objects import SmallObjects


@dataclass(frozen=True, slots=True)
class Initialised:
    """A new repository. `sheet` holds the recovery words: print it, then forget it."""

    repository_id: RepositoryId
    origin: str
    fingerprint: str
    sheet: SheetFacts
    same_disk: bool


def initialise(places: Places, *, passphrase: str, clock: Clock, tell: Tell) -> Initialised:
    """Make a repository at `places.repository`.

    The config is written last: without it there is no repository, so a run that dies before leaves nothing but files
    that the next try replaces.

    Raises:
        RepositoryExists: there is one already.
        ConfigLost: there are packs or keys of one, which making it anew would throw away.
        PassphraseUnusable: no key slot can be made of the passphrase.
    """
    if is_initialised(places):
        raise RepositoryExists(path=str(places.repository))
    if is_left_over(places):
        raise ConfigLost(path=str(places.repository))
    at = clock.now()
    keyring, secret = Keyring.create()
    passphrase_slot = make_passphrase_slot(secret, passphrase, created=at)
    recovery_slot, code = make_recovery_slot(secret, created=at)
    repository_id = RepositoryId(secrets.token_bytes(REPOSITORY_ID_SIZE))
    origin, writer = origin_of(repository_id), WriterKeys.generate()
    state = WriterState(repository_id, origin, writer, keyring.public.owner_key, keyring.public.root_recipient)
    entry = WriterEntry(writer.id, writer.log.verify_key, writer.attest.verify_key, "first")
    config = RepositoryConfig(repository_id, to_rfc3339(at), writers=(entry,)).encode(keyring.owner)

    make_private(places.repository)
    objects = SmallObjects(PosixBackend(places.repository))
    for leftover in (layout.KEYRING, *objects.names(layout.SLOTS)):
        objects.delete(leftover)
    write_private(places.state_of(repository_id) / WRITER_FILE, state.encode())
    objects.create(layout.KEYRING, keyring.seal(secret))
    for slot in (passphrase_slot, recovery_slot):
        objects.create(layout.slot(slot.id), slot.encode())
    objects.create(layout.CONFIG, config)

    repository = open_repository(places, tell)
    record_keys(repository, "created", config, at)
    if not write_pins(repository):
        tell(Notice("guard-counts-another"))
    same_disk = on_same_disk(places.repository, places.state)
    if same_disk:
        tell(Notice("same-disk", {"path": str(places.repository)}))
    words = {language: tuple(code.words(language)) for language in ("en", "zh-CN")}
    sheet = SheetFacts(origin, words["en"], words["zh-CN"], code.fingerprint, at)
    return Initialised(repository_id, origin, code.fingerprint, sheet, same_disk)
