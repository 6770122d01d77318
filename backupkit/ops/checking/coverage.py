"""Coverage passes for the hook: one for each app that a verified snapshot covers."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from backupkit.chats.counting.shrink import judge_history
from backupkit.clock import from_rfc3339
from backupkit.errors import BackupkitError
from backupkit.guard.loss_hint import LossHint
from backupkit.guard.package_record import PackageRecord, Records
from backupkit.guard.places import GuardPlaces, write_whole
from backupkit.ids import AppPackage, CertificateDigest, SnapshotId
from backupkit.ops.events import Found, Notice, Severity, Tell
from backupkit.ops.keys.confirm_recovery import confirmation
from backupkit.ops.memory.journal import SourceFacts
from backupkit.ops.repository.guard_files import write_pass
from backupkit.ops.repository.repository import Repository
from backupkit.ops.repository.snapshots import KnownSnapshot
from backupkit.proof.coverage_pass import (
    COUNT_MATCH,
    EVERY_BYTE_READ,
    KEYS_RECOVERABLE,
    MAX_OFFERS,
    RESTORE_DRILL,
    SECOND_COPY,
    Check,
    CoveragePass,
    Covered,
    CoveredApp,
    LogHead,
    issue,
    proof_from,
    proofs_from,
    renew,
)
from backupkit.proof.verify_statement import Method
from backupkit.proof.witness import load


@dataclass(frozen=True, slots=True)
class CoverageIssued:
    """A pass: for which app, where it lies, until when it counts."""

    package: AppPackage
    path: str
    expires: datetime


def issue_passes(
    repository: Repository, known: KnownSnapshot, *, method: Method, at: datetime, max_age: timedelta, tell: Tell
) -> tuple[CoverageIssued, ...]:
    """Issue a pass for each app whose sources a snapshot that was just verified holds whole.

    None is issued while the recovery code was never typed back: a backup that nobody can open covers nothing.
    """
    facts = known.facts
    if facts is None or not known.statement.complete:
        return ()
    by_package: dict[str, list[SourceFacts]] = {}
    for source in facts.sources:
        # A folder with nothing in it was read back in full, and covers nothing: the pass that there is stays.
        if source.package is not None and not source.is_empty:
            by_package.setdefault(source.package, []).append(source)
    for package in [one for one, sources in by_package.items() if _tell_shrinks(repository, known, sources, tell)]:
        # What is there now may be a part of the chats; the pass for the last that held them all stays.
        del by_package[package]
    if confirmation(repository) is None:
        # Told of every backup, also one that covers no app: whoever stopped at the words would not hear of them again.
        tell(Notice("recovery-not-confirmed"))
        return ()
    if not by_package:
        return ()
    log = _log_head(repository)
    issued = tuple(
        _issue(repository, known, AppPackage(package), sources, method=method, at=at, max_age=max_age, log=log)
        for package, sources in by_package.items()
    )
    _renew_others(repository, {one.package for one in issued}, log, at)
    return issued


def _tell_shrinks(repository: Repository, known: KnownSnapshot, sources: list[SourceFacts], tell: Tell) -> bool:
    """Tell of the sources that hold sharply less than they did, unless their owner said that this is right; say whether there are any."""
    shrinks = [
        (source, shrink)
        for source in sources
        if (shrink := judge_history(repository.journal.held_by(source.path, known.id)).open) is not None
    ]
    for source, shrink in shrinks:
        facts = {
            "name": source.name,
            "snapshot": known.id,
            "before": shrink.before.messages,
            "after": shrink.after.messages,
            "bytes_before": shrink.before.bytes,
            "bytes_after": shrink.after.bytes,
        }
        is_counted = None not in (shrink.before.messages, shrink.after.messages)
        tell(Found("pass-withheld" if is_counted else "pass-withheld-bytes", Severity.WARNING, facts))
    return bool(shrinks)


def count_second_copy(repository: Repository, snapshots: Collection[SnapshotId], at: datetime) -> None:
    """Issue the passes on file again for snapshots that lie on another disk now. All else that they say stays as it was."""
    folder = GuardPlaces(repository.places.guard).passes
    key = repository.require_writer().writer.attest
    log = _log_head(repository)
    for path in sorted(folder.glob("*.pass")):
        with suppress(OSError, BackupkitError):
            renewed = renew(path.read_bytes(), key, log, at=at, copied=frozenset(snapshots))
            if renewed is not None:
                write_pass(repository, AppPackage(path.stem), renewed)


def _log_head(repository: Repository) -> LogHead:
    """Return the log's head with proofs from the sizes at which a hook may have seen it last.

    This machine's own hook is surely served: its size comes from its own memory. Hooks elsewhere are served if they asked
    within the last entries, or at a power of two.
    """
    history = repository.log.read()
    assert history.head is not None
    size = len(history.leaves)
    likely = {*range(max(size - MAX_OFFERS // 2, 1), size), *(1 << power for power in range(size.bit_length()))}
    witness = _witnessed_size(repository)
    offers = proofs_from(history.leaves, sorted(likely, reverse=True)[: MAX_OFFERS - 1])
    if 0 < witness <= size and witness not in {offer.from_size for offer in offers}:
        offers = (*offers, proof_from(history.leaves, witness))
    return LogHead(repository.origin, history.head, offers)


def _witnessed_size(repository: Repository) -> int:
    try:
        seen = load(GuardPlaces(repository.places.guard).witness)
    except (OSError, BackupkitError):
        return 0
    return seen.size if seen is not None and seen.origin == repository.origin else 0


def _renew_others(repository: Repository, fresh: set[AppPackage], log: LogHead, at: datetime) -> None:
    """Give every other pass on file the log's new head, or a hook that saw it would take the old one for a rollback."""
    folder = GuardPlaces(repository.places.guard).passes
    key = repository.require_writer().writer.attest
    for path in sorted(folder.glob("*.pass")):
        package = AppPackage(path.stem)
        if package in fresh:
            continue
        # A pass of another repository, or a damaged one, is not ours to renew: the hook will say what it thinks of it.
        with suppress(OSError, BackupkitError):
            renewed = renew(path.read_bytes(), key, log, at=at)
            if renewed is not None:
                write_pass(repository, package, renewed)


