"""A bounded, read-only view of an export: a folder, one file, or an archive read in place.

Nothing is unpacked beside the source and nothing in it is changed. Links are never followed; names that point outside
are left out and reported; every stream stops with `MalformedExport` where an archive swells beyond its bounds.
"""

import io
import os
import stat
import tempfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar, cast

from backupkit.chats.archive import (
    GuardedStream,
    inflate,
    inflates_to_tar,
    is_inflatable,
    open_archive,
    tar_members,
    trouble_with_name,
)
from backupkit.chats.cut_zip import members_of_cut_zip
from backupkit.chats.ios_backup import MANIFEST, PROPERTIES, is_stored_file, look_at_backup
from backupkit.chats.json_sample import sample_json
from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Finding, Locator, Severity
from backupkit.chats.opened_backups import open_sealed
from backupkit.chats.partial import read_some
from backupkit.chats.text_head import is_text, text_head
from backupkit.chats.utf_16 import in_utf_8, is_utf_16

T = TypeVar("T")

MAPPING_NAME = "backupkit-mapping.toml"
"""What its owner says about an export; see `chats/mapping.py`."""

MAX_FILES = 200_000
MAX_ARCHIVE_DEPTH = 3
MAX_NESTED_BYTES = 4 * 2**30
HEAD_BYTES = 4096
_HEADS_REMEMBERED = 2048
_SAMPLES_REMEMBERED = 2048
_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".ab")
_DATABASES = (".sqlite", ".db", "-wal", "-journal")
LOG_ENDINGS = ("-wal", "-shm", "-journal")

# What these hold is media or code, never a chat export. Only used inside folders and archives, so that thousands of
# photos are not opened for nothing; a single file is always looked at.
_NEVER_AN_EXPORT = frozenset(
    [
        ".3gp",
        ".aac",
        ".amr",
        ".apk",
        ".avi",
        ".bmp",
        ".css",
        ".docx",
        ".flac",
        ".gif",
        ".heic",
        ".heif",
        ".ico",
        ".jpeg",
        ".jpg",
        ".js",
        ".m4a",
        ".m4v",
        ".mkv",
        ".mov",
        ".mp3",
        ".mp4",
        ".ogg",
        ".oga",
        ".opus",
        ".pdf",
        ".png",
        ".pptx",
        ".silk",
        ".svg",
        ".tgs",
        ".tif",
        ".tiff",
        ".ttf",
        ".vcf",
        ".wav",
        ".webm",
        ".webp",
        ".woff",
        ".woff2",
    ]
)


class Content(Enum):
    """What a file's first bytes show it to be."""

    JSON = "json"
    MARKUP = "markup"
    TEXT = "text"
    SQLITE = "sqlite"
    OTHER = "other"


def content_of(head: bytes) -> Content:
    """Judge a file by its first bytes."""
    if head.startswith(b"SQLite format 3\0"):
        return Content.SQLITE
    if not is_text(head):
        return Content.OTHER
    first = text_head(head).lstrip("\ufeff \t\r\n")[:1]
    return {"{": Content.JSON, "[": Content.JSON, "<": Content.MARKUP}.get(first, Content.TEXT)


def may_hold_an_export(name: str) -> bool:
    """Say whether a file with this name is looked at inside a folder or an archive: not where it is media or code by its ending."""
    return os.path.splitext(name)[1].lower() not in _NEVER_AN_EXPORT  # noqa: PTH122  called for every file of a source


class Member(Protocol):
    """One file of a source."""

    @property
    def size_bytes(self) -> int:
        """Its length, as far as the container tells."""
        ...

    def open(self) -> BinaryIO:
        """Open it for reading from the start."""
        ...


@dataclass(frozen=True, slots=True)
class DiskMember:
    """A file that lies on the disk as it is."""

    path: str
    size_bytes: int

    def open(self) -> BinaryIO:
        """Open it for reading from the start."""
        return Path(self.path).open("rb")


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """A file inside a zip archive."""

    archive: zipfile.ZipFile
    info: zipfile.ZipInfo
    name: str

    @property
    def size_bytes(self) -> int:
        """The length that the archive declares."""
        return self.info.file_size

    def open(self) -> BinaryIO:
        """Open it for reading from the start; what it yields is bounded by what it declares."""
        stream = GuardedStream.over_zip(self.archive, self.info, Locator(self.name))
        return cast("BinaryIO", io.BufferedReader(stream, 1 << 16))


@dataclass(frozen=True, slots=True)
class TarMember:
    """A file inside a tar archive that is not compressed: a stretch of the archive's own bytes."""

    path: Path
    offset: int
    size_bytes: int

    def open(self) -> BinaryIO:
        """Open it for reading from the start."""
        stream = self.path.open("rb")
        stream.seek(self.offset)
        return cast(
            "BinaryIO",
            io.BufferedReader(GuardedStream.stretch(stream, self.size_bytes, Locator(self.path.name)), 1 << 16),
        )


