"""The refusals that look at the offered package alone: it would not install on an empty device either.

Sources: AOSP `InstallPackageHelper.preparePackage`, `ScanPackageUtils`, and the install codes of `PackageManager`.
"""

from collections.abc import Mapping

from backupkit.guard.device_facts import Owner
from backupkit.guard.facts import Capability, Scheme
from backupkit.guard.outcome import InstallCode
from backupkit.guard.rule import Case, IfForced, Rule, answers, any_of, below
from backupkit.ids import AppPackage


def _needs_newer_android(case: Case) -> bool | None:
    # A release in development is not this one, whatever its number (AOSP `computeMinSdkVersion`, `computeTargetSdkVersion`).
    return case.demands.for_development or below(case.sdk, case.candidate.min_sdk)


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
    if below(case.installed.target_sdk, floor):
        # This device holds an app below the floor already: it came before the platform's update, or this build does
        # not enforce the floor (Android 15 puts it behind a flag). Refused or not, no data is at stake by this rule, and
        # to call it refused would hide a wipe that another rule sees.
        return False
    return below(case.candidate.target_sdk, floor)


def _is_only_a_split(case: Case) -> bool | None:
    # Where nobody said, it is a whole package: a split has no version of its own to offer.
    return case.candidate.is_base is False


def _is_test_only(case: Case) -> bool | None:
    return case.candidate.test_only


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


def _permission_taken(case: Case) -> bool | None:
    return any_of([_is_foreign(case, name, case.device.permissions) for name in case.demands.permissions])


def _group_taken(case: Case) -> bool | None:
    if case.sdk < 31:
        return False
    return any_of([_is_foreign(case, name, case.device.permission_groups) for name in case.demands.permission_groups])


def _group_is_foreign(case: Case) -> bool | None:
    if case.sdk < 31:
        return False
    own = case.demands.permission_groups
    groups = {group for _, group in case.demands.permissions_in if group not in own}
    return any_of([_is_foreign(case, group, case.device.permission_groups) for group in sorted(groups)])


def _provider_taken(case: Case) -> bool | None:
    owners = case.device.providers or {}
    return any(name in owners and owners[name].package != case.candidate.package for name in case.demands.providers)


def _misses_splits(case: Case) -> bool | None:
    return case.demands.misses_splits


def _packs_resources(case: Case) -> bool | None:
    # An app for Android 11 brings a table that can be mapped, in its base and every split (AOSP `ParsingPackageUtils.parseBaseApk`, `ParseInput`).
    packs = case.demands.packs_resources
    if case.sdk < 30 or packs is False:
        return False
    is_older = below(case.candidate.target_sdk, 30)
    return packs if is_older is False else None if is_older is None else False


def _misses_code(case: Case) -> bool | None:
    # AOSP `ScanPackageUtils.assertCodePolicy`.
    return case.demands.misses_code


CANDIDATE_RULES: tuple[Rule, ...] = (
    Rule("android-too-old", answers(InstallCode.OLDER_SDK), IfForced.FAILS, _needs_newer_android),
    Rule(
        "signature-too-old",
        answers(InstallCode.PARSE_FAILED_NO_CERTIFICATES),
        IfForced.FAILS,
        _signature_not_accepted,
    ),
    Rule("target-too-old", answers(InstallCode.DEPRECATED_SDK_VERSION), IfForced.FAILS, _targets_too_old),
    Rule("not-a-base", answers(InstallCode.MISSING_SPLIT), IfForced.FAILS, _is_only_a_split),
    Rule("split-missing", answers(InstallCode.MISSING_SPLIT), IfForced.FAILS, _misses_splits),
    Rule(
        "resources-packed",
        answers(InstallCode.PARSE_FAILED_RESOURCES_ARSC_COMPRESSED),
        IfForced.FAILS,
        _packs_resources,
    ),
    Rule("code-missing", answers(InstallCode.INVALID_APK), IfForced.FAILS, _misses_code),
    Rule("test-only", answers(InstallCode.TEST_ONLY), IfForced.FAILS, _is_test_only),
    Rule("no-matching-abi", answers(InstallCode.NO_MATCHING_ABIS), IfForced.FAILS, _fits_no_processor),
    Rule(
        "needs-all-abis",
        answers(InstallCode.MULTI_ARCH_NOT_MATCH_ALL_NATIVE_ABIS),
        IfForced.FAILS,
        _lacks_a_processor,
    ),
    Rule("permission-taken", answers(InstallCode.DUPLICATE_PERMISSION), IfForced.FAILS, _permission_taken),
    Rule("permission-group-taken", answers(InstallCode.DUPLICATE_PERMISSION_GROUP), IfForced.FAILS, _group_taken),
    Rule("permission-group-foreign", answers(InstallCode.BAD_PERMISSION_GROUP), IfForced.FAILS, _group_is_foreign),
    Rule("provider-taken", answers(InstallCode.CONFLICTING_PROVIDER), IfForced.FAILS, _provider_taken),
)
"""Refusals that look at the offered package alone: it would not install on an empty device either."""
