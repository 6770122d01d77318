"""What helps against a hold, as the verdict's `try`: commands, or a word for what the shop should do. The best comes first."""

from backupkit.proof.coverage_pass import EVERY_BYTE_READ, KEYS_RECOVERABLE, RESTORE_DRILL, SECOND_COPY
from backupkit.proof.refusals import LogForked, LogRolledBack, PassPolicyNotMet, PassRefused

VERIFY = "backupkit verify"
BACK_UP_FIRST = ("backupkit snapshot", VERIFY)
UPDATE_INSTEAD = "install-as-update"
KEEP_THE_APP = "keep-the-installed-app"

_PASSES_CHECK = {
    EVERY_BYTE_READ: (VERIFY,),
    KEYS_RECOVERABLE: ("backupkit key confirm", VERIFY),
    RESTORE_DRILL: ("backupkit drill",),
    SECOND_COPY: ("backupkit copy --to DIR",),
}


def against(refused: PassRefused) -> tuple[str, ...]:
    """Say what would make a pass count that was refused."""
    if isinstance(refused, PassPolicyNotMet):
        # Verifying once more would leave out the very check that is asked for.
        return _PASSES_CHECK.get(str(refused.facts["check"]), BACK_UP_FIRST)
    if isinstance(refused, LogRolledBack | LogForked):
        # A snapshot into a repository that was put back would bury what is missing from it.
        return (KEEP_THE_APP,)
    return BACK_UP_FIRST
