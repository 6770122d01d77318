"""Sealed backups, opened with their owner's own key for as long as a source is looked at.

What was opened lies in a scratch file without a name: it is gone when the source is closed, and when this program is
killed. A backup that the key does not open stays sealed, and why is told.
"""

import io
import os
import tempfile
from collections.abc import Iterator, MutableMapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Finding, Locator, Severity
from backupkit.chats.whatsapp_crypt15 import is_crypt15, key_of, open_crypt15
from backupkit.errors import BackupkitError, ExitCode

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_KEY_FILE_BYTES = 4096
_ENDING = ".crypt15"
_LOOKED_AT = 1024


class ExportKeyWrong(BackupkitError):
    """A key file holds no key of a sealed backup."""

    code = "export-key-wrong"
    exit_code = ExitCode.USAGE


def read_key(text: bytes) -> bytes:
    """Return the key that a key file holds.

    Raises:
        ExportKeyWrong: it holds none.
    """
    key = key_of(text)
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


def open_sealed(members: MutableMapping[str, Any], key: bytes, stack: ExitStack) -> Iterator[Finding]:
    """Put what the key opens in the place of what was sealed, and tell what it does not open."""
    for name, member in sorted(members.items()):
        if not name.lower().endswith(_ENDING):
            continue
        with member.open() as stream:
            if not is_crypt15(stream.read(_LOOKED_AT)):
                continue
        scratch = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  the stack is its `with`
        try:
            with member.open() as stream:
                open_crypt15(stream, member.size_bytes, key, scratch, Locator(name))
        except (MalformedExport, OSError) as error:
            reason = error.reason if isinstance(error, MalformedExport) else "unreadable"
            yield Finding("sealed-not-opened", Severity.ERROR, Locator(name), {"reason": reason})
            continue
        scratch.flush()
        plain = name[: -len(_ENDING)]
        del members[name]
        members[plain if plain not in members else name + ".opened"] = ScratchMember(scratch, scratch.tell())
