"""The coverage pass: a signed promise that an app's chats could be restored at a moment, for a hook to check offline.

It is shaped after in-toto's "simple verification result" and travels as one DSSE envelope of at most 64 KiB. It brings
the head of the store's log along, so that who checks it also sees whether the store was rolled back.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, cast

from backupkit.clock import to_rfc3339
from backupkit.codec.canonical import Json
from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.signing import SigningKey
from backupkit.ids import AppPackage, CertificateDigest, SnapshotId
from backupkit.proof.base64_text import to_base64
from backupkit.proof.checkpoint import claimed_checkpoint
from backupkit.proof.dsse import open_envelope, sign_envelope
from backupkit.proof.fields import Fields, is_hex
from backupkit.proof.merkle import consistency_proof
from backupkit.proof.statement import PAYLOAD_TYPE, SNAPSHOT_SUBJECT, build_statement, parse_statement
from backupkit.proof.tree_nodes import TreeNodes

PASS_TYPE = "https://backupkit.local/verified-backup/v1"  # noqa: S105 - the name of a format, not a secret
MAX_PASS_BYTES = 64 * 1024
MAX_PROOF_HASHES = 63
"""The most hashes of a consistency proof (tlog-witness): enough for any tree that can be counted."""
MAX_OFFERS = 33

EVERY_BYTE_READ = "every-byte-read"
RESTORE_DRILL = "restore-drill"
COUNT_MATCH = "count-match"
KEYS_RECOVERABLE = "keys-recoverable"
SECOND_COPY = "second-copy"

CheckResult = Literal["passed", "failed", "not-done"]
_RESULTS = frozenset({"passed", "failed", "not-done"})
_WHAT = "coverage-pass"


class CoveredApp(NamedTuple):
    """Whose chats are covered.

    `signers` are the SHA-256 of the certificates that some Android level takes for the installed app's. None known (an
    export that was copied to a computer, say) is an empty tuple: the pass then covers the app of that name, whoever
    signed it.
    """

    package: AppPackage
    signers: tuple[CertificateDigest, ...] = ()
    version_code: int | None = None


class Covered(NamedTuple):
    """How much is covered; None where it is not known, as for sealed databases.

    `source_high_water` is the source's own mark of its newest record, opaque here: staleness is measured by it and not
    by a clock.
    """

    messages: int | None
    conversations: int | None
    media: int | None
    size_bytes: int
    files: int
    oldest_message_at: datetime | None = None
    newest_message_at: datetime | None = None
    source_high_water: str | None = None


class Check(NamedTuple):
    """One check and what came of it. `method` says how, where there is more than one way (`sealed`, `open`)."""

    name: str
    result: CheckResult
    method: str | None = None


class Consistency(NamedTuple):
    """The proof that a log continues the log of its first `from_size` entries."""

    from_size: int
    proof: tuple[bytes, ...]


class LogHead(NamedTuple):
    """The signed head of the store's log, and proofs from sizes at which the guard may have seen it last."""

    origin: str
    checkpoint: bytes
    consistency: tuple[Consistency, ...] = ()


class CoveragePass(NamedTuple):
    """What a pass says. `challenge` is the hex of the 16 to 32 bytes that a hook chose, or None."""

    verifier: str
    app: CoveredApp
    snapshot: SnapshotId
    snapshot_root: str
    covered: Covered
    checks: tuple[Check, ...]
    verified_at: datetime
    time_created: datetime
    expires: datetime
    log: LogHead
    challenge: str | None = None

    def encode(self) -> bytes:
        """Write the statement: the payload to sign."""
        covered = self.covered
        return build_statement(
            SNAPSHOT_SUBJECT,
            self.snapshot_root,
            PASS_TYPE,
            {
                "verifier": {"id": self.verifier, "policies": []},
                "app": {
                    "package": self.app.package,
                    "signerSha256": list(self.app.signers),
                    "versionCode": self.app.version_code,
                },
                "snapshot": self.snapshot,
                "coverage": {
                    "messages": covered.messages,
                    "conversations": covered.conversations,
                    "media": covered.media,
                    "bytes": covered.size_bytes,
                    "files": covered.files,
                    "oldestMessageAt": _optional(covered.oldest_message_at),
                    "newestMessageAt": _optional(covered.newest_message_at),
                    "sourceHighWater": covered.source_high_water,
                },
                "checks": [_encode_check(check) for check in self.checks],
                "verifiedAt": to_rfc3339(self.verified_at),
                "timeCreated": to_rfc3339(self.time_created),
                "expires": to_rfc3339(self.expires),
                "challenge": self.challenge,
                "log": _encode_log(self.log),
            },
        )

    def result_of(self, name: str) -> CheckResult:
        """Say what came of a check; one that is not listed was not done."""
        return next((check.result for check in self.checks if check.name == name), "not-done")


def issue(coverage: CoveragePass, key: SigningKey) -> bytes:
    """Sign a pass with the store's attest key: what is handed to the hook. Times are written to the second.

    Raises:
        ValueError: it would be refused as malformed by everyone who reads it.
    """
    payload = coverage.encode()
    try:
        survives = decode_coverage_pass(payload).encode() == payload
    except MalformedObject as error:
        raise ValueError(str(error)) from error
    envelope = sign_envelope(payload, PAYLOAD_TYPE, [key])
    if not survives or len(envelope) > MAX_PASS_BYTES:
        raise ValueError("not a pass that could be read back")
    return envelope


