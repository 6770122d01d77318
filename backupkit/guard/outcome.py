"""What somebody is about to do with an app, what Android would answer, and what would become of the chats: the words for it."""

from enum import Enum, IntEnum
from typing import NamedTuple

from backupkit.guard.facts import Capability, SignerView


class Action(Enum):
    """What the shop or person is about to do."""

    UPGRADE = "upgrade"
    REINSTALL = "reinstall"
    UNINSTALL = "uninstall"
    DOWNGRADE = "downgrade"


class Outcome(Enum):
    """What would become of the chats, worst last."""

    KEEPS_DATA = "keeps-data"
    PARALLEL_APP = "parallel-app"
    REFUSED_SAFE = "refused-safe"
    NOT_GENUINE = "not-genuine"
    UNKNOWN = "unknown"
    WOULD_WIPE = "would-wipe"


class SignerChange(Enum):
    """How the offered signer relates to the installed one, as this device sees both."""

    SAME = "same"
    ROTATED = "rotated"
    ROLLED_BACK = "rolled-back"
    REPLACED = "replaced"
    UNKNOWN = "unknown"


def signer_change(old: SignerView | None, new: SignerView | None) -> SignerChange:
    """Say how two signers relate (AOSP `verifySignatures`, the line that decides everything)."""
    if old is None or new is None:
        return SignerChange.UNKNOWN
    if new.is_signed_like(old):
        return SignerChange.SAME
    if new.grants(old, Capability.INSTALLED_DATA):
        return SignerChange.ROTATED
    if old.grants(new, Capability.ROLLBACK):
        return SignerChange.ROLLED_BACK
    return SignerChange.REPLACED


class InstallCode(IntEnum):
    """Android's install results (`android.content.pm.PackageManager`)."""

    SUCCEEDED = 1
    INVALID_APK = -2
    DUPLICATE_PACKAGE = -5
    UPDATE_INCOMPATIBLE = -7
    SHARED_USER_INCOMPATIBLE = -8
    OLDER_SDK = -12
    CONFLICTING_PROVIDER = -13
    TEST_ONLY = -15
    UID_CHANGED = -24
    VERSION_DOWNGRADE = -25
    PERMISSION_MODEL_DOWNGRADE = -26
    SANDBOX_VERSION_DOWNGRADE = -27
    MISSING_SPLIT = -28
    DEPRECATED_SDK_VERSION = -29
    PARSE_FAILED_NOT_APK = -100
    PARSE_FAILED_NO_CERTIFICATES = -103
    PARSE_FAILED_INCONSISTENT_CERTIFICATES = -104
    DUPLICATE_PERMISSION = -112
    NO_MATCHING_ABIS = -113
    SESSION_INVALID = -116
    WRONG_INSTALLED_VERSION = -121
    PARSE_FAILED_RESOURCES_ARSC_COMPRESSED = -124
    DUPLICATE_PERMISSION_GROUP = -126
    BAD_PERMISSION_GROUP = -127
    MULTI_ARCH_NOT_MATCH_ALL_NATIVE_ABIS = -131


class DeviceOutcome(NamedTuple):
    """What the rules say. `install_result` is what Android would answer to the package offered as an update.

    `missing` names the rule that could not be answered where the reason is `fact-missing`.
    """

    outcome: Outcome
    install_result: int | None
    reason: str
    signer_change: SignerChange
    missing: str | None = None
    not_judged: tuple[str, ...] = ()
    """What the package asks of the device and nobody said of it: facts of the device, by their names in the request."""
