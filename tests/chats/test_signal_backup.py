"""Signal's sealed backups, opened with their owner's own passphrase."""

import hashlib
import hmac
import random
import struct
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from backupkit.chats.model import DeletionState, Direction, MediaState, Message, MessageKind
from backupkit.chats.opened_backups import read_key
from backupkit.chats.readers.signal_android_db import SignalAndroidDatabase
from backupkit.chats.source import open_source
from backupkit.chats.summary import ChatSummary, summarise

PASSPHRASE = b"123456789012345678901234567890"
VECTOR, SALT = bytes(range(16)), bytes(range(50, 82))


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backupkit.chats.signal_backup.ROUNDS", 50)


def varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def chunk(field: int, data: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(data)) + data


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value & (2**64 - 1))


def statement(sql: str, *values: object) -> bytes:
    data = chunk(1, sql.encode())
    for value in values:
        if isinstance(value, str):
            data += chunk(2, chunk(1, value.encode()))
        elif isinstance(value, int):
            data += chunk(2, number(2, value))
        elif isinstance(value, float):
            data += chunk(2, varint(3 << 3 | 1) + struct.pack("<d", value))
        else:
            data += chunk(2, number(5, 1))
    return chunk(2, data)


class Sealing:
    """Writes a backup as Signal does."""

    def __init__(self, version: int, passphrase: bytes = PASSPHRASE) -> None:
        state = passphrase
        for place in range(50):
            state = hashlib.sha512((SALT if place == 0 else b"") + state + passphrase).digest()
        secret = hmac.new(bytes(32), state[:32], "sha256").digest()
        self.cipher_key = hmac.new(secret, b"Backup Export\x01", "sha256").digest()
        self.mac_key = hmac.new(secret, self.cipher_key + b"Backup Export\x02", "sha256").digest()
        self.counter, self.version = int.from_bytes(VECTOR[:4], "big"), version
        header = chunk(1, chunk(1, VECTOR) + chunk(2, SALT) + (number(3, version) if version else b""))
        self.data = len(header).to_bytes(4, "big") + header

    def vector(self) -> bytes:
        self.counter += 1
        return (self.counter - 1).to_bytes(4, "big") + VECTOR[4:]

    def frame(self, plain: bytes) -> None:
        cipher = Cipher(algorithms.AES(self.cipher_key), modes.CTR(self.vector())).encryptor()
        length = (len(plain) + 10).to_bytes(4, "big")
        length = cipher.update(length) if self.version else length
        sealed = cipher.update(plain)
        mac = hmac.new(self.mac_key, (length if self.version else b"") + sealed, "sha256").digest()[:10]
        self.data += length + sealed + mac

    def attachment(self, row: int, content: bytes) -> None:
        self.frame(chunk(4, number(1, row) + number(2, 5) + number(3, len(content))))
        vector = self.vector()
        sealed = Cipher(algorithms.AES(self.cipher_key), modes.CTR(vector)).encryptor().update(content)
        self.data += sealed + hmac.new(self.mac_key, vector + sealed, "sha256").digest()[:10]


def backup(version: int = 1, *, messages: int = 12, is_ended: bool = True) -> bytes:
    sealing = Sealing(version)
    for sql in (
        "CREATE TABLE recipient (_id INTEGER PRIMARY KEY, e164 TEXT, profile_joined_name TEXT, score REAL)",
        "CREATE TABLE thread (_id INTEGER PRIMARY KEY, recipient_id INTEGER)",
        (
            "CREATE TABLE message (_id INTEGER PRIMARY KEY, date_sent INTEGER, date_received INTEGER, thread_id INTEGER, from_recipient_id INTEGER,"
            " type INTEGER, body TEXT, remote_deleted INTEGER)"
        ),
        "CREATE TABLE attachment (_id INTEGER PRIMARY KEY, message_id INTEGER, content_type TEXT, file_name TEXT)",
        "CREATE TRIGGER t AFTER INSERT ON message BEGIN DELETE FROM message; END",
        "CREATE VIRTUAL TABLE message_fts USING fts5(body)",
    ):
        sealing.frame(statement(sql))
    sealing.frame(statement("INSERT INTO recipient VALUES (?,?,?,?)", 2, "+49", "Ada", 1.5))
    sealing.frame(statement("INSERT INTO thread VALUES (?,?)", 7, 2))
    for place in range(1, messages + 1):
        row = (
            place,
            1700000000000 + place,
            0,
            7,
            2 if place % 2 else 1,
            20 if place % 2 else 23,
            f"said {place}",
            int(place == 3),
        )
        sealing.frame(statement("INSERT INTO message VALUES (?,?,?,?,?,?,?,?)", *row))
    for place in (1, 2):
        sealing.frame(statement("INSERT INTO attachment VALUES (?,?,?,?)", place, 5, "image/jpeg", None))
    sealing.attachment(1, b"picture" * 1000)
    if is_ended:
        sealing.frame(number(6, 1))
    return sealing.data


