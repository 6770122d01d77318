"""Collecting the files of a source while it is opened: folders, archives in archives, iPhone backups, and what its owner's keys open.

Nothing is unpacked beside the source. Links are never followed; names that point outside are left out and reported.
"""

import errno
import os
import stat
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, cast

from backupkit.chats.archives.archive import (
    has_zip_directory,
    inflate,
    inflates_to_tar,
    is_inflatable,
    open_archive,
    tar_members,
    trouble_with_name,
)
from backupkit.chats.archives.cut_zip import members_of_cut_zip
from backupkit.chats.archives.members import (
    LOG_ENDINGS,
    MAX_FILES,
    ArchiveMember,
    DiskMember,
    Member,
    TarMember,
    may_be_archive,
)
from backupkit.chats.backups.ios_backup import MANIFEST, PROPERTIES, is_stored_file, look_at_backup
from backupkit.chats.backups.opened_backups import open_sealed
from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Finding, Locator, Severity
from backupkit.chats.owner_keys import OwnerKeys
from backupkit.chats.partial import read_some
from backupkit.chats.sources.source_members import SourceMembers
from backupkit.chats.texts.head import is_text

MAX_ARCHIVE_DEPTH = 3
_LOOKED_AT = 4096
MAX_NESTED_BYTES = 4 * 2**30
_REASONS = {
    errno.EACCES: "permission-denied",
    errno.EPERM: "permission-denied",
    errno.ENOENT: "vanished",
    errno.ENAMETOOLONG: "name-too-long",
}
_DATABASES = (".sqlite", ".db", "-wal", "-journal")


