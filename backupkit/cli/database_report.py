"""What `doctor` says of a database file: its pages, whether they hang together, its log, and with a verify-only key whether each is its app's own."""

from dataclasses import dataclass, replace
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


@dataclass(frozen=True, slots=True)
class Examined:
    """A database seen from outside, its pages under a verify-only key, and in how many places SQLite finds a plain one unsound.

    `pages` is None without a key, `complaints` where SQLite could not be asked.
    """

    health: "DatabaseHealth"
    pages: "PageCheck | None"
    complaints: int | None

    @property
    def is_damaged(self) -> bool:
        """Whether something that the app had written is lost."""
        return any(one.lost for one in self.health.findings)


def examine(path: Path, verify_key: Path | None) -> Examined | None:
    """Look at a file; None where it is no database. What the key and SQLite find is among the findings.

    Raises:
        SourceUnreadable, SourceNotFound: the file or the key cannot be read.
        ValueWrong: the key is none.
    """
    from backupkit.capture.sealed_pages import check_sealed_pages
    from backupkit.capture.sqlite_health import examine_database, soundness_findings

    key = None if verify_key is None else _read_key(verify_key)
    health = examine_database(path) if path.is_file() else None
    if health is None:
        return None
    found = list(health.findings)
    complaints = None if health.kind.sealed else _complaints(path)
    found += soundness_findings(complaints)
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
    count = None if complaints is None else len(complaints)
    return Examined(replace(health, findings=tuple(found)), checked, count)


def fields(examined: Examined) -> dict[str, Any]:
    """Return it for JSON."""
    health, checked = examined.health, examined.pages
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
        "complaints": examined.complaints,
        "pages_checked": None if checked is None or checked.is_other_database else checked.checked,
        "pages_damaged": None if checked is None or checked.is_other_database else len(checked.damaged),
    }


def findings(examined: Examined) -> list[dict[str, object]]:
    """Return the findings for JSON."""
    return [
        {"code": one.code, "severity": "error" if one.lost else "warning", "params": json_value(one.facts)}
        for one in examined.health.findings
    ]


def lines(session: "Session", path: Path, examined: Examined) -> list[str]:
    """Return it for people."""
    health, checked = examined.health, examined.pages
    say, told = session.say, fields(examined)
    declared = told["declared_pages"]
    key = "doctor.pages" if declared is None else "doctor.pages-declared"
    shown = ["  " + say(key, pages=told["pages"], page_size=told["page_size"], declared=declared)]
    wal = health.wal
    if wal is not None and wal.header is not None:
        shown.append(
            "  " + say("doctor.wal", size=wal.size, commits=wal.commits, frames=wal.committed, total=wal.total_frames)
        )
    if examined.complaints == 0:
        shown.append("  " + say("doctor.pages-sound"))
    if checked is not None and not checked.is_other_database:
        shown.append("  " + say("doctor.authentic", checked=checked.checked, damaged=len(checked.damaged)))
    return shown + [
        f"{'x' if one.lost else '!'} {say(f'finding.{one.code}', path=path.name, **one.facts)}"
        for one in health.findings
    ]


def _complaints(path: Path) -> tuple[str, ...] | None:
    from backupkit.chats.malformed import MalformedExport
    from backupkit.chats.reading.database import database_in
    from backupkit.chats.sources.source import open_source

    try:
        with open_source(path) as source:
            return database_in(source, path.name).complaints()
    except MalformedExport as error:
        return (error.reason,)


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