def _issue(
    repository: Repository,
    known: KnownSnapshot,
    package: AppPackage,
    sources: list[SourceFacts],
    *,
    method: Method,
    at: datetime,
    max_age: timedelta,
    log: LogHead,
) -> CoverageIssued:
    record = Records(GuardPlaces(repository.places.guard).records).read(package)
    checks = (
        Check(EVERY_BYTE_READ, "passed", method),
        Check(COUNT_MATCH, "passed" if all(source.messages is not None for source in sources) else "not-done"),
        Check(KEYS_RECOVERABLE, "passed"),
        Check(RESTORE_DRILL, "passed" if method == "drill" or _is_drilled(known, at, max_age) else "not-done"),
        Check(SECOND_COPY, "passed" if repository.second_copies.holds(known.id, at, max_age) else "not-done"),
    )
    expires = at + max_age
    coverage = CoveragePass(
        verifier=f"backupkit writer {repository.require_writer().writer.id}",
        app=CoveredApp(package, _signers(record), None),
        snapshot=known.id,
        snapshot_root=known.statement.root,
        covered=Covered(
            messages=_sum([source.messages for source in sources]),
            conversations=_sum([source.conversations for source in sources]),
            media=_sum([source.media for source in sources]),
            size_bytes=sum(source.bytes for source in sources),
            files=sum(source.files for source in sources),
            oldest_message_at=min(_times([source.oldest for source in sources]), default=None),
            newest_message_at=max(_times([source.newest for source in sources]), default=None),
            source_high_water=sources[0].high_water if len(sources) == 1 else None,
        ),
        checks=checks,
        verified_at=at,
        time_created=at,
        expires=expires,
        log=log,
    )
    _note(repository, coverage, known)
    data = issue(coverage, repository.require_writer().writer.attest)
    return CoverageIssued(package, write_pass(repository, package, data), expires)


def _is_drilled(known: KnownSnapshot, at: datetime, max_age: timedelta) -> bool:
    """Tell whether the snapshot passed a drill no longer ago than `max_age`. Reading it back once more takes nothing from that."""
    return known.drilled_at is not None and timedelta(0) <= at - known.drilled_at <= max_age


def _note(repository: Repository, coverage: CoveragePass, known: KnownSnapshot) -> None:
    """Leave for the guard that nothing was missing when the snapshot was taken."""
    counted = coverage.covered
    if counted.messages is None or known.facts is None:
        return
    hint = LossHint(
        package=coverage.app.package,
        as_of=from_rfc3339(known.facts.created_at),
        not_in_backup=0,
        messages=counted.messages,
        conversations=counted.conversations,
        newest=counted.newest_message_at,
        snapshot=known.id,
    )
    # A note that cannot be left costs the guard a number; the pass is what counts.
    with suppress(OSError):
        write_whole(GuardPlaces(repository.places.guard).hint_of(coverage.app.package), hint.encode())


def _signers(record: PackageRecord | None) -> tuple[CertificateDigest, ...]:
    """Return every certificate that some Android level takes for the installed app's signer."""
    if record is None:
        return ()
    views = [span.view for span in record.facts.signings if span.view is not None]
    return tuple(sorted({certificate for view in views for certificate in view.signers}))


def _times(texts: list[str | None]) -> list[datetime]:
    return [from_rfc3339(text) for text in texts if text is not None]


def _sum(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
