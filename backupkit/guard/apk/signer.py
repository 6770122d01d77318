"""One signer of scheme 2, 3 or 3.1.

A signer's record is {signed data, [min SDK, max SDK,] signatures, public key}, the signed data {digests, certificates, [min SDK, max SDK,]
attributes}; the SDK range exists in scheme 3 only. Nothing of the signed data is read before a signature over it was checked. Sources: AOSP
`ApkSignatureSchemeV2Verifier.verifySigner`, `ApkSignatureSchemeV3Verifier.verifySigner`; apksig `V2SchemeVerifier`, `V3SchemeVerifier`.
"""

from typing import NamedTuple

from backupkit.guard.apk.algorithms import ALGORITHMS, ContentDigest, strongest
from backupkit.guard.apk.certificates import is_same_key, read_certificate
from backupkit.guard.apk.der import NotAsn1
from backupkit.guard.apk.public_keys import KeyMalformed
from backupkit.guard.apk.reasons import PackageNotGenuine, Reason
from backupkit.guard.apk.records import Record, RecordMalformed, items, numbered


class SdkRange(NamedTuple):
    """API levels from the first to the last, both included."""

    first: int
    last: int

    def holds(self, level: int) -> bool:
        """Whether a level is among them."""
        return self.first <= level <= self.last


class SignerRecord(NamedTuple):
    """A signer as it lies in the file: nothing here is proved yet."""

    scheme: str
    signed_data: bytes
    sdks: SdkRange | None
    signatures: tuple[tuple[int, bytes], ...]
    public_key_info: bytes


class CheckedSigner(NamedTuple):
    """A signer whose signature was checked. What it says of the content is not compared yet: see `check_content`."""

    scheme: str
    certificate: bytes
    content: ContentDigest
    digests: tuple[tuple[int, bytes], ...]
    sdks: SdkRange | None
    attributes: tuple[tuple[int, bytes], ...]

    def check_content(self, actual: dict[ContentDigest, bytes]) -> None:
        """Compare every digest of the chosen kind with the content's.

        Raises:
            PackageNotGenuine: the content is not what was signed.
        """
        for number, digest in self.digests:
            algorithm = ALGORITHMS.get(number)
            if algorithm is not None and algorithm.content is self.content and digest != actual[self.content]:
                raise PackageNotGenuine(Reason.CONTENT_CHANGED, scheme=self.scheme)


def read_signers(value: bytes, scheme: str) -> list[SignerRecord]:
    """Split a scheme's block into its signers.

    Raises:
        PackageNotGenuine: malformed, or none.
    """
    try:
        signers = Record(value).sized()
    except RecordMalformed as error:
        raise PackageNotGenuine(Reason.SIGNERS_MALFORMED, scheme=scheme) from error
    if not signers:
        raise PackageNotGenuine(Reason.NO_SIGNERS, scheme=scheme)
    try:
        return [_read_record(item, scheme) for item in items(signers)]
    except RecordMalformed as error:
        raise PackageNotGenuine(Reason.SIGNER_MALFORMED, scheme=scheme) from error


def check_signer(record: SignerRecord, level: int) -> CheckedSigner:
    """Check the signature that a device of this API level would check, then read what was signed.

    Raises:
        PackageNotGenuine: any rule is broken.
    """
    scheme = record.scheme
    if not record.signatures:
        raise PackageNotGenuine(Reason.NO_SIGNATURES, scheme=scheme)
    algorithm = strongest([number for number, _ in record.signatures], level)
    if algorithm is None:
        raise PackageNotGenuine(Reason.NO_SUPPORTED_ALGORITHM, scheme=scheme)
    signature = next(found for number, found in record.signatures if number == algorithm.number)
    try:
        is_right = algorithm.check(record.public_key_info, record.signed_data, signature)
    except KeyMalformed as error:
        raise PackageNotGenuine(Reason.PUBLIC_KEY_MALFORMED, scheme=scheme) from error
    if not is_right:
        raise PackageNotGenuine(Reason.SIGNATURE_WRONG, scheme=scheme)
    try:
        return _read_signed_data(record, algorithm.content)
    except RecordMalformed as error:
        raise PackageNotGenuine(Reason.SIGNER_MALFORMED, scheme=scheme) from error


def _read_record(item: bytes, scheme: str) -> SignerRecord:
    record = Record(item)
    signed_data = record.sized()
    sdks = SdkRange(record.sdk(), record.sdk()) if scheme != "v2" else None
    return SignerRecord(scheme, signed_data, sdks, tuple(numbered(record.sized())), record.sized())


def _read_signed_data(record: SignerRecord, content: ContentDigest) -> CheckedSigner:
    signed = Record(record.signed_data)
    scheme = record.scheme
    digests_field, certificates_field = signed.sized(), signed.sized()
    sdks = SdkRange(signed.sdk(), signed.sdk()) if record.sdks else None
    # The range outside the signed data chose this signer; only the one inside is signed.
    if sdks != record.sdks:
        raise PackageNotGenuine(Reason.SDK_RANGE_MISMATCH, scheme=scheme)
    attributes_field = signed.sized()
    certificates = items(certificates_field)
    if not certificates:
        raise PackageNotGenuine(Reason.NO_CERTIFICATES, scheme=scheme)
    try:
        parsed = [read_certificate(raw) for raw in certificates]
    except NotAsn1 as error:
        raise PackageNotGenuine(Reason.CERTIFICATE_MALFORMED, scheme=scheme) from error
    if not is_same_key(parsed[0], record.public_key_info):
        raise PackageNotGenuine(Reason.PUBLIC_KEY_MISMATCH, scheme=scheme)
    digests = numbered(digests_field)
    # Equal lists in equal order: else a weaker digest could stand in for the one that was signed with.
    if [number for number, _ in digests] != [number for number, _ in record.signatures]:
        raise PackageNotGenuine(Reason.ALGORITHMS_DIFFER, scheme=scheme)
    return CheckedSigner(
        scheme, certificates[0], content, tuple(digests), sdks, _read_attributes(attributes_field, scheme)
    )


def _read_attributes(field: bytes, scheme: str) -> tuple[tuple[int, bytes], ...]:
    attributes = []
    try:
        for item in items(field):
            record = Record(item)
            attributes.append((record.u32(), record.rest()))
    except RecordMalformed as error:
        raise PackageNotGenuine(Reason.ATTRIBUTE_MALFORMED, scheme=scheme) from error
    return tuple(attributes)
