"""The judgement: a question in, a verdict out, whatever happens on the way.

Packages are read and hashed, Android's rules are asked, a coverage pass is checked, consent is looked at. `judge` is
total: what raises inside becomes "undecided", which every shop must treat as hold. A file that is not the one that was
judged voids the verdict.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.crypto.signing import VerifyKey
from backupkit.errors import BackupkitError, Fact
from backupkit.guard.apk.reasons import PackageNotGenuine, PackageUndecided, Reason
from backupkit.guard.consent import (
    Consent,
    ConsentAnswers,
    ConsentBinding,
    ConsentBy,
    ConsentRefused,
    GivenConsent,
    accept_answers,
    accept_token,
    name_to_type,
)
from backupkit.guard.device_rules import (
    Action,
    DeviceOutcome,
    InstallCode,
    Outcome,
    SignerChange,
    decide_install,
)
from backupkit.guard.facts import NEWEST_SDK, PackageFacts
from backupkit.guard.loss_hint import HintFinding, decode_hint
from backupkit.guard.package_index import Listing, read_listing
from backupkit.guard.package_record import EnrolledBy, PackageRecord, Records, enrol, observe, with_offer
from backupkit.guard.package_source import files_behind, read_facts
from backupkit.guard.pass_envelope import require_as_issued
from backupkit.guard.places import read_small
from backupkit.guard.policy import ConsentFrom, GuardPolicy, Needs
from backupkit.guard.request import ConsentToken, OnDisk, OnRecord, UpdateRequest
from backupkit.guard.verdict import Coverage, Decision, Judged, Loss, Verdict, undecided
from backupkit.proof.coverage_pass import MAX_PASS_BYTES, SECOND_COPY, CoveragePass, Covered
from backupkit.proof.pass_check import InstalledApp, PassPolicy, authentic_pass, check_pass
from backupkit.proof.pins import Pins
from backupkit.proof.refusals import PassRefused
from backupkit.proof.witness import WitnessState

BACK_UP_FIRST = ("backupkit snapshot", "backupkit verify")
UPDATE_INSTEAD = "install-as-update"
KEEP_THE_APP = "keep-the-installed-app"


class Unanswerable(BackupkitError):
    """The question cannot be answered. Facts: `reason` and what fills its sentences."""

    code = "unanswerable"

    def __init__(self, reason: str, **facts: Fact) -> None:
        super().__init__(reason=reason, **facts)
        self.reason = reason


class FileMark(NamedTuple):
    """Which file a path named at one moment: another file, or other bytes in it, have another mark."""

    device: int
    inode: int
    size: int
    changed_ns: tuple[int, int]

    @classmethod
    def of(cls, path: Path) -> "FileMark":
        """Look at the file.

        Raises:
            Unanswerable: it is not there or cannot be looked at.
        """
        try:
            found = path.stat()
        except OSError as error:
            raise Unanswerable("package-unreadable", name=path.name) from error
        return cls(found.st_dev, found.st_ino, found.st_size, (found.st_mtime_ns, found.st_ctime_ns))


class Examined(NamedTuple):
    """What the packages and the device rules said. `refusal` is set where the offered package is not genuine.

    `on_file` is the app's record as it was found, `record` with what was learned since.
    """

    request: UpdateRequest
    installed: PackageFacts
    candidate: PackageFacts | None
    outcome: DeviceOutcome
    judged: Judged
    record: PackageRecord
    on_file: PackageRecord | None
    marks: tuple[tuple[Path, FileMark], ...]
    refusal: PackageNotGenuine | None = None


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


def judged_of(request: UpdateRequest) -> Judged:
    """What is known of the update before anything was read."""
    package = request.package if isinstance(request.installed, OnDisk) else request.installed.package
    return Judged(
        action=request.action, package=package or request.package, app_name=request.app_name, store=request.store
    )


def examine(request: UpdateRequest, records: Records, now: datetime) -> Examined:
    """Read the packages and ask the device rules.

    Raises:
        Unanswerable, PackageUndecided, RecordConflict, MalformedObject, NewerFormat: nothing can be said.
    """
    marks: list[tuple[Path, FileMark]] = []
    installed, on_file, record = _installed(request, records, now, marks)
    if request.package is not None and request.package != installed.package:
        raise Unanswerable("package-mismatch", package=request.package, found=installed.package)
    judged = judged_of(request)._replace(
        package=installed.package,
        app_name=name_to_type(record.label, request.app_name) or installed.package,
        old_sha256=installed.sha256,
    )
    candidate, refusal = None, None
    if request.candidate is not None and request.action is not Action.UNINSTALL:
        try:
            candidate = _read(request.candidate, request.device_sdk, marks)
        except PackageNotGenuine as error:
            refusal = error
    if refusal is not None:
        outcome = _not_installable(refusal, request.action, request.device_sdk)
    else:
        outcome = _worst_outcome(record, candidate, request)
        judged = judged._replace(new_sha256=candidate.sha256 if candidate else None)
    return Examined(
        request=request,
        installed=installed,
        candidate=candidate,
        outcome=outcome,
        judged=judged,
        record=record,
        on_file=on_file,
        marks=tuple(marks),
        refusal=refusal,
    )


def _worst_outcome(record: PackageRecord, candidate: PackageFacts | None, request: UpdateRequest) -> DeviceOutcome:
    """Judge against what was seen installed, and against everything that was allowed since and may be installed now."""
    device = request.device._replace(sdk=request.device_sdk)
    answers = [
        decide_install(installed, candidate, request.action, device) for installed in (record.facts, *record.offered)
    ]
    return max(answers, key=lambda answer: WORST_LAST.index(answer.outcome))


WORST_LAST = list(Outcome)


def _installed(
    request: UpdateRequest, records: Records, now: datetime, marks: list[tuple[Path, FileMark]]
) -> tuple[PackageFacts, PackageRecord | None, PackageRecord]:
    if isinstance(request.installed, OnRecord):
        record = _record(records, request.installed)
        if record is None:
            raise Unanswerable("app-not-enrolled", package=request.installed.package)
        return record.facts, record, record
    if isinstance(request.installed, Listing):
        facts = read_listing(request.installed)
        on_file = _record(records, OnRecord(facts.package))
        return facts, on_file, _beside(facts, on_file, now)
    try:
        facts = _read(request.installed, request.device_sdk, marks)
    except PackageNotGenuine as error:
        # What cannot be the installed app says nothing about it.
        raise Unanswerable("installed-not-genuine", detail=error.reason.value) from error
    on_file = _record(records, OnRecord(facts.package))
    return facts, on_file, observe(on_file, facts, now)


def _beside(listed: PackageFacts, on_file: PackageRecord | None, now: datetime) -> PackageRecord:
    """What an index says may be installed, and what was seen may be as well: both are judged, and nothing of it is kept."""
    record = enrol(listed, now, by=EnrolledBy.FIRST_USE)
    return record if on_file is None else record._replace(offered=(on_file.facts, *on_file.offered))


def _record(records: Records, wanted: OnRecord) -> PackageRecord | None:
    try:
        return records.read(wanted.package)
    except (MalformedObject, NewerFormat, OSError) as error:
        raise Unanswerable("record-unreadable", package=wanted.package) from error


def _read(source: OnDisk, sdk: int | None, marks: list[tuple[Path, FileMark]]) -> PackageFacts:
    marks.extend((path, FileMark.of(path)) for path in files_behind(source.path))
    facts = read_facts(source.path, device_sdk=sdk)
    if source.sha256 is not None and source.sha256 != facts.sha256:
        raise Unanswerable("package-swapped", name=source.path.name)
    return facts


# Android's answer to a package whose signature does not hold on this device.
_SIGNED_TOO_SIMPLY = {Reason.SCHEME_TOO_OLD_FOR_TARGET, Reason.SCHEME_TOO_OLD_FOR_SANDBOX}
# What Android's zip reader does not open at all (libziparchive, `ApkLiteParseUtils`).
_NO_ZIP = {
    Reason.NOT_A_ZIP,
    Reason.ZIP_MALFORMED,
    Reason.PREFIXED,
    Reason.DUPLICATE_ENTRY,
    Reason.ENTRY_NAME_UNSAFE,
}


def _code_of(refusal: PackageNotGenuine, sdk: int | None) -> InstallCode | None:
    """What this device would answer; None where that depends on the device, or where the bound is ours and not Android's."""
    if refusal.reason is Reason.SPLIT_SIGNERS_DIFFER:
        return InstallCode.PARSE_FAILED_INCONSISTENT_CERTIFICATES
    if refusal.reason in _NO_ZIP:
        return InstallCode.PARSE_FAILED_NOT_APK
    # A signature that is missing, wrong or cut off has one answer, whichever scheme is in force (`ApkSignatureVerifier`).
    is_about_signature = refusal.scheme is not None and refusal.reason is not Reason.ENTRY_TOO_LARGE
    return InstallCode.PARSE_FAILED_NO_CERTIFICATES if is_about_signature and sdk is not None else None


def _not_installable(refusal: PackageNotGenuine, action: Action, sdk: int | None) -> DeviceOutcome:
    code = InstallCode.PARSE_FAILED_NO_CERTIFICATES
    if refusal.reason in _SIGNED_TOO_SIMPLY and action is not Action.REINSTALL:
        # Whole and unaltered, only not signed as newer Android demands: refused, and nobody tampered with it.
        return DeviceOutcome(Outcome.REFUSED_SAFE, code, "signature-too-old", SignerChange.UNKNOWN)
    return DeviceOutcome(Outcome.NOT_GENUINE, _code_of(refusal, sdk), "package-not-genuine", SignerChange.UNKNOWN)


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
    for path, mark in examined.marks:
        if FileMark.of(path) != mark:
            raise Unanswerable("package-swapped", name=path.name)
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
        return base.but(reason=error.reason, loss=loss, facts={**base.facts, **error.facts}), None
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
