"""What owners have themselves to open what an app or a phone sealed for them. Nothing here looks for a key.

A key comes from a file or from a person at the terminal, never from the command line or the environment, where others
could see it; and it is kept nowhere.
"""

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from backupkit.errors import BackupkitError, ExitCode

OPENED_BY_OWN_KEY = frozenset({"whatsapp-crypt15", "signal-backup", "ios-encrypted-backup"})
"""The formats that open with a key that their owner has; all other sealed ones only their apps can open."""

MAX_KEY_FILE_BYTES = 4096
ANOTHER_KEY = "key-is-another"
"""The reason that is told of a sealed backup which none of its keys opens."""

_WHATSAPP = re.compile(rb"[0-9a-fA-F]{64}")
_SIGNAL = re.compile(rb"\d{30}")
_MISTYPED = re.compile(rb"[0-9a-fA-F]{24,}")
_MAX_PASSWORD_BYTES = 1024


class ExportKeyWrong(BackupkitError):
    """A key file, or what was typed, holds no key of a sealed backup."""

    code = "export-key-wrong"
    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True, repr=False)
class OwnerKeys:
    """Keys by what they open: WhatsApp's 64 digits, Signal's 30 digits, passwords of iPhone backups."""

    whatsapp: tuple[bytes, ...] = ()
    signal: tuple[bytes, ...] = ()
    passwords: tuple[bytes, ...] = ()

    def __bool__(self) -> bool:
        """Say whether there is any key."""
        return bool(self.whatsapp or self.signal or self.passwords)

    def __or__(self, other: "OwnerKeys") -> "OwnerKeys":
        """Return the keys of both, each once."""
        return OwnerKeys(
            tuple(dict.fromkeys(self.whatsapp + other.whatsapp)),
            tuple(dict.fromkeys(self.signal + other.signal)),
            tuple(dict.fromkeys(self.passwords + other.passwords)),
        )

    def mark(self, key: bytes) -> str:
        """Return what tells these keys from others, and nothing about them without `key`; empty where there are none."""
        if not self:
            return ""
        told = hmac.new(key, digestmod="sha256")
        for kind in (self.whatsapp, self.signal, self.passwords):
            told.update(len(kind).to_bytes(4, "big"))
            for one in kind:
                told.update(len(one).to_bytes(4, "big") + one)
        return told.hexdigest()[:16]


NO_KEYS = OwnerKeys()

KeysOf: TypeAlias = Callable[[str], OwnerKeys]
"""Returns the keys of a source by its name."""


def no_keys(_source: str) -> OwnerKeys:
    """Nobody handed over a key."""
    return NO_KEYS


def owner_keys(text: bytes) -> OwnerKeys:
    """Read one key as its owner wrote it down, its digits grouped in any way.

    Raises:
        ExportKeyWrong: it is none.
    """
    digits = b"".join(text.removeprefix(b"\xef\xbb\xbf").split())
    if _WHATSAPP.fullmatch(digits):
        return OwnerKeys(whatsapp=(bytes.fromhex(digits.decode("ascii")),))
    if _SIGNAL.fullmatch(digits):
        return OwnerKeys(signal=(digits,))
    password = text.removeprefix(b"\xef\xbb\xbf").removesuffix(b"\n").removesuffix(b"\r")
    # A row of digits as long as that is a slip of the pen in one of the others, and nobody's password.
    if not password or len(password) > _MAX_PASSWORD_BYTES or b"\n" in password or _MISTYPED.fullmatch(digits):
        raise ExportKeyWrong
    try:
        password.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ExportKeyWrong from error
    return OwnerKeys(passwords=(password,))
