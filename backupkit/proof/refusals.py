"""Why a coverage pass does not count. Each reason is a class of its own, so that nobody has to read sentences.

All of them mean: hold the update. What is wrong with the log itself (unknown, rolled back, forked) also means that the
store may no longer be trusted, which is why those answer with the exit code of an invalid signature.
"""

from backupkit.errors import BackupkitError, ExitCode


class PassRefused(BackupkitError):
    """A coverage pass does not count; `reason` says why in one kebab-case word. Only its subclasses are raised."""

    exit_code = ExitCode.HOLD

    @property
    def reason(self) -> str:
        """The code that a verdict carries."""
        return self.code


class PassMalformed(PassRefused):
    """The bytes are no coverage pass of a version known here.

    Facts: `detail`.
    """

    code = "pass-malformed"


class PassSignatureInvalid(PassRefused):
    """The pinned key did not sign it."""

    code = "pass-signature-invalid"
    exit_code = ExitCode.NOT_AUTHENTIC


class PassWrongChallenge(PassRefused):
    """It was not made for this question: it may be yesterday's, shown again."""

    code = "pass-wrong-challenge"


class PassExpired(PassRefused):
    """It says itself that it no longer holds.

    Facts: `expires`.
    """

    code = "pass-expired"


class PassTooOld(PassRefused):
    """The backup was verified longer ago than the owner's limit.

    Facts: `verified_at`, `limit_hours`.
    """

    code = "pass-too-old"


class PassFromTheFuture(PassRefused):
    """It is dated after now: one of the two clocks is wrong.

    Facts: `dated`, `now`.
    """

    code = "pass-from-the-future"


class PassWrongApp(PassRefused):
    """It covers another app.

    Facts: `covered`, `installed`.
    """

    code = "pass-wrong-app"


class PassWrongSigner(PassRefused):
    """It covers an app of this name that somebody else signed.

    Facts: `package`.
    """

    code = "pass-wrong-signer"


class LogUnknown(PassRefused):
    """Its log is not the pinned one, or the pinned log key did not sign the head.

    Facts: `found`, `expected` (origins).
    """

    code = "log-unknown"
    exit_code = ExitCode.NOT_AUTHENTIC


class LogRolledBack(PassRefused):
    """The log is shorter than it was when it was last seen.

    Facts: `seen`, `found` (entries).
    """

    code = "log-rolled-back"
    exit_code = ExitCode.NOT_AUTHENTIC


class LogForked(PassRefused):
    """The log does not continue the one that was last seen: its past was changed.

    Facts: `seen`, `found` (entries).
    """

    code = "log-forked"
    exit_code = ExitCode.NOT_AUTHENTIC


class LogProofMissing(PassRefused):
    """The log grew, and the pass brings no proof from the size that was last seen. A new pass can.

    Facts: `seen`, `found` (entries).
    """

    code = "log-proof-missing"


class ClockWentBack(PassRefused):
    """It is earlier now than it was when this guard was asked before, so no date says how old a backup is.

    Facts: `seen`, `now`.
    """

    code = "clock-went-back"


class PassPolicyNotMet(PassRefused):
    """A check that the owner's policy asks for was not done or did not pass.

    Facts: `check`.
    """

    code = "pass-policy-not-met"