def opened(path: Path, key: bytes = PASSPHRASE) -> ChatSummary:
    summary = summarise(path, key=key)
    assert summary is not None
    return summary


@pytest.mark.parametrize("version", [0, 1])
def test_with_the_owners_passphrase_the_messages_are_counted(tmp_path: Path, version: int) -> None:
    path = tmp_path / "signal.backup"
    path.write_bytes(backup(version))

    summary = opened(path)
    with open_source(path, key=PASSPHRASE) as source:
        reader = SignalAndroidDatabase()
        told = list(reader.read(source, reader.recognise(source)))
    messages = {one.native_seq: one for one in told if isinstance(one, Message)}

    assert (summary.format, summary.messages, summary.conversations, summary.findings) == (
        "signal-android-db",
        12,
        1,
        (),
    )
    assert summary.by_conversation[0].title == "Ada"
    assert (messages[1].sender_name, messages[1].direction, messages[2].direction) == (
        "Ada",
        Direction.IN,
        Direction.OUT,
    )
    assert (messages[3].deletion, messages[3].kind) == (DeletionState.RECALLED, MessageKind.RECALL)
    assert [one.state for one in messages[5].media] == [MediaState.PRESENT, MediaState.MISSING]


def test_a_backup_without_its_last_frame_gives_what_came_before(tmp_path: Path) -> None:
    path = tmp_path / "signal.backup"
    path.write_bytes(backup(is_ended=False))

    assert [(one.code, one.facts["reason"]) for one in opened(path).findings] == [("export-cut", "backup-cut")]
    assert opened(path).messages == 12


def test_a_damaged_frame_ends_the_reading_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "signal.backup"
    data = bytearray(backup(messages=40))
    data[len(data) * 4 // 10] ^= 1
    path.write_bytes(bytes(data))

    summary = opened(path)

    assert summary.messages is not None
    assert 0 < summary.messages < 40
    assert [one.facts["reason"] for one in summary.findings] == ["backup-damaged"]


def test_another_passphrase_leaves_it_sealed(tmp_path: Path) -> None:
    path = tmp_path / "signal.backup"
    path.write_bytes(backup())

    summary = opened(path, b"0" * 30)

    assert (summary.format, summary.messages, summary.is_damaged) == ("signal-backup", None, True)
    assert "key-is-another" in {one.facts.get("reason") for one in summary.findings}


def test_the_rounds_are_those_that_signal_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    from backupkit.chats import signal_backup

    monkeypatch.undo()

    assert signal_backup.ROUNDS == 250_000


def test_noise_is_never_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "signal.backup"
    whole = backup()
    for seed in range(40):
        dice = random.Random(seed)
        data = bytearray(whole[: dice.randrange(len(whole))] if seed % 2 else whole)
        at = dice.randrange(len(data) or 1)
        data[at : at + dice.randrange(1, 5)] = dice.randbytes(dice.randrange(5))
        path.write_bytes(bytes(data))

        summarise(path, key=PASSPHRASE)


def test_the_digits_may_be_grouped_as_the_app_shows_them() -> None:
    assert read_key(b"12345 67890 12345\n67890 12345 67890\n") == PASSPHRASE
