"""What is needed of a signing certificate: its bytes, its public key, and who it says it is. Never parsed as X.509, never re-encoded.

Android compares certificates byte by byte as they lie in the package (AOSP `VerbatimX509Certificate`; Android bugs 18228011, 30148997).
"""

import hashlib
import unicodedata
from typing import NamedTuple

from backupkit.guard.apk import der
from backupkit.guard.apk.der import NotAsn1
from backupkit.guard.apk.public_keys import KeyMalformed, RsaKey, encode_rsa_info, read_public_key
from backupkit.ids import CertificateDigest

MOST_BYTES = 1 << 20
# The string types and the kinds of attribute whose text Java compares as text; every other value is compared by its bytes.
_TEXTS = {0x0C: "utf-8", 0x13: "latin-1"}
_COMPARED_AS_TEXT = {f"2.5.4.{number}" for number in (3, 6, 7, 8, 9, 10, 11)} | {
    "0.9.2342.19200300.100.1.1",
    "0.9.2342.19200300.100.1.25",
}
_KEY_USAGE = "2.5.29.15"
# Critical extensions that Java's and Android's certificate classes understand; any other makes a JAR signer unacceptable.
_UNDERSTOOD = {f"2.5.29.{number}" for number in (9, 14, 15, 16, 17, 18, 19, 28, 30, 31, 32, 33, 35, 36, 37, 46, 54)}


class Certificate(NamedTuple):
    """The parts of a certificate, each as it lies in the file."""

    raw: bytes
    serial: int
    issuer: bytes
    public_key_info: bytes
    extensions: tuple[tuple[str, bool, bytes], ...]
    """Object identifier, whether it is critical, and its value."""

    def may_sign(self) -> bool:
        """Whether a JAR signer with this certificate is accepted: key usage and critical extensions (apksig V1SchemeVerifier)."""
        for oid, is_critical, value in self.extensions:
            if is_critical and oid not in _UNDERSTOOD:
                return False
            if oid == _KEY_USAGE and not _allows_signing(value):
                return False
        return True


def certificate_digest(certificate: bytes) -> CertificateDigest:
    """Name a certificate by the SHA-256 of its bytes."""
    return CertificateDigest(hashlib.sha256(certificate).hexdigest())


def read_certificate(raw: bytes) -> Certificate:
    """Take a certificate apart.

    Raises:
        NotAsn1: it does not have the outer form of a certificate (RFC 5280, section 4.1).
    """
    if len(raw) > MOST_BYTES:
        raise NotAsn1
    signed = der.parse(raw).expect(der.SEQUENCE).first().expect(der.SEQUENCE)
    fields = signed.children()
    if fields and fields[0].tag == 0xA0:  # version
        fields[0].first().expect(der.INTEGER)
        fields = fields[1:]
    if len(fields) < 6:
        raise NotAsn1
    serial, algorithm, issuer, validity, subject, info = fields[:6]
    serial.expect(der.INTEGER)
    algorithm.expect(der.SEQUENCE).first().oid()
    validity.expect(der.SEQUENCE).pair()
    for name in (issuer, subject):
        for part in name.expect(der.SEQUENCE).children():
            for item in part.expect(der.SET).children():
                item.expect(der.SEQUENCE).pair()
    info.expect(der.SEQUENCE)
    extensions: tuple[tuple[str, bool, bytes], ...] = ()
    for field in fields[6:]:
        if field.tag == 0xA3:
            extensions = tuple(_extension(item) for item in field.first().expect(der.SEQUENCE).children())
    return Certificate(raw, serial.integer(), issuer.raw, info.raw, extensions)


def is_same_key(certificate: Certificate, public_key_info: bytes) -> bool:
    """Whether a signer's public key is the certificate's.

    The bytes must be equal. Where the certificate forgot the leading zero of an RSA modulus, the signer has written the corrected form
    (apksig `ApkSigningBlockUtils.encodePublicKey`), and that is accepted too.
    """
    if certificate.public_key_info == public_key_info:
        return True
    try:
        key = read_public_key(certificate.public_key_info)
    except KeyMalformed:
        return False
    return isinstance(key, RsaKey) and encode_rsa_info(key) == public_key_info


def comparable_name(name: bytes) -> tuple[object, ...]:
    """Return a distinguished name in a form in which two spellings of one name are equal.

    Signing tools re-encode the issuer's text (PrintableString for UTF8String) in the signer info, and Java's `X500Principal` takes such names
    for equal, whatever their case and spaces (`AVA.toRFC2253CanonicalString`). Used to find the signer's certificate as the device finds it,
    never to tell identities apart.
    """
    try:
        found = der.parse(name).expect(der.SEQUENCE).children()
        parts = [sorted(map(_attribute, part.expect(der.SET).children())) for part in found]
    except (NotAsn1, UnicodeDecodeError, ValueError):
        return ("raw", name)
    return tuple(tuple(part) for part in parts)


def _attribute(item: der.Value) -> tuple[str, str]:
    kind, value = item.expect(der.SEQUENCE).pair()
    oid, encoding = kind.oid(), _TEXTS.get(value.tag)
    if encoding is None or oid not in _COMPARED_AS_TEXT:
        return oid, value.raw.hex()
    text = unicodedata.normalize("NFKD", value.content.decode(encoding))
    return oid, " ".join(text.upper().lower().split())


def _extension(item: der.Value) -> tuple[str, bool, bytes]:
    parts = item.expect(der.SEQUENCE).children(at_least=2)
    is_critical = len(parts) > 2 and parts[1].tag == 0x01 and parts[1].content != b"\0"
    return parts[0].oid(), is_critical, parts[-1].octets()


def _allows_signing(value: bytes) -> bool:
    """Bit 0 is digitalSignature, bit 1 nonRepudiation (RFC 5280, section 4.2.1.3)."""
    bits = der.parse(value).expect(der.BIT_STRING).content
    return len(bits) > 1 and bool(bits[1] & 0xC0)
