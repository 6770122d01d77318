"""What Android would do with an update, and what would happen to the chats. The table as data.

Android itself never wipes: it refuses an update and keeps the data. The wipe is the shop's next step, "remove, then
install". So each refusal also says what that step would do. Sources: AOSP `InstallPackageHelper.preparePackage`,
`PackageManagerServiceUtils.verifySignatures` and `canJoinSharedUserId`, `SigningDetails.checkCapability`, and the
install codes of `PackageManager`.

Pure, total, and fail closed: a rule answers yes, no, or "not known", and "not known" never becomes allow.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum, IntEnum
from typing import NamedTuple

from backupkit.guard.device_facts import Device, Owner
from backupkit.guard.facts import NEWEST_SDK, OLDEST_SDK, Capability, Demands, PackageFacts, Scheme, SignerView
from backupkit.ids import AppPackage


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
    DUPLICATE_PERMISSION_GROUP = -126
    BAD_PERMISSION_GROUP = -127
    MULTI_ARCH_NOT_MATCH_ALL_NATIVE_ABIS = -131


class IfForced(Enum):
    """What "remove, then install" would do after this refusal."""

    FAILS = "fails"
    """The package is refused on an empty device too: the chats would be gone and the app as well."""
    REFUSED = "refused"
    """The update is refused for a choice of its maker; nothing is gained by removing the app."""
    WIPES = "wipes"
    """It would install, over the deleted chats. The 2018 accident."""


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


class Case(NamedTuple):
    """One update at one Android level."""

    installed: PackageFacts
    candidate: PackageFacts
    sdk: int
    action: Action
    old: SignerView | None
    new: SignerView | None
    device: Device

    @property
    def demands(self) -> Demands:
        """What the offered package asks for; nothing where that was not read."""
        return self.candidate.demands or _NO_DEMANDS


_NO_DEMANDS = Demands()


class Rule(NamedTuple):
    """One row of the table: when it applies, what Android answers, what force would do.

    `applies` answers None where a fact it needs is not known.
    """

    reason: str
    code: Callable[[Case], InstallCode]
    if_forced: IfForced
    applies: Callable[[Case], bool | None]


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


def _always(code: InstallCode) -> Callable[[Case], InstallCode]:
    return lambda _case: code


def _below(value: int | None, floor: int | None) -> bool | None:
    return None if value is None or floor is None else value < floor


def _needs_newer_android(case: Case) -> bool | None:
    return _below(case.sdk, case.candidate.min_sdk)


def _signature_not_accepted(case: Case) -> bool | None:
    span = case.candidate.signing_at(case.sdk)
    if span is None:
        return None
    if span.view is None:
        return True
    # From Android 11 an app that targets it must carry a whole-file signature.
    if case.sdk < 30 or span.view.scheme not in {None, Scheme.V1}:
        return False
    if case.candidate.target_sdk is None or span.view.scheme is None:
        return None
    return case.candidate.target_sdk >= 30


# The lowest target level that a platform installs: Android 14 asks for 23, Android 15 for 24.
_TARGET_FLOORS = {34: 23, 35: 24, 36: 24}


def _targets_too_old(case: Case) -> bool | None:
    floor = _TARGET_FLOORS.get(case.sdk)
    if floor is None or case.candidate.test_only:
        # A test-only package passes this check and meets its own.
        return False
    if _below(case.installed.target_sdk, floor):
        # This device holds an app below the floor already: it came before the platform's update, or this build does
        # not enforce the floor (Android 15 puts it behind a flag). Refused or not, no data is at stake by this rule, and
        # to call it refused would hide a wipe that another rule sees.
        return False
    return _below(case.candidate.target_sdk, floor)


def _is_only_a_split(case: Case) -> bool | None:
    # Where nobody said, it is a whole package: a split has no version of its own to offer.
    return case.candidate.is_base is False


def _is_test_only(case: Case) -> bool | None:
    return case.candidate.test_only


def _is_older_version(case: Case) -> bool | None:
    older = _below(case.candidate.version_code, case.installed.version_code)
    if older and case.action is Action.DOWNGRADE and (case.installed.debuggable or case.device.is_debuggable_build):
        # A downgrade that was asked for is let through for a debuggable app or on a debuggable system, with its data.
        return False
    return older


def _drops_runtime_permissions(case: Case) -> bool | None:
    if case.sdk < 23:
        return False
    old, new = case.installed.target_sdk, case.candidate.target_sdk
    if new is not None and new > 22:
        return False
    return None if old is None or new is None else old > 22


def _lowers_sandbox(case: Case) -> bool | None:
    old, new = case.installed.target_sandbox, case.candidate.target_sandbox
    if old is None or new is None:
        # Version 1 is the default, version 2 is for instant apps: unknown means nobody raised it.
        return False
    return new < old


def _signer_replaced(case: Case) -> bool | None:
    if case.installed.upgrade_keys:
        # In a shared user id Android compares certificates all the same (AOSP `shouldCheckUpgradeKeySetLocked`).
        shares = _shares_user(case.installed, case.sdk)
        if shares is None:
            return None
        if not shares:
            return _fits_no_key_set(case)
    change = signer_change(case.old, case.new)
    return None if change is SignerChange.UNKNOWN else change is SignerChange.REPLACED


def _fits_no_key_set(case: Case) -> bool | None:
    """Upgrade key sets replace the check of certificates: one of the sets must be among the new signer's public keys."""
    sets, keys = case.installed.upgrade_key_sets, dict(case.demands.keys)
    if sets is None or case.new is None or any(signer not in keys for signer in case.new.signers):
        return None
    own = {keys[signer] for signer in case.new.signers}
    return not any(own.issuperset(wanted) for wanted in sets)


