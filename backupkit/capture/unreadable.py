"""Why something of a source could not be read: told entry by entry, so that one bad file never hides the others."""

import errno
from enum import StrEnum
from pathlib import Path

from backupkit.errors import BackupkitError, ExitCode


class Unreadable(StrEnum):
    """The reasons, as codes: their sentences are `reason.<code>.what` and its two companions in the catalogues."""

    PERMISSION_DENIED = "permission-denied"
    VANISHED = "vanished"
    FOLDER_LOOP = "folder-loop"
    BECAME_ANOTHER_KIND = "became-another-kind"
    CHANGED_WHILE_READ = "changed-while-read"
    NAME_TOO_LONG = "name-too-long"
    READ_ERROR = "read-error"


_BY_ERRNO = {
    errno.EACCES: Unreadable.PERMISSION_DENIED,
    errno.EPERM: Unreadable.PERMISSION_DENIED,
    errno.ENOENT: Unreadable.VANISHED,
    errno.ESTALE: Unreadable.VANISHED,
    # O_NOFOLLOW meets a link, O_DIRECTORY a file, a plain open a folder or a socket.
    errno.ELOOP: Unreadable.BECAME_ANOTHER_KIND,
    errno.ENOTDIR: Unreadable.BECAME_ANOTHER_KIND,
    errno.EISDIR: Unreadable.BECAME_ANOTHER_KIND,
    errno.ENXIO: Unreadable.BECAME_ANOTHER_KIND,
    errno.ENAMETOOLONG: Unreadable.NAME_TOO_LONG,
}


def reason_of(error: OSError) -> Unreadable:
    """Name the reason behind an error of the operating system; what is not known by name is a read error."""
    return _BY_ERRNO.get(error.errno or 0, Unreadable.READ_ERROR)


class SourceMissing(BackupkitError):
    """The folder or file that was to be saved is not there.

    Facts: `path`.
    """

    code = "source-missing"
    exit_code = ExitCode.USAGE

    def __init__(self, path: Path) -> None:
        super().__init__(path=str(path))


class SourceUnreadable(BackupkitError):
    """One file or folder of a source could not be read. The others can.

    Facts: `path`, `reason` (a value of `Unreadable`).
    """

    code = "source-unreadable"
    exit_code = ExitCode.INCOMPLETE

    def __init__(self, path: Path | str, reason: Unreadable) -> None:
        super().__init__(path=str(path), reason=reason.value)
        self.reason = reason
