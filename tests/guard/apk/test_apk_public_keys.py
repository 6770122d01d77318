"""Keys and signatures. What the library refuses is computed here, and where both can answer they agree."""

import contextlib
import hashlib

import pytest
from apk_factory import Kind, der, make_key, oid
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given, settings, strategies as st

from backupkit.guard.apk import public_keys
from backupkit.guard.apk.certificates import comparable_name, is_same_key, read_certificate
from backupkit.guard.apk.der import NotAsn1
from backupkit.guard.apk.public_keys import (
    DsaKey,
    EcKey,
    KeyMalformed,
    RsaKey,
    encode_rsa_info,
    is_dsa_signature,
    is_ecdsa_signature,
    is_rsa_pkcs1_signature,
    is_rsa_pss_signature,
    read_public_key,
)

SIZES: list[Kind] = ["rsa-1024", "rsa"]
DIGESTS = {"md5": hashes.MD5(), "sha1": hashes.SHA1(), "sha256": hashes.SHA256(), "sha512": hashes.SHA512()}  # old apps


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library refuses everything."""
    monkeypatch.setattr(public_keys, "_ask_rsa", lambda *_, **__: None)
    monkeypatch.setattr(public_keys, "_ask_dsa", lambda *_, **__: None)


@pytest.mark.parametrize("digest", DIGESTS)
@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.usefixtures("alone")
def test_rsa_signatures_of_the_library_are_right_by_the_equation_alone(kind: Kind, digest: str) -> None:
    key = make_key(kind, "R")
    assert isinstance(key.private, rsa.RSAPrivateKey)
    public = read_public_key(key.public_key_info)
    assert isinstance(public, RsaKey)
    signature = key.private.sign(b"message", padding.PKCS1v15(), DIGESTS[digest])

    assert is_rsa_pkcs1_signature(public, digest, b"message", signature)
    assert not is_rsa_pkcs1_signature(public, digest, b"massage", signature)
    assert not is_rsa_pkcs1_signature(public, "sha384", b"message", signature)


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("digest", ["sha256", "sha512"])
def test_pss_signatures_of_the_library_are_right_by_the_equation_alone(digest: str) -> None:
    key = make_key("rsa", "R")
    public = read_public_key(key.public_key_info)
    assert isinstance(public, RsaKey)
    number = {"sha256": 0x0101, "sha512": 0x0102}[digest]
    signature = key.sign(b"message", number)

    assert is_rsa_pss_signature(public, digest, b"message", signature)
    assert not is_rsa_pss_signature(public, digest, b"massage", signature)


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=128, max_size=128), st.sampled_from(["sha1", "sha256"]), st.booleans())
def test_no_made_up_rsa_signature_is_right_and_both_ways_agree(signature: bytes, digest: str, pss: bool) -> None:
    public = read_public_key(make_key("rsa-1024", "R").public_key_info)
    assert isinstance(public, RsaKey)
    check = is_rsa_pss_signature if pss else is_rsa_pkcs1_signature

    assert not check(public, digest, b"m", signature)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(public_keys, "_ask_rsa", lambda *_, **__: None)
        assert not check(public, digest, b"m", signature)


@pytest.mark.usefixtures("alone")
def test_an_rsa_signature_with_a_short_padding_is_wrong() -> None:
    """Bleichenbacher's forgery (CVE-2006-4339) hides free bytes behind the digest."""
    # With exponent 1, every encoding can be "signed".
    key = RsaKey((1 << 1024) - 105, 1)
    digest_info = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(b"m").digest()
    right = b"\0\1" + b"\xff" * (128 - 3 - len(digest_info)) + b"\0" + digest_info
    forged = b"\0\1" + b"\xff" * 8 + b"\0" + digest_info
    forged += bytes(128 - len(forged))

    assert is_rsa_pkcs1_signature(key, "sha256", b"m", right)
    assert not is_rsa_pkcs1_signature(key, "sha256", b"m", forged)


@pytest.mark.usefixtures("alone")
def test_rsa_keys_that_libraries_refuse_still_prove_identity() -> None:
    p = 0xE0DFD2C2A288ACEBC705EFAB30E4447541A8C5A47A37185C5A9CB98389CE4DE19199AA3069B404FD98C801568CB9170EB712BF10B4955CE9C9DC8CE6855C6123
    q = 0xEBE0FCF21866FD9A9F0D72F7994875A8D92E67AEE4B515136B2A778A8048B149828AEA30BD0BA34B977982A3D42168F594CA99F3981DDABFAB2369F229640115
    for modulus, size in ((p, 64), (p * q, 128)):
        exponent = 65537
        phi = modulus - 1 if modulus == p else (p - 1) * (q - 1)
        secret = pow(exponent, -1, phi)
        tail = bytes.fromhex("3021300906052b0e03021a05000414") + hashlib.sha1(b"m").digest()
        encoded = b"\0\1" + b"\xff" * (size - 3 - len(tail)) + b"\0" + tail
        signature = pow(int.from_bytes(encoded, "big"), secret, modulus).to_bytes(size, "big")

        assert is_rsa_pkcs1_signature(RsaKey(modulus, exponent), "sha1", b"m", signature)


