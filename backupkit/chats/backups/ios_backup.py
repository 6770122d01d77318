"""An iTunes or Finder backup, plain or opened with its owner's password, seen by the names that its files have on the phone.

The backup calls each file by the SHA-1 of its domain and path; `Manifest.db` knows both. Under their own names the apps'
databases lie beside their logs and their media again, so every reader works on a backup as on any folder. Only the chat
apps' files are shown: the photos of ten years hold no chat.
"""

import hashlib
import plistlib
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from xml.parsers import expat

from backupkit.chats.archives.archive import trouble_with_name
from backupkit.chats.backups.ios_keybag import DecryptedMember, Keybag, Stored, open_keybag, plain_size
from backupkit.chats.databases.image import fill_image
from backupkit.chats.databases.nameless import nameless_database
from backupkit.chats.databases.sqlite_copy import FAILURES, guarded
from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Finding, Locator, Severity
from backupkit.chats.owner_keys import OwnerKeys
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


@dataclass(slots=True)
class IosBackup:
    """What a backup turned out to be. `is_sealed`: it is encrypted and stays so; `manifest` is its list where that was opened. `files` are names on the phone with what is stored."""

    is_sealed: bool = False
    manifest: Stored | None = None
    total_bytes: int = 0
    files: list[tuple[str, Stored]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def look_at_backup(members: Mapping[str, Stored], prefix: str, keys: OwnerKeys) -> IosBackup | None:
    """Look at the files of a folder that holds a manifest; None where it is no backup whose manifest can be read.

    `prefix` is the folder's place in the source, for what is told about it.
    """
    properties = _plist(members.get(PROPERTIES))
    if not isinstance(properties, dict) or not ("IsEncrypted" in properties or "BackupKeyBag" in properties):
        return None
    there = {name[3:]: member for name, member in members.items() if is_stored_file(name)}
    found = IosBackup(total_bytes=sum(member.size_bytes for member in there.values()))
    status = _plist(members.get(STATUS))
    if isinstance(status, dict) and status.get("SnapshotState") not in {None, "finished"}:
        state = str(status.get("SnapshotState"))[:40]
        found.findings.append(Finding("backup-unfinished", Severity.ERROR, Locator(prefix + STATUS), {"state": state}))
    listing = _Listing(prefix, there, found)
    if properties.get("IsEncrypted") is True:
        listing.bag, manifest = _opened(properties, members, prefix, keys, found)
        if manifest is None:
            found.is_sealed = True
            return found
        found.manifest = manifest
        members = {MANIFEST: manifest}
    elif _read(members[MANIFEST], 16) != _SQLITE:
        return None
    try:
        listing.read(members)
    except (MalformedExport, *FAILURES, OSError):
        found.findings.append(
            Finding("export-damaged", Severity.ERROR, Locator(prefix + MANIFEST), {"reason": "database-damaged"})
        )
    return found


def _opened(
    properties: Mapping[str, Any], members: Mapping[str, Stored], prefix: str, keys: OwnerKeys, found: IosBackup
) -> tuple[Keybag | None, Stored | None]:
    """Open the bag of keys and the manifest, and tell why where that cannot be done."""
    locator = Locator(prefix + MANIFEST)
    if not keys.passwords:
        if keys:
            found.findings.append(Finding("sealed-without-key", Severity.INFO, locator))
        return None, None
    sealed, wrapped = members[MANIFEST], properties.get("ManifestKey")
    try:
        bag = open_keybag(properties.get("BackupKeyBag"), keys.passwords, locator)
        if not isinstance(wrapped, bytes):
            raise MalformedExport(locator, "backup-header-broken")  # noqa: TRY301  one exit for every way it can fail
        number = int.from_bytes(wrapped[:4], "little")
        # Where the end is damaged, or was never padded, all of it is the database: what is too much is passed over.
        key = bag.unwrap(wrapped[4:], number)
        size_bytes = (None if key is None else plain_size(sealed, key)) or sealed.size_bytes // 16 * 16
        manifest = DecryptedMember(sealed, bag, wrapped[4:], number, size_bytes, locator.file, locator.file)
        if _read(manifest, 16) != _SQLITE:
            raise MalformedExport(locator, "backup-damaged")  # noqa: TRY301  as above
    except MalformedExport as error:
        found.findings.append(Finding("sealed-not-opened", Severity.ERROR, locator, {"reason": error.reason}))
        return None, None
    return bag, manifest


def is_stored_file(name: str) -> bool:
    """Say whether a name inside a backup is that of a phone's file, such as `3d/3d0d7e5f...`."""
    return len(name) == 43 and name[2] == "/" and name.startswith(name[3:5])


def _read(member: Stored, size_bytes: int) -> bytes:
    try:
        with member.open() as stream:
            return stream.read(size_bytes)
    except (MalformedExport, OSError):
        return b""


def _plist(member: Stored | None) -> Any:
    if member is None or member.size_bytes > MAX_PLIST_BYTES:
        return None
    try:
        return plistlib.loads(_read(member, MAX_PLIST_BYTES))
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError, expat.ExpatError):
        return None