def _fits_no_processor(case: Case) -> bool | None:
    abis, own = case.device.abis, case.demands.abis
    return bool(own) and abis is not None and abis.isdisjoint(own)


_64_BIT = frozenset({"arm64-v8a", "x86_64", "riscv64"})


def _lacks_a_processor(case: Case) -> bool | None:
    # An app that runs as 32 and 64 bit must bring code for both where the device has both (newer Android only).
    abis, own = case.device.abis, case.demands.abis
    if case.sdk < 35 or abis is None or not own or not case.demands.is_multi_arch:
        return False
    return any(width and width.isdisjoint(own) for width in (abis & _64_BIT, abis - _64_BIT))


_SYSTEM = AppPackage("android")


def _is_foreign(case: Case, name: str, owners: Mapping[str, Owner] | None) -> bool | None:
    """Whether a name belongs to another app that does not trust the new signer (AOSP `doesSignatureMatchForPermissions`)."""
    owner = None if owners is None else owners.get(name)
    if owner is None or owner.package in {case.candidate.package, _SYSTEM}:
        # What the system itself defines is left to it, and the package installs.
        return False
    if owner.signers is None or case.new is None:
        return None
    trusted = case.new.grants(owner.signers, Capability.PERMISSION) or owner.signers.grants(
        case.new, Capability.PERMISSION
    )
    return not trusted


def _any(answers: Sequence[bool | None]) -> bool | None:
    return True if True in answers else None if None in answers else False


def _permission_taken(case: Case) -> bool | None:
    return _any([_is_foreign(case, name, case.device.permissions) for name in case.demands.permissions])


def _group_taken(case: Case) -> bool | None:
    if case.sdk < 31:
        return False
    return _any([_is_foreign(case, name, case.device.permission_groups) for name in case.demands.permission_groups])


def _group_is_foreign(case: Case) -> bool | None:
    if case.sdk < 31:
        return False
    own = case.demands.permission_groups
    groups = {group for _, group in case.demands.permissions_in if group not in own}
    return _any([_is_foreign(case, group, case.device.permission_groups) for group in sorted(groups)])


def _provider_taken(case: Case) -> bool | None:
    owners = case.device.providers or {}
    return any(name in owners and owners[name].package != case.candidate.package for name in case.demands.providers)


def _misses_splits(case: Case) -> bool | None:
    return case.demands.misses_splits


