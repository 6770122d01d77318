"""Sealed backups, opened with their owner's own key for as long as a source is looked at.

What was opened lies in a scratch file without a name: it is gone when the source is closed, and when this program is
killed. A backup that the key does not open stays sealed, and why is told.
"""

import io
import os
import tempfile
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, TypeAlias, cast

from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.model import Finding, Locator, Severity
from backupkit.chats.signal_backup import is_signal_backup, open_signal_backup, passphrase_of
from backupkit.chats.whatsapp_crypt15 import is_crypt15, key_of, open_crypt15
from backupkit.errors import BackupkitError, ExitCode

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_KEY_FILE_BYTES = 4096
_ENDING = ".crypt15"
_LOOKED_AT = 1024
WHATSAPP_KEY_BYTES, SIGNAL_DIGITS = 32, 30


class ExportKeyWrong(BackupkitError):
    """A key file holds no key of a sealed backup."""

    code = "export-key-wrong"
    exit_code = ExitCode.USAGE


def read_key(text: bytes) -> bytes:
    """Return the key that a key file holds.

    Raises:
        ExportKeyWrong: it holds none.
    """
    key = key_of(text) or passphrase_of(text)
    if key is None:
        raise ExportKeyWrong
    return key


@dataclass(frozen=True, slots=True)
class ScratchMember:
    """A file without a name. Each opening reads from its own place."""

    file: IO[bytes]
    size_bytes: int

    def open(self) -> BinaryIO:
        """Open it for reading from the start."""
        return cast("BinaryIO", io.BufferedReader(_Window(self.file), 1 << 16))


class _Window(io.RawIOBase):
    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer)
        if hasattr(os, "pread"):
            block = os.pread(self._file.fileno(), len(view), self._at)
        else:
            self._file.seek(self._at)
            block = self._file.read(len(view))
        view[: len(block)] = block
        self._at += len(block)
        return len(block)


_Opening: TypeAlias = Callable[[Any, bytes, Locator, ExitStack], tuple[ScratchMember, MalformedExport | None]]


def open_sealed(members: MutableMapping[str, Any], key: bytes, stack: ExitStack) -> Iterator[Finding]:
    """Put what the key opens in the place of what was sealed, and tell what it does not open."""
    for name, member in sorted(members.items()):
        with member.open() as stream:
            head = stream.read(_LOOKED_AT)
        if name.lower().endswith(_ENDING) and is_crypt15(head) and len(key) == WHATSAPP_KEY_BYTES:
            opening: _Opening = _open_whatsapp
            plain = name[: -len(_ENDING)]
        elif is_signal_backup(head) and len(key) == SIGNAL_DIGITS:
            opening, plain = _open_signal, name + ".db"
        else:
            continue
        locator = Locator(name)
        try:
            scratch, failure = opening(member, key, locator, stack)
        except (MalformedExport, OSError) as error:
            reason = error.reason if isinstance(error, MalformedExport) else "unreadable"
            yield Finding("sealed-not-opened", Severity.ERROR, locator, {"reason": reason})
            continue
        if isinstance(failure, TruncatedExport):
            yield Finding("export-cut", Severity.ERROR, locator, {"reason": failure.reason})
        elif failure is not None:
            yield Finding("export-damaged", Severity.ERROR, locator, {"reason": failure.reason})
        del members[name]
        members[plain if plain not in members else name + ".opened"] = scratch


def _open_whatsapp(
    member: Any, key: bytes, locator: Locator, stack: ExitStack
) -> tuple[ScratchMember, MalformedExport | None]:
    scratch = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  the stack is its `with`
    with member.open() as stream:
        open_crypt15(stream, member.size_bytes, key, scratch, locator)
    scratch.flush()
    return ScratchMember(scratch, scratch.tell()), None


def _open_signal(
    member: Any, passphrase: bytes, locator: Locator, stack: ExitStack
) -> tuple[ScratchMember, MalformedExport | None]:
    # SQLite needs a name while it builds; what is built loses it before anything else happens.
    with (
        tempfile.TemporaryDirectory(prefix="backupkit-opened-", ignore_cleanup_errors=True) as folder,
        member.open() as stream,
    ):
        target = Path(folder, "signal.db")
        failure = open_signal_backup(stream, passphrase, target, locator)
        scratch = stack.enter_context(target.open("rb"))
        return ScratchMember(scratch, target.stat().st_size), failure