class SourceFiles:
    """The files of a source by their name inside it, `/` between the parts. Made by `open_source`."""

    def __init__(
        self, label: str, members: Mapping[str, Member], findings: tuple[Finding, ...], stack: ExitStack
    ) -> None:
        self.label = label
        self._stack = stack
        self._kept: dict[str, Any] = {}
        self.findings = findings
        self._members = members
        self._heads: OrderedDict[str, bytes] = OrderedDict()
        self.sealed_backups: frozenset[str] = frozenset()
        self._known_contents: Mapping[str, Content] | None = None
        self._samples: dict[str, Any] = {}
        self._is_utf_16: dict[str, bool] = {}
        self._is_single = len([name for name in members if not name.endswith((*LOG_ENDINGS, MAPPING_NAME))]) == 1

    def names(self) -> tuple[str, ...]:
        """Return every name, sorted."""
        return tuple(sorted(self._members))

    def of(self, *kinds: Content) -> Iterator[str]:
        """Tell the names of possible exports whose first bytes are of one of the kinds, sorted."""
        for name, kind in self._contents().items():
            if kind in kinds:
                yield name

    def _contents(self) -> Mapping[str, Content]:
        # One look at each file serves every reader.
        if self._known_contents is None:
            self._known_contents = {
                name: content_of(self.head(name))
                for name in self.names()
                if not name.endswith(LOG_ENDINGS) and (self._is_single or may_hold_an_export(name))
            }
        return self._known_contents

    def size(self, name: str) -> int | None:
        """Return a file's length in bytes, None where there is no such file."""
        member = self._members.get(name)
        return None if member is None else member.size_bytes

    def member(self, name: str) -> Member | None:
        """Return a file by its name, None where there is none."""
        return self._members.get(name)

    def with_members(self, members: Mapping[str, Member]) -> "SourceFiles":
        """Return the same source with some files told anew. It lasts as long as this one."""
        return SourceFiles(self.label, {**self._members, **members}, self.findings, self._stack)

    def path(self, name: str) -> Path | None:
        """Return where a file lies on the disk, None where it is inside an archive."""
        member = self._members.get(name)
        return Path(member.path) if isinstance(member, DiskMember) else None

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading. Text in UTF-16 comes as UTF-8, which is what every reader knows.

        Raises:
            MalformedExport: it cannot be opened.
        """
        if name not in self._is_utf_16:
            self.head(name)
        stream = self._open_as_it_is(name)
        return in_utf_8(stream) if self._is_utf_16.get(name) else stream

    def _open_as_it_is(self, name: str) -> BinaryIO:
        member = self._members.get(name)
        if member is None:
            raise MalformedExport(Locator(name), "no-such-file")
        try:
            return member.open()
        except OSError as error:
            raise MalformedExport(Locator(name), "unreadable") from error

    def keep(self, key: str, make: Callable[[ExitStack], T]) -> T:
        """Make something once and keep it until the source is closed; `make` may enter contexts on the stack."""
        if key not in self._kept:
            self._kept[key] = make(self._stack)
        return cast("T", self._kept[key])

    def head(self, name: str, size_bytes: int = HEAD_BYTES) -> bytes:
        """Return a file's first bytes; nothing at all where it cannot be read."""
        known = self._heads.get(name, b"")
        if len(known) >= size_bytes:
            return known[:size_bytes]
        if name in self._heads and len(known) < HEAD_BYTES:
            return known
        try:
            with self._open_as_it_is(name) as stream:
                head, _failure = read_some(stream, max(size_bytes, HEAD_BYTES), name)
        except (MalformedExport, OSError):
            head = b""
        self._is_utf_16[name] = is_utf_16(head)
        if self._is_utf_16[name]:
            head = head.decode("utf-16", "ignore").encode("utf-8")
        self._heads[name] = head[:HEAD_BYTES]
        if len(self._heads) > _HEADS_REMEMBERED:
            self._heads.popitem(last=False)
        return head[:size_bytes]

    def json_sample(self, name: str) -> Any:
        """Return the sample of a JSON file; see `sample_json`."""
        if name not in self._samples:
            if len(self._samples) >= _SAMPLES_REMEMBERED:
                self._samples.clear()
            try:
                with self.open(name) as stream:
                    self._samples[name] = sample_json(stream, name)
            except (MalformedExport, OSError):
                self._samples[name] = None
        return self._samples[name]


