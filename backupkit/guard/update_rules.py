"""The refusals that compare the offered package with the installed one, in the order Android looks.

Sources: AOSP `InstallPackageHelper.preparePackage`, `PackageManagerServiceUtils.verifySignatures` and
`canJoinSharedUserId`, and `SigningDetails.checkCapability`.
"""

from backupkit.guard.facts import Capability, PackageFacts, SignerView
from backupkit.guard.outcome import Action, InstallCode, SignerChange, signer_change
from backupkit.guard.rule import Case, IfForced, Rule, answers, any_of, below


def _is_older_revision(case: Case) -> bool | None:
    """Of one version a part that both have may not go back to an older revision (AOSP `PackageManagerServiceUtils.checkDowngrade`)."""
    if case.installed.revisions is None or case.candidate.revisions is None:
        return None
    installed, offered = {"": 0, **dict(case.installed.revisions)}, {"": 0, **dict(case.candidate.revisions)}
    return any(offered[part] < installed[part] for part in offered.keys() & installed)


def _is_older_version(case: Case) -> bool | None:
    older = below(case.candidate.version_code, case.installed.version_code)
    if older is False and case.candidate.version_code == case.installed.version_code:
        older = _is_older_revision(case)
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
    if not (may_join and case.new.shares_history(case.old)):
        return True
    # The others, where the store named them: the new signer and each of theirs must trust one another (AOSP `canJoinSharedUserId`).
    others = [one for one in (case.device.shared_user or {}).values() if one.package != case.candidate.package]
    return any_of([_cannot_share(case.new, one.signers) for one in others])


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


UPDATE_RULES: tuple[Rule, ...] = (
    Rule("becomes-instant", answers(InstallCode.SESSION_INVALID), IfForced.REFUSED, _becomes_instant),
    Rule(
        "another-version-required",
        answers(InstallCode.WRONG_INSTALLED_VERSION),
        IfForced.REFUSED,
        _insists_on_another_version,
    ),
    Rule("static-library", answers(InstallCode.DUPLICATE_PACKAGE), IfForced.REFUSED, _is_static_library),
    Rule("older-version", answers(InstallCode.VERSION_DOWNGRADE), IfForced.WIPES, _is_older_version),
    Rule(
        "drops-permission-model",
        answers(InstallCode.PERMISSION_MODEL_DOWNGRADE),
        IfForced.REFUSED,
        _drops_runtime_permissions,
    ),
    Rule("lowers-sandbox", answers(InstallCode.SANDBOX_VERSION_DOWNGRADE), IfForced.REFUSED, _lowers_sandbox),
    Rule("different-signer", answers(InstallCode.UPDATE_INCOMPATIBLE), IfForced.WIPES, _signer_replaced),
    Rule(
        "shared-user-signer",
        answers(InstallCode.SHARED_USER_INCOMPATIBLE),
        IfForced.WIPES,
        _cannot_stay_in_shared_user,
    ),
    Rule("shared-user-changed", _shared_user_code, IfForced.WIPES, _shared_user_changed),
    Rule("storage-changed", answers(InstallCode.UPDATE_INCOMPATIBLE), IfForced.WIPES, _storage_changed),
)
"""Refusals that compare the offered package with the installed one, in the order Android looks."""
