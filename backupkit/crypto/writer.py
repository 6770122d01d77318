"""What a machine holds that writes snapshots and cannot read them.

Its seed gives two signing keys, for the log and for attestations; for each domain it knows the key that names chunks,
the key of the index and the public recipient of packs. None of these opens a pack. The file lies on the writing machine
only, mode 0600, never in the repository.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from backupkit.codec.canonical import Json
from backupkit.codec.framing import Mark
from backupkit.crypto.derive import derive
from backupkit.crypto.key_file import Fields, read_key_file, to_text, what_of, write_key_file
from backupkit.crypto.recipients import PUBLIC_SIZE, SEED_SIZE, XWingRecipient
from backupkit.crypto.sealing import KEY_SIZE
from backupkit.crypto.signing import SigningKey, VerifyKey
from backupkit.ids import DomainId, RepositoryId
from backupkit.text import printable

MAX_BYTES = 16 * 1024 * 1024
"""Room for about 8,000 domains."""

_WHAT = what_of(Mark.WRITER)


@dataclass(frozen=True, slots=True)
class DomainLabel:
    """What a domain is for: whose account, and on what ground it is kept, such as `wechat` and `own-export`."""

    account: str
    basis: str
    unknown: Mapping[str, Json] = field(default_factory=dict, hash=False, repr=False)

    @classmethod
    def of(cls, account: str, basis: str) -> "DomainLabel":
        """Return the label of an account as it is kept: on one line, at most 100 characters of each."""
        return cls(printable(account, limit=100), printable(basis, limit=100))


@dataclass(frozen=True, slots=True)
class DomainWriterKeys:
    """What writing into one domain needs: 32-byte keys for chunk ids and for the index, and the packs' recipient."""

    id_key: bytes = field(repr=False)
    index_key: bytes = field(repr=False)
    recipient: XWingRecipient = field(repr=False)
    label: DomainLabel
    unknown: Mapping[str, Json] = field(default_factory=dict, hash=False, repr=False)


@dataclass(frozen=True, slots=True)
class WriterKeys:
    """The machine's own keys, from one 32-byte seed. Log and attestations are signed by different keys."""

    seed: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> "WriterKeys":
        """Draw a new writer."""
        return cls(secrets.token_bytes(SEED_SIZE))

    @property
    def id(self) -> str:
        """32 hex digits that follow from the two public keys, so that nobody can take another's id."""
        return writer_id(self.log.verify_key, self.attest.verify_key)

    @property
    def log(self) -> SigningKey:
        """Signs the log's head."""
        return SigningKey(derive(self.seed, "writer-log"))

    @property
    def attest(self) -> SigningKey:
        """Signs snapshot statements, verify statements and coverage passes."""
        return SigningKey(derive(self.seed, "writer-attest"))


def writer_id(log: VerifyKey, attest: VerifyKey) -> str:
    """Name a writer by its public keys: the first 32 hex digits of the SHA-256 of both."""
    return hashlib.sha256(b"backupkit/1/writer\x00" + log.public + attest.public).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class WriterState:
    """All that one machine needs to write into one repository.

    `owner_key` and `root_recipient` are pinned when the machine is enrolled: whoever can write to the backend could
    otherwise put their own in the keyring file, and be given the secrets of the next domain.
    """

    repository_id: RepositoryId
    origin: str
    writer: WriterKeys
    owner_key: VerifyKey
    root_recipient: XWingRecipient = field(repr=False)
    domains: Mapping[DomainId, DomainWriterKeys] = field(default_factory=dict, hash=False)
    unknown: Mapping[str, Json] = field(default_factory=dict, hash=False, repr=False)

    def with_domain(self, domain: DomainId, keys: DomainWriterKeys) -> "WriterState":
        """Return the state with one domain more."""
        return replace(self, domains={**self.domains, domain: keys})

    def encode(self) -> bytes:
        """Return the file. It holds secrets: write it with mode 0600."""
        return write_key_file(
            Mark.WRITER,
            {
                **self.unknown,
                "repository": self.repository_id.hex(),
                "origin": self.origin,
                "seed": to_text(self.writer.seed),
                "owner_key": to_text(self.owner_key.public),
                "root_recipient": to_text(self.root_recipient.public),
                "domains": {domain.hex(): _domain_fields(keys) for domain, keys in self.domains.items()},
            },
        )


def decode_writer_state(data: bytes | memoryview) -> WriterState:
    """Read what `WriterState.encode` wrote.

    Raises:
        MalformedObject: damage, or another kind of object.
        NewerFormat: written by a newer backupkit.
    """
    fields = read_key_file(Mark.WRITER, data, max_bytes=MAX_BYTES)
    return WriterState(
        RepositoryId(bytes.fromhex(fields.digits("repository", size=32))),
        fields.text("origin"),
        WriterKeys(fields.data("seed", least=SEED_SIZE)),
        VerifyKey(fields.data("owner_key", least=32)),
        XWingRecipient(fields.data("root_recipient", least=PUBLIC_SIZE)),
        {_domain_id(name): _domain_keys(value) for name, value in fields.object("domains").items()},
        fields.unknown,
    )


def _domain_fields(keys: DomainWriterKeys) -> dict[str, Json]:
    return {
        **keys.unknown,
        "id_key": to_text(keys.id_key),
        "index_key": to_text(keys.index_key),
        "recipient": to_text(keys.recipient.public),
        "label": label_fields(keys.label),
    }


def _domain_id(name: str) -> DomainId:
    return DomainId(bytes.fromhex(Fields({"domain": name}, what=_WHAT).digits("domain", size=32)))


def _domain_keys(value: Json) -> DomainWriterKeys:
    fields = Fields(value, what=_WHAT)
    return DomainWriterKeys(
        fields.data("id_key", least=KEY_SIZE),
        fields.data("index_key", least=KEY_SIZE),
        XWingRecipient(fields.data("recipient", least=PUBLIC_SIZE)),
        read_label(fields),
        fields.unknown,
    )


def label_fields(label: DomainLabel) -> dict[str, Json]:
    """Write a domain's label."""
    return {**label.unknown, "account": label.account, "basis": label.basis}


def read_label(fields: Fields) -> DomainLabel:
    """Read a domain's label from the object that holds it.

    Raises:
        MalformedObject: it has none.
    """
    label = fields.fields("label")
    return DomainLabel(label.text("account"), label.text("basis"), label.unknown)
