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
from backupkit.guard.apk.reasons import PackageNotGenuine, Reason
from backupkit.guard.apk.signing_block import SigningBlock
from backupkit.guard.apk.zip_bytes import Archive

_CHUNK_PREFIX = struct.Struct("<BI")
_PAGE = 4096
_SALT = bytes(8)
_EOCD_OFFSET_FIELD = 16
_HASHES = {ContentDigest.SHA256: "sha256", ContentDigest.SHA512: "sha512"}


def sweep(
    archive: Archive, block: SigningBlock, kinds: Iterable[ContentDigest]
) -> tuple[str, dict[ContentDigest, bytes]]:
    """Read the whole package once; return its plain SHA-256 in hex, and the content digests of the kinds asked for.

    Raises:
        PackageNotGenuine: a verity digest is asked for, and the package is not laid out in pages.
        PackageUndecided: the file changed while it was read.
    """
    wanted = set(kinds)
    if not wanted:
        return archive.file.sweep(), {}
    size = block.offset
    if ContentDigest.VERITY in wanted and (size % _PAGE or (archive.directory_offset - size) % _PAGE):
        raise PackageNotGenuine(Reason.VERITY_UNALIGNED)
    # Slots are filled by offset, so the order in which two threads finish does not matter.
    slots: dict[ContentDigest, list[bytes]] = {kind: [b""] * -(-size // CHUNK) for kind in wanted}

    def digest(offset: int, view: memoryview) -> None:
        for kind in wanted:
            slots[kind][offset // CHUNK] = _leaves(view) if kind is ContentDigest.VERITY else _chunk(kind, view)

    whole = archive.file.sweep(digest, content_end=size)
    # These were compared with the bytes of the sweep.
    end_record = bytearray(archive.end_record)
    struct.pack_into("<I", end_record, _EOCD_OFFSET_FIELD, block.offset)
    tail = (archive.directory, bytes(end_record))
    digests: dict[ContentDigest, bytes] = {}
    for kind in wanted:
        if kind is ContentDigest.VERITY:
            digests[kind] = _verity(slots[kind], b"".join(tail), size)
        else:
            parts = slots[kind] + [
                _chunk(kind, memoryview(part)[at : at + CHUNK]) for part in tail for at in range(0, len(part), CHUNK)
            ]
            top = _CHUNK_PREFIX.pack(0x5A, len(parts)) + b"".join(parts)
            digests[kind] = hashlib.new(_HASHES[kind], top).digest()
    return whole, digests


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
