"""APK Signature Scheme v4: the `.idsig` file that may come with a package for an incremental installation.

    u32 version 2 | sized hashing info (u32 algorithm, u8 log2 of the block, sized salt, sized root hash)
    | sized signing info (sized package digest, certificate, additional data, public key, u32 algorithm, sized signature)
      and further ones after a u32 block id | sized tree: the levels of digests from the top down, each in whole pages

It never decides who signed a package: that is v3's or v2's to say, and the file repeats it. So it is compared. Found beside a package, a wrong
one is told and nothing more, because every other way of installing ignores it; handed over on purpose, a wrong one is a refusal. A salt is refused:
the kernel hashes without it and apksig with it, and no signer writes one. Sources: AOSP `V4Signature`, `ApkSignatureSchemeV4Verifier`, incfs
`integrity.c`, adb's `incremental_utils.cpp` (the tree must be there); apksig `V4SchemeVerifier`.
"""

import hashlib
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from backupkit.guard.apk.algorithms import ALGORITHMS, ContentDigest
from backupkit.guard.apk.certificates import is_same_key, read_certificate
from backupkit.guard.apk.der import NotAsn1
from backupkit.guard.apk.package import Package
from backupkit.guard.apk.package_file import PackageFile
from backupkit.guard.apk.public_keys import KeyMalformed
from backupkit.guard.apk.reasons import PackageNotGenuine, PackageUndecided
from backupkit.guard.apk.records import Record, RecordMalformed
from backupkit.guard.apk.signing_block import V31

MOST_BYTES = 64 << 20
"""The tree of a package of 8 GiB."""
_MOST_INFO = 1 << 20
_VERSION = 2
_SHA256 = 1
_LOG2_PAGE = 12
_PAGE = 1 << _LOG2_PAGE
_MOST_ADDITIONAL = 128


class IdsigIssue(StrEnum):
    """Why an `.idsig` file does not belong to a package."""

    UNREADABLE = "unreadable"
    MALFORMED = "malformed"
    SIGNATURE_WRONG = "signature-wrong"
    SIGNER_DIFFERS = "signer-differs"
    DIGEST_DIFFERS = "digest-differs"
    CONTENT_DIFFERS = "content-differs"
    TREE_DIFFERS = "tree-differs"


class SigningInfo(NamedTuple):
    """What one signer said of the package. `block` is the block id that it is for, or 0 for v3 and v2."""

    block: int
    package_digest: bytes
    certificate: bytes
    additional: bytes
    public_key_info: bytes
    algorithm: int
    signature: bytes


class Idsig(NamedTuple):
    """The head of an `.idsig` file, read and not compared. `tree` is where the tree begins, after its length."""

    root: bytes
    signers: tuple[SigningInfo, ...]
    tree: int

    def signed_bytes(self, size: int, info: SigningInfo) -> bytes:
        """Return what a signature is over, for a package of so many bytes."""
        body = size.to_bytes(8, "little") + _SHA256.to_bytes(4, "little") + bytes((_LOG2_PAGE,))
        for field in (b"", self.root, info.package_digest, info.certificate, info.additional):
            body += len(field).to_bytes(4, "little") + field
        return (len(body) + 4).to_bytes(4, "little") + body


def read_idsig(data: bytes) -> Idsig:
    """Read an `.idsig` file up to its tree.

    Raises:
        RecordMalformed: it is none, or one of a kind that no Android reads.
    """
    record = Record(data)
    if record.u32() != _VERSION:
        raise RecordMalformed
    hashing = Record(record.sized())
    if hashing.u32() != _SHA256 or hashing.byte() != _LOG2_PAGE:
        raise RecordMalformed
    salt, root = hashing.sized(), hashing.sized()
    if salt or hashing or len(root) != hashlib.sha256().digest_size:
        raise RecordMalformed
    signing = Record(record.sized())
    tree = len(data) - len(record.rest()) + 4
    signers = [_signing_info(signing, 0)]
    while signing:
        block = signing.u32()
        signers.append(_signing_info(Record(signing.sized()), block))
        if len(signers) > 8:
            raise RecordMalformed
    return Idsig(root, tuple(signers), tree)


