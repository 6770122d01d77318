"""A package's zip container, read from its bytes.

Names are bytes and are compared as bytes: a reader that decodes, trims or cuts names can be shown other entries than the phone sees.
Entries are known from the central directory alone, and each local header must agree with it. Rules: APKWARE APPNOTE 6.3; Android's
libziparchive (`OpenArchiveInternal`, `ParseZipArchive`, `FindEntry`); apksig `ZipUtils`, `CentralDirectoryRecord`, `LocalFileRecord`.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from backupkit.guard.apk.package_file import PackageBytes
from backupkit.guard.apk.reasons import Doubt, PackageNotGenuine, PackageUndecided, Reason

_EOCD = struct.Struct("<IHHHHIIH")
_EOCD_MARK = b"PK\x05\x06"
_ZIP64_LOCATOR_MARK = b"PK\x06\x07"
_ZIP64_LOCATOR_SIZE = 20
_RECORD = struct.Struct("<IHHHHHHIIIHHHHHII")
_RECORD_MARK = 0x02014B50
_LOCAL = struct.Struct("<IHHHHHIIIHH")
_LOCAL_MARK = 0x04034B50
_FIRST_BYTES = b"PK\x03\x04"
_DESCRIPTOR_USED = 0x0008
STORED, DEFLATED = 0, 8

MOST_ENTRIES = 300_000
"""Bounds memory and time; the largest real packages have some tens of thousands. (A zip without zip64 ends at 65,535 anyway.)"""
MOST_DIRECTORY = 64 << 20
_MOST_RATIO = 1032
"""Deflate cannot expand more than 1032 times; a declared size above that is a lie, and nothing is allocated for it."""


class Entry(NamedTuple):
    """One entry as the central directory describes it. Sizes and offsets are bytes."""

    name: bytes
    flags: int
    method: int
    crc32: int
    compressed_size: int
    size: int
    header_offset: int

    @property
    def is_compressed(self) -> bool:
        """Whether the data is deflated. Android takes every method but 0 for deflate (apksig `LocalFileRecord`)."""
        return self.method != STORED


class Archive(NamedTuple):
    """The container: its entries in the order of the central directory, and where its parts lie."""

    file: PackageBytes
    entries: tuple[Entry, ...]
    by_name: dict[bytes, Entry]
    directory_offset: int
    directory: bytes
    end_offset: int
    end_record: bytes
    has_zip64_locator: bool = False
    """Whether it says of itself that it has zip64 records, needed or not."""

    def data_range(self, entry: Entry) -> tuple[int, int]:
        """Return offset and length of an entry's stored bytes, after its local header was compared with the directory.

        Raises:
            PackageNotGenuine: the two disagree, or the data leaves its place.
        """
        start = entry.header_offset
        fixed = _LOCAL.size
        if start + fixed + len(entry.name) > self.directory_offset:
            raise _bad(entry)
        header = self.file.read(start, fixed + len(entry.name))
        mark, _, flags, _, _, _, crc32, compressed, size, name_length, extra_length = _LOCAL.unpack_from(header)
        # Master-key attacks (Android bugs 8219321, 9695860, 9950697) live on two readers that see two names or two lengths.
        if mark != _LOCAL_MARK or name_length != len(entry.name) or header[fixed:] != entry.name:
            raise _bad(entry)
        # The flag for encryption is passed over, as Android passes it over: packers set it on what is not encrypted, to mislead other tools.
        if (flags ^ entry.flags) & _DESCRIPTOR_USED:
            raise _bad(entry)
        if not flags & _DESCRIPTOR_USED and (crc32, compressed, size) != (
            entry.crc32,
            entry.compressed_size,
            entry.size,
        ):
            raise _bad(entry)
        data = start + fixed + name_length + extra_length
        length = entry.compressed_size if entry.is_compressed else entry.size
        if data + length > self.directory_offset:
            raise _bad(entry)
        return data, length

    def content(self, entry: Entry) -> Iterator[bytes]:
        """Yield an entry's expanded bytes in pieces of bounded size.

        Android does not check the CRC-32 (apksig `LocalFileRecord.outputUncompressedData`), so it is not checked here either.

        Raises:
            PackageNotGenuine: it does not expand to the declared size.
        """
        offset, length = self.data_range(entry)
        if not entry.is_compressed:
            yield from self.file.stream(offset, length)
            return
        self.check_size(entry, length)
        yield from inflate(self.file.stream(offset, length), entry)

    def check_size(self, entry: Entry, length: int) -> None:
        """Refuse a declared size that so many compressed bytes cannot expand to; nothing was allocated for it yet."""
        if entry.is_compressed and entry.size > (length + 1) * _MOST_RATIO:
            raise _bad(entry)

    def read(self, entry: Entry, *, most: int) -> bytes:
        """Return an entry's expanded bytes, at most `most` of them, compressed or not.

        The stored bytes are read in one piece, so that the file remembers them and compares them in its sweep.

        Raises:
            PackageNotGenuine: longer than that, or it does not expand to the declared size.
        """
        offset, length = self.data_range(entry)
        self.check_size(entry, length)
        if entry.size > most or length > most:
            raise PackageNotGenuine(Reason.ENTRY_TOO_LARGE, entry=shown(entry.name))
        raw = self.file.read(offset, length)
        return b"".join(inflate(iter((raw,)), entry)) if entry.is_compressed else raw


def read_archive(file: PackageBytes) -> Archive:
    """Read the container's directory.

    Raises:
        PackageNotGenuine: it is no zip, or one that two readers could read in two ways.
        PackageUndecided: it cannot be read without the records of zip64.
    """
    end_offset, end_record = _find_end(file)
    # Numbers of disks are passed over, as libziparchive does (`FindCentralDirectoryInfo`).
    _, _, _, on_disk, count, directory_size, directory_offset, comment_size = _EOCD.unpack_from(end_record)
    has_locator = _has_locator(file, end_offset)
    is_full = 0xFFFF in {on_disk, count} or 0xFFFFFFFF in {directory_size, directory_offset}
    # What counts is in the records of zip64, which newer Android reads and this does not; a comment as long as can be sends it there as well.
    if has_locator and (is_full or comment_size == 0xFFFF):
        raise PackageUndecided(Doubt.ZIP64)
    if is_full:
        raise PackageNotGenuine(Reason.ZIP_MALFORMED)
    if directory_offset + directory_size > end_offset:
        raise PackageNotGenuine(Reason.ZIP_MALFORMED)
    if count > MOST_ENTRIES or directory_size > MOST_DIRECTORY:
        raise PackageNotGenuine(Reason.TOO_MANY_ENTRIES)
    # CVE-2017-13156 (Janus): code in front of the zip runs while the zip is what is verified. CTS
    # testInstallApkWhichDoesNotStartWithZipLocalFileHeaderMagic; apksig lets such files through.
    if count and file.read(0, 4) != _FIRST_BYTES:
        raise PackageNotGenuine(Reason.PREFIXED)
    directory = file.read(directory_offset, directory_size)
    entries = _read_directory(directory, count)
    by_name: dict[bytes, Entry] = {}
    for entry in entries:
        # Two entries of one name: one is verified, the other used (apksig checkForDuplicateEntries, libziparchive).
        if by_name.setdefault(entry.name, entry) is not entry:
            raise PackageNotGenuine(Reason.DUPLICATE_ENTRY, entry=shown(entry.name))
    return Archive(file, entries, by_name, directory_offset, directory, end_offset, end_record, has_locator)


def _has_locator(file: PackageBytes, end_offset: int) -> bool:
    if end_offset < _ZIP64_LOCATOR_SIZE:
        return False
    return file.read(end_offset - _ZIP64_LOCATOR_SIZE, len(_ZIP64_LOCATOR_MARK)) == _ZIP64_LOCATOR_MARK


def shown(name: bytes) -> str:
    """Write an entry's name as text that is safe to print."""
    return name[:200].decode("utf-8", "backslashreplace").encode("unicode_escape").decode("ascii")


