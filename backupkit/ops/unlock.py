"""How a use case gets at a secret: it asks only when something must be opened."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """What a person gave to open the repository: a passphrase, or the words of the recovery code."""

    passphrase: str | None = None
    recovery_words: str | None = None


AskSecret: TypeAlias = Callable[[], Secret]
"""Gets the secret from the person, a file or a command. Raises a typed error where nobody can be asked."""
