"""An iTunes or Finder backup that is not encrypted, seen by the names that its files have on the phone.

The backup calls each file by the SHA-1 of its domain and path; `Manifest.db` knows both. Under their own names the apps'
databases lie beside their logs and their media again, so every reader works on a backup as on any folder. Only the chat
apps' files are shown: the photos of ten years hold no chat.
"""

import hashlib
import plistlib
import re
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Generic, Protocol, TypeVar
from xml.parsers import expat

from backupkit.chats.archive import trouble_with_name
from backupkit.chats.model import Finding, Locator, Severity
from backupkit.chats.sqlite_copy import FAILURES, open_copy
from backupkit.errors import Fact

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


class Stored(Protocol):
    """A file of a backup, wherever it lies."""

    @property
    def size_bytes(self) -> int:
        """Its length."""
        ...

    def open(self) -> BinaryIO:
        """Open it for reading from the start."""
        ...


S = TypeVar("S", bound=Stored)


@dataclass(slots=True)
class IosBackup(Generic[S]):
    """What a backup turned out to be. `files` are names on the phone with what is stored."""

    is_encrypted: bool = False
    total_bytes: int = 0
    files: list[tuple[str, S]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def look_at_backup(members: Mapping[str, S], prefix: str) -> IosBackup[S] | None:
    """Look at the files of a folder that holds a manifest; None where it is no backup whose manifest can be read.

    `prefix` is the folder's place in the source, for what is told about it.
    """
    properties = _plist(members.get(PROPERTIES))
    if not isinstance(properties, dict) or not ("IsEncrypted" in properties or "BackupKeyBag" in properties):
        return None
    there = {name[3:]: member for name, member in members.items() if is_stored_file(name)}
    found: IosBackup[S] = IosBackup(
        is_encrypted=properties.get("IsEncrypted") is True,
        total_bytes=sum(member.size_bytes for member in there.values()),
    )
    status = _plist(members.get(STATUS))
    if isinstance(status, dict) and status.get("SnapshotState") not in {None, "finished"}:
        state = str(status.get("SnapshotState"))[:40]
        found.findings.append(Finding("backup-unfinished", Severity.ERROR, Locator(prefix + STATUS), {"state": state}))
    if found.is_encrypted:
        return found
    if _read(members[MANIFEST], 16) != _SQLITE:
        return None
    try:
        _read_manifest(members, prefix, there, found)
    except (*FAILURES, OSError):
        found.findings.append(
            Finding("export-damaged", Severity.ERROR, Locator(prefix + MANIFEST), {"reason": "database-damaged"})
        )
    return found


def is_stored_file(name: str) -> bool:
    """Say whether a name inside a backup is that of a phone's file, such as `3d/3d0d7e5f...`."""
    return len(name) == 43 and name[2] == "/" and name.startswith(name[3:5])


def _read(member: Stored, size_bytes: int) -> bytes:
    try:
        with member.open() as stream:
            return stream.read(size_bytes)
    except OSError:
        return b""


def _plist(member: Stored | None) -> Any:
    if member is None or member.size_bytes > MAX_PLIST_BYTES:
        return None
    try:
        return plistlib.loads(_read(member, MAX_PLIST_BYTES))
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError, expat.ExpatError):
        return None


def _read_manifest(members: Mapping[str, S], prefix: str, there: Mapping[str, S], found: IosBackup[S]) -> None:
    missing, cut, wrong = _Tally(), _Tally(), _Tally()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="backupkit-manifest-")))
        for ending in ("", "-wal"):
            original = members.get(MANIFEST + ending)
            if original is not None and original.size_bytes <= MAX_MANIFEST_BYTES:
                with original.open() as stream, (scratch / ("copy.db" + ending)).open("wb") as out:
                    shutil.copyfileobj(stream, out, 1 << 20)
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
            stored = there.get(file_id)
            if stored is None:
                missing.saw(shown)
            elif (name := _chat_name(domain, path)) is not None:
                declared = _declared_size(record)
                if declared is not None and stored.size_bytes < declared:
                    cut.saw(shown)
                found.files.append((name, stored))
    where = Locator(prefix + MANIFEST)
    if missing.count:
        found.findings.append(Finding("backup-files-missing", Severity.ERROR, where, missing.facts()))
    if cut.count:
        found.findings.append(Finding("backup-files-cut", Severity.ERROR, where, cut.facts()))
    if wrong.count:
        found.findings.append(Finding("backup-names-wrong", Severity.ERROR, where, wrong.facts()))


@dataclass(slots=True)
class _Tally:
    count: int = 0
    first: str = ""

    def saw(self, name: str) -> None:
        self.first = self.first or name[:300]
        self.count += 1

    def facts(self) -> dict[str, Fact]:
        return {"count": self.count, "name": self.first}


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
