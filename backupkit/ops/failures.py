"""What a use case can fail with, beyond what the layers below raise."""

from backupkit.errors import BackupkitError, ExitCode


class NoRepository(BackupkitError):
    """There is no repository at the place named. Facts: `path`."""

    code = "no-repository"
    exit_code = ExitCode.NO_REPOSITORY


class RepositoryExists(BackupkitError):
    """A repository is there already and is not made anew. Facts: `path`."""

    code = "repository-exists"
    exit_code = ExitCode.USAGE


class NotAWriter(BackupkitError):
    """The machine holds no writing keys for the repository, and was not given a way to enrol. Facts: `path`."""

    code = "not-a-writer"
    exit_code = ExitCode.CANNOT_UNLOCK


class RepositoryIsCopy(BackupkitError):
    """The repository is a copy of one that this machine writes to; writing to both would fork the log. Facts: `path`, `original`."""

    code = "repository-is-a-copy"
    exit_code = ExitCode.USAGE


class SnapshotNotFound(BackupkitError):
    """No snapshot has this id, or there is none at all. Facts: `snapshot`."""

    code = "snapshot-not-found"
    exit_code = ExitCode.NOT_FOUND


class SnapshotAmbiguous(BackupkitError):
    """Several snapshots begin with these digits. Facts: `snapshot`, `count`."""

    code = "snapshot-ambiguous"
    exit_code = ExitCode.USAGE


class SourceNotFound(BackupkitError):
    """A source to take does not exist or cannot be entered. Facts: `path`, `reason`."""

    code = "source-not-found"
    exit_code = ExitCode.USAGE


class TargetNotEmpty(BackupkitError):
    """A restore would write into something that is there already. Facts: `path`."""

    code = "target-not-empty"
    exit_code = ExitCode.TARGET_NOT_EMPTY


class HistoryRolledBack(BackupkitError):
    """The repository's log is older than what this machine has seen. Facts: `seen`, `found` (sizes)."""

    code = "history-rolled-back"
    exit_code = ExitCode.NOT_AUTHENTIC


class HistoryForked(BackupkitError):
    """The repository's log is another history than the one this machine has seen. Facts: `seen`, `found` (sizes)."""

    code = "history-forked"
    exit_code = ExitCode.NOT_AUTHENTIC


class LogDamaged(BackupkitError):
    """The log's entries do not add up to its signed head. Facts: `size`, `reason`."""

    code = "log-damaged"
    exit_code = ExitCode.DAMAGED


class RecoveryNotConfirmed(BackupkitError):
    """The recovery code was never typed back, so no coverage pass is written."""

    code = "recovery-not-confirmed"
    exit_code = ExitCode.STALE


class WrongRecoveryWords(BackupkitError):
    """The words typed back are not this repository's recovery code."""

    code = "wrong-recovery-words"
    exit_code = ExitCode.CANNOT_UNLOCK


class LastSlot(BackupkitError):
    """A repository keeps at least two key slots, one of them the recovery code. Facts: `slot`."""

    code = "last-key-slot"
    exit_code = ExitCode.USAGE


class SlotNotFound(BackupkitError):
    """No key slot has this id. Facts: `slot`."""

    code = "key-slot-not-found"
    exit_code = ExitCode.NOT_FOUND


class WriterNotFound(BackupkitError):
    """The repository admits no writer of this id. Facts: `writer`."""

    code = "writer-not-found"
    exit_code = ExitCode.NOT_FOUND
