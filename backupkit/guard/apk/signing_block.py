"""The APK Signing Block: where the newer signatures lie, directly in front of the zip's central directory.

    u64 size of all that follows | pairs (u64 length, u32 id, value) | u64 the same size | magic "APK Sig Block 42"

Little endian. Source: source.android.com/docs/security/features/apksigning/v2; AOSP `ApkSigningBlockUtils.findApkSigningBlock` and
`findApkSignatureSchemeBlock`. Of several values with one id the first counts, there as here.
"""

import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from backupkit.guard.apk.reasons import Doubt, PackageUndecided
from backupkit.guard.apk.zip_bytes import Archive

V2 = 0x7109871A
V3 = 0xF05368C0
V31 = 0x1B93AD61
V32 = 0x70E1C89F
SOURCE_STAMP_V1 = 0x2B09189E
SOURCE_STAMP_V2 = 0x6DFF800D
KNOWN = frozenset({V2, V3, V31, V32, SOURCE_STAMP_V1, SOURCE_STAMP_V2, 0x42726577, 0x504B4453, 0x2146444E})
"""Every number that is understood here: also verity padding and two blocks of Google Play, which say nothing of the signer."""
_MAGIC = b"APK Sig Block 42"
_FOOTER = struct.Struct("<Q16s")
_PAIR = struct.Struct("<QI")
MOST_BLOCK = 64 << 20
"""The longest signing block that is read. Real ones have some KB; stores that hide payloads there reach a few MB."""
_MOST_PAIRS = 10_000


class SigningBlock(NamedTuple):
    """The values found, by id, and where the block begins. Without a block there are none, and the offset is the directory's."""

    offset: int
    values: Mapping[int, bytes] = MappingProxyType({})
    repeated: frozenset[int] = frozenset()
    """Ids that came more than once: a decoy for readers that take the last one."""
    is_cut_short: bool = False
    """Whether a pair did not fit; what lies behind it was not seen, by Android neither."""


def find_signing_block(archive: Archive) -> SigningBlock:
    """Read the signing block, or an empty one where Android would see none.

    Raises:
        PackageUndecided: it is longer, or has more values, than is read here. Android has no such bounds: it would find a signature that
            is hidden behind them, and another signer than an older scheme names.
    """
    end = archive.directory_offset
    none = SigningBlock(end)
    # Android looks for a block only where directory and end record follow each other without a gap.
    if end + len(archive.directory) != archive.end_offset or end < _FOOTER.size + 8:
        return none
    # Nor in a zip that has records of zip64 (AOSP `ApkSigningBlockUtils.findSignature`); v1 is looked for then.
    if archive.has_zip64_locator:
        return none
    size, magic = _FOOTER.unpack(archive.file.read(end - _FOOTER.size, _FOOTER.size))
    if magic != _MAGIC or not _FOOTER.size <= size <= end - 8:
        return none
    offset = end - size - 8
    if int.from_bytes(archive.file.read(offset, 8), "little") != size:
        return none
    if size > MOST_BLOCK:
        raise PackageUndecided(Doubt.TOO_LARGE)
    return _read_pairs(offset, archive.file.read(offset + 8, size - _FOOTER.size))


def _read_pairs(offset: int, pairs: bytes) -> SigningBlock:
    values: dict[int, bytes] = {}
    repeated: set[int] = set()
    at = 0
    count = 0
    while at < len(pairs):
        count += 1
        if count > _MOST_PAIRS:
            raise PackageUndecided(Doubt.TOO_LARGE)
        if len(pairs) - at < _PAIR.size:
            return SigningBlock(offset, values, frozenset(repeated), is_cut_short=True)
        length, pair_id = _PAIR.unpack_from(pairs, at)
        if not 4 <= length <= len(pairs) - at - 8:
            return SigningBlock(offset, values, frozenset(repeated), is_cut_short=True)
        if pair_id in values:
            repeated.add(pair_id)
        else:
            values[pair_id] = pairs[at + _PAIR.size : at + 8 + length]
        at += 8 + length
    return SigningBlock(offset, values, frozenset(repeated))