def _signing_info(record: Record, block: int) -> SigningInfo:
    digest, certificate, additional, key = record.sized(), record.sized(), record.sized(), record.sized()
    if len(additional) > _MOST_ADDITIONAL:
        raise RecordMalformed
    return SigningInfo(block, digest, certificate, additional, key, record.u32(), record.sized())


def compare(idsig: Path, path: Path, package: Package) -> IdsigIssue | None:
    """Compare an `.idsig` file with the package that was read from `path`; None where it belongs to it."""
    try:
        with PackageFile(idsig) as beside:
            if beside.size > MOST_BYTES:
                return IdsigIssue.MALFORMED
            found = read_idsig(beside.read(0, min(beside.size, _MOST_INFO)))
            for info in found.signers:
                if (issue := _compare(found, info, package)) is not None:
                    return issue
            with PackageFile(path) as file:
                root, levels = _tree(file)
            if root != found.root:
                return IdsigIssue.CONTENT_DIFFERS
            return None if _holds_tree(beside, found.tree, levels) else IdsigIssue.TREE_DIFFERS
    except PackageUndecided:
        return IdsigIssue.UNREADABLE
    except (RecordMalformed, PackageNotGenuine, KeyMalformed, NotAsn1):
        return IdsigIssue.MALFORMED


def _compare(found: Idsig, info: SigningInfo, package: Package) -> IdsigIssue | None:
    algorithm = ALGORITHMS.get(info.algorithm)
    if algorithm is None or algorithm.content is ContentDigest.VERITY:
        return IdsigIssue.MALFORMED
    is_right = algorithm.check(info.public_key_info, found.signed_bytes(package.size, info), info.signature)
    if not is_right or not is_same_key(read_certificate(info.certificate), info.public_key_info):
        return IdsigIssue.SIGNATURE_WRONG
    meant = [claim for claim in package.claims() if (claim.scheme == "v3.1") == (info.block == V31)]
    if not any(claim.certificate == info.certificate for claim in meant):
        return IdsigIssue.SIGNER_DIFFERS
    return None if any(info.package_digest in claim.digests for claim in meant) else IdsigIssue.DIGEST_DIFFERS


def _tree(package: PackageFile) -> tuple[bytes, list[bytes]]:
    """Build the tree that the kernel would build over the whole file, pages of 4 KiB: its root, and its levels from the top down.

    A file of one page has no levels: its digest is the root.
    """

    def digests(pieces: Iterable[bytes]) -> bytes:
        pages = (memoryview(piece)[at : at + _PAGE] for piece in pieces for at in range(0, len(piece), _PAGE))
        return b"".join(hashlib.sha256(page if len(page) == _PAGE else _filled(page)).digest() for page in pages)

    levels: list[bytes] = []
    level = digests(package.stream(0, package.size))
    while len(level) > hashlib.sha256().digest_size:
        levels.insert(0, level)
        level = digests((level,))
    return level, levels


def _filled(page: memoryview) -> bytes:
    return bytes(page).ljust(_PAGE, b"\0")


def _holds_tree(idsig: PackageFile, start: int, levels: list[bytes]) -> bool:
    """Whether the tree is there in full, with its length before it and nothing behind it."""
    sizes = [-(-len(level) // _PAGE) * _PAGE for level in levels]
    if idsig.size != start + sum(sizes) or int.from_bytes(idsig.read(start - 4, 4), "little") != sum(sizes):
        return False
    for level, size in zip(levels, sizes, strict=True):
        at = 0
        for piece in idsig.stream(start, size):
            if piece != level[at : at + len(piece)].ljust(len(piece), b"\0"):
                return False
            at += len(piece)
        start += size
    return True
