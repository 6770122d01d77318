"""Whether a coverage pass counts, here and now. A pure decision: the clock, the pins and the kept head are handed in.

The order is fixed, and each step has a refusal of its own: whole and well-formed, signed by the pinned key, made for this
question, of this time, for this app and signer, in a log that only grew, under a clock that was not put back, and good
enough for the owner's policy. Whoever acts on the answer first keeps `CheckedPass.witness`.
"""

from datetime import datetime, timedelta
from functools import lru_cache
from hmac import compare_digest
from typing import Literal, NamedTuple

from backupkit.clock import to_rfc3339
from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.failures import SignatureInvalid
from backupkit.ids import AppPackage, CertificateDigest
from backupkit.proof.checkpoint import Checkpoint, verify_checkpoint
from backupkit.proof.coverage_pass import (
    EVERY_BYTE_READ,
    KEYS_RECOVERABLE,
    MAX_PASS_BYTES,
    RESTORE_DRILL,
    CoveragePass,
    decode_coverage_pass,
)
from backupkit.proof.dsse import open_envelope, read_envelope
from backupkit.proof.pins import Pins
from backupkit.proof.refusals import (
    ClockWentBack,
    LogUnknown,
    PassExpired,
    PassFromTheFuture,
    PassMalformed,
    PassPolicyNotMet,
    PassRefused,
    PassSignatureInvalid,
    PassTooOld,
    PassWrongApp,
    PassWrongChallenge,
    PassWrongSigner,
)
from backupkit.proof.statement import PAYLOAD_TYPE
from backupkit.proof.witness import WitnessState, advance

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far two clocks of one owner may stand apart before a date is in the future."""

ALWAYS_REQUIRED = frozenset({EVERY_BYTE_READ, KEYS_RECOVERABLE})
"""No policy can do without these: a backup that was not read, or that nobody can open, covers nothing."""


class InstalledApp(NamedTuple):
    """The app that an update would wipe, as it is installed now."""

    package: AppPackage
    signers: frozenset[CertificateDigest]


class PassPolicy(NamedTuple):
    """What the owner asks of a pass: how fresh, how deeply tried, and which further checks must have passed.

    `needs_signer` refuses a pass that does not know who signed the app.
    """

    max_age: timedelta = timedelta(hours=24)
    needs: Literal["verified", "drilled"] = "verified"
    required_checks: frozenset[str] = frozenset()
    needs_signer: bool = False

    def checks(self) -> list[str]:
        """Name the checks that must have passed, in a stable order."""
        drill = {RESTORE_DRILL} if self.needs == "drilled" else set()
        return sorted(ALWAYS_REQUIRED | self.required_checks | drill)


class CheckedPass(NamedTuple):
    """A pass that counts, the log head it came with, and what to remember of the log before acting on it."""

    coverage: CoveragePass
    head: Checkpoint
    witness: WitnessState


def check_pass(
    data: bytes,
    *,
    pins: Pins,
    installed: InstalledApp | None,
    challenge: str | None,
    now: datetime,
    policy: PassPolicy,
    witness: WitnessState | None,
) -> CheckedPass:
    """Return a pass that counts.

    `installed` None leaves out which app it is; `challenge` None asks for none (hex digits otherwise); `witness` None is
    a log that was never seen.

    Raises:
        PassRefused: one of its subclasses, the first that applies in the order of this module's docstring.
    """
    coverage = _open(data, pins)
    _require_challenge(coverage, challenge)
    _require_fresh(coverage, now, policy)
    _require_app(coverage, installed, policy)
    head = _head(coverage, pins)
    seen = advance(witness, head, coverage.log.consistency)
    _require_time_went_on(seen, now)
    for name in policy.checks():
        if coverage.result_of(name) != "passed":
            raise PassPolicyNotMet(check=name)
    return CheckedPass(coverage, head, seen)


def authentic_pass(data: bytes, pins: Pins) -> CoveragePass | None:
    """Return what the pinned key signed, whether it still counts or not; None where it signed nothing of the kind.

    Only for telling numbers: that they are authentic does not make them fresh.
    """
    try:
        return _open(data, pins)
    except PassRefused:
        return None


def claimed_origin(data: bytes) -> str:
    """Return the log that a pass says it belongs to, with nothing checked: only to find the pins to check it with.

    Raises:
        PassMalformed: it is no pass.
    """
    try:
        _, payload, _ = read_envelope(data, max_bytes=MAX_PASS_BYTES)
        return decode_coverage_pass(payload).log.origin
    except MalformedObject as error:
        raise _malformed(error) from error


# What these two say follows from their arguments alone. A resident hook meets the same pass many times.
@lru_cache(maxsize=32)
def _open(data: bytes, pins: Pins) -> CoveragePass:
    try:
        payload = open_envelope(data, pins.attest_key, PAYLOAD_TYPE, max_bytes=MAX_PASS_BYTES)
        return decode_coverage_pass(payload)
    except MalformedObject as error:
        raise _malformed(error) from error
    except SignatureInvalid as error:
        raise PassSignatureInvalid from error


def _require_challenge(coverage: CoveragePass, challenge: str | None) -> None:
    if challenge is None:
        return
    if coverage.challenge is None or not compare_digest(coverage.challenge.encode(), challenge.lower().encode()):
        raise PassWrongChallenge


def _require_fresh(coverage: CoveragePass, now: datetime, policy: PassPolicy) -> None:
    if now >= coverage.expires:
        raise PassExpired(expires=to_rfc3339(coverage.expires))
    if now - coverage.verified_at > policy.max_age:
        hours = policy.max_age / timedelta(hours=1)
        limit = int(hours) if hours.is_integer() else round(hours, 1)
        raise PassTooOld(verified_at=to_rfc3339(coverage.verified_at), limit_hours=limit)
    # A pass is never dated before the verification it tells of, so its own date is the later one.
    if coverage.time_created - now > CLOCK_TOLERANCE:
        raise PassFromTheFuture(dated=to_rfc3339(coverage.time_created), now=to_rfc3339(now))


def _require_time_went_on(seen: WitnessState, now: datetime) -> None:
    # An old pass is fresh again under a clock that was put back; but this guard was asked later than that already.
    if seen.at is not None and seen.at - now > CLOCK_TOLERANCE:
        raise ClockWentBack(seen=to_rfc3339(seen.at), now=to_rfc3339(now))


def _require_app(coverage: CoveragePass, installed: InstalledApp | None, policy: PassPolicy) -> None:
    if installed is None:
        return
    app = coverage.app
    if app.package != installed.package:
        raise PassWrongApp(covered=app.package, installed=installed.package)
    # A rotated app has one signer on old Android levels and another on new ones; whoever issued the pass did not know
    # the device, and names all of them.
    known = frozenset(app.signers)
    is_named = bool(installed.signers) and installed.signers <= known
    if (known and not is_named) or (not known and policy.needs_signer):
        raise PassWrongSigner(package=app.package)


def _head(coverage: CoveragePass, pins: Pins) -> Checkpoint:
    if coverage.log.origin != pins.origin:
        raise LogUnknown(found=coverage.log.origin, expected=pins.origin)
    try:
        return _signed_head(coverage.log.checkpoint, pins.origin, pins.log_key)
    except SignatureInvalid as error:
        raise LogUnknown(found=coverage.log.origin, expected=pins.origin) from error
    except MalformedObject as error:
        raise _malformed(error) from error


_signed_head = lru_cache(maxsize=32)(verify_checkpoint)


def _malformed(error: MalformedObject) -> PassMalformed:
    return PassMalformed(detail=f"{error.facts['what']}: {error.facts['reason']}")


__all__ = [
    "ALWAYS_REQUIRED",
    "CheckedPass",
    "InstalledApp",
    "PassPolicy",
    "Pins",
    "authentic_pass",
    "check_pass",
    "claimed_origin",
]
