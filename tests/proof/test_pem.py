import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.signing import SigningKey
from backupkit.proof.pem import public_pem, public_ssh, read_public_pem

KEY = SigningKey(b"\x03" * 32).verify_key


def test_a_public_key_survives_pem() -> None:
    assert read_public_pem(public_pem(KEY)) == KEY


@pytest.mark.parametrize(
    "text",
    [
        "",
        public_pem(KEY).replace("PUBLIC", "PRIVATE"),
        public_pem(KEY).replace("MCow", "MCox"),
        public_pem(KEY).replace("MCow", "M ow"),
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    ],
)
def test_what_is_no_ed25519_public_key_is_refused(text: str) -> None:
    with pytest.raises(MalformedObject):
        read_public_pem(text)


def test_openssl_reads_the_pem_and_writes_the_same(system_tool: Callable[[str], str]) -> None:
    openssl = system_tool("openssl")

    again = subprocess.run(
        [openssl, "pkey", "-pubin", "-pubout"], input=public_pem(KEY), capture_output=True, text=True, check=True
    )

    assert again.stdout == public_pem(KEY)


def test_ssh_keygen_reads_the_key_line(system_tool: Callable[[str], str], tmp_path: Path) -> None:
    ssh_keygen = system_tool("ssh-keygen")
    (tmp_path / "key.pub").write_text(public_ssh(KEY) + "\n")

    shown = subprocess.run([ssh_keygen, "-lf", tmp_path / "key.pub"], capture_output=True, text=True, check=True)

    assert "(ED25519)" in shown.stdout
