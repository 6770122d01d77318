"""An iTunes or Finder backup that is not encrypted, seen by the names that its files have on the phone.

The backup calls each file by the SHA-1 of its domain and path; `Manifest.db` knows both. Under their own names the apps'
databases lie beside their logs and their media again, so every reader works on a backup as on any folder. Only the chat
apps' files are shown: the photos of ten years hold no chat.
"""

import hashlib
import os
import plistlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from backupkit.chats.archive import trouble_with_name
from backupkit.chats.model import Finding, Locator, Severity
from backupkit.chats.sqlite_copy import FAILURES, open_copy

MANIFEST = "Manifest.db"
PROPERTIES = "Manifest.plist"
STATUS = "Status.plist"
MAX_MANIFEST_BYTES = 4 * 2**30
MAX_PLIST_BYTES = 16 * 2**20
_SQLITE = b"SQLite format 3\0"
_FILE = 1
_ID = re.compile(r"[0-9a-f]{40}")
_CHATS = re.compile(
    r"(?:AppDomain(?:Group|Plugin)?-(?:.*\.)?(?:com\.tencent\.(?:xin|mqq)|tencent\.xin|net\.whatsapp\.WhatsApp(?:SMB)?(?:\..*)?"
    r"|jp\.naver\.line(?:\..*)?|com\.iwilab\.KakaoTalk|ph\.telegra\.Telegraph|org\.whispersystems\.signal(?:\..*)?|com\.viber"
    r"|com\.skype\.skype|com\.facebook\.Messenger)"
    r"|HomeDomain|MediaDomain)"
)
_APPLES_OWN = ("HomeDomain", "MediaDomain")
_SMS = "Library/SMS/"


@dataclass(slots=True)
class IosBackup:
    """What a backup's folder turned out to be. `files` are names on the phone, paths on the disk, and lengths."""

    is_encrypted: bool = False
    total_bytes: int = 0
    files: list[tuple[str, str, int]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def look_at_backup(folder: Path, prefix: str) -> IosBackup | None:
    """Look at a folder that holds a manifest; None where it is no backup whose manifest can be read.

    `prefix` is the folder's place in the source, for what is told about it.
    """
    properties = _plist(folder / PROPERTIES)
    if not isinstance(properties, dict) or not ("IsEncrypted" in properties or "BackupKeyBag" in properties):
        return None
    found = IosBackup(is_encrypted=properties.get("IsEncrypted") is True)
    there = dict(_stored_files(folder))
    found.total_bytes = sum(there.values())
    status = _plist(folder / STATUS)
    if isinstance(status, dict) and status.get("SnapshotState") not in {None, "finished"}:
        state = str(status.get("SnapshotState"))[:40]
        found.findings.append(Finding("backup-unfinished", Severity.ERROR, Locator(prefix + STATUS), {"state": state}))
    if found.is_encrypted:
        return found
    with (folder / MANIFEST).open("rb") as stream:
        if stream.read(16) != _SQLITE:
            return None
    try:
        _read_manifest(folder, prefix, there, found)
    except FAILURES:
        found.findings.append(
            Finding("export-damaged", Severity.ERROR, Locator(prefix + MANIFEST), {"reason": "database-damaged"})
        )
    return found


def _plist(path: Path) -> Any:
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_PLIST_BYTES:
            return None
        return plistlib.loads(path.read_bytes())
    except (
        OSError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        OverflowError,
        RecursionError,
        expat.ExpatError,
    ):
        return None


def _stored_files(folder: Path) -> Iterator[tuple[str, int]]:
    """Tell the ids and lengths of the files in the folders `00` to `ff`."""
    for number in range(256):
        try:
            with os.scandir(folder / f"{number:02x}") as entries:
                for entry in entries:
                    if entry.is_file(follow_symlinks=False):
                        yield entry.name, entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue


def _read_manifest(folder: Path, prefix: str, there: dict[str, int], found: IosBackup) -> None:
    missing, cut, wrong = _Tally(), _Tally(), _Tally()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="backupkit-manifest-")))
        for ending in ("", "-wal"):
            original = folder / (MANIFEST + ending)
            if original.is_file() and not original.is_symlink() and original.stat().st_size <= MAX_MANIFEST_BYTES:
                shutil.copyfile(original, scratch / ("copy.db" + ending))
        connection = open_copy(scratch / "copy.db", stack)
        rows = stack.enter_context(
            closing(connection.execute("select fileID, domain, relativePath, flags, file from Files"))
        )
        for file_id, domain, path, flags, record in rows:
            if (
                flags != _FILE
                or not isinstance(domain, str)
                or not isinstance(path, str)
                or not isinstance(file_id, str)
            ):
                continue
            shown = f"{domain}/{path}"
            # The name is the digest of what it stands for, so a backup can be checked without any key.
            if not _ID.fullmatch(file_id) or hashlib.sha1(f"{domain}-{path}".encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest() != file_id:  # fmt: skip
                wrong.saw(shown)
                continue
            size_bytes = there.get(file_id)
            if size_bytes is None:
                missing.saw(shown)
            elif (name := _chat_name(domain, path)) is not None:
                declared = _declared_size(record)
                if declared is not None and size_bytes < declared:
                    cut.saw(shown)
                found.files.append((name, str(folder / file_id[:2] / file_id), size_bytes))
    for code, tally in (("backup-files-missing", missing), ("backup-files-cut", cut), ("backup-names-wrong", wrong)):
        if tally.count:
            found.findings.append(
                Finding(code, Severity.ERROR, Locator(prefix + MANIFEST), {"count": tally.count, "name": tally.first})
            )


@dataclass(slots=True)
class _Tally:
    count: int = 0
    first: str = ""

    def saw(self, name: str) -> None:
        self.first = self.first or name[:300]
        self.count += 1


def _chat_name(domain: str, path: str) -> str | None:
    """Return the name of a chat app's file, None for what belongs to nobody's chats or may not be a name."""
    if not _CHATS.fullmatch(domain):
        return None
    if domain in _APPLES_OWN:
        if not path.startswith(_SMS):
            return None
        # Attachments lie in a domain of their own, and are named as if they lay beside the database.
        domain = _APPLES_OWN[0]
    name = f"{domain}/{path}"
    return name if trouble_with_name(name) is None else None


def _declared_size(record: Any) -> int | None:
    """Read a file's length from its archived properties."""
    if not isinstance(record, bytes) or not record.startswith(b"bplist00") or len(record) > 65536:
        return None
    try:
        objects = plistlib.loads(record)["$objects"]
        size = next(one["Size"] for one in objects if isinstance(one, dict) and "Size" in one)
    except (ValueError, TypeError, LookupError, StopIteration, AttributeError, OverflowError, RecursionError):
        return None
    return size if isinstance(size, int) else None