def test_dsa_signatures_are_right_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    key = make_key("dsa", "D")
    public = read_public_key(key.public_key_info)
    assert isinstance(public, DsaKey)
    signature = key.sign(b"message")

    for _ in range(2):
        assert is_dsa_signature(public, "sha256", b"message", signature)
        assert not is_dsa_signature(public, "sha256", b"massage", signature)
        assert not is_dsa_signature(public, "sha256", b"message", b"\x30\x06\x02\x01\x00\x02\x01\x00")
        assert not is_dsa_signature(public, "sha256", b"message", b"junk")
        monkeypatch.setattr(public_keys, "_ask_dsa", lambda *_: None)


def test_ecdsa_signatures_are_right_for_their_message_only() -> None:
    key = make_key("ec", "E")
    public = read_public_key(key.public_key_info)
    assert isinstance(public, EcKey)

    assert is_ecdsa_signature(public, "sha256", b"message", key.sign(b"message"))
    assert not is_ecdsa_signature(public, "sha256", b"massage", key.sign(b"message"))
    with pytest.raises(KeyMalformed):
        is_ecdsa_signature(EcKey(public.curve, b"\4" + bytes(64)), "sha256", b"", b"")


@pytest.mark.parametrize(
    "info",
    [
        b"",
        b"\x30\x00",
        der(0x30, der(0x30, oid("1.2.840.113549.1.1.1")) + der(0x03, b"\1")),
        der(0x30, der(0x30, oid("1.2.3.4")) + der(0x03, b"\0")),
        der(0x30, der(0x30, oid("1.2.840.10045.2.1") + oid("1.2.3")) + der(0x03, b"\0")),
        encode_rsa_info(RsaKey(1 << 16_384, 3)),
        encode_rsa_info(RsaKey(15, 1 << 64)),
    ],
)
def test_what_is_no_key_is_said_to_be_none(info: bytes) -> None:
    with pytest.raises(KeyMalformed):
        read_public_key(info)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_key_or_malformed(info: bytes) -> None:
    with contextlib.suppress(KeyMalformed):
        read_public_key(info)


def test_a_modulus_that_lost_its_leading_zero_is_the_same_key() -> None:
    key = make_key("rsa", "R")
    public = read_public_key(key.public_key_info)
    assert isinstance(public, RsaKey)
    modulus = public.modulus.to_bytes(256, "big")
    numbers = der(0x30, der(0x02, modulus) + der(0x02, b"\1\0\1"))
    negative = der(0x30, der(0x30, oid("1.2.840.113549.1.1.1") + der(5, b"")) + der(3, b"\0" + numbers))
    certificate = read_certificate(key.certificate)
    broken = type(certificate)(certificate.raw, certificate.serial, certificate.issuer, negative, ())

    assert encode_rsa_info(public) == key.public_key_info
    assert is_same_key(broken, key.public_key_info)
    assert not is_same_key(broken, make_key("rsa", "other").public_key_info)


def test_names_are_compared_as_java_compares_them() -> None:
    def name(tag: int, text: bytes, kind: str = "2.5.4.3") -> bytes:
        return der(0x30, der(0x31, der(0x30, oid(kind) + der(tag, text))))

    assert comparable_name(name(0x0C, b"An  Example")) == comparable_name(name(0x13, b"an example "))
    assert comparable_name(name(0x0C, b"An Example")) != comparable_name(name(0x0C, b"AnExample"))
    # Other types of text, and kinds of attribute without a short name, are compared by their bytes.
    assert comparable_name(name(0x16, b"An Example")) != comparable_name(name(0x0C, b"An Example"))
    assert comparable_name(name(0x0C, b"7", "2.5.4.5")) != comparable_name(name(0x13, b"7", "2.5.4.5"))
    assert comparable_name(b"junk") == ("raw", b"junk")


@pytest.mark.parametrize(
    "raw", [b"", b"\x30\x00", der(0x30, b""), der(0x30, der(0x30, b"") * 3), der(0x30, der(0x30, der(2, b"\1")))]
)
def test_what_is_no_certificate_is_said_to_be_none(raw: bytes) -> None:
    """Found by scripts/fuzz_guard.py: an empty sequence was an IndexError."""
    with pytest.raises(NotAsn1):
        read_certificate(raw)


@settings(max_examples=200, deadline=None)
@given(st.integers(min_value=0), st.integers(0, 255), st.integers(0, 30))
def test_a_changed_certificate_is_read_or_none(at: int, value: int, removed: int) -> None:
    raw = bytearray(make_key("ec", "A").certificate)
    raw[at % len(raw)] = value
    del raw[at % len(raw) : at % len(raw) + removed]

    with contextlib.suppress(NotAsn1):
        certificate = read_certificate(bytes(raw))
        certificate.may_sign()
        comparable_name(certificate.issuer)
