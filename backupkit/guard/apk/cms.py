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
_CONTEXT_0 = 0xA0
_MOST_CERTIFICATES = 100
_MOST_SIGNERS = 16
"""Each costs a signature check; real blocks have one."""


class SignerInfo(NamedTuple):
    """One signature over the signature file, or over attributes that hold its digest."""

    issuer: bytes
    serial: int
    digest_oid: str
    signature_oid: str
    signed_attributes: Value | None
    signature: bytes

    def certificate(self, certificates: list[Certificate]) -> Certificate | None:
        """Find the signer's certificate: the first in the bag that has the issuer and the serial number; None where there is none.

        The place in the bag alone says nothing (fdroid fakesigner, PoC 3). Tools spell the issuer's name in several ways, so names are
        compared as Java compares them; of two that fit (PoC 4) every Android takes the first, and its key must then fit the signature.
        """
        name = comparable_name(self.issuer)
        for certificate in certificates:
            if certificate.serial == self.serial and comparable_name(certificate.issuer) == name:
                return certificate
        return None

    def signed_bytes(self, signature_file: bytes) -> bytes:
        """Return what the signature is over: the file, or the attributes with the tag of a SET (RFC 5652, section 5.4).

        Android does not re-encode the attributes, so neither does this.
        """
        if self.signed_attributes is None:
            return signature_file
        return bytes((der.SET,)) + self.signed_attributes.raw[1:]


class SignedAttributes(NamedTuple):
    """The attributes by their kind, each with its values."""

    values: dict[str, list[Value]]

    @property
    def message_digest(self) -> bytes | None:
        """The digest of the signature file.

        Raises:
            AttributeMalformed: there are several, or it is none.
        """
        value = self._only(_MESSAGE_DIGEST)
        try:
            return value.primitive_octets() if value else None
        except NotAsn1 as error:
            raise AttributeMalformed from error

    @property
    def content_type(self) -> str | None:
        """What is signed. Older devices do not look at it, so it is read when a level asks.

        Raises:
            AttributeMalformed: there are several, or it is none.
        """
        value = self._only(_CONTENT_TYPE)
        try:
            return value.oid() if value else None
        except NotAsn1 as error:
            raise AttributeMalformed from error

    def _only(self, kind: str) -> Value | None:
        found = self.values.get(kind, [])
        if len(found) > 1:
            raise AttributeMalformed
        return found[0] if found else None


class SignedData(NamedTuple):
    """A signature block."""

    content_type: str
    certificates: list[Certificate]
    signers: list[SignerInfo]


class AttributeMalformed(ValueError):
    """A signed attribute that counts is not what it should be, or comes more than once: two readers could take two of them."""


def read_signed_data(block: bytes) -> SignedData:
    """Read a signature block.

    Raises:
        NotAsn1: it is not SignedData.
    """
    info = der.parse(block).expect(der.SEQUENCE).children(at_least=2)
    if info[0].oid() != _SIGNED_DATA:
        raise NotAsn1
    fields = info[1].expect(_CONTEXT_0).first().expect(der.SEQUENCE).children(at_least=4)
    # Nobody needs the version or the list of digests, and every Android reads them: a block in which they are odd is none.
    fields[0].expect(der.INTEGER)
    for item in fields[1].expect(der.SET).children():
        for number in item.expect(der.SEQUENCE).children()[:1]:
            number.oid()
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
        AttributeMalformed: an attribute comes twice.
    """
    found: dict[str, list[Value]] = {}
    for item in value.children():
        # What else lies in an attribute is passed over (apksig `Asn1BerParser`).
        kind, values = item.expect(der.SEQUENCE).children(at_least=2)[:2]
        oid = kind.oid()
        if oid in found:
            raise AttributeMalformed
        found[oid] = values.expect(der.SET).children()
    return SignedAttributes(found)


def _read_signer(item: Value) -> SignerInfo:
    fields = item.expect(der.SEQUENCE).children(at_least=5)
    version, sid, digest, *rest = fields
    version.expect(der.INTEGER)
    # A signer named by its key alone (RFC 5652, `subjectKeyIdentifier`) is no signer to Android (`sun.security.pkcs.SignerInfo`).
    name, number = sid.expect(der.SEQUENCE).pair()
    attributes = None
    if rest[0].tag == _CONTEXT_0:
        attributes, *rest = rest
    if len(rest) < 2:
        raise NotAsn1
    return SignerInfo(
        name.raw,
        number.integer(),
        _algorithm(digest),
        _algorithm(rest[0]),
        attributes,
        rest[1].primitive_octets(),
    )


def _algorithm(item: Value) -> str:
    return item.expect(der.SEQUENCE).first().oid()
