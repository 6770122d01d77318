"""The keyring: the owner's signing key and the root identity that opens every domain.

It is sealed under one random secret, which the key slots wrap: adding a slot or changing a passphrase touches no keyring,
and rewriting the keyring touches no slot. The public halves lie in the clear, so that a machine that only writes can
check the owner's signature and add a domain without a passphrase.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from backupkit.codec.canonical import Json, decode_json, encode_canonical
from backupkit.codec.framing import Mark
from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.key_file import MAX_BYTES, Fields, read_key_file, to_text, write_key_file
from backupkit.crypto.recipients import PUBLIC_SIZE, SEED_SIZE, XWingIdentity, XWingRecipient
from backupkit.crypto.sealing import BLOB_OVERHEAD, KEY_SIZE, open_blob, seal_blob
from backupkit.crypto.signing import SigningKey, VerifyKey

_PURPOSE = "keyring"


@dataclass(frozen=True, slots=True)
class KeyringPublic:
    """What the keyring says to everybody. Nothing but a pinned copy tells whether it is the owner's."""

    epoch: int
    owner_key: VerifyKey
    root_recipient: XWingRecipient


@dataclass(frozen=True, slots=True)
class Keyring:
    """The owner's secrets, opened.

    `epoch` counts the keyring's rotations, from 0. The two `unknown` mappings hold fields of a newer backupkit, clear and
    sealed, which are written again as they were.
    """

    epoch: int
    owner: SigningKey
    root: XWingIdentity
    unknown: Mapping[str, Json] = field(default_factory=dict, hash=False, repr=False)
    unknown_sealed: Mapping[str, Json] = field(default_factory=dict, hash=False, repr=False)

    @classmethod
    def create(cls) -> tuple["Keyring", bytes]:
        """Draw a new keyring and the 32-byte secret to seal it under."""
        return cls(0, SigningKey.generate(), XWingIdentity.generate()), secrets.token_bytes(KEY_SIZE)

    @property
    def public(self) -> KeyringPublic:
        """The public halves."""
        return KeyringPublic(self.epoch, self.owner.verify_key, self.root.recipient)

    def seal(self, secret: bytes) -> bytes:
        """Return the keyring file, sealed under the keyring secret. Every call gives other bytes."""
        clear: dict[str, Json] = {
            **self.unknown,
            "epoch": self.epoch,
            "owner_key": to_text(self.owner.verify_key.public),
            "root_recipient": to_text(self.root.recipient.public),
        }
        inner = encode_canonical(
            {**self.unknown_sealed, "owner_seed": to_text(self.owner.seed), "root_seed": to_text(self.root.seed)}
        )
        sealed = seal_blob(secret, inner, purpose=_PURPOSE, associated=encode_canonical(clear))
        return write_key_file(Mark.KEYRING, {**clear, "sealed": to_text(sealed)})


def read_public(data: bytes | memoryview) -> KeyringPublic:
    """Read the public half of a keyring file, which needs no key and proves nothing.

    Raises:
        MalformedObject: damage, or another kind of object.
        NewerFormat: written by a newer backupkit.
    """
    return _parse(data)[0]


def open_keyring(data: bytes | memoryview, secret: bytes) -> Keyring:
    """Open a keyring file with the secret that a key slot gave.

    Raises:
        MalformedObject: damage, or another kind of object.
        NewerFormat: written by a newer backupkit.
        OpenFailed: another secret, or the clear part was changed.
    """
    public, unknown, sealed = _parse(data)
    clear: dict[str, Json] = {
        **unknown,
        "epoch": public.epoch,
        "owner_key": to_text(public.owner_key.public),
        "root_recipient": to_text(public.root_recipient.public),
    }
    plain = open_blob(secret, sealed, purpose=_PURPOSE, associated=encode_canonical(clear))
    inner = Fields(decode_json(plain, what=_PURPOSE, max_bytes=MAX_BYTES), what=_PURPOSE)
    keyring = Keyring(
        public.epoch,
        SigningKey(inner.data("owner_seed", least=SEED_SIZE)),
        XWingIdentity(inner.data("root_seed", least=SEED_SIZE)),
        unknown,
        inner.unknown,
    )
    if keyring.public != public:
        raise MalformedObject(what=_PURPOSE, reason="halves-do-not-fit")
    return keyring


def _parse(data: bytes | memoryview) -> tuple[KeyringPublic, dict[str, Json], bytes]:
    fields = read_key_file(Mark.KEYRING, data)
    public = KeyringPublic(
        fields.integer("epoch"),
        VerifyKey(fields.data("owner_key", least=32)),
        XWingRecipient(fields.data("root_recipient", least=PUBLIC_SIZE)),
    )
    sealed = fields.data("sealed", least=BLOB_OVERHEAD, most=MAX_BYTES)
    return public, fields.unknown, sealed
