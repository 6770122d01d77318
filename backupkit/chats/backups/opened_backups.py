"""Sealed backups, opened with their owner's own key for as long as a source is looked at.

What was opened lies in a scratch file without a name: it is gone when the source is closed, and when this program is
killed. A backup that no key opens stays sealed, and why is told.
"""

from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias

from backupkit.chats.archives.members import Member
from backupkit.chats.backups.signal_backup import is_signal_backup, open_signal_backup
from backupkit.chats.backups.whatsapp_crypt15 import crypt15_fits, is_crypt15, open_crypt15
from backupkit.chats.databases.nameless import nameless_file, reading
from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.model import Finding, Locator, Severity
from backupkit.chats.owner_keys import ANOTHER_KEY, OwnerKeys
from backupkit.errors import BackupkitError, ExitCode

_ENDING = ".crypt15"
_LOOKED_AT = 4096


class ChatKeyWrong(BackupkitError):
    """None of the keys that were given opens a sealed backup. Facts: `file`."""

    code = "chat-key-wrong"
    exit_code = ExitCode.CANNOT_UNLOCK


def require_right_keys(findings: Iterable[Finding]) -> None:
    """Refuse to go on where a key was given and is another one: its owner would take "sealed" for an answer.

    Raises:
        ChatKeyWrong: a sealed backup was opened by none of its keys.
    """
    for finding in findings:
        if is_wrong_key(finding):
            raise ChatKeyWrong(file=finding.locator.file if finding.locator else "")


def is_wrong_key(finding: Finding) -> bool:
    """Say whether a finding tells of a key that is another backup's."""
    return finding.code == "sealed-not-opened" and finding.facts.get("reason") == ANOTHER_KEY


@dataclass(frozen=True, slots=True)
class OpenedMember:
    """A file without a name, and the sealed one that it came out of. Each opening reads from its own place."""

    file: BinaryIO
    size_bytes: int
    sealed: str
    member: Member

    def open(self) -> BinaryIO:
        """Open it for reading from the start."""
        return reading(self.file)


_Opening: TypeAlias = Callable[
    [Member, tuple[bytes, ...], Locator, ExitStack], tuple[BinaryIO, int, MalformedExport | None]
]


def open_sealed(members: MutableMapping[str, Member], keys: OwnerKeys, stack: ExitStack) -> Iterator[Finding]:
    """Put what the keys open in the place of what was sealed, and tell what they do not open."""
    for name, member in sorted(members.items()):
        head = _head(member)
        if is_crypt15(head):
            opening: _Opening = _open_whatsapp
            plain = name[: -len(_ENDING)] if name.lower().endswith(_ENDING) else name + ".db"
            fitting = keys.whatsapp
        elif is_signal_backup(head):
            opening, plain, fitting = _open_signal, name + ".db", keys.signal
        else:
            continue
        locator = Locator(name)
        if not fitting:
            yield Finding("sealed-without-key", Severity.INFO, locator)
            continue
        try:
            scratch, size_bytes, failure = opening(member, fitting, locator, stack)
        except (MalformedExport, OSError) as error:
            reason = error.reason if isinstance(error, MalformedExport) else "unreadable"
            yield Finding("sealed-not-opened", Severity.ERROR, locator, {"reason": reason})
            continue
        if isinstance(failure, TruncatedExport):
            yield Finding("export-cut", Severity.ERROR, locator, {"reason": failure.reason})
        elif failure is not None:
            yield Finding("export-damaged", Severity.ERROR, locator, {"reason": failure.reason})
        del members[name]
        shown = plain if plain not in members else name + ".opened"
        members[shown] = OpenedMember(scratch, size_bytes, name, member)


def _head(member: Member) -> bytes:
    try:
        with member.open() as stream:
            return stream.read(_LOOKED_AT)
    except (MalformedExport, OSError):
        return b""


def _open_whatsapp(
    member: Member, keys: tuple[bytes, ...], locator: Locator, stack: ExitStack
) -> tuple[BinaryIO, int, MalformedExport | None]:
    # Which key it is shows at the beginning; whether all of it is right, only the tag at the end.
    head = _head(member)
    key = next((key for key in keys if crypt15_fits(head, key)), keys[0])
    scratch = nameless_file(stack)
    with member.open() as stream:
        open_crypt15(stream, member.size_bytes, key, scratch, locator)
    scratch.flush()
    return scratch, scratch.tell(), None


def _open_signal(
    member: Member, passphrases: tuple[bytes, ...], locator: Locator, stack: ExitStack
) -> tuple[BinaryIO, int, MalformedExport | None]:
    for number, passphrase in enumerate(passphrases, 1):
        try:
            with member.open() as stream:
                file, failure = open_signal_backup(stream, passphrase, stack, locator)
        except MalformedExport as error:
            if error.reason != ANOTHER_KEY or number == len(passphrases):
                raise
        else:
            return file, file.seek(0, 2), failure
    raise AssertionError
