"""Encrypted chat data: recognised by its structure, saved as it is, and never opened.

What can be said without a key is said: pages, commits waiting in the log, parts that are missing. Nothing here looks
for a key or tries one.
"""

import math
import posixpath
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from backupkit.chats.archives.archive import is_sealed_android_backup
from backupkit.chats.model import Finding, Locator, Severity
from backupkit.chats.reading.reader import Recognition, Told
from backupkit.chats.reading.signal_files import missing_media
from backupkit.chats.records.protobuf import bytes_fields, varint
from backupkit.chats.sources.source import Content, SourceFiles, is_sealed_backup

_DATABASE_NAME = re.compile(r"\.(?:db|db3|sqlite|sqlite3)$", re.IGNORECASE)
_WECHAT = re.compile(
    r"(?:^|/)(?:EnMicroMsg\.db|MicroMsg\.db|MediaMSG\d*\.db|FTSMSG\d*\.db|MSG\d*\.db|db_storage/(?:.+/)?\w+\.db|message/message_\d+\.db"
    r"|Message/msg_\d+\.db|biz_message_\d+\.db)$"
)
_SIGNAL_DESKTOP = re.compile(r"(?:^|/)sql/db\.sqlite$")
_NTQQ = b"SQLite header 3\0"
_QQ_BACKUP = re.compile(r"(?:消息记录|QQ|TIM)[^/]*\.bak$", re.IGNORECASE)
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MIN_BITS = 7.7
_LOOKED_AT = 4096
_WAL_MAGIC = {b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83"}


@dataclass(frozen=True, slots=True)
class Sealed:
    """One kind of encrypted data. `claims` says which files are of it."""

    format: str
    app: str | None
    package: str | None

    def recognise(self, source: SourceFiles) -> Recognition:
        """Judge every file by its first bytes, its length and how random it is; a name alone proves nothing."""
        found = source.keep("sealed", lambda _stack: dict(_judge(source)))
        return Recognition({name: sure for name, (format_name, sure) in found.items() if format_name == self.format})

    def read(self, source: SourceFiles, recognition: Recognition) -> Iterator[Told]:
        """Tell what is known of each file; there are no messages to tell."""
        if self.format == "ios-encrypted-backup":
            # Told where the folder was looked at: it is the folder that is sealed, not this file.
            return
        for name in recognition.files:
            yield Finding("sealed", Severity.INFO, Locator(name), dict(_facts(source, name)))
        if self.format == "wechat-backup-folder":
            yield from _missing_parts(source, recognition.files)
        if self.format == "signal-backup-folder":
            for name in recognition.files:
                yield from missing_media(source, name)


READERS = (
    Sealed("wechat-sealed-database", "wechat", "com.tencent.mm"),
    Sealed("wechat-backup-folder", "wechat", "com.tencent.mm"),
    Sealed("qq-sealed-database", "qq", "com.tencent.mobileqq"),
    Sealed("qq-backup", "qq", "com.tencent.mobileqq"),
    Sealed("android-backup", None, None),
    Sealed("signal-desktop-db", "signal", "org.thoughtcrime.securesms"),
    Sealed("signal-backup", "signal", "org.thoughtcrime.securesms"),
    Sealed("signal-backup-folder", "signal", "org.thoughtcrime.securesms"),
    Sealed("whatsapp-crypt12", "whatsapp", "com.whatsapp"),
    Sealed("whatsapp-crypt14", "whatsapp", "com.whatsapp"),
    Sealed("whatsapp-crypt15", "whatsapp", "com.whatsapp"),
    Sealed("ios-encrypted-backup", None, None),
    Sealed("sealed-database", None, None),
)


_SALTED = {"wechat-sealed-database": 0, "signal-desktop-db": 0, "sealed-database": 0, "qq-sealed-database": 1024}
"""Where the salt of each kind of sealed database stands."""


def salts_in(source: SourceFiles) -> Iterator[tuple[str, bytes]]:
    """Tell the salt of each sealed database: random, and the same for as long as the database lives."""
    for name, (form, _sure) in source.keep("sealed", lambda _stack: dict(_judge(source))).items():
        if form in _SALTED:
            at = _SALTED[form]
            salt = source.head(name, at + 16)[at:]
            if len(salt) == 16 and any(salt):
                yield name, salt


def _judge(source: SourceFiles) -> Iterator[tuple[str, tuple[str, int]]]:
    for name in source.of(Content.OTHER):
        head = source.head(name, _LOOKED_AT)
        size_bytes = source.size(name) or 0
        found = _by_head(name, head, size_bytes) or _by_randomness(source, name, head, size_bytes)
        if found is not None:
            yield name, found


def _by_head(name: str, head: bytes, size_bytes: int) -> tuple[str, int] | None:
    if head.startswith(_NTQQ):
        # The older program for computers begins its databases the same way, without the newer one's mark.
        return "qq-sealed-database", 97 if head[32:40] == b"QQ_NT DB" else 90
    if _QQ_BACKUP.search(name) and size_bytes > 4096 and (head.startswith(_COMPOUND) or _bits(head) > _MIN_BITS):
        return "qq-backup", 80
    if is_sealed_android_backup(head):
        return "android-backup", 95
    if head[:3] == b"\x00\x01\x02" and name.lower().endswith(".crypt12") and _bits(head[67:]) > _MIN_BITS:
        return "whatsapp-crypt12", 90
    version = _whatsapp_version(head)
    if version is not None and _bits(head[256:]) > _MIN_BITS:
        return version, 92
    if _is_signal_header(head) and size_bytes > 100:
        return "signal-backup", 95
    return None


def _by_randomness(source: SourceFiles, name: str, head: bytes, size_bytes: int) -> tuple[str, int] | None:
    """A SQLCipher file has no mark at all: whole pages of randomness, the first of them too."""
    base = posixpath.basename(name)
    if base == "Manifest.db" and _bits(head) > _MIN_BITS and is_sealed_backup(source, posixpath.dirname(name)):
        return "ios-encrypted-backup", 95
    if base == "main" and _bits(head) > _MIN_BITS and _is_signal_folder(source, posixpath.dirname(name)):
        return "signal-backup-folder", 90
    if (
        base in {"BAK_0_TEXT", "BAK_0_MEDIA"}
        and source.size(posixpath.join(posixpath.dirname(name), "Backup.db")) is not None
    ):
        return "wechat-backup-folder", 90
    if size_bytes < 2048 or size_bytes % 1024 or not _DATABASE_NAME.search(name) or _bits(head) < _MIN_BITS:
        return None
    folder = posixpath.dirname(name)
    if base == "Backup.db" and any(
        source.size(posixpath.join(folder, part)) is not None for part in ("BAK_0_TEXT", "BAK_0_MEDIA")
    ):
        return "wechat-backup-folder", 92
    if _SIGNAL_DESKTOP.search(name) and b"ey" in source.head(
        posixpath.join(posixpath.dirname(folder), "config.json"), 4096
    ):
        return "signal-desktop-db", 92
    return ("wechat-sealed-database", 85) if _WECHAT.search(name) else ("sealed-database", 70)


def _is_signal_folder(source: SourceFiles, folder: str) -> bool:
    """Say whether the newer backup of Signal lies here: two small files beside it, and shared media above."""
    return all(source.size(posixpath.join(folder, part)) is not None for part in ("metadata", "files"))


def _bits(data: bytes) -> float:
    """Return the entropy in bits per byte, corrected for how few bytes there are."""
    if len(data) < 512:
        return 0.0
    total = len(data)
    entropy = -sum(count / total * math.log2(count / total) for count in Counter(data).values())
    # 256 equally likely values leave a sample short of 8 bits by about 255 / (2 n ln 2) (Miller and Madow).
    return entropy + 255 / (2 * total * math.log(2))


def _whatsapp_version(head: bytes) -> str | None:
    """Recognise the protobuf in front of crypt14 and crypt15: its length, whether it has features, and the kind of its key."""
    length, at = varint(head, 0)
    if length is None or not 16 <= length <= 512:
        return None
    if head[at : at + 1] == b"\x01" and head[at + 1 : at + 2] == b"\x08":
        at += 1
    body = head[at : at + length]
    if body[:1] != b"\x08" or body[1:2] not in {b"\x00", b"\x01"} or len(body) < length:
        return None
    fields = dict(bytes_fields(body))
    if body[1:2] == b"\x00" and len(fields.get(2, b"")) >= 64:
        return "whatsapp-crypt14"
    return "whatsapp-crypt15" if body[1:2] == b"\x01" and len(fields.get(3, b"") or fields.get(2, b"")) >= 16 else None


def _is_signal_header(head: bytes) -> bool:
    length = int.from_bytes(head[:4], "big")
    if not 40 <= length <= 256 or len(head) < 4 + length:
        return False
    outer = dict(bytes_fields(head[4 : 4 + length]))
    inner = dict(bytes_fields(outer.get(1, b"")))
    return len(inner.get(1, b"")) == 16 and len(inner.get(2, b"")) == 32


def _facts(source: SourceFiles, name: str) -> Iterator[tuple[str, int]]:
    size_bytes = source.size(name) or 0
    yield "bytes", size_bytes
    if source.head(name, 16) == _NTQQ:
        # A plain kilobyte lies in front of the encrypted database.
        yield "pages", (size_bytes - 1024) // 4096
    elif not size_bytes % 1024 and _DATABASE_NAME.search(name):
        yield "pages", size_bytes // (4096 if size_bytes % 4096 == 0 else 1024)
    frames, commits = _log_of(source, name + "-wal")
    yield "log_frames", frames
    yield "log_commits", commits


def _log_of(source: SourceFiles, name: str) -> tuple[int, int]:
    """Count the frames and commits of a write-ahead log: its heads are plain even where its pages are not."""
    if (source.size(name) or 0) < 32:
        return 0, 0
    frames = commits = 0
    with source.open(name) as stream:
        head = stream.read(32)
        page_size = int.from_bytes(head[8:12], "big")
        if head[:4] not in _WAL_MAGIC or not 512 <= page_size <= 65536:
            return 0, 0
        while len(frame := stream.read(24)) == 24 and frame[8:16] == head[16:24]:
            if len(stream.read(page_size)) < page_size:
                break
            frames += 1
            commits += frame[4:8] != b"\0\0\0\0"
    return frames, commits


def _missing_parts(source: SourceFiles, names: tuple[str, ...]) -> Iterator[Finding]:
    for folder in sorted({posixpath.dirname(name) for name in names}):
        absent = [
            part for part in ("Backup.db", "BAK_0_TEXT", "BAK_0_MEDIA") if not source.size(posixpath.join(folder, part))
        ]
        if absent:
            yield Finding(
                "shard-missing",
                Severity.ERROR,
                Locator(folder or source.label),
                {"name": absent[0], "count": len(absent)},
            )
