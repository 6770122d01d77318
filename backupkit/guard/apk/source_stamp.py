"""The source stamp: a shop's mark of where a package came from. It is reported and decides nothing.

    length-prefixed: certificate | schemes: {u32 scheme, signatures over the content digests of that scheme} | attributes | their signatures

The zip entry `stamp-cert-sha256` names the certificate. A broken stamp never makes a package less genuine, nor does a right one make it more so.
Source: apksig `V2SourceStampVerifier`, `SourceStampVerifier`, `SourceStampConstants`.
"""

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from backupkit.guard.apk.algorithms import ALGORITHMS, ContentDigest
from backupkit.guard.apk.certificates import certificate_digest, read_certificate
from backupkit.guard.apk.der import NotAsn1
from backupkit.guard.apk.lineage import read_lineage
from backupkit.guard.apk.public_keys import KeyMalformed
from backupkit.guard.apk.reasons import PackageNotGenuine
from backupkit.guard.apk.records import Record, RecordMalformed, items, numbered
from backupkit.guard.apk.signing_block import SOURCE_STAMP_V2, SigningBlock
from backupkit.guard.apk.zip_bytes import Archive
from backupkit.ids import CertificateDigest

_ENTRY = b"stamp-cert-sha256"
_TIME = 0xE43C5946
_LINEAGE = 0x9D6303F7
_MOST_ENTRY = 4096
_MOST_SIGNATURES = 16
_JAR_MANIFEST = 4
_CONTENT_NUMBERS = {ContentDigest.SHA256: 1, ContentDigest.SHA512: 2, ContentDigest.VERITY: 3}

Claims = Mapping[int, Mapping[int, bytes]]
"""Scheme (1, 2, 3 or 31) -> number of the kind of digest -> digest."""


class StampIssue(StrEnum):
    """Why a stamp does not hold. The names follow apksig's issues."""

    SIGNATURE_MISSING = "signature-missing"
    ENTRY_MISSING = "entry-missing"
    ENTRY_MALFORMED = "entry-malformed"
    MALFORMED = "malformed"
    CERTIFICATE_MISMATCH = "certificate-mismatch"
    SCHEME_NOT_SIGNED = "scheme-not-signed"
    NO_SUPPORTED_ALGORITHM = "no-supported-algorithm"
    DID_NOT_VERIFY = "did-not-verify"
    ATTRIBUTE_MALFORMED = "attribute-malformed"
    TIME_INVALID = "time-invalid"
    LINEAGE_END_MISMATCH = "lineage-end-mismatch"
    LINEAGE_INVALID = "lineage-invalid"


class SourceStamp(NamedTuple):
    """What was found. Without an issue, the stamp holds."""

    certificate: CertificateDigest | None
    issue: StampIssue | None


class _StampBroken(Exception):
    def __init__(self, issue: StampIssue) -> None:
        self.issue = issue


def digest_numbers(digests: tuple[tuple[int, bytes], ...]) -> dict[int, bytes]:
    """Turn a signer's digests, by signature algorithm, into digests by the number of their kind."""
    found = {}
    for number, digest in digests:
        if number in ALGORITHMS:
            found[_CONTENT_NUMBERS[ALGORITHMS[number].content]] = digest
    return found


def jar_digest(manifest: bytes) -> dict[int, bytes]:
    """Return what stands for the content where only a JAR signature was checked: a digest over its manifest."""
    return {_JAR_MANIFEST: hashlib.sha256(manifest).digest()}


def check_stamp(archive: Archive, block: SigningBlock, claims: Claims) -> SourceStamp | None:
    """Check the stamp against the digests that the package's own signatures claim; None where there is no stamp."""
    entry = archive.by_name.get(_ENTRY)
    value = block.values.get(SOURCE_STAMP_V2)
    if entry is None and value is None:
        return None
    if entry is None:
        return SourceStamp(None, StampIssue.ENTRY_MISSING)
    if value is None:
        return SourceStamp(None, StampIssue.SIGNATURE_MISSING)
    try:
        named = archive.read(entry, most=_MOST_ENTRY)
    except PackageNotGenuine:
        return SourceStamp(None, StampIssue.ENTRY_MALFORMED)
    certificate: bytes | None = None
    issue: StampIssue | None = None
    try:
        data = Record(Record(value).sized())
        certificate = data.sized()
        _check(data, certificate, named, claims)
    except _StampBroken as error:
        issue = error.issue
    except (RecordMalformed, NotAsn1, KeyMalformed):
        issue = StampIssue.MALFORMED
    return SourceStamp(certificate_digest(certificate) if certificate else None, issue)


def _check(data: Record, certificate: bytes, named: bytes, claims: Claims) -> None:
    if hashlib.sha256(certificate).digest() != named:
        raise _StampBroken(StampIssue.CERTIFICATE_MISMATCH)
    info = read_certificate(certificate).public_key_info
    schemes = dict(numbered(data.sized()))
    for scheme, digests in claims.items():
        if scheme not in schemes:
            raise _StampBroken(StampIssue.SCHEME_NOT_SIGNED)
        signed = b"".join(_pair(number, digest) for number, digest in sorted(digests.items()))
        _check_signatures(info, schemes[scheme], signed)
    if not data:
        return
    attributes = data.sized()
    _check_signatures(info, data.sized(), attributes)
    _check_attributes(attributes, certificate)


def _check_signatures(info: bytes, field: bytes, signed: bytes) -> None:
    """Check every signature of a known algorithm; there must be one."""
    known = [(ALGORITHMS[number], signature) for number, signature in numbered(field) if number in ALGORITHMS]
    if not 0 < len(known) <= _MOST_SIGNATURES:
        raise _StampBroken(StampIssue.NO_SUPPORTED_ALGORITHM)
    for algorithm, signature in known:
        if not algorithm.check(info, signed, signature):
            raise _StampBroken(StampIssue.DID_NOT_VERIFY)


def _check_attributes(field: bytes, certificate: bytes) -> None:
    for item in items(Record(field).sized()):
        record = Record(item)
        number, value = record.u32(), record.rest()
        if number == _TIME:
            if len(value) < 8:
                raise _StampBroken(StampIssue.ATTRIBUTE_MALFORMED)
            if int.from_bytes(value[:8], "little", signed=True) <= 0:
                raise _StampBroken(StampIssue.TIME_INVALID)
        elif number == _LINEAGE:
            _check_lineage(value, certificate)


def _check_lineage(value: bytes, certificate: bytes) -> None:
    try:
        lineage = read_lineage(value)
    except PackageNotGenuine as error:
        raise _StampBroken(StampIssue.LINEAGE_INVALID) from error
    if lineage.nodes[-1].certificate != certificate:
        raise _StampBroken(StampIssue.LINEAGE_END_MISMATCH)


def _pair(number: int, digest: bytes) -> bytes:
    body = number.to_bytes(4, "little") + len(digest).to_bytes(4, "little") + digest
    return len(body).to_bytes(4, "little") + body
