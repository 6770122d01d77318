"""Writing down how a snapshot was checked: a signed statement in the log and, where nothing is lost, passes for the hook."""

import errno
from datetime import datetime, timedelta

from backupkit.clock import Clock
from backupkit.ops.checking.coverage import CoverageIssued, issue_passes
from backupkit.ops.events import Found, Severity, Tell
from backupkit.ops.repository.repository import Repository
from backupkit.ops.repository.snapshots import KnownSnapshot
from backupkit.ops.repository.statements import publish_statement
from backupkit.proof.verify_statement import Method, VerifyStatement
from backupkit.store.backend import BackendDenied

_READ_ONLY = {errno.EACCES, errno.EPERM, errno.EROFS}


def record_check(
    repository: Repository,
    known: KnownSnapshot,
    *,
    method: Method,
    passed: bool,
    bytes_read: int,
    packs: int,
    at: datetime,
    clock: Clock,
    max_age: timedelta,
    tell: Tell,
) -> tuple[CoverageIssued, ...]:
    """Sign and log what a check found, as of `at`; issue passes where it passed. For machines that write only.

    A backup is often checked where nothing may be changed, on a read-only disk say. What was found is true there too: that it
    is on record nowhere is told, and raises nothing.
    """
    statement = VerifyStatement(
        store=repository.origin,
        snapshot=known.id,
        snapshot_root=known.statement.root,
        method=method,
        result="passed" if passed else "failed",
        bytes_read=bytes_read,
        packs=packs,
        verified_at=at,
    )
    try:
        publish_statement(repository, statement.encode(), "verify", clock.now())
        if not passed:
            return ()
        return issue_passes(repository, known, method=method, at=at, max_age=max_age, tell=tell)
    except (OSError, BackendDenied) as error:
        if isinstance(error, OSError) and error.errno not in _READ_ONLY:
            raise
        tell(Found("result-not-recorded", Severity.WARNING, {"snapshot": known.id}))
        return ()
