"""The judgement: a question in, a verdict out, whatever happens on the way.

Packages are read and hashed, Android's rules are asked, a coverage pass is checked, consent is looked at. `judge` is
total: what raises inside becomes "undecided", which every shop must treat as hold. A file that is not the one that was
judged voids the verdict.
"""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.signing import VerifyKey
from backupkit.errors import BackupkitError, Fact
from backupkit.guard.advice import BACK_UP_FIRST, KEEP_THE_APP, UPDATE_INSTEAD, against
from backupkit.guard.apk.reasons import PackageUndecided
from backupkit.guard.consent import (
    Consent,
    ConsentAnswers,
    ConsentBinding,
    ConsentBy,
    ConsentRefused,
    GivenConsent,
    accept_answers,
    accept_token,
)
from backupkit.guard.examination import Examined, Unanswerable, examine, judged_of, require_unchanged
from backupkit.guard.facts import NEWEST_SDK, PackageFacts
from backupkit.guard.loss_hint import HintFinding, decode_hint
from backupkit.guard.outcome import Action, Outcome
from backupkit.guard.package_index import Listing
from backupkit.guard.package_record import PackageRecord, Records, with_offer
from backupkit.guard.pass_envelope import require_as_issued
from backupkit.guard.places import read_small
from backupkit.guard.policy import ConsentFrom, GuardPolicy, Needs
from backupkit.guard.request import ConsentToken, UpdateRequest
from backupkit.guard.verdict import Coverage, Decision, Judged, Loss, Verdict, undecided
from backupkit.proof.coverage_pass import MAX_PASS_BYTES, SECOND_COPY, CoveragePass, Covered
from backupkit.proof.pass_check import InstalledApp, PassPolicy, authentic_pass, check_pass
from backupkit.proof.pins import Pins
from backupkit.proof.refusals import PassRefused
from backupkit.proof.witness import WitnessState


class Known(NamedTuple):
    """What the guard knows beside the packages.

    `pass_data` is the newest pass where the question names none, `given` what was consented to at the owner's terminal,
    `hint` the note about the loss as it lies on the disk.
    """

    pins: Pins | None
    policy: GuardPolicy
    witness: WitnessState | None
    now: datetime
    pass_data: bytes | None = None
    owner: VerifyKey | None = None
    given: GivenConsent | None = None
    hint: bytes | None = None


class Judgement(NamedTuple):
    """A verdict, and what must be remembered before it is spoken."""

    verdict: Verdict
    witness: WitnessState | None = None
    record: PackageRecord | None = None


def judge(
    request: UpdateRequest,
    *,
    pins: Pins | None,
    policy: GuardPolicy,
    records: Records,
    witness: WitnessState | None,
    now: datetime,
    pass_data: bytes | None = None,
    owner: VerifyKey | None = None,
) -> Verdict:
    """Answer a question without remembering anything. Never raises.

    `pass_data` is the newest pass of the app where the request names none.
    """
    known = Known(pins=pins, policy=policy, witness=witness, now=now, pass_data=pass_data, owner=owner)
    return never_raise(lambda: conclude(examine(request, records, now), known).verdict, judged_of(request))


def never_raise(answer: Callable[[], Verdict], judged: Judged) -> Verdict:
    """Return an answer, or "undecided" in place of whatever it raises."""
    try:
        return answer()
    except Unanswerable as error:
        return undecided(error.reason, judged, {name: fact for name, fact in error.facts.items() if name != "reason"})
    except PackageUndecided as error:
        return undecided("package-undecided", judged, {"doubt": error.reason.value, "level": error.level})
    except BackupkitError as error:
        return undecided(error.code, judged, error.facts)
    except Exception as error:  # noqa: BLE001 - a guard that crashes must hold, and say so
        return undecided("guard-failed", judged, {"kind": type(error).__name__})


def conclude(examined: Examined, known: Known) -> Judgement:
    """Turn what was found into a verdict.

    Raises:
        Unanswerable: a file is no longer the one that was judged.
    """
    outcome = examined.outcome
    if outcome.outcome is Outcome.WOULD_WIPE and outcome.reason != "reinstall-fails":
        verdict, seen = _over_chats(examined, known)
    else:
        verdict, seen = _without_pass(examined), None
    verdict = _with_hint(verdict, examined.request, known)
    require_unchanged(examined)
    return Judgement(verdict, seen, _remembered(examined, verdict))


