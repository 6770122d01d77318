"""Public keys of app signers, which are asked one thing: whether a signature is theirs.

`cryptography` answers where it can. It refuses what no new key should be (RSA under 1024 bits, DSA of odd sizes, MD5 in hardened builds), yet
such keys sign apps that are still updated, and here they prove identity, not strength: refusing them would raise an alarm over an honest
app. For these the RSA and DSA equations are computed with Python's integers; everything involved is public, so timing tells nothing.
Sources: RFC 8017 (RSA), FIPS 186-4 section 4.7 (DSA), RFC 5480 and RFC 3279 (key encodings).
"""

import hashlib
from typing import NamedTuple, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa

from backupkit.guard.apk import der
from backupkit.guard.apk.der import NotAsn1

_RSA_OID = "1.2.840.113549.1.1.1"
_DSA_OID = "1.2.840.10040.4.1"
_EC_OID = "1.2.840.10045.2.1"
_CURVES: dict[str, ec.EllipticCurve] = {
    "1.3.132.0.33": ec.SECP224R1(),
    "1.2.840.10045.3.1.7": ec.SECP256R1(),
    "1.3.132.0.34": ec.SECP384R1(),
    "1.3.132.0.35": ec.SECP521R1(),
}
"""The curves that Android's provider knows (BoringSSL)."""

_MOST_RSA_BITS = 16_384
_MOST_EXPONENT_BITS = 64
_MOST_DSA_BITS = 8_192
"""Bounds for hostile keys: one signature then costs some milliseconds at the most."""

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "md5": hashes.MD5(),  # noqa: S303  # identity of old apps, not strength
    "sha1": hashes.SHA1(),  # noqa: S303  # as above
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}

# The DigestInfo in front of the digest in an RSA PKCS#1 v1.5 signature, up to the digest (RFC 8017, section 9.2, note 1).
_DIGEST_INFO = {
    "md5": bytes.fromhex("3020300c06082a864886f70d020505000410"),
    "sha1": bytes.fromhex("3021300906052b0e03021a05000414"),
    "sha224": bytes.fromhex("302d300d06096086480165030402040500041c"),
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}


class KeyMalformed(ValueError):
    """The bytes hold no key that is understood here."""


class RsaKey(NamedTuple):
    """An RSA public key."""

    modulus: int
    exponent: int

    @property
    def size(self) -> int:
        """Length of the modulus in bytes."""
        return (self.modulus.bit_length() + 7) // 8


class DsaKey(NamedTuple):
    """A DSA public key with its parameters."""

    p: int
    q: int
    g: int
    y: int


class EcKey(NamedTuple):
    """A point on one of the NIST curves."""

    curve: ec.EllipticCurve
    point: bytes


PublicKey: TypeAlias = RsaKey | DsaKey | EcKey


def read_public_key(info: bytes) -> PublicKey:
    """Read a SubjectPublicKeyInfo.

    Raises:
        KeyMalformed: it is none, or its kind or size is not understood.
    """
    try:
        algorithm, bits = der.parse(info).expect(der.SEQUENCE).children()[:2]
        oid, *parameters = algorithm.expect(der.SEQUENCE).children()
        content = bits.expect(der.BIT_STRING).content
        if content[:1] != b"\0":
            raise KeyMalformed
        return _read_key(oid.oid(), parameters, content[1:])
    except (NotAsn1, ValueError) as error:
        raise KeyMalformed from error


def _read_key(oid: str, parameters: list[der.Value], key: bytes) -> PublicKey:
    if oid == _RSA_OID:
        modulus, exponent = (number.unsigned() for number in der.parse(key).expect(der.SEQUENCE).pair())
        if (
            modulus.bit_length() > _MOST_RSA_BITS
            or exponent.bit_length() > _MOST_EXPONENT_BITS
            or modulus < 2
            or not exponent
        ):
            raise KeyMalformed
        return RsaKey(modulus, exponent)
    if oid == _DSA_OID:
        (sequence,) = parameters
        p, q, g = (number.unsigned() for number in sequence.expect(der.SEQUENCE).children())
        y = der.parse(key).unsigned()
        if p.bit_length() > _MOST_DSA_BITS or not 1 < q < p or not 1 < g < p or not 1 < y < p:
            raise KeyMalformed
        return DsaKey(p, q, g, y)
    if oid == _EC_OID:
        (curve,) = parameters
        if curve.oid() not in _CURVES:
            raise KeyMalformed
        return EcKey(_CURVES[curve.oid()], key)
    raise KeyMalformed


def encode_rsa_info(key: RsaKey) -> bytes:
    """Write an RSA key as the SubjectPublicKeyInfo in DER that a signer would have written."""
    algorithm = der.encode(der.SEQUENCE, bytes.fromhex("06092a864886f70d0101010500"))
    numbers = der.encode_unsigned(key.modulus) + der.encode_unsigned(key.exponent)
    return der.encode(der.SEQUENCE, algorithm + der.encode(der.BIT_STRING, b"\0" + der.encode(der.SEQUENCE, numbers)))


