"""The two ways in which stored bytes can be wrong: not what they should be, or from a newer backupkit."""

from backupkit.errors import BackupkitError, ExitCode


class MalformedObject(BackupkitError):
    """Bytes are not the object they should be: damaged, truncated or made by somebody else.

    Facts: `what` (the object's kind or name), `reason` (kebab-case).
    """

    code = "malformed-object"
    exit_code = ExitCode.DAMAGED


class NewerFormat(BackupkitError):
    """The object was written by a newer backupkit. Nothing is wrong with it; this version cannot read it.

    Facts: `what`, `version` (found), `known` (newest this version reads).
    """

    code = "newer-format"
    exit_code = ExitCode.NEWER_FORMAT
