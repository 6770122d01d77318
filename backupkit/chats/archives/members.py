"""The files of a source, wherever they lie: on the disk, or inside an archive that is read in place."""

import io
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from backupkit.chats.archives.archive import GuardedStream
from backupkit.chats.model import Locator

MAPPING_NAME = "backupkit-mapping.toml"
"""What its owner says about an export; see `chats/reading/mapping.py`."""

MAX_FILES = 200_000
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


# What people and programs call an archive: browsers while they load it, and whoever keeps an old one.
_ARCHIVES = (
    ".zip",
    ".tar",
    ".tgz",
    ".gz",
    ".ab",
    ".exe",
    ".bak",
    ".backup",
    ".old",
    ".part",
    ".download",
    ".crdownload",
    ".tmp",
)


def may_be_archive(name: str) -> bool:
    """Say whether a file with this name is looked at as an archive inside a folder or another archive: by its ending, or where it has none."""
    last = name.lower().rpartition("/")[2]
    return last.endswith(_ARCHIVES) or "." not in last or ".zip" in last


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
