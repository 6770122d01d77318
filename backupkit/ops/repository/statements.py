"""Signing a statement, storing it, and entering it in the log: in that order, so that the log never speaks of what is not there."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime

from backupkit.clock import to_rfc3339
from backupkit.codec.canonical import Json
from backupkit.errors import BackupkitError
from backupkit.ops.repository.repository import Repository
from backupkit.proof.dsse import open_envelope, sign_envelope
from backupkit.proof.log_entry import LogEntry
from backupkit.proof.statement import PAYLOAD_TYPE, build_statement, parse_statement
from backupkit.store import layout
from backupkit.store.backend import AlreadyExists

KEYS_TYPE = "https://backupkit.local/keys/v1"


def publish_statement(
    repository: Repository,
    payload: bytes,
    kind: str,
    at: datetime,
    *,
    admit: Callable[[Sequence[LogEntry]], None] | None = None,
) -> int:
    """Sign a statement with this machine's attestation key, store it, and commit it as a log entry. Return its place.

    `admit` may give it up when it sees what comes before it: see `SignedLog.append`.
    """
    writer = repository.require_writer().writer
    name = layout.statement(hashlib.sha256(payload).hexdigest())
    # The same statement, said again in the same second, lies there already.
    with suppress(AlreadyExists):
        repository.objects.create(name, sign_envelope(payload, PAYLOAD_TYPE, [writer.attest]))
    return repository.log.append(kind, payload, writer, at, admit=admit)


def read_statement(repository: Repository, digest: str) -> bytes:
    """Return the payload of a stored statement that a writer of this repository signed.

    Raises:
        ObjectMissing: it is not there.
        SignatureInvalid: nobody who may write signed it.
    """
    keys = [writer.attest_key for writer in repository.config.writers]

    def check(data: bytes) -> bytes:
        return open_envelope(data, keys, PAYLOAD_TYPE)

    return repository.objects.read(layout.statement(digest), check)


def statements_lying_there(repository: Repository) -> Iterator[tuple[str, bytes]]:
    """Give every statement that a writer of this repository signed, with its digest, whether or not the log names it."""
    for name in repository.objects.names(layout.STATEMENTS):
        digest = name.removeprefix(layout.STATEMENTS)
        with suppress(BackupkitError):
            yield digest, read_statement(repository, digest)


def record_keys(repository: Repository, event: str, subject: bytes, at: datetime) -> int:
    """Enter a change of keys in the log: `event` is created, domain-added or writer-enrolled, `subject` the bytes of the file."""
    predicate: dict[str, Json] = {"store": repository.origin, "event": event, "at": to_rfc3339(at)}
    payload = build_statement("keys", hashlib.sha256(subject).hexdigest(), KEYS_TYPE, predicate)
    return publish_statement(repository, payload, "rotate", at)


def recorded_keys(repository: Repository, event: str) -> set[str]:
    """Return the SHA-256 digests, in hex, of the files that the log records for an `event`, as far as they can be read."""
    digests = set()
    for entry in repository.log.read().subjects("rotate"):
        with suppress(BackupkitError):
            said = parse_statement(read_statement(repository, entry.subject), KEYS_TYPE, what="keys-statement")
            if said.predicate.text("event") == event:
                digests.add(said.digest)
    return digests


__all__ = ["publish_statement", "read_statement", "record_keys", "recorded_keys", "statements_lying_there"]
