import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from backupkit.crypto.failures import SignatureInvalid
from backupkit.crypto.signing import SIGNATURE_SIZE, SigningKey, VerifyKey
from backupkit.errors import ExitCode


def test_a_signature_fits_its_message_and_key_only() -> None:
    key = SigningKey.generate()
    signature = key.sign(b"head")

    key.verify_key.verify(signature, b"head", what="head")
    assert len(signature) == SIGNATURE_SIZE
    for other, signed, message in (
        (SigningKey.generate(), signature, b"head"),
        (key, signature, b"tail"),
        (key, signature[:-1] + bytes([signature[-1] ^ 1]), b"head"),
        (key, signature[:-1], b"head"),
    ):
        with pytest.raises(SignatureInvalid) as caught:
            other.verify_key.verify(signed, message, what="head")
        assert caught.value.facts == {"what": "head"}
        assert caught.value.exit_code is ExitCode.NOT_AUTHENTIC


def test_the_seed_gives_the_key_and_signature_of_rfc_8032() -> None:
    # RFC 8032 section 7.1, test 2.
    key = SigningKey(bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))

    assert key.verify_key.public.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert key.sign(b"\x72").hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )


@pytest.mark.parametrize("public", [b"", bytes(31), b"\xff" * 32])
def test_a_public_key_that_is_no_key_verifies_nothing(public: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        VerifyKey(public).verify(bytes(64), b"", what="head")


def test_a_signing_key_does_not_print_its_seed() -> None:
    key = SigningKey.generate()

    assert repr(key.seed) not in repr(key)


@pytest.mark.corpus
@pytest.mark.parametrize(("signed", "signature"), [("pae.bin", "dsse.sig"), ("checkpoint.body", "checkpoint.sig")])
def test_signatures_that_openssl_accepted_are_accepted(corpus: Path, signed: str, signature: str) -> None:
    folder = corpus / "trust/local-made"
    public = load_pem_public_key((folder / "pub.pem").read_bytes())
    assert isinstance(public, Ed25519PublicKey)
    raw = (folder / signature).read_bytes()
    if len(raw) != SIGNATURE_SIZE:
        raw = base64.b64decode(raw)

    VerifyKey(public.public_bytes_raw()).verify(raw, (folder / signed).read_bytes(), what=signed)
