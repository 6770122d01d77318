"""The chats of a snapshot, read where they lie in the repository.

Files are opened when a reader asks for them; only an archive is copied first, because it is read back and forth. The copy has no name
where the system lets an open file be reached without one (Linux), so that a kill leaves nothing; elsewhere it lies in a private folder.
"""

import io
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from backupkit.chats.archives.members import Member
from backupkit.chats.backups.opened_backups import require_right_keys
from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Locator
from backupkit.chats.owner_keys import NO_KEYS, OwnerKeys
from backupkit.chats.readers.registry import Recognised, recognise
from backupkit.chats.sources.source import SourceFiles, open_members
from backupkit.crypto.domains import DomainSecrets
from backupkit.crypto.keyring import Keyring
from backupkit.errors import BackupkitError
from backupkit.home import make_private
from backupkit.ids import DomainId
from backupkit.ops.events import Event, Found, Severity, Tell
from backupkit.ops.repository.repository import Repository, store_finding
from backupkit.ops.repository.snapshots import KnownSnapshot
from backupkit.store.domains.domain_reader import DomainReader
from backupkit.store.finding import Finding, cause
from backupkit.store.trees.contents import LOST, content_bytes, walk_tree
from backupkit.store.trees.manifest import Source, read_manifest
from backupkit.store.trees.tree import Content, EntryKind

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


@dataclass(frozen=True, slots=True)
class StoredMember:
    """One file of a snapshot, opened from the repository. `tell` hears why it cannot be read."""

    reader: DomainReader
    content: Content
    size_bytes: int
    name: str
    tell: Tell

    def open(self) -> BinaryIO:
        """Open it for reading from the start."""
        return cast("BinaryIO", io.BufferedReader(_StoredStream(self), 1 << 16))


class _StoredStream(io.RawIOBase):
    """A file's bytes from beginning to end, never more than were saved."""

    def __init__(self, member: StoredMember) -> None:
        super().__init__()
        self._member = member
        self._pieces = content_bytes(member.reader, member.content)
        self._rest = memoryview(b"")
        self._left = member.size_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        try:
            while not self._rest:
                self._rest = memoryview(next(self._pieces))
        except StopIteration:
            return 0
        except LOST as error:
            member = self._member
            member.tell(Found("file-lost", Severity.ERROR, {"name": member.name, "reason": cause(error)}))
            raise MalformedExport(Locator(member.name), "unreadable") from error
        view = memoryview(buffer).cast("B")
        size = min(len(view), len(self._rest), self._left)
        view[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        self._left -= size
        return size


@dataclass(frozen=True, slots=True)
class OpenedChats:
    """One source of a snapshot, opened, and the readers that know it."""

    source: Source
    files: SourceFiles
    recognised: Recognised


def domain_reader(repository: Repository, secrets: DomainSecrets, tell: Tell) -> DomainReader:
    """Return what reads one domain of a repository."""
    return DomainReader(
        repository.backend,
        repository.id,
        secrets.id,
        secrets,
        tell=lambda finding: tell(store_finding(finding)),
    )


def sources_of(
    repository: Repository, known: KnownSnapshot, keyring: Keyring, tell: Tell
) -> Iterator[tuple[DomainReader, Source]]:
    """Give each source of a snapshot with the reader that opens it. A domain that is lost is told and passed over."""
    for domain in known.statement.domains:
        try:
            reader = domain_reader(repository, repository.open_domain(domain.id, keyring), tell)
            sources = read_manifest(reader, domain.root).sources
        except BackupkitError as error:
            tell(domain_lost(domain.id, error))
            continue
        for source in sources:
            yield reader, source


def domain_lost(domain: DomainId, error: BackupkitError) -> Found:
    """Return the finding that a whole domain cannot be read."""
    return Found("domain-lost", Severity.ERROR, {"name": domain.hex(), "reason": cause(error)})


@contextmanager
def open_chats(
    reader: DomainReader,
    source: Source,
    scratch: Path,
    tell: Tell,
    keys: OwnerKeys = NO_KEYS,
    *,
    strict: bool = True,
) -> Iterator[OpenedChats]:
    """Open a source for the chat readers. Whoever sees no parts sees a source that is no chat.

    Raises:
        MalformedExport: there is more in it than a reader takes on.
        ChatKeyWrong: a sealed backup in it is opened by none of the `keys` of its kind; not where it is not `strict`.
    """
    members: dict[str, Member] = {}
    tell = _once(tell)
    for place in walk_tree(reader, source.tree, _lost(tell)):
        entry = place.entry
        if entry.kind is EntryKind.FILE and entry.content is not None:
            name = place.path.decode("utf-8", "backslashreplace")
            members[name] = StoredMember(reader, entry.content, entry.size, name, tell)
    with (
        ExitStack() as copies,
        open_members(source.name, members, lambda name: _copied(members[name], scratch, copies), keys=keys) as files,
    ):
        if strict:
            require_right_keys(files.findings)
        yield OpenedChats(source, files, recognise(files))


def _lost(tell: Tell) -> Callable[[Finding], None]:
    return lambda finding: tell(Found(finding.code, Severity.ERROR, finding.facts))


def _once(tell: Tell) -> Tell:
    """Pass on each loss once, however often readers come back to the file."""
    told: set[object] = set()

    def telling(event: Event) -> None:
        if isinstance(event, Found):
            key = (event.code, event.facts.get("name"))
            if key in told:
                return
            told.add(key)
        tell(event)

    return telling


def _copied(member: Member, scratch: Path, copies: ExitStack) -> Path:
    make_private(scratch)
    if Path("/proc/self/fd").is_dir():
        nameless = copies.enter_context(tempfile.TemporaryFile(dir=scratch))  # noqa: SIM115  the stack is its `with`
        with member.open() as stream:
            while block := stream.read(1 << 20):
                nameless.write(block)
        nameless.flush()
        return Path(f"/proc/self/fd/{nameless.fileno()}")
    path = scratch / f"archive-{sum(1 for _ in scratch.iterdir())}"
    with member.open() as stream, os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        while block := stream.read(1 << 20):
            out.write(block)
    return path
