"""Key slots: independent ways to the one secret that the keyring is sealed under.

Each slot turns what somebody knows or holds into a key of its own: a passphrase through Argon2id, the recovery code
through HKDF, an identity through X-Wing. The slot's commitment to that key is compared before anything is unwrapped, so
a wrong passphrase is told from a damaged slot. The cost that a slot asks for is bounded before any of it is spent.
"""

import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from backupkit.clock import to_rfc3339
from backupkit.codec.canonical import Json, encode_canonical
from backupkit.codec.framing import Mark
from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.derive import derive
from backupkit.crypto.failures import CannotUnlock, OpenFailed
from backupkit.crypto.key_file import Fields, read_key_file, to_text, what_of, write_key_file
from backupkit.crypto.recipients import PUBLIC_SIZE, WRAP_OVERHEAD, XWingIdentity, XWingRecipient
from backupkit.crypto.recovery import RecoveryCode
from backupkit.crypto.sealing import BLOB_OVERHEAD, COMMITMENT_SIZE, KEY_SIZE, open_blob, seal_blob
from backupkit.errors import BackupkitError, ExitCode
from backupkit.text import printable

PASSPHRASE = "passphrase"  # noqa: S105 - the name of a kind of slot
RECOVERY_CODE = "recovery-code"
RECIPIENT = "recipient"

SALT_SIZE = 32
MAX_PASSPHRASE = 4096
"""Bytes of a normalised passphrase. Longer ones are files given by mistake."""
MAX_TRIED = 16
"""Slots of one kind that are tried, so that planted ones cannot keep the owner waiting for ever."""

FLOOR_KIB = 19 * 1024
CEILING_KIB = 1024 * 1024
MAX_PASSES = 16
MAX_LANES = 16

_WHAT = what_of(Mark.SLOT)
_WRAPPED_SIZE = KEY_SIZE + BLOB_OVERHEAD


class KdfRefused(BackupkitError):
    """A passphrase slot asks for work outside the safe bounds: made to be guessed, or to exhaust this machine.

    Facts: `slot`, `reason` (memory-too-small, memory-too-large, passes, lanes, not-enough-memory).
    """

    code: ClassVar[str] = "kdf-refused"
    exit_code = ExitCode.DAMAGED


class PassphraseUnusable(BackupkitError):
    """No key slot can be made of this passphrase. Facts: `reason` (empty, too-long)."""

    code: ClassVar[str] = "passphrase-unusable"
    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True)
class Argon2Profile:
    """How much work Argon2id (RFC 9106) does: passes over `memory_kib` KiB in `lanes` lanes."""

    passes: int
    memory_kib: int
    lanes: int

    def refusal(self, *, allow_weak: bool = False) -> str | None:
        """Say why this must not be run, or None. The floor is OWASP's least memory for Argon2id, 19 MiB."""
        if self.memory_kib > CEILING_KIB:
            return "memory-too-large"
        if self.memory_kib < (8 * self.lanes if allow_weak else FLOOR_KIB):
            return "memory-too-small"
        if not 1 <= self.passes <= MAX_PASSES:
            return "passes"
        return None if 1 <= self.lanes <= MAX_LANES else "lanes"

    def run(self, passphrase: bytes, salt: bytes) -> bytes:
        """Return the 32-byte key."""
        kdf = Argon2id(
            salt=salt, length=KEY_SIZE, iterations=self.passes, lanes=self.lanes, memory_cost=self.memory_kib
        )
        return kdf.derive(passphrase)


RFC_9106_LOW_MEMORY = Argon2Profile(passes=3, memory_kib=64 * 1024, lanes=4)
"""The second recommended option of RFC 9106 section 4: under a second on an ordinary computer."""