class Gathering:
    """Collects the members of one source while it is opened."""

    def __init__(self, stack: ExitStack, keys: OwnerKeys) -> None:
        self._keys = keys
        self._opened: dict[str, Member] = {}
        self.members = SourceMembers()
        self.findings: list[Finding] = []
        self.sealed_backups: set[str] = set()
        self._stack = stack
        self._nested_bytes = 0

    def add_folder(self, folder: Path) -> None:
        """Add everything below a folder of the disk."""
        todo = [("", str(folder))]
        while todo:
            prefix, path = todo.pop()
            try:
                with os.scandir(path) as entries:
                    found = sorted(entries, key=lambda entry: entry.name)
            except OSError as error:
                if not prefix:
                    raise
                self._pass_over(prefix.rstrip("/"), error)
                continue
            is_backup = {MANIFEST, PROPERTIES} <= {one.name for one in found} and self._add_backup_folder(path, prefix)
            for entry in found:
                inner = prefix + entry.name
                try:
                    if not entry.is_dir(follow_symlinks=False):
                        self._add_entry(entry, path, prefix)
                    elif not is_backup or len(entry.name) != 2:
                        todo.append((inner + "/", entry.path))
                except OSError as error:
                    self._pass_over(inner, error)

    def _add_entry(self, entry: "os.DirEntry[str]", folder: str, prefix: str) -> None:
        inner = prefix + entry.name
        if not entry.is_file(follow_symlinks=False):
            return
        if not (may_be_archive(inner) and self._add_archive(Path(entry.path), inner + "/")):
            self._require_room(inner)
            self.members.add_disk_file(prefix, folder, entry.name, entry.stat(follow_symlinks=False).st_size)

    def _pass_over(self, name: str, error: OSError) -> None:
        # One folder that may not be listed, or that went away meanwhile, must not hide the chats in all the others.
        self.findings.append(place_unread(name, error))

    def _add_backup_folder(self, path: str, prefix: str) -> bool:
        members: dict[str, Member] = {}
        todo = [""]
        for folder in todo:
            with os.scandir(os.path.join(path, folder)) as entries:  # noqa: PTH118  called for every folder of a source
                for entry in entries:
                    if entry.is_file(follow_symlinks=False):
                        members[folder + entry.name] = DiskMember(entry.path, entry.stat(follow_symlinks=False).st_size)
                    elif not folder and len(entry.name) == 2 and entry.is_dir(follow_symlinks=False):
                        todo.append(entry.name + "/")
        return self.add_ios_backup(members, prefix)

    def add_ios_backups(self, members: Mapping[str, Member]) -> list[str]:
        """Add every iOS backup among files that have no folders, and return where each begins."""
        prefixes = [name.removesuffix(MANIFEST) for name in members if name.endswith(MANIFEST)]
        return [
            prefix
            for prefix in prefixes
            if prefix + PROPERTIES in members
            and self.add_ios_backup(
                {n.removeprefix(prefix): m for n, m in members.items() if n.startswith(prefix)}, prefix
            )
        ]

    def add_ios_backup(self, members: Mapping[str, Member], prefix: str) -> bool:
        """Add the chat apps' files of an iOS backup by their names on the phone; False where it is no backup."""
        backup = look_at_backup(members, prefix, self._keys)
        if backup is None:
            return False
        self.findings += backup.findings
        if backup.is_sealed:
            self.sealed_backups.add(prefix.rstrip("/"))
            self.findings.append(
                Finding(
                    "sealed",
                    Severity.INFO,
                    Locator(prefix + MANIFEST),
                    {"bytes": backup.total_bytes, "log_frames": 0, "log_commits": 0},
                )
            )
        if backup.manifest is not None:
            self._opened[prefix + MANIFEST] = backup.manifest
        # Databases first: of more media than can be held in view, the last are left out.
        files = sorted(backup.files, key=lambda file: not file[0].endswith(_DATABASES))
        room = max(MAX_FILES - 1000 - len(self.members), 0)
        for name, member in files[:room]:
            self.add(prefix + name, member)
        if len(files) > room:
            self.findings.append(
                Finding(
                    "member-left-out", Severity.WARNING, Locator(prefix + files[room][0]), {"reason": "too-many-files"}
                )
            )
        return True

    def add_single(self, path: Path) -> None:
        """Add one file of the disk: what is in it where it is an archive, else itself with its logs."""
        # A workbook is a zip archive too, but a single document to whoever points at it.
        is_workbook = path.name.lower().endswith(".xlsx")
        if is_workbook or not self._add_archive(path, ""):
            self.add(path.name, DiskMember(str(path), path.stat().st_size))
            # A database's log is part of it, wherever a person points: without it the newest messages are missing.
            for ending in LOG_ENDINGS:
                log = path.with_name(path.name + ending)
                if log.is_file() and not log.is_symlink():
                    self.add(log.name, DiskMember(str(log), log.stat().st_size))

    def add_copied_archive(self, name: str, member: Member, copy: Callable[[str], Path]) -> bool:
        """Add what is in an archive that does not lie on the disk; False where it is none."""
        try:
            with member.open() as stream:
                head, _failure = read_some(stream, _LOOKED_AT, name)
            return _may_be_archive(name, head) and self._add_archive(copy(name), name + "/")
        except (MalformedExport, OSError):
            return False

    def _add_archive(self, path: Path, prefix: str) -> bool:
        with path.open("rb") as stream:
            head = stream.read(_LOOKED_AT)
            label = prefix.rstrip("/") or path.name
            if not _begins_archive(head):
                if not _may_be_archive(label, head):
                    return False
                if not has_zip_directory(stream):
                    facts = {"reason": "archive-directory-damaged"}
                    if label.lower().endswith(".zip"):
                        self.findings.append(Finding("archive-damaged", Severity.ERROR, Locator(label), facts))
                    return False
        if head[257:262] == b"ustar":
            return self._add_tar(path, prefix, Locator(label))
        if is_inflatable(head):
            return self._add_inflated_tar(path, prefix)
        opened = self._stack.enter_context(path.open("rb"))
        return self._add_zip(opened, prefix, label, 1) or self._add_cut_zip(path, prefix)

    def _add_inflated_tar(self, path: Path, prefix: str) -> bool:
        if not inflates_to_tar(path):
            return False
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="backupkit-archive-"))
        plain, locator = Path(folder, "plain.tar"), Locator(prefix.rstrip("/") or path.name)
        failure = inflate(path, plain, locator)
        if failure is not None:
            self.findings.append(Finding("archive-damaged", Severity.ERROR, locator, {"reason": failure.reason}))
        return self._add_tar(plain, prefix, locator)

    def _add_cut_zip(self, path: Path, prefix: str) -> bool:
        found = [
            member
            for member in members_of_cut_zip(path, MAX_FILES)
            if trouble_with_name(member.name) is None and prefix + member.name not in self.members
        ]
        for member in found:
            self.add(prefix + member.name, member)
        return bool(found)

    def _add_zip(self, stream: BinaryIO, prefix: str, label: str, depth: int) -> bool:
        try:
            archive = self._stack.enter_context(open_archive(stream, Locator(label), MAX_FILES))
        except MalformedExport as error:
            self.findings.append(Finding("archive-damaged", Severity.ERROR, error.locator, {"reason": error.reason}))
            return False
        for info in archive.infolist():
            if info.is_dir():
                continue
            trouble = _trouble_with(info)
            name = prefix + info.filename
            if trouble is None and name in self.members:
                trouble = "duplicate-name"
            if trouble is not None:
                self.findings.append(Finding("member-left-out", Severity.WARNING, Locator(name), {"reason": trouble}))
                continue
            member = ArchiveMember(archive, info, name)
            if depth < MAX_ARCHIVE_DEPTH and _is_zip(member) and self._add_nested(member, depth):
                continue
            self.add(name, member)
        return True

    def _add_tar(self, path: Path, prefix: str, locator: Locator) -> bool:
        try:
            for member in tar_members(path, locator, MAX_FILES):
                trouble = trouble_with_name(member.name)
                name = prefix + member.name
                if trouble is None and name in self.members:
                    trouble = "duplicate-name"
                if trouble is not None:
                    self.findings.append(
                        Finding("member-left-out", Severity.WARNING, Locator(name), {"reason": trouble})
                    )
                    continue
                self.add(name, TarMember(path, member.offset_data, member.size))
        except MalformedExport as error:
            if error.reason == "too-many-files":
                raise
            self.findings.append(Finding("archive-damaged", Severity.ERROR, error.locator, {"reason": error.reason}))
        return True

    def _add_nested(self, member: ArchiveMember, depth: int) -> bool:
        # Seeking inside a compressed member would decompress it again and again: one bounded copy in a file without a
        # name is cheaper, and it is gone when the source is closed.
        copy = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  the stack is its `with`
        try:
            with member.open() as stream:
                while block := stream.read(1 << 20):
                    self._nested_bytes += len(block)
                    if self._nested_bytes > MAX_NESTED_BYTES:
                        raise MalformedExport(Locator(member.name), "nested-archive-too-large")  # noqa: TRY301  one exit for every way it can fail
                    copy.write(block)
        except MalformedExport as error:
            self.findings.append(Finding("archive-damaged", Severity.ERROR, error.locator, {"reason": error.reason}))
            return False
        copy.seek(0)
        return self._add_zip(cast("BinaryIO", copy), member.name + "/", member.name, depth + 1)

    def settle(self) -> None:
        """See iPhone backups in archives by their names too, and put what the owner's keys open in the place of what was sealed."""
        prefixes = [name.removesuffix(MANIFEST) for name in self.members if name.endswith(MANIFEST)]
        for prefix in prefixes:
            stored = [
                name for name in self.members if name.startswith(prefix) and is_stored_file(name.removeprefix(prefix))
            ]
            inner = {name.removeprefix(prefix): self.members[name] for name in self.members if name.startswith(prefix)}
            if stored and PROPERTIES in inner and self.add_ios_backup(inner, prefix):
                for name in stored:
                    del self.members[name]
        self.members.update(self._opened)
        if self._keys:
            self.findings += open_sealed(self.members, self._keys, self._stack)

    def add(self, name: str, member: Member) -> None:
        """Add one file."""
        self._require_room(name)
        self.members[name] = member

    def _require_room(self, name: str) -> None:
        if len(self.members) >= MAX_FILES:
            raise MalformedExport(Locator(name), "too-many-files")


