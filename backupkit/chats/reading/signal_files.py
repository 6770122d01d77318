"""The list of media in Signal's newer local backup: plain, though everything else in the backup is sealed.

`files` beside `main` holds, one behind the other, the length of a record as a varint and a record with one field: a media file's name,
64 hexadecimal digits. The file itself lies under its first two digits in the folder `files` that all backups of one phone share.
Layout: `ArchivedFilesWriter` and `FilesFileSystem` of Signal for Android.
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.model import Finding, Locator, Severity
from backupkit.chats.records.protobuf import bytes_fields
from backupkit.chats.sources.source import SourceFiles
from backupkit.errors import Fact

_NAME = re.compile(rb"[0-9a-f]{64}$")
_MOST_BYTES = 1 << 10
_LONGEST_VARINT = 5


@dataclass(slots=True)
class _Tally:
    """How many names, and the first of them."""

    count: int = 0
    first: str = ""

    def saw(self, name: str) -> None:
        self.first = self.first or name
        self.count += 1

    def facts(self) -> dict[str, Fact]:
        return {"count": self.count, "name": self.first}


def missing_media(source: SourceFiles, main: str) -> Iterator[Finding]:
    """Compare the list beside a backup's `main` with the media that lie there: absent and empty ones are told."""
    listed = posixpath.join(posixpath.dirname(main), "files")
    shared = posixpath.join(posixpath.dirname(posixpath.dirname(main)), "files")
    absent, empty = _Tally(), _Tally()
    damage: MalformedExport | None = None
    try:
        with source.open_bytes(listed) as stream:
            for name in media_names(stream, listed):
                size_bytes = source.size(posixpath.join(shared, name[:2], name))
                if not size_bytes:
                    (absent if size_bytes is None else empty).saw(name)
    except MalformedExport as error:
        damage = error
    if absent.count:
        yield Finding("media-missing", Severity.WARNING, Locator(listed), absent.facts())
    if empty.count:
        yield Finding("media-corrupt", Severity.WARNING, Locator(listed), empty.facts())
    if isinstance(damage, TruncatedExport):
        yield Finding("export-cut", Severity.ERROR, damage.locator, {"reason": damage.reason})
    elif damage is not None:
        yield Finding("export-damaged", Severity.ERROR, damage.locator, {"reason": damage.reason})


def media_names(stream: BinaryIO, file: str) -> Iterator[str]:
    """Stream the names of a list.

    Raises:
        TruncatedExport: it ends inside a record.
        MalformedExport: a record names no file.
    """
    at = 0
    while (length := _length(stream, file, at)) is not None:
        if length > _MOST_BYTES:
            raise MalformedExport(Locator(file, f"byte {at}"), "record-too-long")
        record = stream.read(length)
        if len(record) < length:
            raise TruncatedExport(Locator(file, f"byte {at}"), "backup-cut")
        name = dict(bytes_fields(record)).get(1, b"")
        if not _NAME.match(name):
            raise MalformedExport(Locator(file, f"byte {at}"), "unexpected-shape")
        yield name.decode("ascii")
        at += length + (1 if length < 0x80 else 2)


def _length(stream: BinaryIO, file: str, at: int) -> int | None:
    value = 0
    for place in range(_LONGEST_VARINT):
        byte = stream.read(1)
        if not byte:
            if place:
                raise TruncatedExport(Locator(file, f"byte {at}"), "backup-cut")
            return None
        value |= (byte[0] & 0x7F) << (7 * place)
        if not byte[0] & 0x80:
            return value
    raise MalformedExport(Locator(file, f"byte {at}"), "length-too-large")
