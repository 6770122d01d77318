"""What is asked of a signing certificate beside its bytes."""

import datetime as dt

import pytest
from apk_factory import make_key
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from backupkit.guard.apk.certificates import Certificate, certificate_digest, read_certificate

KEY = make_key("rsa", "A")


def certificate(*extensions: tuple[x509.ExtensionType, bool]) -> Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A")])
    builder = x509.CertificateBuilder(name, name, KEY.private.public_key(), 7).not_valid_before(
        dt.datetime(2011, 1, 21, tzinfo=dt.UTC)
    )
    builder = builder.not_valid_after(dt.datetime(2036, 1, 21, tzinfo=dt.UTC))
    for extension, is_critical in extensions:
        builder = builder.add_extension(extension, critical=is_critical)
    return read_certificate(builder.sign(KEY.private, hashes.SHA256()).public_bytes(serialization.Encoding.DER))


def usage(*, signature: bool = False, commitment: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signature,
        content_commitment=commitment,
        key_encipherment=True,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def test_a_certificate_without_extensions_may_sign() -> None:
    assert certificate().may_sign()


@pytest.mark.parametrize(
    ("extension", "may_sign"),
    [
        (usage(signature=True), True),
        (usage(commitment=True), True),
        (usage(), False),
        (x509.BasicConstraints(ca=True, path_length=None), True),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0"), False),
    ],
)
def test_critical_extensions_and_key_usage_decide_whether_it_may(extension: x509.ExtensionType, may_sign: bool) -> None:
    assert certificate((extension, True)).may_sign() is may_sign


def test_an_unknown_extension_that_is_not_critical_is_passed_over() -> None:
    assert certificate((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0"), False)).may_sign()


def test_the_parts_are_as_they_lie_in_the_file() -> None:
    found = certificate()

    assert (found.serial, found.public_key_info) == (7, KEY.public_key_info)
    assert certificate_digest(KEY.certificate) == KEY.digest
