"""What can go wrong with a key, a seal or a signature. Checks raise these; they never return False."""

from backupkit.errors import BackupkitError, ExitCode


class OpenFailed(BackupkitError):
    """Sealed bytes did not open: wrong key, damage, or a swapped object. The cipher cannot tell which.

    Facts: `what`.
    """

    code = "open-failed"
    exit_code = ExitCode.DAMAGED


class SignatureInvalid(BackupkitError):
    """A signature does not fit the bytes and the key.

    Facts: `what`.
    """

    code = "signature-invalid"
    exit_code = ExitCode.NOT_AUTHENTIC


class CannotUnlock(BackupkitError):
    """No key slot opens with what was given: a wrong passphrase, recovery code or identity.

    Facts: `kind` (passphrase, recovery-code, identity).
    """

    code = "cannot-unlock"
    exit_code = ExitCode.CANNOT_UNLOCK
