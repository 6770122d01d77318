"""Sealed backups as apps and computers write them, made from the published formats for tests. Keys are invented."""

import hashlib
import hmac
import plistlib
import random
import sqlite3
import struct
import tempfile
import zlib
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

WHATSAPP_KEY = bytes(range(32))
SIGNAL_PASSPHRASE = b"123456789012345678901234567890"
IPHONE_PASSWORD = "mot de passe à moi".encode()
_WHATSAPP_VECTOR = bytes(range(100, 116))
_SIGNAL_VECTOR, _SIGNAL_SALT = bytes(range(16)), bytes(range(50, 82))


def seal_whatsapp(plain: bytes, *, key: bytes = WHATSAPP_KEY) -> bytes:
    """Seal a database as WhatsApp does: a header, the sealed bytes with their tag, and a checksum of all."""
    secret = hmac.new(bytes(32), key, hashlib.sha256).digest()
    derived = hmac.new(secret, b"backup encryption\x01", hashlib.sha256).digest()
    body = b"\x08\x01" + b"\x1a\x12" + b"\x0a\x10" + _WHATSAPP_VECTOR + b"\x22\x04" + b"\x0a\x02hi"
    data = bytes([len(body)]) + b"\x01" + body + AESGCM(derived).encrypt(_WHATSAPP_VECTOR, zlib.compress(plain), None)
    return data + hashlib.md5(data, usedforsecurity=False).digest()


def _varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def _chunk(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value & (2**64 - 1))


def _statement(sql: str, *values: object) -> bytes:
    data = _chunk(1, sql.encode())
    for value in values:
        if isinstance(value, str):
            data += _chunk(2, _chunk(1, value.encode()))
        elif isinstance(value, int):
            data += _chunk(2, _number(2, value))
        elif isinstance(value, float):
            data += _chunk(2, _varint(3 << 3 | 1) + struct.pack("<d", value))
        else:
            data += _chunk(2, _number(5, 1))
    return _chunk(2, data)


class _SignalSealing:
    """Writes a backup as Signal does."""

    def __init__(self, version: int, passphrase: bytes, rounds: int) -> None:
        state = passphrase
        for place in range(rounds):
            state = hashlib.sha512((_SIGNAL_SALT if place == 0 else b"") + state + passphrase).digest()
        secret = hmac.new(bytes(32), state[:32], "sha256").digest()
        self.cipher_key = hmac.new(secret, b"Backup Export\x01", "sha256").digest()
        self.mac_key = hmac.new(secret, self.cipher_key + b"Backup Export\x02", "sha256").digest()
        self.counter, self.version = int.from_bytes(_SIGNAL_VECTOR[:4], "big"), version
        header = _chunk(
            1, _chunk(1, _SIGNAL_VECTOR) + _chunk(2, _SIGNAL_SALT) + (_number(3, version) if version else b"")
        )
        self.data = len(header).to_bytes(4, "big") + header

    def vector(self) -> bytes:
        self.counter += 1
        return (self.counter - 1).to_bytes(4, "big") + _SIGNAL_VECTOR[4:]

    def frame(self, plain: bytes) -> None:
        cipher = Cipher(algorithms.AES(self.cipher_key), modes.CTR(self.vector())).encryptor()
        length = (len(plain) + 10).to_bytes(4, "big")
        length = cipher.update(length) if self.version else length
        sealed = cipher.update(plain)
        mac = hmac.new(self.mac_key, (length if self.version else b"") + sealed, "sha256").digest()[:10]
        self.data += length + sealed + mac

    def attachment(self, row: int, content: bytes) -> None:
        self.frame(_chunk(4, _number(1, row) + _number(2, 5) + _number(3, len(content))))
        vector = self.vector()
        sealed = Cipher(algorithms.AES(self.cipher_key), modes.CTR(vector)).encryptor().update(content)
        self.data += sealed + hmac.new(self.mac_key, vector + sealed, "sha256").digest()[:10]


def seal_signal(
    version: int = 1,
    *,
    messages: int = 12,
    is_ended: bool = True,
    rounds: int = 250_000,
    key: bytes = SIGNAL_PASSPHRASE,
) -> bytes:
    """Write a backup of one conversation as Signal does."""
    sealing = _SignalSealing(version, key, rounds)
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
        sealing.frame(_statement(sql))
    sealing.frame(_statement("INSERT INTO recipient VALUES (?,?,?,?)", 2, "+49", "Ada", 1.5))
    sealing.frame(_statement("INSERT INTO thread VALUES (?,?)", 7, 2))
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
        sealing.frame(_statement("INSERT INTO message VALUES (?,?,?,?,?,?,?,?)", *row))
    for place in (1, 2):
        sealing.frame(_statement("INSERT INTO attachment VALUES (?,?,?,?)", place, 5, "image/jpeg", None))
    sealing.attachment(1, b"picture" * 1000)
    if is_ended:
        sealing.frame(_number(6, 1))
    return sealing.data


