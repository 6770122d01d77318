"""Erasure domains: the keys of one account on one legal basis, in a file that only the owner can open.

A domain's chunks, indexes and packs hang on the secrets in this one small file. Destroying it, together with what the
writers hold, erases the domain. The file is sealed to the root recipient, which is public: a machine that only writes
can make a domain, and cannot open one again.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from backupkit.clock import to_rfc3339
from backupkit.codec.canonical import Json, decode_json, encode_canonical
from backupkit.codec.framing import Mark
from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.key_file import MAX_BYTES, Fields, read_key_file, to_text, what_of, write_key_file
from backupkit.crypto.recipients import (
    PUBLIC_SIZE,
    SEED_SIZE,
    WRAP_OVERHEAD,
    Identity,
    Recipient,
    XWingIdentity,
    XWingRecipient,
)
from backupkit.crypto.sealing import BLOB_OVERHEAD, KEY_SIZE, open_blob, seal_blob
from backupkit.crypto.writer import DomainLabel, DomainWriterKeys, label_fields, read_label
from backupkit.ids import DomainId

DOMAIN_ID_SIZE = 16
_WHAT = what_of(Mark.DOMAIN)
_WRAPPED_KEY_SIZE = KEY_SIZE + WRAP_OVERHEAD


@dataclass(frozen=True, slots=True)
class DomainFile:
    """A domain file as everybody can read it. `wrapped` is the sealed key, 1,168 bytes, then the secrets sealed under it."""

    id: DomainId
    epoch: int
    recipient: XWingRecipient = field(repr=False)
    created: datetime
    wrapped: bytes = field(repr=False)
    unknown: Mapping[str, Json] = field(default_factory=dict, hash=False, repr=False)

    @property
    def clear(self) -> dict[str, Json]:
        """The fields that lie open, to which the seal is bound."""
        return {
            **self.unknown,
            "id": self.id.hex(),
            "epoch": self.epoch,
            "recipient": to_text(self.recipient.public),
            "created": to_rfc3339(self.created),
        }

    def encode(self) -> bytes:
        """Return the file."""
        return write_key_file(Mark.DOMAIN, {**self.clear, "wrapped": to_text(self.wrapped)})


@dataclass(frozen=True, slots=True)
class DomainSecrets:
    """A domain, opened: everything of it can be read and written."""

    id: DomainId
    id_key: bytes = field(repr=False)
    index_key: bytes = field(repr=False)
    identity: XWingIdentity = field(repr=False)
    label: DomainLabel
    unknown: Mapping[str, Json] = field(default_factory=dict, hash=False, repr=False)

    @classmethod
    def generate(cls, account: str, basis: str) -> "DomainSecrets":
        """Draw a new domain for an account (`wechat`) on a legal basis (`own-export`)."""
        return cls(
            DomainId(secrets.token_bytes(DOMAIN_ID_SIZE)),
            secrets.token_bytes(KEY_SIZE),
            secrets.token_bytes(KEY_SIZE),
            XWingIdentity.generate(),
            DomainLabel.of(account, basis),
        )

    @property
    def recipient(self) -> XWingRecipient:
        """Whom the domain's packs are sealed to."""
        return self.identity.recipient

    def writer_keys(self) -> DomainWriterKeys:
        """Return what a machine may hold that only writes."""
        return DomainWriterKeys(self.id_key, self.index_key, self.recipient, self.label)

    def wrap(
        self, root: Recipient, *, created: datetime, epoch: int = 0, unknown: Mapping[str, Json] | None = None
    ) -> bytes:
        """Return the domain file, sealed to the root recipient. `unknown` are clear fields to carry over from an older file."""
        bare = DomainFile(self.id, epoch, self.recipient, created, b"", dict(unknown or {}))
        context = encode_canonical(bare.clear)
        key = secrets.token_bytes(KEY_SIZE)
        inner = encode_canonical(
            {
                **self.unknown,
                "id_key": to_text(self.id_key),
                "index_key": to_text(self.index_key),
                "identity_seed": to_text(self.identity.seed),
                "recipient": to_text(self.recipient.public),
                "label": label_fields(self.label),
            }
        )
        sealed = seal_blob(key, inner, purpose=_WHAT, associated=context)
        return DomainFile(
            self.id, epoch, self.recipient, created, root.wrap(key, context) + sealed, bare.unknown
        ).encode()


def read_domain(data: bytes | memoryview) -> DomainFile:
    """Read the open part of a domain file, which needs no key.

    Raises:
        MalformedObject: damage, or another kind of object.
        NewerFormat: written by a newer backupkit.
    """
    fields = read_key_file(Mark.DOMAIN, data)
    domain = DomainId(bytes.fromhex(fields.digits("id", size=2 * DOMAIN_ID_SIZE)))
    epoch = fields.integer("epoch")
    recipient = XWingRecipient(fields.data("recipient", least=PUBLIC_SIZE))
    created = fields.moment("created")
    wrapped = fields.data("wrapped", least=_WRAPPED_KEY_SIZE + BLOB_OVERHEAD, most=MAX_BYTES)
    return DomainFile(domain, epoch, recipient, created, wrapped, fields.unknown)


def open_domain(data: bytes | memoryview, root: Identity) -> DomainSecrets:
    """Open a domain file with the root identity of the keyring.

    The caller compares the id with the file's name: a file in another's place opens all the same.

    Raises:
        MalformedObject: damage, or another kind of object.
        NewerFormat: written by a newer backupkit.
        OpenFailed: sealed to another root, or its open part was changed.
    """
    file = read_domain(data)
    context = encode_canonical(file.clear)
    key = root.unwrap(file.wrapped[:_WRAPPED_KEY_SIZE], context)
    plain = open_blob(key, file.wrapped[_WRAPPED_KEY_SIZE:], purpose=_WHAT, associated=context)
    inner = Fields(decode_json(plain, what=_WHAT, max_bytes=MAX_BYTES), what=_WHAT)
    id_key = inner.data("id_key", least=KEY_SIZE)
    index_key = inner.data("index_key", least=KEY_SIZE)
    identity = XWingIdentity(inner.data("identity_seed", least=SEED_SIZE))
    inner.data("recipient", least=PUBLIC_SIZE)
    opened = DomainSecrets(file.id, id_key, index_key, identity, read_label(inner), inner.unknown)
    if opened.recipient != file.recipient:
        raise MalformedObject(what=_WHAT, reason="halves-do-not-fit")
    return opened
