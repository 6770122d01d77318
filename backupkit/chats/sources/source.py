"""A bounded, read-only view of an export: a folder, one file, or an archive read in place.

Nothing is unpacked beside the source and nothing in it is changed. Links are never followed; names that point outside
are left out and reported; every stream stops with `MalformedExport` where an archive swells beyond its bounds.
"""

from collections import ChainMap, OrderedDict
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import ExitStack, contextmanager
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from backupkit.chats.archives.members import (
    LOG_ENDINGS,
    MAPPING_NAME,
    DiskMember,
    Member,
    may_be_archive,
    may_hold_an_export,
)
from backupkit.chats.backups.ios_backup import is_stored_file
from backupkit.chats.backups.ios_keybag import DecryptedMember
from backupkit.chats.backups.opened_backups import OpenedMember
from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Finding, Locator, Severity
from backupkit.chats.owner_keys import NO_KEYS, OwnerKeys
from backupkit.chats.partial import read_some
from backupkit.chats.records.json_sample import sample_json
from backupkit.chats.sources.gathering import Gathering, place_unread
from backupkit.chats.texts.encoding import Writing, writing_of
from backupkit.chats.texts.head import is_text, text_head

T = TypeVar("T")

HEAD_BYTES = 4096
_HEADS_REMEMBERED = 2048
_SAMPLES_REMEMBERED = 2048


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


