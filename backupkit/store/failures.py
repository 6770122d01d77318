"""What can be wrong with chunks. The errors of a backend are beside its protocol."""

from backupkit.errors import BackupkitError, ExitCode


class ChunkLost(BackupkitError):
    """A chunk cannot be read from any place where it should lie. Facts: `chunk`, `pack` (or None), `reason`."""

    code = "chunk-lost"
    exit_code = ExitCode.DAMAGED


class WrongChunkType(BackupkitError):
    """A pointer leads to a chunk of another type. Facts: `chunk`, `wanted`, `found`."""

    code = "wrong-chunk-type"
    exit_code = ExitCode.DAMAGED


class ChunkNotStored(BackupkitError):
    """Somebody asks for the pack of a chunk that is in none yet. A mistake of the caller. Facts: `chunk`."""

    code = "chunk-not-stored"
    exit_code = ExitCode.BUG


class ChunkTooLarge(BackupkitError):
    """A chunk is larger than any reader would take. A mistake of the caller. Facts: `size`, `most` in bytes."""

    code = "chunk-too-large"
    exit_code = ExitCode.BUG