def is_rsa_pkcs1_signature(key: RsaKey, digest: str, data: bytes, signature: bytes) -> bool:
    """Whether an RSASSA-PKCS1-v1_5 signature over `data` is the key's. `digest` is the name of a hash, such as `sha256`."""
    if len(signature) != key.size:
        return False
    if (answer := _ask_rsa(key, digest, data, signature, pss=False)) is not None:
        return answer
    # Compare with the one right encoding instead of parsing what came out: parsers are where forgeries lived (CVE-2006-4339).
    tail = _DIGEST_INFO[digest] + hashlib.new(digest, data, usedforsecurity=False).digest()
    padding = key.size - len(tail) - 3
    number = int.from_bytes(signature, "big")
    if padding < 8 or number >= key.modulus:
        return False
    expected = b"\0\1" + b"\xff" * padding + b"\0" + tail
    return pow(number, key.exponent, key.modulus).to_bytes(key.size, "big") == expected


def is_rsa_pss_signature(key: RsaKey, digest: str, data: bytes, signature: bytes) -> bool:
    """Whether an RSASSA-PSS signature is the key's: MGF1 with the same hash, salt as long as the digest (RFC 8017, section 9.1.2)."""
    if len(signature) != key.size:
        return False
    if (answer := _ask_rsa(key, digest, data, signature, pss=True)) is not None:
        return answer
    number = int.from_bytes(signature, "big")
    if number >= key.modulus:
        return False
    bits = key.modulus.bit_length() - 1
    size = (bits + 7) // 8
    recovered = pow(number, key.exponent, key.modulus)
    if recovered.bit_length() > bits:
        return False
    encoded = recovered.to_bytes(size, "big")
    hashed = hashlib.new(digest, data).digest()
    length = len(hashed)
    if size < 2 * length + 2 or encoded[-1] != 0xBC:
        return False
    masked, check = encoded[: size - length - 1], encoded[size - length - 1 : -1]
    if masked[0] >> (8 - (8 * size - bits)) and 8 * size - bits:
        return False
    mask = _mgf1(digest, check, len(masked))
    block = bytearray(a ^ b for a, b in zip(masked, mask, strict=True))
    block[0] &= 0xFF >> (8 * size - bits)
    padding = len(block) - length - 1
    if any(block[:padding]) or block[padding] != 1:
        return False
    return hashlib.new(digest, bytes(8) + hashed + bytes(block[padding + 1 :])).digest() == check


def is_dsa_signature(key: DsaKey, digest: str, data: bytes, signature: bytes) -> bool:
    """Whether a DSA signature, as a DER sequence of r and s, is the key's."""
    if (answer := _ask_dsa(key, digest, data, signature)) is not None:
        return answer
    try:
        r, s = (number.integer() for number in der.parse(signature).expect(der.SEQUENCE).pair())
        inverse = pow(s, -1, key.q)
    except ValueError:
        return False
    if not (0 < r < key.q and 0 < s < key.q):
        return False
    hashed = hashlib.new(digest, data, usedforsecurity=False).digest()
    z = int.from_bytes(hashed, "big") >> max(0, 8 * len(hashed) - key.q.bit_length())
    v = pow(key.g, z * inverse % key.q, key.p) * pow(key.y, r * inverse % key.q, key.p) % key.p % key.q
    return v == r


def is_ecdsa_signature(key: EcKey, digest: str, data: bytes, signature: bytes) -> bool:
    """Whether an ECDSA signature, as a DER sequence of r and s, is the key's.

    Raises:
        KeyMalformed: the point does not lie on its curve.
    """
    try:
        public = ec.EllipticCurvePublicKey.from_encoded_point(key.curve, key.point)
    except ValueError as error:
        raise KeyMalformed from error
    try:
        public.verify(signature, data, ec.ECDSA(_HASHES[digest]))
    except InvalidSignature:
        return False
    return True


def _ask_rsa(key: RsaKey, digest: str, data: bytes, signature: bytes, *, pss: bool) -> bool | None:
    """Ask the library; None where it refuses the key or the hash."""
    algorithm = _HASHES[digest]
    scheme: padding.AsymmetricPadding = padding.PKCS1v15()
    if pss:
        scheme = padding.PSS(mgf=padding.MGF1(algorithm), salt_length=algorithm.digest_size)
    try:
        rsa.RSAPublicNumbers(key.exponent, key.modulus).public_key().verify(signature, data, scheme, algorithm)
    except InvalidSignature:
        return False
    except (ValueError, UnsupportedAlgorithm):
        return None
    return True


def _ask_dsa(key: DsaKey, digest: str, data: bytes, signature: bytes) -> bool | None:
    """Ask the library; None where it refuses the key or the hash."""
    numbers = dsa.DSAPublicNumbers(key.y, dsa.DSAParameterNumbers(key.p, key.q, key.g))
    try:
        numbers.public_key().verify(signature, data, _HASHES[digest])
    except InvalidSignature:
        return False
    except (ValueError, UnsupportedAlgorithm):
        return None
    return True


def _mgf1(digest: str, seed: bytes, size: int) -> bytes:
    output = b""
    counter = 0
    while len(output) < size:
        output += hashlib.new(digest, seed + counter.to_bytes(4, "big")).digest()
        counter += 1
    return output[:size]
