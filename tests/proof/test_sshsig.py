import base64
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.failures import SignatureInvalid
from backupkit.crypto.signing import SigningKey, VerifyKey
from backupkit.proof.pem import public_ssh, read_public_pem
from backupkit.proof.sshsig import (
    ATTESTATION_NAMESPACE,
    SNAPSHOT_NAMESPACE,
    allowed_signers_line,
    sign_ssh,
    verify_ssh,
)

KEY = SigningKey(b"\x06" * 32)
MESSAGE = b'{"a":"statement"}'
SIGNATURE = sign_ssh(MESSAGE, KEY, SNAPSHOT_NAMESPACE)


def verifies(signature: bytes, message: bytes = MESSAGE) -> None:
    verify_ssh(message, signature, KEY.verify_key, SNAPSHOT_NAMESPACE)


def test_a_signature_is_checked_with_its_key_message_and_purpose() -> None:
    verifies(SIGNATURE)

    with pytest.raises(SignatureInvalid):
        verifies(SIGNATURE, b"other")
    with pytest.raises(SignatureInvalid):
        verify_ssh(MESSAGE, SIGNATURE, KEY.verify_key, ATTESTATION_NAMESPACE)
    with pytest.raises(SignatureInvalid):
        verify_ssh(MESSAGE, SIGNATURE, SigningKey(b"\x09" * 32).verify_key, SNAPSHOT_NAMESPACE)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        SIGNATURE[1:],
        SIGNATURE + b"more",
        SIGNATURE.replace(b"U1NIU0lH", b"U1NIU0lI"),
        SIGNATURE.replace(b"-----END", b"-----FIN"),
        SIGNATURE.replace(b"=\n", b"\n"),
        b"-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n",
        SIGNATURE[:200] + b"A" * 20_000,
    ],
)
def test_what_is_no_ssh_signature_is_refused_as_malformed(data: bytes) -> None:
    with pytest.raises(MalformedObject):
        verifies(data)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(SIGNATURE) - 2), st.integers(1, 255))
def test_no_changed_byte_leaves_a_signature_valid(place: int, mask: int) -> None:
    data = bytearray(SIGNATURE)
    data[place] ^= mask

    with pytest.raises((MalformedObject, SignatureInvalid)):
        verifies(bytes(data))


def test_ssh_keygen_accepts_a_snapshot_signature_and_refuses_another_purpose(
    system_tool: Callable[[str], str], tmp_path: Path
) -> None:
    ssh_keygen = system_tool("ssh-keygen")
    (tmp_path / "allowed").write_text(allowed_signers_line("store", KEY.verify_key, SNAPSHOT_NAMESPACE))
    (tmp_path / "sig").write_bytes(SIGNATURE)

    def verify(namespace: str, message: bytes) -> int:
        command = [ssh_keygen, "-Y", "verify", "-f", "allowed", "-I", "store", "-n", namespace, "-s", "sig"]
        return subprocess.run(command, cwd=tmp_path, input=message, capture_output=True, check=False).returncode

    assert verify(SNAPSHOT_NAMESPACE, MESSAGE) == 0
    assert verify(ATTESTATION_NAMESPACE, MESSAGE) != 0
    assert verify(SNAPSHOT_NAMESPACE, MESSAGE + b" ") != 0


def test_a_signature_made_by_ssh_keygen_is_accepted(system_tool: Callable[[str], str], tmp_path: Path) -> None:
    ssh_keygen = system_tool("ssh-keygen")
    subprocess.run([ssh_keygen, "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    (tmp_path / "message").write_bytes(MESSAGE)
    blob = (tmp_path / "key.pub").read_text().split()[1]

    for algorithm in ("sha256", "sha512"):
        (tmp_path / "message.sig").unlink(missing_ok=True)
        subprocess.run(
            [ssh_keygen, "-Y", "sign", "-n", SNAPSHOT_NAMESPACE, "-O", f"hashalg={algorithm}", "-f", "key", "message"],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )
        verify_ssh(MESSAGE, (tmp_path / "message.sig").read_bytes(), key_of(blob), SNAPSHOT_NAMESPACE)


def key_of(blob: str) -> VerifyKey:
    return VerifyKey(base64.b64decode(blob)[-32:])


@pytest.mark.corpus
def test_a_signature_of_the_corpus_is_accepted(corpus: Path) -> None:
    made = corpus / "trust/local-made"
    key = read_public_pem((made / "pub.pem").read_text())

    verify_ssh((made / "st.json").read_bytes(), (made / "st.sshsig").read_bytes(), key, "attestation@backupkit")

    assert public_ssh(key) in (made / "allowed").read_text()


@pytest.mark.corpus
def test_openssh_signatures_of_other_kinds_are_refused_as_not_known_here(corpus: Path) -> None:
    folder = corpus / "trust/openssh-sshsig/regress/unittests/sshsig/testdata"
    signatures = sorted(folder.glob("*.sig"))
    assert signatures

    for path in signatures:
        with pytest.raises(MalformedObject):
            verify_ssh(b"This is a test, this is only a test", path.read_bytes(), KEY.verify_key, "unittest")
