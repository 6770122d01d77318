"""What the packages and the device rules say of a question, before anybody looks at a backup.

Each file that was read is marked, so that the judgement can be voided when another lies there in the end.
"""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from backupkit.codec.malformed import MalformedObject, NewerFormat
from backupkit.errors import BackupkitError, Fact
from backupkit.guard.apk.reasons import PackageNotGenuine, Reason
from backupkit.guard.consent import name_to_type
from backupkit.guard.device_rules import decide_install
from backupkit.guard.facts import PackageFacts
from backupkit.guard.outcome import Action, DeviceOutcome, InstallCode, Outcome, SignerChange
from backupkit.guard.package_index import Listing, read_listing
from backupkit.guard.package_record import EnrolledBy, PackageRecord, Records, enrol, observe
from backupkit.guard.package_source import files_behind, read_facts
from backupkit.guard.request import OnDisk, OnRecord, UpdateRequest
from backupkit.guard.verdict import Judged


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
        app_name=name_to_type(record.label, request.app_name, request.known_names.get(installed.package))
        or installed.package,
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


def require_unchanged(examined: Examined) -> None:
    """Look at the files that were read once more.

    Raises:
        Unanswerable: one is no longer the file that was judged.
    """
    for path, mark in examined.marks:
        if FileMark.of(path) != mark:
            raise Unanswerable("package-swapped", name=path.name)


_WORST_LAST = list(Outcome)


def _worst_outcome(record: PackageRecord, candidate: PackageFacts | None, request: UpdateRequest) -> DeviceOutcome:
    """Judge against what was seen installed, and against everything that was allowed since and may be installed now."""
    device = request.device._replace(sdk=request.device_sdk)
    answers = [
        decide_install(installed, candidate, request.action, device) for installed in (record.facts, *record.offered)
    ]
    return max(answers, key=lambda answer: _WORST_LAST.index(answer.outcome))


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