def _with_hint(verdict: Verdict, request: UpdateRequest, known: Known) -> Verdict:
    """Take the count that the question did not bring from the note beside the pass. No decision turns on it."""
    package = verdict.judged.package
    is_counted = request.loss is not None and request.loss.not_in_backup is not None
    if known.hint is None or package is None or is_counted or not verdict.would_erase:
        return verdict
    try:
        hint = decode_hint(known.hint)
    except MalformedObject:
        return verdict.but(findings=(HintFinding.MALFORMED.value,))
    covering = None if verdict.coverage is None else verdict.coverage.snapshot
    doubt = hint.doubt(package, covering, known.now, known.policy.max_backup_age)
    if doubt is not None:
        return verdict.but(findings=(doubt.value,))
    return verdict.but(loss=hint.fill(verdict.loss or Loss()))


def _remembered(examined: Examined, verdict: Verdict) -> PackageRecord | None:
    """The record with the candidate in it where the shop may now install it in place of the app; None: nothing was seen."""
    if isinstance(examined.request.installed, Listing):
        return None
    is_update = examined.outcome.outcome is not Outcome.PARALLEL_APP
    is_consented = verdict.consent is None or verdict.consent.given_by is not None
    if examined.candidate is None or verdict.decision is not Decision.ALLOW or not (is_update and is_consented):
        return examined.record
    return with_offer(examined.record, examined.candidate)


_DECISIONS = {
    Outcome.KEEPS_DATA: Decision.ALLOW,
    Outcome.PARALLEL_APP: Decision.ALLOW,
    Outcome.REFUSED_SAFE: Decision.DENY,
    Outcome.NOT_GENUINE: Decision.DENY,
    Outcome.WOULD_WIPE: Decision.DENY,
    Outcome.UNKNOWN: Decision.UNDECIDED,
}


def _without_pass(examined: Examined) -> Verdict:
    """Everything that no backup would change."""
    outcome = examined.outcome
    facts: dict[str, Fact] = {"install_result": outcome.install_result, "missing": outcome.missing}
    if examined.refusal:
        facts |= {"detail": examined.refusal.reason.value, "entry": examined.refusal.facts["entry"]}
    decision = _DECISIONS[outcome.outcome]
    removes = examined.request.action in {Action.REINSTALL, Action.UNINSTALL}
    return Verdict(
        decision=decision,
        outcome=outcome.outcome,
        reason=outcome.reason,
        install_result=outcome.install_result,
        signer_change=outcome.signer_change,
        would_erase=removes or outcome.outcome is Outcome.UNKNOWN,
        loss=examined.request.loss if removes else None,
        suggestions={
            Decision.DENY: (KEEP_THE_APP,),
            Decision.UNDECIDED: ("backupkit explain " + outcome.reason,),
        }.get(decision, ()),
        judged=examined.judged,
        facts=facts,
        not_judged=outcome.not_judged,
    )


def _over_chats(examined: Examined, known: Known) -> tuple[Verdict, WitnessState | None]:
    """The 2018 case: it would install, over the deleted chats."""
    outcome, request = examined.outcome, examined.request
    base = Verdict(
        decision=Decision.HOLD,
        outcome=outcome.outcome,
        reason="no-verified-backup",
        install_result=outcome.install_result,
        signer_change=outcome.signer_change,
        would_erase=True,
        loss=request.loss,
        suggestions=(UPDATE_INSTEAD,) if outcome.reason == "update-instead" else BACK_UP_FIRST,
        judged=examined.judged,
        facts={"cause": outcome.reason},
        not_judged=outcome.not_judged,
    )
    data = _pass_bytes(request, known.pass_data)
    if data is None:
        return base, None
    if known.pins is None:
        return base.but(reason="no-pinned-store"), None
    if known.policy.needs_challenge and request.challenge is None:
        return base.but(reason="challenge-missing"), None
    try:
        require_as_issued(data)
        checked = check_pass(
            data,
            pins=known.pins,
            installed=_installed_app(examined.installed, request.device_sdk),
            challenge=request.challenge.hex() if request.challenge else None,
            now=known.now,
            policy=pass_policy(known.policy),
            witness=known.witness,
        )
    except PassRefused as error:
        # A pass that no longer counts still says how much there was to lose.
        counted = authentic_pass(data, known.pins)
        is_of_app = counted is not None and counted.app.package == examined.installed.package
        loss = _loss(base.loss, counted.covered) if counted is not None and is_of_app else base.loss
        helps = base.suggestions if outcome.reason == "update-instead" else against(error)
        facts = {**base.facts, **error.facts}
        return base.but(reason=error.reason, loss=loss, suggestions=helps, facts=facts), None
    coverage = coverage_of(checked.coverage, known.policy)
    covered = base.but(coverage=coverage, loss=_loss(base.loss, checked.coverage.covered))
    return _with_consent(covered, request.consent, known), checked.witness