class _Keybag:
    """The keys of an encrypted iPhone backup, wrapped as the phone wraps them."""

    def __init__(self, password: bytes, rounds: tuple[int, int], dice: random.Random) -> None:
        salts = dice.randbytes(20), dice.randbytes(20)
        first = hashlib.pbkdf2_hmac("sha256", password, salts[0], rounds[0], 32)
        self.key = hashlib.pbkdf2_hmac("sha1", first, salts[1], rounds[1], 32)
        self.classes = {number: dice.randbytes(32) for number in (3, 4)}
        self.data = b"".join((
            _tagged(b"VERS", 5), _tagged(b"TYPE", 1), _tagged(b"UUID", dice.randbytes(16)), _tagged(b"HMCK", bytes(40)),
            _tagged(b"WRAP", 1), _tagged(b"SALT", salts[1]), _tagged(b"ITER", rounds[1]), _tagged(b"DPWT", 1),
            _tagged(b"DPIC", rounds[0]), _tagged(b"DPSL", salts[0]),
        ))  # fmt: skip
        for number, key in self.classes.items():
            self.data += _tagged(b"UUID", dice.randbytes(16)) + _tagged(b"CLAS", number) + _tagged(b"WRAP", 2)
            self.data += _tagged(b"KTYP", 0) + _tagged(b"WPKY", aes_key_wrap(self.key, key))
        # A key that belongs to the device alone: no password opens it.
        self.data += _tagged(b"UUID", dice.randbytes(16)) + _tagged(b"CLAS", 11) + _tagged(b"WRAP", 1)
        self.data += _tagged(b"KTYP", 0) + _tagged(b"WPKY", dice.randbytes(40))


def _tagged(tag: bytes, value: int | bytes) -> bytes:
    data = value.to_bytes(4, "big") if isinstance(value, int) else value
    return tag + len(data).to_bytes(4, "big") + data


def _cbc(key: bytes, plain: bytes) -> bytes:
    padding = 16 - len(plain) % 16
    return Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor().update(plain + bytes([padding]) * padding)


def seal_iphone(
    folder: Path,
    files: Mapping[tuple[str, str], bytes],
    *,
    password: bytes = IPHONE_PASSWORD,
    rounds: tuple[int, int] = (50, 5),
    shrunk: int = 0,
) -> Path:
    """Write an encrypted backup as a computer makes it. `shrunk`: the manifest takes each file for that much shorter."""
    dice = random.Random(7)
    bag = _Keybag(password, rounds, dice)
    folder.mkdir(parents=True)
    rows = []
    for (domain, path), data in files.items():
        file_id = hashlib.sha1(f"{domain}-{path}".encode(), usedforsecurity=False).hexdigest()
        stored = folder / file_id[:2] / file_id
        stored.parent.mkdir(exist_ok=True)
        key, number = dice.randbytes(32), 4 if len(path) % 2 else 3
        stored.write_bytes(_cbc(key, data))
        held = {
            "NS.data": number.to_bytes(4, "little") + aes_key_wrap(bag.classes[number], key),
            "$class": plistlib.UID(4),
        }
        about = {
            "$class": plistlib.UID(5), "Size": len(data) - shrunk, "ProtectionClass": number, "Mode": 33188,
            "RelativePath": plistlib.UID(2), "EncryptionKey": plistlib.UID(3),
        }  # fmt: skip
        record = {
            "$version": 100000, "$archiver": "NSKeyedArchiver", "$top": {"root": plistlib.UID(1)},
            "$objects": [
                "$null", about, path, held, {"$classname": "NSMutableData", "$classes": []}, {"$classname": "MBFile", "$classes": []},
            ],
        }  # fmt: skip
        rows.append((file_id, domain, path, 1, plistlib.dumps(record, fmt=plistlib.FMT_BINARY)))
    with tempfile.TemporaryDirectory() as scratch:
        manifest = Path(scratch, "Manifest.db")
        with closing(sqlite3.connect(manifest)) as connection:
            connection.execute(
                "create table Files (fileID text primary key, domain text, relativePath text, flags integer, file blob)"
            )
            connection.executemany("insert into Files values (?, ?, ?, ?, ?)", rows)
            connection.commit()
        key = dice.randbytes(32)
        (folder / "Manifest.db").write_bytes(_cbc(key, manifest.read_bytes()))
    properties = {
        "IsEncrypted": True, "Version": "10.0", "BackupKeyBag": bag.data,
        "ManifestKey": (3).to_bytes(4, "little") + aes_key_wrap(bag.classes[3], key),
    }  # fmt: skip
    (folder / "Manifest.plist").write_bytes(plistlib.dumps(properties, fmt=plistlib.FMT_BINARY))
    (folder / "Status.plist").write_bytes(plistlib.dumps({"SnapshotState": "finished"}, fmt=plistlib.FMT_BINARY))
    return folder
