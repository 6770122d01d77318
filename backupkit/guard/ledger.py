"""The decisions, one a line, only ever added to.

Each line is canonical JSON, carries the SHA-256 of the line before it, and is signed. So an entry that was changed,
removed from the middle or put in later shows. What is cut off the end shows only to who remembers the count, which is
why `verify_ledger` returns it. A line that a crash left half written stays as it is: nothing is ever overwritten, the
next entry says how many torn lines lie before it.
"""

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from backupkit.clock import to_rfc3339
from backupkit.codec.canonical import decode_json, encode_canonical
from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.failures import SignatureInvalid
from backupkit.crypto.signing import SigningKey, VerifyKey
from backupkit.errors import BackupkitError, ExitCode
from backupkit.guard.verdict import Verdict
from backupkit.home import make_private

MAX_LINE_BYTES = 16 << 10
_TAIL_BYTES = 4 * MAX_LINE_BYTES
_PREFIX = b"backupkit guard ledger v1\n"
# A prefix of its own, so that no other signed thing can be taken for a ledger line.
GENESIS = "0" * 64


class LedgerBroken(BackupkitError):
    """The ledger was altered.

    Facts: `line` (counted from 1), `reason` (not-an-entry, another-key, bad-signature, chain-broken, wrong-count).
    """

    code = "ledger-broken"
    exit_code = ExitCode.NOT_AUTHENTIC


class LedgerChecked(NamedTuple):
    """What a whole ledger amounts to: entries, torn lines, and the hash that the next entry will name."""

    entries: int
    torn: int
    head: str


def entry_of(verdict: Verdict, now: datetime) -> dict[str, Any]:
    """What is kept of a verdict: which update, what was answered and why. No counts, no texts, no people."""
    judged, consent = verdict.judged, verdict.consent
    return {
        "time": to_rfc3339(now),
        "decision": verdict.decision.value,
        "outcome": verdict.outcome.value,
        "reason": verdict.reason,
        "signer_change": verdict.signer_change.value,
        "action": judged.action.value if judged.action else None,
        "package": judged.package,
        "old_sha256": judged.old_sha256,
        "new_sha256": judged.new_sha256,
        "store": None if judged.store is None else judged.store[:200],
        "snapshot": verdict.coverage.snapshot if verdict.coverage else None,
        "consent": None if consent is None else consent.given_by.value if consent.given_by else "needed",
        "consent_id": None if consent is None else consent.binding.id,
        "exit_code": int(verdict.exit_code),
    }


def kept_entry(verdict: Verdict, now: datetime) -> dict[str, Any]:
    """What is kept when a person was asked and said no: the verdict again, with a field that older versions read over.

    An entry of a type of its own would be a line that is no entry to them: the ledger would look altered.
    """
    return {**entry_of(verdict, now), "kept": True}


def append(path: Path, event: dict[str, Any], key: SigningKey) -> dict[str, Any]:
    """Add one entry, durably, and return it. Two processes may append at once.

    Raises:
        OSError: it cannot be written; then nothing counts as recorded.
    """
    make_private(path.parent)
    public = key.verify_key.public.hex()
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        last = _last_entry(handle)
        entry = {
            "v": 1,
            "type": "decision",
            "seq": last.seq + 1,
            "prev": last.digest,
            "torn": last.torn,
            **event,
            "key": public,
        }
        signature = key.sign(_PREFIX + encode_canonical(entry))
        line = encode_canonical({**entry, "sig": signature.hex()})
        if len(line) > MAX_LINE_BYTES:
            raise OSError("a ledger line is too long")
        # One write: a crash leaves a whole line or a torn one, and a torn one is closed by the next entry's newline.
        data = (b"\n" if last.is_open else b"") + line + b"\n"
        if os.write(handle, data) != len(data):
            raise OSError("a ledger line was written in part")
        # Given back before the flush: others may write their lines meanwhile, and one flush then serves them all. A line
        # is on the disk only together with every line before it.
        fcntl.flock(handle, fcntl.LOCK_UN)
        os.fsync(handle)
    finally:
        os.close(handle)
    return entry


class _Last(NamedTuple):
    seq: int
    digest: str
    torn: int
    is_open: bool


def _last_entry(handle: int) -> _Last:
    size = os.fstat(handle).st_size
    tail = os.pread(handle, _TAIL_BYTES, max(size - _TAIL_BYTES, 0))
    is_open = bool(tail) and not tail.endswith(b"\n")
    torn, end = 0, len(tail)
    while end:
        start = tail.rfind(b"\n", 0, end) + 1
        line, end = tail[start:end], max(start - 1, 0)
        if not line:
            continue
        try:
            entry = _read_line(line, 0)
            return _Last(int(entry["seq"]), _digest(line), torn, is_open)
        except (LedgerBroken, ValueError):
            torn += 1
    if size > len(tail):
        raise OSError("the end of the ledger is not a ledger")
    return _Last(0, GENESIS, torn, is_open)


def read_ledger(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the entries in order; torn lines are left out. Signatures are not checked: see `verify_ledger`."""
    for number, line in _lines(path):
        try:
            yield _read_line(line, number)
        except LedgerBroken:
            continue


def verify_ledger(path: Path, key: VerifyKey) -> LedgerChecked:
    """Check every line: signature, order, and the chain of hashes.

    Raises:
        LedgerBroken: with the first line that is wrong.
        OSError: it cannot be read.
    """
    entries, torn, pending, head = 0, 0, 0, GENESIS
    for number, line in _lines(path):
        try:
            entry = _read_line(line, number)
        except LedgerBroken:
            pending += 1
            continue
        _require(entry.get("key") == key.public.hex(), number, "another-key")
        unsigned = {name: value for name, value in entry.items() if name != "sig"}
        try:
            key.verify(bytes.fromhex(entry["sig"]), _PREFIX + encode_canonical(unsigned), what="ledger")
        except (SignatureInvalid, ValueError) as error:
            raise LedgerBroken(line=number, reason="bad-signature") from error
        _require(entry["seq"] == entries + 1 and entry.get("prev") == head, number, "chain-broken")
        # A line that is no entry must have been noticed, and signed for, by the entry after it.
        _require(entry.get("torn") == pending, number, "not-an-entry")
        entries, torn, pending, head = entries + 1, torn + pending, 0, _digest(line)
    return LedgerChecked(entries, torn + pending, head)


def _require(holds: bool, number: int, reason: str) -> None:  # noqa: FBT001 - it is the claim itself
    if not holds:
        raise LedgerBroken(line=number, reason=reason)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    if path.exists() and not path.is_file():
        # A pipe would be waited for for ever.
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), str(path))
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        number = 0
        while line := file.readline(MAX_LINE_BYTES + 2):
            number += 1
            if line.strip(b"\n"):
                yield number, line.rstrip(b"\n")


def _read_line(line: bytes, number: int) -> dict[str, Any]:
    try:
        entry = decode_json(line, what="ledger-entry", max_bytes=MAX_LINE_BYTES)
    except MalformedObject as error:
        raise LedgerBroken(line=number, reason="not-an-entry") from error
    is_entry = isinstance(entry, dict) and entry.get("type") == "decision" and entry.get("v") == 1
    if not is_entry or not isinstance(entry.get("seq"), int) or not isinstance(entry.get("sig"), str):
        raise LedgerBroken(line=number, reason="not-an-entry")
    return dict(entry)


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()
