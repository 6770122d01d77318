"""What the owner asks of a backup before an update may wipe an app.

The defaults are the safe ones. A setting that would let the guard wave updates through is refused, not obeyed.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from typing import Any, NamedTuple

from backupkit.codec.canonical import encode_canonical
from backupkit.errors import BackupkitError, ExitCode

LONGEST_AGE = timedelta(days=30)
"""A pass older than this covers nothing that matters, so no policy may ask for less."""

_UNITS = {"m": 60, "h": 3600, "d": 86400}


class PolicyRefused(BackupkitError):
    """The guard's policy cannot be used.

    Facts: `setting`, `reason` (unknown-setting, wrong-type, unknown-value, unsafe, out-of-range).
    """

    code = "guard-policy-refused"
    exit_code = ExitCode.USAGE


class Needs(Enum):
    """How well a backup must have been tried: every byte read back, or restored and compared."""

    VERIFIED = "verified"
    DRILLED = "drilled"


class ConsentFrom(Enum):
    """Whose word counts: the person at the shop's two screens, or only a token signed for this very update."""

    PERSON = "person"
    TOKEN = "token"  # noqa: S105 - the name of a setting, not a secret


class GuardPolicy(NamedTuple):
    """What must be true before data may be wiped."""

    max_backup_age: timedelta = timedelta(hours=24)
    needs: Needs = Needs.VERIFIED
    needs_second_copy: bool = False
    needs_challenge: bool = False
    consent_from: ConsentFrom = ConsentFrom.PERSON

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> "GuardPolicy":
        """Read a policy from settings named as in the configuration file (`max-backup-age = "24h"`).

        Raises:
            PolicyRefused: an unknown setting, a wrong type, or a value that would make the guard unsafe.
        """
        unknown = sorted(set(settings) - SETTINGS)
        if unknown:
            raise PolicyRefused(setting=unknown[0], reason="unknown-setting")
        if settings.get("when-unsure", "hold") != "hold":
            # There is no other answer: a guard that lets through what it does not understand is no guard.
            raise PolicyRefused(setting="when-unsure", reason="unsafe")
        return cls(
            max_backup_age=_age(settings.get("max-backup-age", "24h")),
            needs=_choice(Needs, "needs", settings.get("needs", "verified")),
            needs_second_copy=_flag("needs-second-copy", settings.get("needs-second-copy", False)),
            needs_challenge=_flag("needs-challenge", settings.get("needs-challenge", False)),
            consent_from=_choice(ConsentFrom, "consent-from", settings.get("consent-from", "person")),
        )

    def to_mapping(self) -> dict[str, Any]:
        """Write what `from_mapping` reads."""
        return {
            "max-backup-age": f"{int(self.max_backup_age.total_seconds() // 60)}m",
            "needs": self.needs.value,
            "needs-second-copy": self.needs_second_copy,
            "needs-challenge": self.needs_challenge,
            "consent-from": self.consent_from.value,
            "when-unsure": "hold",
        }

    def encode(self) -> bytes:
        """Write the policy as its file holds it."""
        return encode_canonical(self.to_mapping())


SETTINGS = frozenset({"max-backup-age", "needs", "needs-second-copy", "needs-challenge", "consent-from", "when-unsure"})


def _age(value: Any) -> timedelta:
    if not isinstance(value, str):
        raise PolicyRefused(setting="max-backup-age", reason="wrong-type")
    number, unit = value[:-1], value[-1:]
    if unit not in _UNITS or not number.isascii() or not number.isdigit() or len(number) > 6:
        raise PolicyRefused(setting="max-backup-age", reason="unknown-value")
    age = timedelta(seconds=int(number) * _UNITS[unit])
    if not timedelta(minutes=1) <= age <= LONGEST_AGE:
        raise PolicyRefused(setting="max-backup-age", reason="out-of-range")
    return age


def _choice(kind: Any, setting: str, value: Any) -> Any:
    try:
        return kind(value)
    except ValueError as error:
        raise PolicyRefused(setting=setting, reason="unknown-value") from error


def _flag(setting: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise PolicyRefused(setting=setting, reason="wrong-type")
    return value