class SourceFiles:
    """The files of a source by their name inside it, `/` between the parts. Made by `open_source`."""

    def __init__(
        self, label: str, members: Mapping[str, Member], findings: tuple[Finding, ...], stack: ExitStack
    ) -> None:
        self.label = label
        self._stack = stack
        self._kept: dict[str, Any] = {}
        self._findings = findings
        self._unread: dict[str, Finding] = {}
        self._members = members
        self._heads: OrderedDict[str, bytes] = OrderedDict()
        self.sealed_backups: frozenset[str] = frozenset()
        self._known_contents: Mapping[str, Content] | None = None
        self._samples: dict[str, Any] = {}
        self._writings: dict[str, Writing | None] = {}
        chats = (name for name in members if not name.endswith((*LOG_ENDINGS, MAPPING_NAME)))
        self._is_single = len(list(islice(chats, 2))) == 1

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What could not be looked into, as far as it was tried: whoever asks after recognising knows of every file."""
        return (*self._findings, *self._unread.values())

    def names(self) -> tuple[str, ...]:
        """Return every name, sorted."""
        return tuple(sorted(self._members))

    def called(self, *wanted: str) -> list[str]:
        """Return the names of the files that are called one of these in whatever folder they lie, sorted."""
        return sorted(name for name in self._members if name.rpartition("/")[2] in wanted)

    def of(self, *kinds: Content) -> Iterator[str]:
        """Tell the names of possible exports whose first bytes are of one of the kinds, sorted."""
        for name, kind in self._contents().items():
            if kind in kinds:
                yield name

    def _contents(self) -> Mapping[str, Content]:
        # One look at each file serves every reader.
        if self._known_contents is None:
            # Chosen before they are sorted: the pictures of a phone are two hundred thousand names.
            looked_at = (
                name
                for name in self._members
                if not name.endswith(LOG_ENDINGS) and (self._is_single or may_hold_an_export(name))
            )
            self._known_contents = {name: content_of(self.head(name)) for name in sorted(looked_at)}
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
        return SourceFiles(
            self.label,
            ChainMap(dict(members), cast("MutableMapping[str, Member]", self._members)),
            self.findings,
            self._stack,
        )

    def path(self, name: str) -> Path | None:
        """Return where a file lies on the disk, None where it is inside an archive. Of what was opened, the sealed one."""
        member = self._members.get(name)
        if isinstance(member, OpenedMember | DecryptedMember):
            member = self.sealed_member(name)
        return Path(member.path) if isinstance(member, DiskMember) else None

    def sealed_name(self, name: str) -> str | None:
        """Return the name of the sealed file that one was opened out of, None where it was never sealed."""
        member = self._members.get(name)
        return member.sealed if isinstance(member, OpenedMember | DecryptedMember) else None

    def sealed_member(self, name: str) -> Member | None:
        """Return the sealed file that one was opened out of."""
        member = self._members.get(name)
        if isinstance(member, DecryptedMember):
            return member.stored
        return member.member if isinstance(member, OpenedMember) else None

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading. Text that is written otherwise comes as every reader knows it, in UTF-8.

        Raises:
            MalformedExport: it cannot be opened.
        """
        if name not in self._writings:
            self.head(name)
        stream = self.open_bytes(name)
        writing = self._writings.get(name)
        return stream if writing is None else writing.stream(stream)

    def open_bytes(self, name: str) -> BinaryIO:
        """Open a file for reading its bytes as they are.

        Raises:
            MalformedExport: it cannot be opened.
        """
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
            with self.open_bytes(name) as stream:
                head, failure = read_some(stream, max(size_bytes, HEAD_BYTES), name)
            if failure is not None and not head:
                raise failure
        except (MalformedExport, OSError) as error:
            head = b""
            cause = error.__cause__ if isinstance(error, MalformedExport) else error
            if isinstance(cause, OSError):
                self._unread.setdefault(name, place_unread(name, cause))
            elif isinstance(error, MalformedExport):
                facts = {"reason": error.reason}
                self._unread.setdefault(name, Finding("archive-damaged", Severity.ERROR, error.locator, facts))
        writing = self._writings[name] = writing_of(head)
        head = head if writing is None else writing.head(head)
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
def open_source(path: Path, *, mapping: Path | None = None, keys: OwnerKeys = NO_KEYS) -> Iterator[SourceFiles]:
    """Look into a folder, a file or an archive. `mapping` is read as if it lay at its root.

    `keys` are its owner's own, for what an app or a phone sealed; see `chats/backups/opened_backups.py`.

    Raises:
        MalformedExport: there is nothing there, or more of it than the bounds allow.
    """
    with ExitStack() as stack:
        gathering = Gathering(stack, keys)
        try:
            if path.is_dir():
                gathering.add_folder(path)
            elif path.is_file():
                gathering.add_single(path)
            else:
                raise MalformedExport(Locator(path.name), "no-such-file")
            if mapping is not None:
                gathering.members[MAPPING_NAME] = DiskMember(str(mapping), mapping.stat().st_size)
            gathering.settle()
        except OSError as error:
            raise MalformedExport(Locator(path.name), "unreadable") from error
        source = SourceFiles(path.name, gathering.members, tuple(gathering.findings), stack)
        source.sealed_backups = frozenset(gathering.sealed_backups)
        yield source


def is_sealed_backup(source: SourceFiles, folder: str) -> bool:
    """Say whether a folder of the source is an encrypted iOS backup that no key opened."""
    return folder in source.sealed_backups


@contextmanager
def open_members(
    label: str, members: Mapping[str, Member], copy: Callable[[str], Path], *, keys: OwnerKeys = NO_KEYS
) -> Iterator[SourceFiles]:
    """Look into files that do not lie on the disk, such as those of a snapshot. `copy` puts an archive there.

    Raises:
        MalformedExport: there is more of it than the bounds allow.
    """
    with ExitStack() as stack:
        gathering = Gathering(stack, keys)
        seen_as_backup = gathering.add_ios_backups(members)
        for name, member in sorted(members.items()):
            if any(name.startswith(prefix) and is_stored_file(name.removeprefix(prefix)) for prefix in seen_as_backup):
                continue
            is_looked_at = len(members) == 1 or may_be_archive(name)
            if not (is_looked_at and gathering.add_copied_archive(name, member, copy)):
                gathering.add(name, member)
        gathering.settle()
        source = SourceFiles(label, gathering.members, tuple(gathering.findings), stack)
        source.sealed_backups = frozenset(gathering.sealed_backups)
        yield source
