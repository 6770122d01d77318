"""How a use case gets at a secret: it asks only when something must be opened."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """What a person gave to open the repository: a passphrase, or the words of the recovery code."""

    passphrase: str | None = None
    recovery_words: str | None = None


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


AskSecret: TypeAlias = Callable[[], Secret]
"""Gets the secret from the person, a file or a command. Raises a typed error where nobody can be asked."""