def _misses_code(case: Case) -> bool | None:
    # AOSP `ScanPackageUtils.assertCodePolicy`.
    return case.demands.misses_code


def _is_static_library(case: Case) -> bool | None:
    return case.demands.static_library


def _becomes_instant(case: Case) -> bool | None:
    # The installed app keeps data of its own, so it is a full one.
    return case.device.is_instant


def _insists_on_another_version(case: Case) -> bool | None:
    wanted, found = case.device.required_version, case.installed.version_code
    return False if wanted is None else None if found is None else wanted != found


def _shares_user(facts: PackageFacts, sdk: int) -> bool | None:
    if facts.shared_user_id is None:
        return None
    # Since Android 13 a package can leave its shared user id on new devices.
    left = sdk >= 33 and facts.shared_user_max_sdk is not None and 0 < facts.shared_user_max_sdk < sdk
    return bool(facts.shared_user_id) and not left


def _cannot_stay_in_shared_user(case: Case) -> bool | None:
    shares = _shares_user(case.installed, case.sdk)
    if shares is None:
        return None
    if not shares:
        return False
    if case.old is None or case.new is None:
        return None
    # Newer Android lets an update rotate away from a signer it no longer trusts; whether the others in the shared user
    # follow is often unknown, so a revoked capability counts as refused on every level.
    may_join = case.new.grants(case.old, Capability.SHARED_USER_ID) or case.old.grants(
        case.new, Capability.SHARED_USER_ID
    )
    related = case.new.descends_from(case.old) or case.old.descends_from(case.new)
    if not (may_join and related):
        return True
    # The others, where the store named them: the new signer and each of theirs must trust one another (AOSP `canJoinSharedUserId`).
    others = [one for one in (case.device.shared_user or {}).values() if one.package != case.candidate.package]
    return _any([_cannot_share(case.new, one.signers) for one in others])


def _cannot_share(new: SignerView, other: SignerView | None) -> bool | None:
    if other is None:
        return None
    return not (new.grants(other, Capability.SHARED_USER_ID) or other.grants(new, Capability.SHARED_USER_ID))


def _shared_user_changed(case: Case) -> bool | None:
    old, new = case.installed.shared_user_id, case.candidate.shared_user_id
    if old is None or new is None:
        return None
    if old != new:
        return True
    return _shares_user(case.installed, case.sdk) is False and _shares_user(case.candidate, case.sdk) is True


def _storage_changed(case: Case) -> bool | None:
    old, new = case.installed.stores_data, case.candidate.stores_data
    # Android 12 brought the property; where nobody said, an app stores data.
    return case.sdk >= 31 and (old is not False) != (new is not False)


def _shared_user_code(case: Case) -> InstallCode:
    # Android 13 gave this refusal its own number.
    return InstallCode.UID_CHANGED if case.sdk >= 33 else InstallCode.SHARED_USER_INCOMPATIBLE


CANDIDATE_RULES: tuple[Rule, ...] = (
    Rule("android-too-old", _always(InstallCode.OLDER_SDK), IfForced.FAILS, _needs_newer_android),
    Rule(
        "signature-too-old",
        _always(InstallCode.PARSE_FAILED_NO_CERTIFICATES),
        IfForced.FAILS,
        _signature_not_accepted,
    ),
    Rule("target-too-old", _always(InstallCode.DEPRECATED_SDK_VERSION), IfForced.FAILS, _targets_too_old),
    Rule("not-a-base", _always(InstallCode.MISSING_SPLIT), IfForced.FAILS, _is_only_a_split),
    Rule("split-missing", _always(InstallCode.MISSING_SPLIT), IfForced.FAILS, _misses_splits),
    Rule("code-missing", _always(InstallCode.INVALID_APK), IfForced.FAILS, _misses_code),
    Rule("test-only", _always(InstallCode.TEST_ONLY), IfForced.FAILS, _is_test_only),
    Rule("no-matching-abi", _always(InstallCode.NO_MATCHING_ABIS), IfForced.FAILS, _fits_no_processor),
    Rule(
        "needs-all-abis",
        _always(InstallCode.MULTI_ARCH_NOT_MATCH_ALL_NATIVE_ABIS),
        IfForced.FAILS,
        _lacks_a_processor,
    ),
    Rule("permission-taken", _always(InstallCode.DUPLICATE_PERMISSION), IfForced.FAILS, _permission_taken),
    Rule("permission-group-taken", _always(InstallCode.DUPLICATE_PERMISSION_GROUP), IfForced.FAILS, _group_taken),
    Rule("permission-group-foreign", _always(InstallCode.BAD_PERMISSION_GROUP), IfForced.FAILS, _group_is_foreign),
    Rule("provider-taken", _always(InstallCode.CONFLICTING_PROVIDER), IfForced.FAILS, _provider_taken),
)
"""Refusals that look at the offered package alone: it would not install on an empty device either."""