@dataclass(slots=True)
class _Tally:
    count: int = 0
    first: str = ""

    def saw(self, name: str) -> None:
        self.first = self.first or name[:300]
        self.count += 1

    def facts(self) -> dict[str, Fact]:
        return {"count": self.count, "name": self.first}


@dataclass(slots=True)
class _Listing:
    """Reads a manifest, and finds what it lists."""

    prefix: str
    there: Mapping[str, Stored]
    found: IosBackup
    bag: Keybag | None = None
    missing: _Tally = field(default_factory=_Tally)
    cut: _Tally = field(default_factory=_Tally)
    wrong: _Tally = field(default_factory=_Tally)
    locked: _Tally = field(default_factory=_Tally)

    def read(self, members: Mapping[str, Stored]) -> None:
        """Find the files that the manifest lists, and tell which are missing, cut, locked, or not what they are called."""
        try:
            for file_id, domain, path, record in _entries(members, Locator(self.prefix + MANIFEST)):
                self._take(file_id, domain, path, record)
        finally:
            where = Locator(self.prefix + MANIFEST)
            if self.missing.count:
                self._note(Finding("backup-files-missing", Severity.ERROR, where, self.missing.facts()))
            if self.cut.count:
                self._note(Finding("backup-files-cut", Severity.ERROR, where, self.cut.facts()))
            if self.locked.count:
                self._note(Finding("backup-files-locked", Severity.ERROR, where, self.locked.facts()))
            if self.wrong.count:
                self._note(Finding("backup-names-wrong", Severity.ERROR, where, self.wrong.facts()))

    def _note(self, finding: Finding) -> None:
        self.found.findings.append(finding)

    def _take(self, file_id: str, domain: str, path: str, record: Any) -> None:
        shown = f"{domain}/{path}"
        # The name is the digest of what it stands for, so a backup can be checked without any key.
        if not _ID.fullmatch(file_id) or hashlib.sha1(f"{domain}-{path}".encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest() != file_id:  # fmt: skip
            self.wrong.saw(shown)
            return
        stored = self.there.get(file_id)
        if stored is None:
            self.missing.saw(shown)
        elif (name := _chat_name(domain, path)) is not None:
            about = _about_file(record)
            if self.bag is not None:
                self._take_sealed(self.bag, name, stored, about)
                return
            if about.size_bytes is not None and stored.size_bytes < about.size_bytes:
                self.cut.saw(shown)
            self.found.files.append((name, stored))

    def _take_sealed(self, bag: Keybag, name: str, stored: Stored, about: "_AboutFile") -> None:
        if about.wrapped is None:
            # An empty file has no key, and nothing to open.
            if stored.size_bytes == 0:
                self.found.files.append((name, stored))
            else:
                self.locked.saw(name)
            return
        size_bytes = about.size_bytes or 0
        if stored.size_bytes != size_bytes // 16 * 16 + 16:
            # The manifest is often older than the file by a little: where the padding is right, the file is whole.
            key = bag.unwrap(about.wrapped, about.protection_class)
            if key is None:
                self.locked.saw(name)
                return
            found = plain_size(stored, key)
            if found is None:
                self.cut.saw(name)
            size_bytes = stored.size_bytes // 16 * 16 if found is None else found
        where = self.prefix + MANIFEST
        self.found.files.append(
            (name, DecryptedMember(stored, bag, about.wrapped, about.protection_class, size_bytes, name, where))
        )


def _entries(members: Mapping[str, Stored], locator: Locator) -> Iterator[tuple[str, str, str, Any]]:
    def part(ending: str) -> BinaryIO | None:
        member = members.get(MANIFEST + ending)
        return None if member is None or member.size_bytes > MAX_MANIFEST_BYTES else member.open()

    with ExitStack() as stack:
        connection, file = nameless_database(stack)
        fill_image(part, file, locator)
        guarded(connection)
        rows = connection.execute("select fileID, domain, relativePath, flags, file from Files")
        with closing(rows):
            for file_id, domain, path, flags, record in rows:
                if flags == _FILE and all(isinstance(one, str) for one in (file_id, domain, path)):
                    yield file_id, domain, path, record


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


@dataclass(frozen=True, slots=True)
class _AboutFile:
    """What a manifest's entry says of a file. `wrapped` is its key, where it is sealed."""

    size_bytes: int | None = None
    wrapped: bytes | None = None
    protection_class: int = 0


def _about_file(record: Any) -> _AboutFile:
    """Read a file's archived properties; what cannot be read is not known."""
    if not isinstance(record, bytes) or not record.startswith(b"bplist00") or len(record) > 65536:
        return _AboutFile()
    try:
        objects = plistlib.loads(record)["$objects"]
        about = next(one for one in objects if isinstance(one, dict) and "Size" in one)
        size, kind = about["Size"], about.get("ProtectionClass", 0)
        wrapped = None
        if "EncryptionKey" in about:
            held = objects[about["EncryptionKey"].data]
            key = held["NS.data"] if isinstance(held, dict) else held
            # The class stands in front of the key once more.
            wrapped = key[4:] if isinstance(key, bytes) else None
    except (ValueError, TypeError, LookupError, StopIteration, AttributeError, OverflowError, RecursionError):
        return _AboutFile()
    return _AboutFile(size if isinstance(size, int) else None, wrapped, kind if isinstance(kind, int) else 0)