CHEAPEST = Argon2Profile(passes=1, memory_kib=64, lanes=1)
"""For tests only: below the floor, so its slots open only with `allow_weak=True`."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One way in. Nothing in it is secret without what opens it.

    `id` is 8 hex digits, `params` what the kind needs to get from the secret to the slot's key, `commitment` 32 bytes that
    only this key gives, `wrapped` the keyring secret sealed under it. A slot of a kind unknown here is kept, not opened.
    """

    id: str
    kind: str
    label: str
    created: datetime
    params: Mapping[str, Json] = field(hash=False)
    commitment: bytes = field(repr=False)
    wrapped: bytes = field(repr=False)
    unknown: Mapping[str, Json] = field(default_factory=dict, hash=False, repr=False)

    @property
    def clear(self) -> dict[str, Json]:
        """The fields that the seal is bound to."""
        return {
            **self.unknown,
            "id": self.id,
            "kind": self.kind,
            "label": self.label,
            "created": to_rfc3339(self.created),
            "params": dict(self.params),
        }

    def encode(self) -> bytes:
        """Return the slot file."""
        sealed: dict[str, Json] = {"commitment": to_text(self.commitment), "wrapped": to_text(self.wrapped)}
        return write_key_file(Mark.SLOT, {**self.clear, **sealed})

    @property
    def recovery_fingerprint(self) -> str | None:
        """The fingerprint printed on the sheet that this slot opens with, None for other kinds."""
        return self._params.text("fingerprint") if self.kind == RECOVERY_CODE else None

    @property
    def argon2(self) -> Argon2Profile:
        """What a passphrase slot asks for. Not yet judged: see `Argon2Profile.refusal`."""
        params = self._params
        return Argon2Profile(params.integer("passes"), params.integer("memory_kib"), params.integer("lanes"))

    @property
    def salt(self) -> bytes:
        """The salt of a passphrase or recovery slot."""
        return self._params.data("salt", least=SALT_SIZE)

    @property
    def recipient(self) -> XWingRecipient:
        """Whom a recipient slot is for."""
        return XWingRecipient(self._params.data("recipient", least=PUBLIC_SIZE))

    @property
    def sealed_key(self) -> bytes:
        """The slot key of a recipient slot, sealed to its recipient."""
        return self._params.data("sealed_key", least=KEY_SIZE + WRAP_OVERHEAD)

    @property
    def _params(self) -> Fields:
        return Fields(dict(self.params), what=_WHAT)


def decode_slot(data: bytes | memoryview) -> Slot:
    """Read a slot file. Reading it costs nothing, whatever work it asks for.

    Raises:
        MalformedObject: damage, or another kind of object.
        NewerFormat: written by a newer backupkit.
    """
    fields = read_key_file(Mark.SLOT, data)
    slot = Slot(
        fields.digits("id", size=8),
        fields.text("kind"),
        fields.text("label"),
        fields.moment("created"),
        fields.object("params"),
        fields.data("commitment", least=COMMITMENT_SIZE),
        fields.data("wrapped", least=_WRAPPED_SIZE),
        fields.unknown,
    )
    if slot.kind == PASSPHRASE:
        _ = slot.salt, slot.argon2
    elif slot.kind == RECOVERY_CODE:
        _ = slot.salt, slot.recovery_fingerprint
    elif slot.kind == RECIPIENT:
        _ = slot.recipient, slot.sealed_key
    return slot


def make_passphrase_slot(
    secret: bytes,
    passphrase: str,
    profile: Argon2Profile = RFC_9106_LOW_MEMORY,
    label: str = "",
    *,
    created: datetime,
) -> Slot:
    """Wrap the keyring secret for a passphrase.

    Raises:
        PassphraseUnusable: empty, or longer than `MAX_PASSPHRASE` bytes.
    """
    typed = _passphrase_bytes(passphrase)
    salt = secrets.token_bytes(SALT_SIZE)
    params: dict[str, Json] = {
        "salt": to_text(salt),
        "passes": profile.passes,
        "memory_kib": profile.memory_kib,
        "lanes": profile.lanes,
    }
    return _seal_slot(secret, profile.run(typed, salt), PASSPHRASE, params, label=label, created=created)


def make_recovery_slot(secret: bytes, label: str = "", *, created: datetime) -> tuple[Slot, RecoveryCode]:
    """Draw a recovery code and wrap the keyring secret for it. The code is not kept: print it now."""
    code = RecoveryCode.generate()
    salt = secrets.token_bytes(SALT_SIZE)
    params: dict[str, Json] = {"salt": to_text(salt), "fingerprint": code.fingerprint}
    return _seal_slot(secret, _recovery_key(code, salt), RECOVERY_CODE, params, label=label, created=created), code


def make_recipient_slot(secret: bytes, recipient: XWingRecipient, label: str = "", *, created: datetime) -> Slot:
    """Wrap the keyring secret for whoever holds the identity of `recipient`, such as a second device."""
    key = secrets.token_bytes(KEY_SIZE)
    params: dict[str, Json] = {
        "recipient": to_text(recipient.public),
        "sealed_key": to_text(recipient.wrap(key, _recipient_context(recipient))),
    }
    return _seal_slot(secret, key, RECIPIENT, params, label=label, created=created)