def place_unread(name: str, error: OSError) -> Finding:
    """Tell of a folder or file that the system did not let anybody look into."""
    return Finding(
        "place-unread", Severity.ERROR, Locator(name), {"reason": _REASONS.get(error.errno or 0, "read-error")}
    )


def _begins_archive(head: bytes) -> bool:
    return head[257:262] == b"ustar" or head[:4] in {b"PK\x03\x04", b"PK\x05\x06"} or is_inflatable(head)


def _may_be_archive(name: str, head: bytes) -> bool:
    """Say whether a file may be an archive, at its beginning or behind a program that unpacks it."""
    is_called_so = name.lower().endswith(".zip") and not is_text(head)
    return _begins_archive(head) or head[:2] in {b"MZ", b"#!"} or is_called_so


def _is_zip(member: ArchiveMember) -> bool:
    if member.name.lower().endswith(".zip"):
        return True
    if not may_be_archive(member.name):
        return False
    try:
        with member.open() as stream:
            return stream.read(4) == b"PK\x03\x04"
    except (MalformedExport, OSError):
        return False


def _trouble_with(info: zipfile.ZipInfo) -> str | None:
    if stat.S_ISLNK(info.external_attr >> 16):
        return "link"
    if info.flag_bits & 0x1:
        return "encrypted"
    return trouble_with_name(info.filename)
