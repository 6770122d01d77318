"""The one error of this layer: an export that cannot be read on from here."""

from backupkit.chats.model import Locator
from backupkit.errors import BackupkitError, ExitCode


class MalformedExport(BackupkitError):
    """An export is damaged, hostile, or not what it seemed to be. What was read before is good.

    Facts: `file` and `place` (where), `reason` (kebab-case).
    """

    code = "malformed-export"
    exit_code = ExitCode.NOT_UNDERSTOOD

    def __init__(self, locator: Locator, reason: str) -> None:
        super().__init__(file=locator.file, place=locator.place, reason=reason)
        self.locator = locator
        self.reason = reason


class TruncatedExport(MalformedExport):
    """The export ends in the middle of something: a broken copy rather than a hostile one."""

    code = "truncated-export"
    exit_code = ExitCode.DAMAGED
