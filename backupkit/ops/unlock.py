"""How a use case gets at a secret: it asks only when something must be opened."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from backupkit.crypto.recovery import RecoveryCodeMistyped

_LIKE_WORDS = 12
"""Who types so many words of the list most likely means the recovery words."""


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """What a person gave to open the repository: a passphrase, or the words of the recovery code.

    `again` asks once more where this one opens nothing; None where the answer would be the same, or there were tries enough.
    """

    passphrase: str | None = None
    recovery_words: str | None = None
    again: "AskSecret | None" = field(default=None, compare=False)


def typed_secret(typed: str) -> Secret:
    """Tell 24 recovery words from a passphrase, so that one question takes either.

    The words carry a checksum: nobody has them as a passphrase by chance.
    """
    from backupkit.crypto.recovery import RecoveryCode, RecoveryCodeMistyped  # noqa: PLC0415 - only who opens needs it

    try:
        RecoveryCode.from_words(typed)
    except RecoveryCodeMistyped:
        return Secret(passphrase=typed)
    return Secret(recovery_words=typed)


def mistyped_words(typed: str) -> "RecoveryCodeMistyped | None":
    """Say what is wrong with recovery words; None where something else was meant."""
    from backupkit.crypto.recovery import RecoveryCode, RecoveryCodeMistyped, typed_words  # noqa: PLC0415 - only who opens needs it

    if len(typed_words(typed)) < _LIKE_WORDS:
        return None
    try:
        RecoveryCode.from_words(typed)
    except RecoveryCodeMistyped as error:
        return error
    return None


AskSecret: TypeAlias = Callable[[], Secret]
"""Gets the secret from the person, a file or a command. Raises a typed error where nobody can be asked."""