def open_with_passphrase(slots: Iterable[Slot], passphrase: str, *, allow_weak: bool = False) -> bytes:
    """Return the keyring secret from the first slot that opens.

    `allow_weak` accepts slots below the floor, which only tests make.

    Raises:
        CannotUnlock: no slot opens with this passphrase.
        KdfRefused: none opens, and one was not tried because of what it asks for.
        MalformedObject: none opens, and one is damaged.
    """
    try:
        typed = _passphrase_bytes(passphrase)
    except PassphraseUnusable as error:
        raise CannotUnlock(kind=PASSPHRASE) from error

    def key_of(slot: Slot) -> bytes:
        profile = slot.argon2
        if reason := profile.refusal(allow_weak=allow_weak):
            raise KdfRefused(slot=slot.id, reason=reason)
        try:
            return profile.run(typed, slot.salt)
        except MemoryError as error:
            raise KdfRefused(slot=slot.id, reason="not-enough-memory") from error

    return _open_first(slots, PASSPHRASE, key_of, named=PASSPHRASE)


def open_with_recovery_code(slots: Iterable[Slot], code: RecoveryCode) -> bytes:
    """Return the keyring secret from the slot that this recovery code opens.

    Raises:
        CannotUnlock: no slot opens with this code.
        MalformedObject: none opens, and one is damaged.
    """
    return _open_first(slots, RECOVERY_CODE, lambda slot: _recovery_key(code, slot.salt), named=RECOVERY_CODE)


def open_with_identity(slots: Iterable[Slot], identity: XWingIdentity) -> bytes:
    """Return the keyring secret from the slot that was made for this identity.

    Raises:
        CannotUnlock: no slot was made for it.
        MalformedObject: none opens, and one is damaged.
    """
    own = identity.recipient

    def key_of(slot: Slot) -> bytes | None:
        if slot.recipient != own:
            return None
        try:
            return identity.unwrap(slot.sealed_key, _recipient_context(own))
        except OpenFailed as error:
            raise MalformedObject(what=_WHAT, reason="sealed-key") from error

    return _open_first(slots, RECIPIENT, key_of, named="identity")


def _open_first(slots: Iterable[Slot], kind: str, key_of: Callable[[Slot], bytes | None], *, named: str) -> bytes:
    # A slot that cannot be used must not keep the others from opening: whoever plants or damages one would lock the
    # owner out. What was wrong with it is told only when nothing opens.
    set_aside: BackupkitError | None = None
    for slot in [slot for slot in slots if slot.kind == kind][:MAX_TRIED]:
        try:
            key = key_of(slot)
            if key is not None and hmac.compare_digest(_commitment(key), slot.commitment):
                return _unwrap(slot, key)
        except (KdfRefused, MalformedObject) as error:
            set_aside = set_aside or error
    raise set_aside or CannotUnlock(kind=named)


def _unwrap(slot: Slot, key: bytes) -> bytes:
    try:
        return open_blob(key, slot.wrapped, purpose=_WHAT, associated=encode_canonical(slot.clear))
    except OpenFailed as error:
        raise MalformedObject(what=_WHAT, reason="altered") from error


def _seal_slot(
    secret: bytes, key: bytes, kind: str, params: Mapping[str, Json], *, label: str, created: datetime
) -> Slot:
    bare = Slot(
        secrets.token_hex(4),
        kind,
        printable(label, limit=100),
        created.replace(microsecond=0),
        params,
        _commitment(key),
        b"",
    )
    return replace(bare, wrapped=seal_blob(key, secret, purpose=_WHAT, associated=encode_canonical(bare.clear)))


def _commitment(key: bytes) -> bytes:
    return derive(key, "slot-commitment", size=COMMITMENT_SIZE)


def _recovery_key(code: RecoveryCode, salt: bytes) -> bytes:
    return derive(code.entropy, "slot-recovery", salt=salt)


def _recipient_context(recipient: XWingRecipient) -> bytes:
    return b"backupkit/1/slot\x00" + hashlib.sha256(recipient.public).digest()


def _passphrase_bytes(passphrase: str) -> bytes:
    # NFKC, so that a full-width letter of an input method or an accent typed on another system opens the same slot.
    # The length is looked at first: a film given by mistake is not normalised.
    typed = unicodedata.normalize("NFKC", passphrase[: MAX_PASSPHRASE + 1]).encode("utf-8", "surrogatepass")
    if not typed:
        raise PassphraseUnusable(reason="empty")
    if len(typed) > MAX_PASSPHRASE:
        raise PassphraseUnusable(reason="too-long")
    return typed