UPDATE_RULES: tuple[Rule, ...] = (
    Rule("becomes-instant", _always(InstallCode.SESSION_INVALID), IfForced.REFUSED, _becomes_instant),
    Rule(
        "another-version-required",
        _always(InstallCode.WRONG_INSTALLED_VERSION),
        IfForced.REFUSED,
        _insists_on_another_version,
    ),
    Rule("static-library", _always(InstallCode.DUPLICATE_PACKAGE), IfForced.REFUSED, _is_static_library),
    Rule("older-version", _always(InstallCode.VERSION_DOWNGRADE), IfForced.WIPES, _is_older_version),
    Rule(
        "drops-permission-model",
        _always(InstallCode.PERMISSION_MODEL_DOWNGRADE),
        IfForced.REFUSED,
        _drops_runtime_permissions,
    ),
    Rule("lowers-sandbox", _always(InstallCode.SANDBOX_VERSION_DOWNGRADE), IfForced.REFUSED, _lowers_sandbox),
    Rule("different-signer", _always(InstallCode.UPDATE_INCOMPATIBLE), IfForced.WIPES, _signer_replaced),
    Rule(
        "shared-user-signer",
        _always(InstallCode.SHARED_USER_INCOMPATIBLE),
        IfForced.WIPES,
        _cannot_stay_in_shared_user,
    ),
    Rule("shared-user-changed", _shared_user_code, IfForced.WIPES, _shared_user_changed),
    Rule("storage-changed", _always(InstallCode.UPDATE_INCOMPATIBLE), IfForced.WIPES, _storage_changed),
)
"""Refusals that compare the offered package with the installed one, in the order Android looks."""

KEEPS_REASON = {
    SignerChange.SAME: "signer-same",
    SignerChange.ROTATED: "signer-rotated",
    SignerChange.ROLLED_BACK: "signer-rolled-back",
}


def decide_install(
    installed: PackageFacts, candidate: PackageFacts | None, action: Action, device: Device
) -> DeviceOutcome:
    """Say what an action would do to the chats of `installed` on this device.

    An unknown device is judged at every level that both packages run on; if one of them would wipe, so does the answer.
    """
    if action is Action.UNINSTALL:
        return DeviceOutcome(Outcome.WOULD_WIPE, None, "uninstall", SignerChange.UNKNOWN)
    if candidate is None:
        return _unknown("candidate-missing")
    update = _decide_update(installed, candidate, action, device)
    outcome = _after_removal(update) if action is Action.REINSTALL else update
    return outcome._replace(not_judged=_not_judged(candidate, device))


_FACTS_NEEDED: dict[str, Callable[[Demands], object]] = {
    "abis": lambda demands: demands.abis,
    "permissions": lambda demands: demands.permissions,
    "permission_groups": lambda demands: demands.permission_groups or demands.permissions_in,
    "providers": lambda demands: demands.providers,
}


def _not_judged(candidate: PackageFacts, device: Device) -> tuple[str, ...]:
    """Name the facts of the device that a rule would have asked for. They can only add a refusal that leaves the chats alone."""
    demands = candidate.demands or _NO_DEMANDS
    return tuple(name for name, needs in _FACTS_NEEDED.items() if getattr(device, name) is None and needs(demands))


