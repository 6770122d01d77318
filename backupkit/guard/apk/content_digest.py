"""Digests over a package's content: everything but the signing block itself.

The content is three parts: what lies in front of the signing block, the central directory, and the end record with its directory offset
set to where the signing block begins. Sources: source.android.com/docs/security/features/apksigning/v2 ("Integrity-protected contents");
AOSP `ApkSigningBlockUtils.computeContentDigestsPer1MbChunk`; `ApkVerityBuilder` for the verity form.
"""

import hashlib
import struct
from collections.abc import Iterable

from backupkit.guard.apk.algorithms import ContentDigest
from backupkit.guard.apk.chunks import CHUNK
from backupkit.guard.apk.package_file import Stretch
from backupkit.guard.apk.reasons import PackageNotGenuine, Reason
from backupkit.guard.apk.signing_block import SigningBlock
from backupkit.guard.apk.zip_bytes import Archive

_CHUNK_PREFIX = struct.Struct("<BI")
_PAGE = 4096
_SALT = bytes(8)
_EOCD_OFFSET_FIELD = 16
_HASHES = {ContentDigest.SHA256: "sha256", ContentDigest.SHA512: "sha512"}


class ContentDigests:
    """The content digests of one package, filled in while its file is swept."""

    def __init__(self, archive: Archive, block: SigningBlock, kinds: Iterable[ContentDigest]) -> None:
        """Prepare for the kinds asked for.

        Raises:
            PackageNotGenuine: a verity digest is asked for, and the package is not laid out in pages.
        """
        self._archive = archive
        self._size = block.offset
        wanted = set(kinds)
        if ContentDigest.VERITY in wanted and (self._size % _PAGE or (archive.directory_offset - self._size) % _PAGE):
            raise PackageNotGenuine(Reason.VERITY_UNALIGNED)
        # Slots are filled by offset, so the order in which two threads finish does not matter.
        self._slots: dict[ContentDigest, list[bytes]] = {kind: [b""] * -(-self._size // CHUNK) for kind in wanted}

    def stretch(self, start: int) -> Stretch:
        """Say which bytes of the file must be swept, for a package that begins at `start`."""
        digester = self._take if self._slots else None
        return Stretch(start, start + self._archive.file.size, digester, start + self._size)

    def _take(self, offset: int, view: memoryview) -> None:
        for kind, slots in self._slots.items():
            slots[offset // CHUNK] = _leaves(view) if kind is ContentDigest.VERITY else _chunk(kind, view)

    def finish(self) -> dict[ContentDigest, bytes]:
        """Return the digests, after the sweep."""
        # These were compared with the bytes of the sweep.
        end_record = bytearray(self._archive.end_record)
        struct.pack_into("<I", end_record, _EOCD_OFFSET_FIELD, self._size)
        tail = (self._archive.directory, bytes(end_record))
        digests: dict[ContentDigest, bytes] = {}
        for kind, slots in self._slots.items():
            if kind is ContentDigest.VERITY:
                digests[kind] = _verity(slots, b"".join(tail), self._size)
                continue
            parts = slots + [
                _chunk(kind, memoryview(part)[at : at + CHUNK]) for part in tail for at in range(0, len(part), CHUNK)
            ]
            top = _CHUNK_PREFIX.pack(0x5A, len(parts)) + b"".join(parts)
            digests[kind] = hashlib.new(_HASHES[kind], top).digest()
        return digests


def _chunk(kind: ContentDigest, view: memoryview) -> bytes:
    hashed = hashlib.new(_HASHES[kind], _CHUNK_PREFIX.pack(0xA5, len(view)))
    hashed.update(view)
    return hashed.digest()


def _leaves(view: memoryview) -> bytes:
    """Digest every page; the last one is filled up with zeros."""
    salted = hashlib.sha256(_SALT)
    found = []
    for at in range(0, len(view), _PAGE):
        page = view[at : at + _PAGE]
        hashed = salted.copy()
        hashed.update(page)
        if len(page) < _PAGE:
            hashed.update(bytes(_PAGE - len(page)))
        found.append(hashed.digest())
    return b"".join(found)


def _verity(front: list[bytes], tail: bytes, front_size: int) -> bytes:
    """Build the hash tree down to one page, whose digest is the root; the content's size follows it (u64)."""
    level = b"".join(front) + _leaves(memoryview(tail))
    while len(level) > _PAGE:
        level = _leaves(memoryview(level))
    root = hashlib.sha256(_SALT + level.ljust(_PAGE, b"\0")).digest()
    return root + (front_size + len(tail)).to_bytes(8, "little")
