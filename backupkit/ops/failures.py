"""What a use case can fail with, beyond what the layers below raise."""

from backupkit.errors import BackupkitError, ExitCode


class NoRepository(BackupkitError):
    """There is no repository at the place named. Facts: `path`."""

    code = "no-repository"
    exit_code = ExitCode.NO_REPOSITORY


class ConfigLost(BackupkitError):
    """There are keys or packs of a repository, and no copy of its config. Facts: `path`."""

    code = "config-lost"
    exit_code = ExitCode.DAMAGED


class KeysLost(BackupkitError):
    """There are packs of a repository, and no copy of the keys that open them. Facts: `path`, `name` (of file or folder)."""

    code = "keys-lost"
    exit_code = ExitCode.DAMAGED


class OnlyPacksLeft(BackupkitError):
    """Log and statements could not be used, so that snapshots were looked for in the packs. Facts: `reason`."""

    code = "only-packs-left"
    exit_code = ExitCode.DAMAGED


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
    """No snapshot has this id. Facts: `snapshot`."""

    code = "snapshot-not-found"
    exit_code = ExitCode.NOT_FOUND


class NoSnapshotYet(SnapshotNotFound):
    """The latest snapshot was asked for, and there is none at all."""

    code = "no-snapshot-yet"


class SnapshotAmbiguous(BackupkitError):
    """Several snapshots begin with these digits. Facts: `snapshot`, `count`."""

    code = "snapshot-ambiguous"
    exit_code = ExitCode.USAGE


class SnapshotUnreadable(BackupkitError):
    """The log names the snapshot, and no copy of its statement can be read. Facts: `snapshot`, `reason`."""

    code = "snapshot-unreadable"
    exit_code = ExitCode.DAMAGED


class PacksUnknown(BackupkitError):
    """No copy of the list of the packs that the snapshot needs can be read. Facts: `snapshot`, `reason`."""

    code = "packs-unknown"
    exit_code = ExitCode.DAMAGED


class SnapshotForgotten(BackupkitError):
    """The snapshot was forgotten. It can be taken back, and restored as it is. Facts: `snapshot`."""

    code = "snapshot-forgotten"
    exit_code = ExitCode.NOT_FOUND


class SnapshotSwept(BackupkitError):
    """The snapshot was forgotten, and its bytes were deleted since. Facts: `snapshot`."""

    code = "snapshot-swept"
    exit_code = ExitCode.NOT_FOUND


class SnapshotNeeded(BackupkitError):
    """The snapshot is the newest verified one of its sources, which is never forgotten. Facts: `snapshot`."""

    code = "snapshot-needed"
    exit_code = ExitCode.USAGE


class SnapshotsShrunk(BackupkitError):
    """The newest snapshot that would stay holds sharply less than one that would go. Nothing was forgotten.

    Facts: `snapshot`, `messages`, `bytes` of the newest; `going`, `going_messages`, `going_bytes`. Messages may be None.
    """

    code = "snapshots-shrunk"
    exit_code = ExitCode.HOLD


class GuardHoldOpen(BackupkitError):
    """The guard holds an update that would wipe an app, so nothing is forgotten or deleted. Facts: `package`, `since`."""

    code = "guard-hold-open"
    exit_code = ExitCode.HOLD


class NothingKept(BackupkitError):
    """Every rule keeps nothing, which is not what anybody means."""

    code = "nothing-kept"
    exit_code = ExitCode.USAGE


class PacksSwept(BackupkitError):
    """A sweep deleted packs that this snapshot was built on while it ran. Facts: `count`."""

    code = "packs-swept"
    exit_code = ExitCode.LOCKED


class NeedUnknown(BackupkitError):
    """Which packs a snapshot needs cannot be read, so nothing can be deleted. Facts: `snapshot`, `reason`."""

    code = "need-unknown"
    exit_code = ExitCode.DAMAGED


class ReplacedUnknown(BackupkitError):
    """Which packs were replaced by which is said in a statement that cannot be read, so nothing can be deleted."""

    code = "replaced-unknown"
    exit_code = ExitCode.DAMAGED


class CopyToItself(BackupkitError):
    """The copy would lie in the repository, or the repository in the copy. Facts: `path`."""

    code = "copy-to-itself"
    exit_code = ExitCode.USAGE


class CopyOfAnother(BackupkitError):
    """Something else than a copy of this repository lies there. Facts: `path`."""

    code = "copy-of-another"
    exit_code = ExitCode.TARGET_NOT_EMPTY


class CopyRunning(BackupkitError):
    """Another run is copying to the same place. Facts: `path`."""

    code = "copy-running"
    exit_code = ExitCode.LOCKED


class CopyIsNewer(BackupkitError):
    """The copy knows more than the repository that is to be copied over it. Facts: `path`, `copy`, `own` (sizes)."""

    code = "copy-is-newer"
    exit_code = ExitCode.NOT_AUTHENTIC


class CopyForked(BackupkitError):
    """The copy's log is another history than the repository's. Facts: `path`, `reason`."""

    code = "copy-forked"
    exit_code = ExitCode.NOT_AUTHENTIC


class SourceNotFound(BackupkitError):
    """A source to take does not exist or cannot be entered. Facts: `path`, `reason`."""

    code = "source-not-found"
    exit_code = ExitCode.USAGE


class SourceIsOwn(BackupkitError):
    """A source lies in backupkit's own folders, which would be saved into themselves. Facts: `path`."""

    code = "source-is-own"
    exit_code = ExitCode.USAGE


class TargetNotEmpty(BackupkitError):
    """A restore would write into something that is there already. Facts: `path`."""

    code = "target-not-empty"
    exit_code = ExitCode.TARGET_NOT_EMPTY


class RestoreUnfinished(BackupkitError):
    """The target holds another restore that did not come to its end. Facts: `path`, `snapshot` (of that one)."""

    code = "restore-unfinished"
    exit_code = ExitCode.TARGET_NOT_EMPTY


class RestoreRunning(BackupkitError):
    """Another restore writes into the target at this moment. Facts: `path`."""

    code = "restore-running"
    exit_code = ExitCode.TARGET_NOT_EMPTY


class TargetInRepository(BackupkitError):
    """Chats would be written in the clear into the sealed repository. Facts: `path`."""

    code = "target-in-repository"
    exit_code = ExitCode.USAGE


class HistoryRolledBack(BackupkitError):
    """The repository's log is older than what this machine has seen. Facts: `seen`, `found` (sizes)."""

    code = "history-rolled-back"
    exit_code = ExitCode.NOT_AUTHENTIC


class CopyIsOlder(HistoryRolledBack):
    """A copy has not all that the repository has, which lies where it always did. Facts: `path`, `original`, `seen`, `found` (sizes)."""

    code = "copy-is-older"


class HistoryForked(BackupkitError):
    """The repository's log is another history than the one this machine has seen. Facts: `seen`, `found` (sizes)."""

    code = "history-forked"
    exit_code = ExitCode.NOT_AUTHENTIC


class LogDamaged(BackupkitError):
    """The log's entries do not add up to its signed head. Facts: `size`, `reason`."""

    code = "log-damaged"
    exit_code = ExitCode.DAMAGED


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


class SourceNotInSnapshot(BackupkitError):
    """The snapshot holds no source of this name. Facts: `source`, `snapshot`, and `known`, the names that it holds."""

    code = "source-not-in-snapshot"
    exit_code = ExitCode.NOT_FOUND


class ConversationNotFound(BackupkitError):
    """No conversation of the snapshot is called this. Facts: `conversation`."""

    code = "conversation-not-found"
    exit_code = ExitCode.NOT_FOUND
