"""What Android would do with an update, and what would happen to the chats.

Android itself never wipes: it refuses an update and keeps the data. The wipe is the shop's next step, "remove, then
install". So each refusal also says what that step would do. The refusals are data: `candidate_rules.py` and
`update_rules.py`, with their sources.

Pure, total, and fail closed.
"""

from collections.abc import Callable, Sequence

from backupkit.guard.candidate_rules import CANDIDATE_RULES
from backupkit.guard.device_facts import Device
from backupkit.guard.facts import NEWEST_SDK, OLDEST_SDK, Demands, PackageFacts
from backupkit.guard.outcome import Action, DeviceOutcome, InstallCode, Outcome, SignerChange, signer_change
from backupkit.guard.rule import NO_DEMANDS, Case, IfForced, Rule
from backupkit.guard.update_rules import UPDATE_RULES

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
    demands = candidate.demands or NO_DEMANDS
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