def _after_removal(update: DeviceOutcome) -> DeviceOutcome:
    """Removing the app deletes its chats, whatever is installed afterwards."""
    match update.outcome:
        case Outcome.KEEPS_DATA:
            reason = "update-instead"
        case Outcome.REFUSED_SAFE:
            reason = "reinstall-fails"
        case Outcome.PARALLEL_APP:
            reason = "removes-another-app"
        case Outcome.UNKNOWN:
            return update
        case _:
            reason = update.reason
    return DeviceOutcome(Outcome.WOULD_WIPE, update.install_result, reason, update.signer_change)


def _decide_update(installed: PackageFacts, candidate: PackageFacts, action: Action, device: Device) -> DeviceOutcome:
    if device.sdk is not None:
        return _decide_at(installed, candidate, action, device)
    first = max(OLDEST_SDK, installed.min_sdk or 0, candidate.min_sdk or 0)
    if first > NEWEST_SDK:
        return _unknown("device-too-new")
    return _worst(
        [_decide_at(installed, candidate, action, device._replace(sdk=sdk)) for sdk in range(first, NEWEST_SDK + 1)]
    )


def _worst(answers: list[DeviceOutcome]) -> DeviceOutcome:
    worst = [answer for answer in answers if answer.outcome is Outcome.WOULD_WIPE]
    worst = worst or [answer for answer in answers if answer.outcome is Outcome.UNKNOWN]
    if not worst and len({answer.outcome for answer in answers}) > 1:
        return _unknown("depends-on-device")
    # The newest level speaks for those that agree with it.
    chosen = (worst or answers)[-1]
    codes = {answer.install_result for answer in worst or answers}
    if len(codes) == 1:
        return chosen
    return DeviceOutcome(chosen.outcome, None, chosen.reason, chosen.signer_change)


def _decide_at(installed: PackageFacts, candidate: PackageFacts, action: Action, device: Device) -> DeviceOutcome:
    sdk = device.sdk
    if sdk is None or not 1 <= sdk <= NEWEST_SDK:
        return _unknown("device-too-new")
    case = Case(installed, candidate, sdk, action, installed.signers_at(sdk), candidate.signers_at(sdk), device)
    change = signer_change(case.old, case.new)
    refused = _first(CANDIDATE_RULES, case, True)
    if refused:
        return DeviceOutcome(Outcome.REFUSED_SAFE, refused.code(case), refused.reason, change)
    is_parallel = installed.package != candidate.package
    rules = CANDIDATE_RULES if is_parallel else CANDIDATE_RULES + UPDATE_RULES
    wipes = _first([rule for rule in rules if rule.if_forced is IfForced.WIPES], case, True)
    if wipes:
        return DeviceOutcome(Outcome.WOULD_WIPE, wipes.code(case), wipes.reason, change)
    refused = _first(rules, case, True)
    if refused:
        return DeviceOutcome(Outcome.REFUSED_SAFE, refused.code(case), refused.reason, change)
    if not_known := _first(rules, case, None):
        return DeviceOutcome(Outcome.UNKNOWN, None, "fact-missing", change, missing=not_known.reason)
    if is_parallel:
        return DeviceOutcome(Outcome.PARALLEL_APP, InstallCode.SUCCEEDED, "another-app", change)
    # Another signer, and nothing objected: the app named its key as one that may sign updates.
    reason = KEEPS_REASON.get(change, "signer-in-key-set")
    return DeviceOutcome(Outcome.KEEPS_DATA, InstallCode.SUCCEEDED, reason, change)


def _first(rules: Sequence[Rule], case: Case, answer: bool | None) -> Rule | None:  # noqa: FBT001 - one of the three answers
    return next((rule for rule in rules if rule.applies(case) is answer), None)


def _unknown(reason: str) -> DeviceOutcome:
    return DeviceOutcome(Outcome.UNKNOWN, None, reason, SignerChange.UNKNOWN)
