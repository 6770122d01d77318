"""What `doctor` says of a database file: its pages, its log, and with a verify-only key whether each page is its app's own."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backupkit.capture.finding import Finding
from backupkit.cli.usage import ValueWrong
from backupkit.ui.json_fields import json_value

if TYPE_CHECKING:
    from backupkit.capture.sealed_pages import PageCheck, VerifyKey
    from backupkit.capture.sqlite_health import DatabaseHealth
    from backupkit.cli.session import Session

_MOST_KEY = 1 << 16


def examine(path: Path, verify_key: Path | None) -> "tuple[DatabaseHealth, PageCheck | None] | None":
    """Look at a file; None where it is no database. What the key finds is among the findings.

    Raises:
        SourceUnreadable, SourceNotFound: the file or the key cannot be read.
        ValueWrong: the key is none.
    """
    from backupkit.capture.sealed_pages import check_sealed_pages
    from backupkit.capture.sqlite_health import examine_database

    key = None if verify_key is None else _read_key(verify_key)
    health = examine_database(path) if path.is_file() else None
    if health is None:
        return None
    found = list(health.findings)
    if health.wal is not None and health.wal.ends_within_a_page:
        # Normal for a log that an app is writing, and all that tells of a copy that was cut short.
        found.append(Finding("wal-ends-within-a-page", facts={"size": health.wal.size}))
    checked = None
    if key is not None:
        wal = path.with_name(path.name + "-wal")
        checked = check_sealed_pages(path, key, wal=wal if health.wal is not None and wal.is_file() else None)
        found += checked.findings()
        if checked.is_other_database:
            found.append(Finding("verify-key-of-another-database"))
    return replace(health, findings=tuple(found)), checked


def fields(health: "DatabaseHealth", checked: "PageCheck | None") -> dict[str, Any]:
    """Return it for JSON."""
    wal, header = health.wal, health.header
    return {
        "page_size": health.kind.page_size,
        "pages": (health.size - health.kind.prefix) // health.kind.page_size,
        "declared_pages": header.pages if header is not None and header.knows_its_size else None,
        "uses_wal": header.uses_wal if header is not None else None,
        "wal": None
        if wal is None
        else {
            "bytes": wal.size,
            "frames": wal.frames,
            "total_frames": wal.total_frames,
            "committed": wal.committed,
            "commits": wal.commits,
            "database_pages": wal.database_pages,
        },
        "pages_checked": None if checked is None or checked.is_other_database else checked.checked,
        "pages_damaged": None if checked is None or checked.is_other_database else len(checked.damaged),
    }


def findings(health: "DatabaseHealth") -> list[dict[str, object]]:
    """Return the findings for JSON."""
    return [
        {"code": one.code, "severity": "error" if one.lost else "warning", "params": json_value(one.facts)}
        for one in health.findings
    ]


def lines(session: "Session", path: Path, health: "DatabaseHealth", checked: "PageCheck | None") -> list[str]:
    """Return it for people."""
    say, told = session.say, fields(health, checked)
    declared = told["declared_pages"]
    key = "doctor.pages" if declared is None else "doctor.pages-declared"
    shown = ["  " + say(key, pages=told["pages"], page_size=told["page_size"], declared=declared)]
    wal = health.wal
    if wal is not None and wal.header is not None:
        shown.append(
            "  " + say("doctor.wal", size=wal.size, commits=wal.commits, frames=wal.committed, total=wal.total_frames)
        )
    if checked is not None and not checked.is_other_database:
        shown.append("  " + say("doctor.authentic", checked=checked.checked, damaged=len(checked.damaged)))
    return shown + [
        f"{'x' if one.lost else '!'} {say(f'finding.{one.code}', path=path.name, **one.facts)}"
        for one in health.findings
    ]


def _read_key(path: Path) -> "VerifyKey":
    from backupkit.capture.sealed_pages import decode_verify_key
    from backupkit.codec.malformed import MalformedObject
    from backupkit.ops.failures import SourceNotFound

    try:
        with path.open("rb") as file:
            return decode_verify_key(file.read(_MOST_KEY).strip())
    except MalformedObject as error:
        raise ValueWrong(
            name="--verify-key", found=path.name, expected='{"type":"verify-key",...}', help="backupkit doctor --help"
        ) from error
    except OSError as error:
        raise SourceNotFound(path=str(path), reason="unreadable") from error
