"""APK Signature Scheme v4: the `.idsig` file that may come with a package for an incremental installation.

    u32 version 2 | sized hashing info (u32 algorithm, u8 log2 of the block, sized salt, sized root hash)
    | sized signing info (sized package digest, certificate, additional data, public key, u32 algorithm, sized signature)
      and further ones after a u32 block id | sized tree, which is not read

It never decides who signed a package: that is v3's or v2's to say, and the file repeats it. So it is compared. Found beside a package, a wrong
one is told and nothing more, because every other way of installing ignores it; handed over on purpose, a wrong one is a refusal. Sources: AOSP
`V4Signature`, `ApkSignatureSchemeV4Verifier`; apksig `V4SchemeVerifier`.
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
"""The tree of a package of 8 GiB; it is not read, only bounded."""
_MOST_INFO = 1 << 20
_VERSION = 2
_SHA256 = 1
_LOG2_PAGE = 12
_PAGE = 1 << _LOG2_PAGE
_MOST_SALT = 32
_MOST_ADDITIONAL = 128


class IdsigIssue(StrEnum):
    """Why an `.idsig` file does not belong to a package."""

    UNREADABLE = "unreadable"
    MALFORMED = "malformed"
    SIGNATURE_WRONG = "signature-wrong"
    SIGNER_DIFFERS = "signer-differs"
    DIGEST_DIFFERS = "digest-differs"
    CONTENT_DIFFERS = "content-differs"


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
    """An `.idsig` file, read and not compared."""

    salt: bytes
    root: bytes
    signers: tuple[SigningInfo, ...]

    def signed_bytes(self, size: int, info: SigningInfo) -> bytes:
        """Return what a signature is over, for a package of so many bytes."""
        body = size.to_bytes(8, "little") + _SHA256.to_bytes(4, "little") + bytes((_LOG2_PAGE,))
        for field in (self.salt, self.root, info.package_digest, info.certificate, info.additional):
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
    signing = Record(record.sized())
    signers = [_signing_info(signing, 0)]
    while signing:
        block = signing.u32()
        signers.append(_signing_info(Record(signing.sized()), block))
        if len(signers) > 8:
            raise RecordMalformed
    if len(salt) > _MOST_SALT or len(root) != hashlib.sha256().digest_size:
        raise RecordMalformed
    return Idsig(salt, root, tuple(signers))


def _signing_info(record: Record, block: int) -> SigningInfo:
    digest, certificate, additional, key = record.sized(), record.sized(), record.sized(), record.sized()
    if len(additional) > _MOST_ADDITIONAL:
        raise RecordMalformed
    return SigningInfo(block, digest, certificate, additional, key, record.u32(), record.sized())


def compare(idsig: Path, path: Path, package: Package) -> IdsigIssue | None:
    """Compare an `.idsig` file with the package that was read from `path`; None where it belongs to it."""
    try:
        with PackageFile(idsig) as file:
            if file.size > MOST_BYTES:
                return IdsigIssue.MALFORMED
            found = read_idsig(file.read(0, min(file.size, _MOST_INFO)))
        for info in found.signers:
            if (issue := _compare(found, info, package)) is not None:
                return issue
        with PackageFile(path) as file:
            return None if _root(file, found.salt) == found.root else IdsigIssue.CONTENT_DIFFERS
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


def _root(package: PackageFile, salt: bytes) -> bytes:
    """Build the tree that the kernel would build over the whole file (fs-verity, pages of 4 KiB)."""
    # The salt fills a block of the hash function (Linux, Documentation/filesystems/fsverity).
    salted = hashlib.sha256(salt.ljust(-(-len(salt) // 64) * 64, b"\0"))

    def digest(page: memoryview) -> bytes:
        hashed = salted.copy()
        hashed.update(page)
        hashed.update(bytes(_PAGE - len(page)))
        return hashed.digest()

    def leaves(pieces: Iterable[bytes]) -> bytes:
        return b"".join(
            digest(memoryview(piece)[at : at + _PAGE]) for piece in pieces for at in range(0, len(piece), _PAGE)
        )

    level = leaves(package.stream(0, package.size))
    while len(level) > hashlib.sha256().digest_size:
        level = leaves((level,))
    return level