def _pass_bytes(request: UpdateRequest, pass_data: bytes | None) -> bytes | None:
    if request.pass_path is None:
        return pass_data
    try:
        return read_small(request.pass_path, most=MAX_PASS_BYTES)
    except OSError as error:
        raise Unanswerable("pass-unreadable", name=request.pass_path.name) from error


def _installed_app(facts: PackageFacts, sdk: int | None) -> InstalledApp:
    view = facts.signers_at(NEWEST_SDK if sdk is None else sdk)
    return InstalledApp(facts.package, frozenset(view.signers if view else ()))


def pass_policy(policy: GuardPolicy) -> PassPolicy:
    """What the owner asks of a pass."""
    return PassPolicy(
        max_age=policy.max_backup_age,
        needs="drilled" if policy.needs is Needs.DRILLED else "verified",
        required_checks=frozenset({SECOND_COPY} if policy.needs_second_copy else ()),
    )


def coverage_of(proved: CoveragePass, policy: GuardPolicy) -> Coverage:
    """What a pass that counts proves."""
    counted = proved.covered
    return Coverage(
        snapshot=proved.snapshot,
        verified_at=proved.verified_at,
        # The earlier of the two ends: what the pass promises, and what the owner accepts.
        expires=min(proved.expires, proved.verified_at + policy.max_backup_age),
        checks=tuple(check.name for check in proved.checks if check.result == "passed"),
        messages=counted.messages,
        conversations=counted.conversations,
        media=counted.media,
        bytes=counted.size_bytes,
        oldest=counted.oldest_message_at,
        newest=counted.newest_message_at,
    )


def _loss(said: Loss | None, counted: Covered) -> Loss:
    """What would be gone: the numbers of the question first, then those of the pass."""
    said = said or Loss()
    return Loss(
        messages=_known(said.messages, counted.messages),
        conversations=_known(said.conversations, counted.conversations),
        media=_known(said.media, counted.media),
        bytes=_known(said.bytes, counted.size_bytes),
        oldest=said.oldest or counted.oldest_message_at,
        newest=said.newest or counted.newest_message_at,
        not_in_backup=said.not_in_backup,
    )


def _known(said: int | None, covered: int | None) -> int | None:
    return covered if said is None else said


def _with_consent(held: Verdict, given: ConsentAnswers | ConsentToken | None, known: Known) -> Verdict:
    update, coverage = held.judged, held.coverage
    assert coverage is not None
    assert update.package is not None
    binding = ConsentBinding(update.package, update.old_sha256, update.new_sha256, coverage.snapshot, coverage.expires)
    needed = Consent(binding, update.app_name or update.package)
    held = held.but(consent=needed)
    try:
        given_by = _given_by(given, needed, known)
    except ConsentRefused as error:
        facts = {**held.facts, "detail": error.facts["reason"]}
        return held.but(reason="consent-refused", suggestions=(KEEP_THE_APP,), facts=facts)
    return held.but(
        decision=Decision.ALLOW,
        reason="backup-covers",
        consent=needed._replace(given_by=given_by),
        suggestions=(KEEP_THE_APP,),
    )


def _given_by(given: ConsentAnswers | ConsentToken | None, needed: Consent, known: Known) -> ConsentBy | None:
    if isinstance(given, ConsentToken):
        accept_token(given.token, needed.binding, known.owner, known.now)
        return ConsentBy.TOKEN
    if known.policy.consent_from is ConsentFrom.TOKEN:
        # Without the owner's signature not even the two steps are offered.
        raise ConsentRefused(reason="token-needed")
    if given is None:
        is_given = known.given is not None and known.given.counts_for(needed.binding, known.now)
        return ConsentBy.PERSON if is_given else None
    accept_answers(given, needed.binding, needed.app_name, known.now)
    return ConsentBy.PERSON
