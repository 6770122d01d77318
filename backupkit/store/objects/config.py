"""What a repository is: its id, who may write, and which features a program must know to touch it.

Signed by the owner's key, so that nobody who can reach the storage can make themselves a writer.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from backupkit.codec.canonical import decode_json, encode_canonical
from backupkit.codec.framing import Mark, frame, unframe
from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.signing import PUBLIC_SIZE, SIGNATURE_SIZE, SigningKey, VerifyKey
from backupkit.errors import BackupkitError, ExitCode
from backupkit.ids import RepositoryId

Operation: TypeAlias = Literal["read", "write", "check", "delete"]
OPERATIONS: tuple[Operation, ...] = ("read", "write", "check", "delete")
REPACK = "repack"
"""The log may say that packs were replaced: who does not know it would delete what replaced them. ADR 0026."""

KNOWN_FEATURES: frozenset[str] = frozenset({REPACK})
"""Features beyond format version 1 that this program knows."""

REPOSITORY_ID_SIZE = 16
_CONTEXT = b"backupkit/1/config\x00"
_MAX_BYTES = 1 << 20
_WHAT = "config"
_KNOWN_FIELDS = {"chunking", "created", "features", "repository", "revision", "v", "writers"}
_CREATED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_WRITER_ID = re.compile(r"[0-9a-f]{8,64}", re.ASCII)


class UnknownFeature(BackupkitError):
    """The repository needs a feature that this version does not know. Facts: `operation`, `feature`."""

    code = "unknown-feature"
    exit_code = ExitCode.NEWER_FORMAT


@dataclass(frozen=True, slots=True)
class WriterEntry:
    """A machine that may write: hex id, the keys its log heads and its statements are signed with, and a name for people."""

    id: str
    log_key: VerifyKey
    attest_key: VerifyKey
    label: str


@dataclass(frozen=True, slots=True)
class Chunking:
    """How files are cut, in bytes. Changing it costs deduplication against older snapshots, and nothing else."""

    text_average: int = 65_536
    media_block: int = 1 << 20
    extent_pages: int = 256


@dataclass(frozen=True, slots=True)
class RepositoryConfig:
    """The repository's own facts. `created` is RFC 3339 UTC; `revision` grows with every change.

    `features` names for each operation what a program must know to do it. `unknown` holds fields of a newer version: they
    survive a rewrite.
    """

    repository: RepositoryId
    created: str
    revision: int = 1
    writers: tuple[WriterEntry, ...] = ()
    features: Mapping[Operation, tuple[str, ...]] = field(default_factory=dict)
    chunking: Chunking = Chunking()
    unknown: Mapping[str, Any] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """The name of the repository's log."""
        return origin_of(self.repository)

    def writer(self, writer_id: str) -> WriterEntry | None:
        """Return a writer by its id."""
        return next((writer for writer in self.writers if writer.id == writer_id), None)

    def with_writer(self, writer: WriterEntry) -> "RepositoryConfig":
        """Return the next revision, with a writer added or its entry replaced."""
        others = tuple(one for one in self.writers if one.id != writer.id)
        return replace(self, writers=(*others, writer), revision=self.revision + 1)

    def with_feature(self, feature: str, *operations: Operation) -> "RepositoryConfig":
        """Return the next revision, in which these operations need a feature too."""
        wanted = {one: tuple(sorted({*self.features.get(one, ()), feature})) for one in operations}
        return replace(self, features={**self.features, **wanted}, revision=self.revision + 1)

    def require(self, operation: Operation) -> None:
        """Say that an operation is to be done.

        Raises:
            UnknownFeature: this program does not know enough to do it without harm.
        """
        for feature in self.features.get(operation, ()):
            if feature not in KNOWN_FEATURES:
                raise UnknownFeature(operation=operation, feature=feature)

    def encode(self, owner: SigningKey) -> bytes:
        """Write the config, signed by the owner."""
        signed = {
            **self.unknown,
            "v": 1,
            "repository": self.repository.hex(),
            "created": self.created,
            "revision": self.revision,
            "writers": [
                {
                    "id": writer.id,
                    "log_key": _b64(writer.log_key.public),
                    "attest_key": _b64(writer.attest_key.public),
                    "label": writer.label,
                }
                for writer in self.writers
            ],
            "features": {operation: list(self.features.get(operation, ())) for operation in OPERATIONS},
            "chunking": {
                "text_average": self.chunking.text_average,
                "media_block": self.chunking.media_block,
                "extent_pages": self.chunking.extent_pages,
            },
        }
        signature = owner.sign(_CONTEXT + encode_canonical(signed))
        return frame(Mark.CONFIG, encode_canonical({"signed": signed, "signature": _b64(signature)}))


def decode_config(data: bytes, owner: VerifyKey) -> RepositoryConfig:
    """Read a config that the owner signed.

    Raises:
        SignatureInvalid: somebody else did, or it was changed.
        MalformedObject: it is no config.
        NewerFormat: one of a newer version.
    """
    outer = decode_json(unframe(Mark.CONFIG, data), what=_WHAT, max_bytes=_MAX_BYTES)
    try:
        signed = outer["signed"]
        signature = _unb64(outer["signature"], SIGNATURE_SIZE)
        owner.verify(signature, _CONTEXT + encode_canonical(signed), what=_WHAT)
        return _parse(signed)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MalformedObject(what=_WHAT, reason="wrong-fields") from error


def origin_of(repository: RepositoryId) -> str:
    """Name a repository's log: `backupkit.local/store/` and the id in base32."""
    return "backupkit.local/store/" + base64.b32encode(repository).decode("ascii").lower().rstrip("=")


def _parse(signed: dict[str, Any]) -> RepositoryConfig:
    repository = bytes.fromhex(signed["repository"])
    created, revision, chunking = signed["created"], signed["revision"], signed["chunking"]
    if signed["v"] != 1 or len(repository) != REPOSITORY_ID_SIZE or not _CREATED.fullmatch(created):
        raise ValueError(signed["v"])
    return RepositoryConfig(
        repository=RepositoryId(repository),
        created=created,
        revision=_positive(revision),
        writers=tuple(_writer(one) for one in signed["writers"]),
        features={
            operation: tuple(str(feature) for feature in signed["features"].get(operation, []))
            for operation in OPERATIONS
        },
        chunking=Chunking(
            text_average=_positive(chunking["text_average"]),
            media_block=_positive(chunking["media_block"]),
            extent_pages=_positive(chunking["extent_pages"]),
        ),
        unknown={name: value for name, value in signed.items() if name not in _KNOWN_FIELDS},
    )


def _writer(fields: dict[str, Any]) -> WriterEntry:
    if not _WRITER_ID.fullmatch(fields["id"]) or not isinstance(fields["label"], str):
        raise ValueError(fields["id"])
    return WriterEntry(
        id=fields["id"],
        log_key=VerifyKey(_unb64(fields["log_key"], PUBLIC_SIZE)),
        attest_key=VerifyKey(_unb64(fields["attest_key"], PUBLIC_SIZE)),
        label=fields["label"],
    )


def _positive(value: object) -> int:
    if type(value) is not int or value <= 0:
        raise ValueError(value)
    return value


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _unb64(text: str, size: int) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(text) from error
    if len(data) != size:
        raise ValueError(text)
    return data
