import base64
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from backupkit.codec.malformed import MalformedObject
from backupkit.crypto.failures import SignatureInvalid
from backupkit.crypto.signing import SigningKey
from backupkit.proof.checkpoint import (
    Checkpoint,
    claimed_checkpoint,
    parse_checkpoint,
    parse_size,
    sign_checkpoint,
    verify_checkpoint,
)
from backupkit.proof.merkle import EMPTY_ROOT
from backupkit.proof.note import sign_note
from backupkit.proof.pem import public_pem, read_public_pem

KEY = SigningKey(b"\x01" * 32)
ORIGIN = "backupkit.local/store/abc"
HEAD = Checkpoint(ORIGIN, 1834, b"\x2a" * 32)
ROOT = base64.b64encode(HEAD.root).decode()


def test_a_signed_head_is_read_back() -> None:
    signed = sign_checkpoint(HEAD, KEY)

    assert verify_checkpoint(signed, ORIGIN, KEY.verify_key) == HEAD == claimed_checkpoint(signed)
    assert signed.decode().splitlines()[:4] == [ORIGIN, "1834", ROOT, ""]


def test_a_head_signed_by_another_key_is_refused() -> None:
    with pytest.raises(SignatureInvalid):
        verify_checkpoint(sign_checkpoint(HEAD, KEY), ORIGIN, SigningKey(b"\x02" * 32).verify_key)


def test_a_head_of_another_log_under_our_key_name_is_refused() -> None:
    confused = sign_note(Checkpoint("backupkit.local/store/other", 1, b"\x2a" * 32).text(), ORIGIN, KEY)

    with pytest.raises(MalformedObject):
        verify_checkpoint(confused, ORIGIN, KEY.verify_key)


def test_extension_lines_of_others_are_read_over() -> None:
    signed = sign_note(HEAD.text() + "extension\n", ORIGIN, KEY)

    assert verify_checkpoint(signed, ORIGIN, KEY.verify_key) == HEAD


@pytest.mark.parametrize("decimal", ["", "01", "00", "-1", "+1", "1_0", " 1", "1 ", "0x1", "１", "9" * 17, str(2**53)])
def test_a_size_has_one_spelling(decimal: str) -> None:
    with pytest.raises(MalformedObject):
        parse_size(decimal)


@pytest.mark.parametrize("size", [0, 1, 10, 2**53 - 1])
def test_sizes_are_plain_decimal_numbers(size: int) -> None:
    assert parse_size(str(size)) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{ORIGIN}\n1\n",
        f"{ORIGIN}\n1\n{ROOT}",
        f"\n1\n{ROOT}\n",
        f"two words\n1\n{ROOT}\n",
        f"{ORIGIN}\n1\n{ROOT}\n\nextension\n",
        f"{ORIGIN}\n1\nAAAA\n",
        f"{ORIGIN}\n1\n{ROOT[:-1]}\n",
        f"{ORIGIN}\n0\n{ROOT}\n",
    ],
)
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(MalformedObject):
        parse_checkpoint(text)


def test_the_head_of_an_empty_log_has_the_empty_root() -> None:
    empty = Checkpoint(ORIGIN, 0, EMPTY_ROOT)

    assert parse_checkpoint(empty.text()) == empty


@pytest.mark.corpus
def test_a_checkpoint_made_with_openssl_is_accepted(corpus: Path) -> None:
    made = corpus / "trust/local-made"
    key = read_public_pem((made / "pub.pem").read_text())

    head = verify_checkpoint((made / "checkpoint").read_bytes(), "backupkit.example/store/3f9a", key)

    assert head.size == 1834
    assert head.text().encode() == (made / "checkpoint.body").read_bytes()


def test_openssl_accepts_the_signature_of_a_head(system_tool: Callable[[str], str], tmp_path: Path) -> None:
    openssl = system_tool("openssl")
    body, _, line = sign_checkpoint(HEAD, KEY).decode().rpartition("\n\n")
    (tmp_path / "body").write_text(body + "\n")
    (tmp_path / "sig").write_bytes(base64.b64decode(line.split()[-1])[4:])
    (tmp_path / "key.pem").write_text(public_pem(KEY.verify_key))
    command = [openssl, "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "body", "-sigfile", "sig"]

    accepted = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    (tmp_path / "body").write_text(body + "x\n")
    refused = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)

    assert accepted.returncode == 0, accepted.stderr
    assert refused.returncode != 0
