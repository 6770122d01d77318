"""WhatsApp's sealed backups, opened with their owner's own key."""

import hashlib
import hmac
import random
import zipfile
import zlib
from pathlib import Path

import pytest
from chat_factory import write_chat_database
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backupkit.chats.opened_backups import ExportKeyWrong, read_key
from backupkit.chats.summary import ChatSummary, summarise

KEY = bytes(range(32))
VECTOR = bytes(range(100, 116))


def seal(plain: bytes, *, key: bytes = KEY) -> bytes:
    """Seal a database as WhatsApp does: a header, the sealed bytes with their tag, and a checksum of all."""
    secret = hmac.new(bytes(32), key, hashlib.sha256).digest()
    derived = hmac.new(secret, b"backup encryption\x01", hashlib.sha256).digest()
    body = b"\x08\x01" + b"\x1a\x12" + b"\x0a\x10" + VECTOR + b"\x22\x04" + b"\x0a\x02hi"
    data = bytes([len(body)]) + b"\x01" + body + AESGCM(derived).encrypt(VECTOR, zlib.compress(plain), None)
    return data + hashlib.md5(data, usedforsecurity=False).digest()


def sealed_file(tmp_path: Path) -> Path:
    plain = write_chat_database(tmp_path / "made" / "x.db", messages=120).path.read_bytes()
    path = tmp_path / "msgstore.db.crypt15"
    path.write_bytes(seal(plain))
    return path


def opened(path: Path, key: bytes = KEY) -> ChatSummary:
    summary = summarise(path, key=key)
    assert summary is not None
    return summary


def test_with_the_owners_key_the_messages_are_counted(tmp_path: Path) -> None:
    path = sealed_file(tmp_path)
    before = path.read_bytes()

    summary = opened(path)

    assert (summary.format, summary.messages, summary.sealed, summary.findings) == (
        "whatsapp-android-db",
        120,
        False,
        (),
    )
    assert path.read_bytes() == before


def test_a_sealed_backup_inside_an_archive_is_opened_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "phone.zip", "w") as archive:
        archive.write(sealed_file(tmp_path), "Databases/msgstore.db.crypt15")

    assert opened(tmp_path / "phone.zip").messages == 120


def reason_of(summary: ChatSummary) -> object:
    assert (summary.format, summary.sealed, summary.messages, summary.is_damaged) == (
        "whatsapp-crypt15",
        True,
        None,
        True,
    )
    return next(finding.facts["reason"] for finding in summary.findings if finding.code == "sealed-not-opened")


def test_another_key_and_a_damaged_file_are_told_apart(tmp_path: Path) -> None:
    path = sealed_file(tmp_path)
    data = bytearray(path.read_bytes())

    assert reason_of(opened(path, bytes(32))) == "key-is-another"

    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    assert reason_of(opened(path)) == "backup-damaged"


@pytest.mark.parametrize("share", [0.2, 0.9, 0.9999])
def test_a_cut_file_is_never_taken_for_a_whole_one(tmp_path: Path, share: float) -> None:
    path = sealed_file(tmp_path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    assert reason_of(opened(path)) == "backup-damaged"


def test_what_swells_beyond_measure_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backupkit.chats.whatsapp_crypt15.FREE_BYTES", 0)
    path = tmp_path / "msgstore.db.crypt15"
    path.write_bytes(seal(bytes(4_000_000)))

    assert reason_of(opened(path)) == "backup-swells"


def test_noise_is_never_a_traceback(tmp_path: Path) -> None:
    path = sealed_file(tmp_path)
    whole = path.read_bytes()
    for seed in range(40):
        dice = random.Random(seed)
        data = bytearray(whole[: dice.randrange(len(whole))] if seed % 2 else whole)
        at = dice.randrange(60)
        data[at : at + dice.randrange(1, 5)] = dice.randbytes(dice.randrange(5))
        path.write_bytes(bytes(data))

        summarise(path, key=KEY)


@pytest.mark.parametrize("text", [b"", b"12345", b"zz" * 32, b"0" * 63, b"0" * 65])
def test_a_key_file_without_a_key_is_one_typed_error(text: bytes) -> None:
    with pytest.raises(ExportKeyWrong):
        read_key(text)


def test_the_digits_may_be_grouped_as_the_app_shows_them() -> None:
    digits = KEY.hex()

    assert read_key(" \n".join(digits[at : at + 4] for at in range(0, 64, 4)).encode()) == KEY