@contextmanager
def open_source(path: Path, *, mapping: Path | None = None, key: bytes | None = None) -> Iterator[SourceFiles]:
    """Look into a folder, a file or an archive. `mapping` is read as if it lay at its root.

    `key` is its owner's own, for backups that an app sealed with it; see `chats/opened_backups.py`.

    Raises:
        MalformedExport: there is nothing there, or more of it than the bounds allow.
    """
    with ExitStack() as stack:
        gathering = _Gathering(stack)
        try:
            if path.is_dir():
                gathering.add_folder(path)
            elif path.is_file():
                gathering.add_single(path)
            else:
                raise MalformedExport(Locator(path.name), "no-such-file")
            if mapping is not None:
                gathering.members[MAPPING_NAME] = DiskMember(str(mapping), mapping.stat().st_size)
            if key is not None:
                gathering.findings += open_sealed(gathering.members, key, stack)
        except OSError as error:
            raise MalformedExport(Locator(path.name), "unreadable") from error
        source = SourceFiles(path.name, gathering.members, tuple(gathering.findings), stack)
        source.sealed_backups = frozenset(gathering.sealed_backups)
        yield source


def is_sealed_backup(source: SourceFiles, folder: str) -> bool:
    """Say whether a folder of the source is an encrypted iOS backup."""
    return folder in source.sealed_backups


@contextmanager
def open_members(label: str, members: Mapping[str, Member], copy: Callable[[str], Path]) -> Iterator[SourceFiles]:
    """Look into files that do not lie on the disk, such as those of a snapshot. `copy` puts an archive there.

    Raises:
        MalformedExport: there is more of it than the bounds allow.
    """
    with ExitStack() as stack:
        gathering = _Gathering(stack)
        seen_as_backup = gathering.add_ios_backups(members)
        for name, member in sorted(members.items()):
            if any(name.startswith(prefix) and is_stored_file(name.removeprefix(prefix)) for prefix in seen_as_backup):
                continue
            may_be_archive = len(members) == 1 or name.lower().endswith(_ARCHIVES)
            if not (may_be_archive and gathering.add_copied_archive(name, member, copy)):
                gathering.add(name, member)
        source = SourceFiles(label, gathering.members, tuple(gathering.findings), stack)
        source.sealed_backups = frozenset(gathering.sealed_backups)
        yield source


class _Gathering:
    """Collects the members of one source while it is opened."""

    def __init__(self, stack: ExitStack) -> None:
        self.members: dict[str, Member] = {}
        self.findings: list[Finding] = []
        self.sealed_backups: set[str] = set()
        self._stack = stack
        self._nested_bytes = 0

    def add_folder(self, folder: Path) -> None:
        todo = [("", str(folder))]
        while todo:
            prefix, path = todo.pop()
            with os.scandir(path) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
            is_backup = {MANIFEST, PROPERTIES} <= {one.name for one in found} and self._add_backup_folder(path, prefix)
            for entry in found:
                inner = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    if not is_backup or len(entry.name) != 2:
                        todo.append((inner + "/", entry.path))
                elif entry.is_file(follow_symlinks=False):
                    is_archive = inner.lower().endswith(_ARCHIVES)
                    if not (is_archive and self._add_archive(Path(entry.path), inner + "/")):
                        self.add(inner, DiskMember(entry.path, entry.stat(follow_symlinks=False).st_size))

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
        backup = look_at_backup(members, prefix)
        if backup is None:
            return False
        self.findings += backup.findings
        if backup.is_encrypted:
            self.sealed_backups.add(prefix.rstrip("/"))
            self.findings.append(
                Finding(
                    "sealed",
                    Severity.INFO,
                    Locator(prefix + MANIFEST),
                    {"bytes": backup.total_bytes, "log_frames": 0, "log_commits": 0},
                )
            )
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
        try:
            with member.open() as stream:
                head, _failure = read_some(stream, 512, name)
            return _begins_archive(head) and self._add_archive(copy(name), name + "/")
        except (MalformedExport, OSError):
            return False

    def _add_archive(self, path: Path, prefix: str) -> bool:
        with path.open("rb") as stream:
            head = stream.read(512)
        if not _begins_archive(head):
            return False
        if head[257:262] == b"ustar":
            return self._add_tar(path, prefix, Locator(prefix.rstrip("/") or path.name))
        if is_inflatable(head):
            return self._add_inflated_tar(path, prefix)
        opened = self._stack.enter_context(path.open("rb"))
        return self._add_zip(opened, prefix, prefix.rstrip("/") or path.name, 1) or self._add_cut_zip(path, prefix)

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
            if info.filename.lower().endswith(".zip") and depth < MAX_ARCHIVE_DEPTH and self._add_nested(member, depth):
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

    def add(self, name: str, member: Member) -> None:
        if len(self.members) >= MAX_FILES:
            raise MalformedExport(Locator(name), "too-many-files")
        self.members[name] = member


def _begins_archive(head: bytes) -> bool:
    return head[257:262] == b"ustar" or head[:4] in {b"PK\x03\x04", b"PK\x05\x06"} or is_inflatable(head)


def _trouble_with(info: zipfile.ZipInfo) -> str | None:
    if stat.S_ISLNK(info.external_attr >> 16):
        return "link"
    if info.flag_bits & 0x1:
        return "encrypted"
    return trouble_with_name(info.filename)
