"""Signatures of a newer kind than those known here, and from which API level on a device may look at them.

Scheme 3.2 (block 0x70e1c89f) is known by its number. A block of an unknown number whose value is built like a list of signers, with certificates
and all, is taken for the scheme after that. Everything else under unknown numbers is what shops and tools leave there, and Android passes it over.

Android 15 and older are finished and know none of this; Android 16 may learn it in an update that keeps its level number. A block may also name
an earlier level itself, and then it is believed. Source: AOSP `ApkSignatureSchemeV3Verifier` (flag apk_pqc_hybrid_signing).
"""

from backupkit.guard.apk.certificates import read_certificate
from backupkit.guard.apk.der import NotAsn1
from backupkit.guard.apk.reasons import PackageNotGenuine
from backupkit.guard.apk.records import Record, RecordMalformed, items, numbered
from backupkit.guard.apk.signer import SignerRecord, read_signers
from backupkit.guard.apk.signing_block import KNOWN, V32, SigningBlock

NEWER_SCHEME_LEVEL = 36
_MOST_SIGNERS = 16


def newer_scheme_from(block: SigningBlock) -> int | None:
    """Return the first level that may look at a newer scheme in the block; None where there is none."""
    levels = [_first_level(value) for number, value in block.values.items() if number == V32]
    for number, value in block.values.items():
        if number not in KNOWN and _is_built_like_signers(value):
            levels.append(_first_level(value))
    return min(levels, default=None)


def _first_level(value: bytes) -> int:
    """What the signers say of themselves, unsigned as it is; from the first level on where they cannot be read."""
    try:
        signers = read_signers(value, "v3")
    except PackageNotGenuine:
        return 0
    return min(NEWER_SCHEME_LEVEL, *(max(one.sdks.first, 0) for one in signers if one.sdks), NEWER_SCHEME_LEVEL)


def _is_built_like_signers(value: bytes) -> bool:
    try:
        signers = read_signers(value, "v3")[:_MOST_SIGNERS]
        return all(_holds_certificate(signer) for signer in signers)
    except (PackageNotGenuine, RecordMalformed, NotAsn1):
        return False


def _holds_certificate(signer: SignerRecord) -> bool:
    signed = Record(signer.signed_data)
    numbered(signed.sized())
    certificates = items(signed.sized())
    return bool(signer.signatures and certificates and read_certificate(certificates[0]))
