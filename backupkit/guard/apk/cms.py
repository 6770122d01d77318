"""The signature block of a JAR signer: PKCS#7 SignedData, in BER as it comes.

Only what decides is read: the certificates as they lie there, and the signer infos. Sources: RFC 5652; apksig `SignedData`, `SignerInfo`,
`SignedAttributes`.
"""

from typing import NamedTuple

from backupkit.guard.apk import der
from backupkit.guard.apk.certificates import Certificate, comparable_name, read_certificate
from backupkit.guard.apk.der import NotAsn1, Value

_SIGNED_DATA = "1.2.840.113549.1.7.2"
_CONTENT_TYPE = "1.2.840.113549.1.9.3"
_MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
_CONTEXT_0, _CONTEXT_1 = 0xA0, 0xA1
_PRIMITIVE_CONTEXT_0 = 0x80
_MOST_CERTIFICATES = 100
_MOST_SIGNERS = 16
"""Each costs a signature check; real blocks have one."""


class SignerInfo(NamedTuple):
    """One signature over the signature file, or over attributes that hold its digest."""

    issuer: bytes | None
    serial: bytes | None
    subject_key: bytes | None
    digest_oid: str
    signature_oid: str
    signed_attributes: Value | None
    signature: bytes

    def certificate(self, certificates: list[Certificate]) -> Certificate | None:
        """Find the signer's certificate; None where there is none, or more than one that Android might take.

        The place in the bag says nothing (fdroid fakesigner, PoC 3). Tools spell the issuer's name in several ways, so names are compared as
        Java compares them; if that lets two certificates in, a lookalike is among them (PoC 4), and none is taken.
        """
        if self.subject_key is not None:
            found = {
                certificate.raw: certificate
                for certificate in certificates
                if certificate.subject_key() == self.subject_key
            }
        else:
            assert self.issuer is not None
            name = comparable_name(self.issuer)
            found = {
                certificate.raw: certificate
                for certificate in certificates
                if certificate.serial == self.serial and comparable_name(certificate.issuer) == name
            }
        return next(iter(found.values())) if len(found) == 1 else None

    def signed_bytes(self, signature_file: bytes) -> bytes:
        """Return what the signature is over: the file, or the attributes with the tag of a SET (RFC 5652, section 5.4).

        Android does not re-encode the attributes, so neither does this.
        """
        if self.signed_attributes is None:
            return signature_file
        return bytes((der.SET,)) + self.signed_attributes.raw[1:]


class SignedAttributes(NamedTuple):
    """The two attributes that count."""

    content_type: str | None
    message_digest: bytes | None


class SignedData(NamedTuple):
    """A signature block."""

    content_type: str
    certificates: list[Certificate]
    signers: list[SignerInfo]


class AttributeRepeated(ValueError):
    """A signed attribute, or its value, comes more than once: two readers could take two of them."""


def read_signed_data(block: bytes) -> SignedData:
    """Read a signature block.

    Raises:
        NotAsn1: it is not SignedData.
    """
    info = der.parse(block).expect(der.SEQUENCE).children(at_least=2)
    if info[0].oid() != _SIGNED_DATA:
        raise NotAsn1
    fields = info[1].expect(_CONTEXT_0).first().expect(der.SEQUENCE).children(at_least=4)
    content_type = fields[2].expect(der.SEQUENCE).first().oid()
    certificates: list[Certificate] = []
    for field in fields[3:-1]:
        if field.tag == _CONTEXT_0:
            certificates = [read_certificate(item.raw) for item in field.children(most=_MOST_CERTIFICATES)]
    signers = [_read_signer(item) for item in fields[-1].expect(der.SET).children(most=_MOST_SIGNERS)]
    return SignedData(content_type, certificates, signers)


def read_attributes(value: Value) -> SignedAttributes:
    """Read the signed attributes.

    Raises:
        NotAsn1: malformed.
        AttributeRepeated: an attribute comes twice, or one that counts has several values.
    """
    found: dict[str, list[Value]] = {}
    for item in value.children():
        kind, values = item.expect(der.SEQUENCE).pair()
        oid = kind.oid()
        if oid in found:
            raise AttributeRepeated
        found[oid] = values.expect(der.SET).children()
    content_type = _single(found, _CONTENT_TYPE)
    digest = _single(found, _MESSAGE_DIGEST)
    return SignedAttributes(content_type.oid() if content_type else None, digest.octets() if digest else None)


def _single(found: dict[str, list[Value]], oid: str) -> Value | None:
    values = found.get(oid, [])
    if len(values) > 1:
        raise AttributeRepeated
    return values[0] if values else None


def _read_signer(item: Value) -> SignerInfo:
    fields = item.expect(der.SEQUENCE).children(at_least=5)
    _, sid, digest, *rest = fields
    issuer = serial = subject_key = None
    if sid.tag == _PRIMITIVE_CONTEXT_0:
        subject_key = sid.content
    else:
        name, number = sid.expect(der.SEQUENCE).pair()
        issuer, serial = name.raw, number.expect(der.INTEGER).content
    attributes = None
    if rest[0].tag == _CONTEXT_0:
        attributes, *rest = rest
    if len(rest) < 2:
        raise NotAsn1
    return SignerInfo(
        issuer,
        serial,
        subject_key,
        digest.expect(der.SEQUENCE).first().oid(),
        rest[0].expect(der.SEQUENCE).first().oid(),
        attributes,
        rest[1].octets(),
    )