def renew(
    data: bytes, key: SigningKey, log: LogHead, *, at: datetime, copied: Collection[SnapshotId] = ()
) -> bytes | None:
    """Issue a pass again with a newer head of the log; None where it has expired meanwhile.

    Whoever issues passes does this with all that still hold whenever the log has grown. Otherwise a guard that saw the
    newer head in another app's pass would take the older head in this one for a rollback. What the pass promises, and
    since when and until when, stays as it was; but where its snapshot is among those that were `copied`, it has a second copy.

    Raises:
        MalformedObject, SignatureInvalid: it is no pass that this key signed.
    """
    payload = open_envelope(data, key.verify_key, PAYLOAD_TYPE, max_bytes=MAX_PASS_BYTES)
    coverage = decode_coverage_pass(payload)
    if at >= coverage.expires:
        return None
    checks = coverage.checks
    if coverage.snapshot in copied:
        checks = (*(check for check in checks if check.name != SECOND_COPY), Check(SECOND_COPY, "passed"))
    return issue(coverage._replace(checks=checks, log=log, time_created=max(at, coverage.time_created)), key)


def proof_from(leaf_hashes: Sequence[bytes], old_size: int) -> Consistency:
    """Prove that the log over `leaf_hashes` continues its own first `old_size` entries (at least one)."""
    return Consistency(old_size, tuple(consistency_proof(leaf_hashes, old_size)))


def proofs_from(leaf_hashes: Sequence[bytes], old_sizes: Iterable[int]) -> tuple[Consistency, ...]:
    """Prove the same from each size at which a guard may have seen the log, largest first, `MAX_OFFERS` at most.

    Sizes that the log never had are left out: zero, which needs no proof, and those over its length.
    """
    nodes = TreeNodes(leaf_hashes)
    sizes = sorted({size for size in old_sizes if 0 < size <= len(nodes)}, reverse=True)[:MAX_OFFERS]
    return tuple(Consistency(size, tuple(nodes.consistency_proof(size))) for size in sizes)


def decode_coverage_pass(payload: bytes) -> CoveragePass:
    """Read the payload of a pass. Whose it is must have been checked before.

    Raises:
        MalformedObject: it is anything else.
    """
    statement = parse_statement(payload, PASS_TYPE, what=_WHAT, max_bytes=MAX_PASS_BYTES)
    said = statement.predicate
    decoded = CoveragePass(
        verifier=said.object("verifier").text("id"),
        app=_decode_app(said.object("app")),
        snapshot=SnapshotId(said.hex("snapshot", size=32)),
        snapshot_root=statement.digest,
        covered=_decode_covered(said.object("coverage")),
        checks=tuple(map(_decode_check, said.objects("checks"))),
        verified_at=said.moment("verifiedAt"),
        time_created=said.moment("timeCreated"),
        expires=said.moment("expires"),
        challenge=said.optional_text("challenge"),
        log=_decode_log(said.object("log")),
    )
    if not decoded.verified_at <= decoded.time_created <= decoded.expires:
        said.refuse("times-out-of-order")
    if len({check.name for check in decoded.checks}) != len(decoded.checks):
        said.refuse("check-named-twice")
    if decoded.challenge is not None and not is_challenge(decoded.challenge):
        said.refuse("bad-challenge")
    return decoded


def is_challenge(text: str) -> bool:
    """Say whether a text is 16 to 32 bytes in lower-case hex digits."""
    return len(text) in range(32, 66, 2) and is_hex(text, size=len(text) // 2)


def _encode_check(check: Check) -> dict[str, Json]:
    row: dict[str, Json] = {"name": check.name, "result": check.result}
    return row if check.method is None else {**row, "method": check.method}


def _encode_log(log: LogHead) -> dict[str, Json]:
    offers: list[Json] = [
        {"from": offer.from_size, "proof": [to_base64(value) for value in offer.proof]} for offer in log.consistency
    ]
    section: dict[str, Json] = {
        "origin": log.origin,
        "checkpoint": log.checkpoint.decode("utf-8"),
        "consistency": offers[0] if offers else None,
    }
    return {**section, "earlier": offers[1:]} if offers[1:] else section


def _decode_app(app: Fields) -> CoveredApp:
    return CoveredApp(
        package=AppPackage(app.text("package", most=255)),
        signers=tuple(map(CertificateDigest, app.hexes("signerSha256", size=32))),
        version_code=app.optional_count("versionCode"),
    )


def _decode_covered(covered: Fields) -> Covered:
    return Covered(
        messages=covered.optional_count("messages"),
        conversations=covered.optional_count("conversations"),
        media=covered.optional_count("media"),
        size_bytes=covered.count("bytes"),
        files=covered.count("files"),
        oldest_message_at=covered.optional_moment("oldestMessageAt"),
        newest_message_at=covered.optional_moment("newestMessageAt"),
        source_high_water=covered.optional_text("sourceHighWater"),
    )


def _decode_check(row: Fields) -> Check:
    return Check(row.text("name"), cast("CheckResult", row.one_of("result", _RESULTS)), row.optional_text("method"))


def _decode_log(log: Fields) -> LogHead:
    checkpoint = log.text("checkpoint", most=MAX_PASS_BYTES).encode("utf-8")
    origin, newest = log.text("origin"), log.optional_object("consistency")
    if claimed_checkpoint(checkpoint).origin != origin:
        log.refuse("another-origin")
    offers = [] if newest is None else [newest, *log.optional_objects("earlier")]
    if len(offers) > MAX_OFFERS:
        log.refuse("too-many-proofs")
    return LogHead(origin, checkpoint, tuple(map(_decode_consistency, offers)))


def _decode_consistency(offer: Fields) -> Consistency:
    return Consistency(offer.count("from"), offer.hashes("proof", most=MAX_PROOF_HASHES))


def _optional(moment: datetime | None) -> str | None:
    return None if moment is None else to_rfc3339(moment)
