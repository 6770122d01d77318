"""What tells a sound copy of a small object from a damaged one, by the object's name alone.

What is signed is sound by its signature, a list by its digest, a key file by its checksum; what nobody knows is taken as it is.
"""

import hashlib
from collections.abc import Callable
from functools import partial

from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.domains import read_domain
from backupkit.crypto.failures import SignatureInvalid
from backupkit.crypto.keyring import read_public
from backupkit.crypto.slots import decode_slot
from backupkit.errors import BackupkitError
from backupkit.ids import SnapshotId
from backupkit.ops.repository.repository import Repository
from backupkit.proof.dsse import open_envelope
from backupkit.proof.sshsig import SNAPSHOT_NAMESPACE, verify_ssh
from backupkit.proof.statement import PAYLOAD_TYPE
from backupkit.store import layout
from backupkit.store.backend import BadName
from backupkit.store.objects.config import decode_config
from backupkit.store.objects.pack_list import MAX_PACK_LIST, decode_listed

SSHSIG = ".sshsig"


def passes(data: bytes, check: Callable[[bytes], object]) -> bool:
    """Tell whether a check accepts a copy."""
    try:
        check(data)
    except BackupkitError:
        return False
    return True


def sound_bytes(repository: Repository, name: str) -> bytes:
    """Return the sound bytes of a small object: what most of its sound copies are; of the config, the newest.

    Raises:
        BackupkitError: no copy of it is sound.
    """
    objects = repository.objects.up_to(MAX_PACK_LIST)
    check = check_of(repository, name)
    if name == layout.CONFIG:
        owner = repository.public.owner_key
        return objects.read_newest(name, lambda data: decode_config(data, owner).revision, lambda one: one)[0]
    if name == layout.KEYRING or name.startswith((layout.SLOTS, layout.DOMAINS)):
        sound = [data for data in objects.versions(name) if passes(data, check)]
        if sound:
            return max(sound, key=sound.count)
    return objects.read(name, lambda data: (check(data), data)[1])


def check_of(repository: Repository, name: str) -> Callable[[bytes], object]:
    """Return what raises a `BackupkitError` for a damaged copy of the object of this name."""
    if name == layout.KEYRING:
        return read_public
    if name.startswith(layout.SLOTS):
        return decode_slot
    if name.startswith(layout.DOMAINS):
        return read_domain
    try:
        digest = layout.require_digest(name.rpartition("/")[2].removesuffix(SSHSIG))
    except BadName:
        return bytes
    if name.startswith(layout.PACK_LISTS):
        return partial(decode_listed, digest)
    if name == layout.snapshot_signature(SnapshotId(digest)):
        payload = repository.objects.read(
            layout.snapshot(SnapshotId(digest)), partial(require_signed, repository, digest)
        )
        return partial(require_ssh_signed, repository, payload)
    return partial(require_signed, repository, digest)


def require_signed(repository: Repository, digest: str, data: bytes) -> bytes:
    """Return what a statement says, if a writer of this repository signed it and it is called by its digest."""
    keys = [writer.attest_key for writer in repository.config.writers]
    payload = open_envelope(data, keys, PAYLOAD_TYPE)
    if hashlib.sha256(payload).hexdigest() != digest:
        raise MalformedObject(what="statement", reason="wrong-digest")
    return payload


def require_ssh_signed(repository: Repository, payload: bytes, data: bytes) -> None:
    """Refuse what is no SSH signature of a writer of this repository over a statement."""
    failure: BackupkitError = SignatureInvalid(what="sshsig")
    for writer in repository.config.writers:
        try:
            return verify_ssh(payload, data, writer.attest_key, SNAPSHOT_NAMESPACE)
        except BackupkitError as error:
            failure = error
    raise failure