def _find_end(file: PackageBytes) -> tuple[int, bytes]:
    """Find the end record whose comment ends exactly where the file ends, the last one first (apksig `ZipUtils`)."""
    if file.size < _EOCD.size:
        raise PackageNotGenuine(Reason.NOT_A_ZIP)
    # Nearly every package has no comment: look there before 64 KiB are read.
    for size in (_EOCD.size, min(file.size, _EOCD.size + 0xFFFF)):
        tail = file.read(file.size - size, size)
        at = len(tail) - _EOCD.size
        while at >= 0:
            at = tail.rfind(_EOCD_MARK, 0, at + len(_EOCD_MARK))
            if at < 0:
                break
            (comment,) = struct.unpack_from("<H", tail, at + 20)
            if at + _EOCD.size + comment == len(tail):
                return file.size - len(tail) + at, tail[at:]
            at -= 1
    raise PackageNotGenuine(Reason.NOT_A_ZIP)


def _read_directory(directory: bytes, count: int) -> tuple[Entry, ...]:
    entries = []
    at = 0
    fixed = _RECORD.size
    for _ in range(count):
        if at + fixed > len(directory):
            raise PackageNotGenuine(Reason.ZIP_MALFORMED)
        fields = _RECORD.unpack_from(directory, at)
        (
            mark,
            _,
            _,
            flags,
            method,
            _,
            _,
            crc32,
            compressed,
            size,
            name_size,
            extra_size,
            comment_size,
            _,
            _,
            _,
            offset,
        ) = fields
        end = at + fixed + name_size
        if mark != _RECORD_MARK or end + extra_size + comment_size > len(directory):
            raise PackageNotGenuine(Reason.ZIP_MALFORMED)
        name = directory[at + fixed : end]
        _check_name(name)
        entries.append(Entry(name, flags, method, crc32, compressed, size, offset))
        at = end + extra_size + comment_size
    return tuple(entries)


def _check_name(name: bytes) -> None:
    """Refuse names that cut short or do not decode (libziparchive `IsValidEntryName`); apksig lets NUL through."""
    if not name.isascii():
        try:
            name.decode("utf-8")
        except UnicodeDecodeError:
            raise PackageNotGenuine(Reason.ENTRY_NAME_UNSAFE, entry=shown(name)) from None
    if b"\0" in name:
        raise PackageNotGenuine(Reason.ENTRY_NAME_UNSAFE, entry=shown(name))


def inflate(pieces: Iterator[bytes], entry: Entry) -> Iterator[bytes]:
    """Expand raw deflate data; data behind the end of the stream is ignored, as Android ignores it."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    produced = 0
    step = 1 << 20
    for piece in pieces:
        waiting = piece
        while waiting and not stream.eof:
            try:
                output = stream.decompress(waiting, step)
            except zlib.error:
                raise _bad(entry) from None
            waiting = stream.unconsumed_tail
            produced += len(output)
            if produced > entry.size:
                raise _bad(entry)
            if output:
                yield output
    # Output may still wait inside after the last input was taken.
    while not stream.eof:
        try:
            output = stream.decompress(b"", step)
        except zlib.error:
            raise _bad(entry) from None
        if not output:
            break
        produced += len(output)
        if produced > entry.size:
            raise _bad(entry)
        yield output
    if produced != entry.size:
        raise _bad(entry)


def _bad(entry: Entry) -> PackageNotGenuine:
    return PackageNotGenuine(Reason.ENTRY_MALFORMED, entry=shown(entry.name))
