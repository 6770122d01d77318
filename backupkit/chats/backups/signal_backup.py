"""Signal's own backup on Android, opened with the passphrase of 30 digits that the app showed to its owner.

It is a stream of frames, each sealed and authenticated by itself: statements that build the database, and attachments. Every
MAC is compared. Where one is wrong, or where the frame that ends a backup is missing, what came before is kept and the
rest is told: nothing behind a damage can be trusted to be in its place.
"""

import hashlib
import hmac
import re
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import BinaryIO

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from backupkit.chats.databases.nameless import nameless_database
from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.model import Locator
from backupkit.chats.records.protobuf import all_fields, bytes_fields

ROUNDS = 250_000
MAX_FRAME_BYTES = 64 * 2**20
_MAC = 10
_BLOCK = 1 << 20
# The tables that a reader needs; everything else, indexes and triggers too, is left out.
_WANTED = {"message", "mms", "sms", "thread", "recipient", "groups", "attachment", "part", "reaction"}
_STATEMENT = re.compile(
    r"\s*(?:create table(?: if not exists)?|insert (?:or \w+ )?into)\s+[\"'`\[]?(\w+)", re.IGNORECASE
)
_HEADER, _STATEMENT_FIELD, _ATTACHMENT, _END, _AVATAR, _STICKER = 1, 2, 4, 6, 7, 8


def is_signal_backup(head: bytes) -> bool:
    """Say whether a file that begins so is such a backup."""
    return _header(head) is not None


def open_signal_backup(
    stream: BinaryIO, passphrase: bytes, stack: ExitStack, locator: Locator
) -> tuple[BinaryIO, MalformedExport | None]:
    """Build the database that a backup holds, in a file without a name. Returns it, and the damage that ended it; what came before is there.

    Raises:
        MalformedExport: nothing can be opened: another passphrase, or damage in the very first frame.
    """
    first = stream.read(4)
    head = first + stream.read(min(int.from_bytes(first, "big"), 4096))
    header = _header(head)
    if header is None:
        raise MalformedExport(locator, "backup-header-broken")
    frames = _Frames(stream, passphrase, header, locator)
    database, file = nameless_database(stack)
    database.execute("pragma synchronous = off")
    database.execute("pragma journal_mode = off")
    failure: MalformedExport | None = None
    try:
        _build(database, frames)
    except MalformedExport as error:
        if not frames.opened:
            raise
        failure = error
    database.commit()
    return file, failure


def _header(head: bytes) -> tuple[bytes, bytes, int] | None:
    """Return the vector, the salt and the version of the form."""
    length = int.from_bytes(head[:4], "big")
    if not 40 <= length <= 256 or len(head) < 4 + length:
        return None
    fields = dict(all_fields(dict(bytes_fields(head[4 : 4 + length])).get(_HEADER, b"")))
    vector, salt, version = fields.get(1), fields.get(2), fields.get(3, 0)
    if not isinstance(vector, bytes) or not isinstance(salt, bytes) or not isinstance(version, int):
        return None
    return (vector, salt, version) if len(vector) == 16 and len(salt) == 32 else None


class _Frames:
    """The frames of a backup, opened one after the other."""

    def __init__(self, stream: BinaryIO, passphrase: bytes, header: tuple[bytes, bytes, int], locator: Locator) -> None:
        self._stream, self._locator = stream, locator
        vector, salt, self._version = header
        self._cipher_key, self._mac_key = _keys(passphrase, salt)
        self._counter, self._tail = int.from_bytes(vector[:4], "big"), vector[4:]
        self.opened = 0

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Tell the kind and the content of each frame, up to the one that ends the backup."""
        while True:
            frame = dict(all_fields(self._next()))
            self.opened += 1
            if _END in frame:
                return
            for kind, content in frame.items():
                if not isinstance(content, bytes):
                    continue
                yield kind, content
                size_field = {_ATTACHMENT: 3, _AVATAR: 2, _STICKER: 2}.get(kind)
                if size_field is not None:
                    length = dict(all_fields(content)).get(size_field, 0)
                    self._pass_over(length if isinstance(length, int) else 0)

    def _vector(self) -> bytes:
        vector = (self._counter & 0xFFFFFFFF).to_bytes(4, "big") + self._tail
        self._counter += 1
        return vector

    def _next(self) -> bytes:
        cipher = Cipher(algorithms.AES(self._cipher_key), modes.CTR(self._vector())).decryptor()
        mac = hmac.new(self._mac_key, digestmod="sha256")
        sealed_length = self._read(4)
        if self._version >= 1:
            mac.update(sealed_length)
            sealed_length = cipher.update(sealed_length)
        length = int.from_bytes(sealed_length, "big")
        if not _MAC < length <= MAX_FRAME_BYTES:
            # With another passphrase the length is noise, which is met here more often than at the MAC.
            raise MalformedExport(self._locator, self._reason())
        sealed = self._read(length)
        mac.update(sealed[:-_MAC])
        if not hmac.compare_digest(mac.digest()[:_MAC], sealed[-_MAC:]):
            raise MalformedExport(self._locator, self._reason())
        return cipher.update(sealed[:-_MAC])

    def _reason(self) -> str:
        return "backup-damaged" if self.opened else "key-is-another"

    def _pass_over(self, size_bytes: int) -> None:
        """Read an attachment only to compare its MAC."""
        mac = hmac.new(self._mac_key, self._vector(), "sha256")
        while size_bytes > 0:
            block = self._read(min(size_bytes, _BLOCK))
            mac.update(block)
            size_bytes -= len(block)
        if not hmac.compare_digest(mac.digest()[:_MAC], self._read(_MAC)):
            raise MalformedExport(self._locator, "backup-damaged")

    def _read(self, size_bytes: int) -> bytes:
        data = self._stream.read(size_bytes)
        if len(data) < size_bytes:
            raise TruncatedExport(self._locator, "backup-cut")
        return data


def _keys(passphrase: bytes, salt: bytes) -> tuple[bytes, bytes]:
    """Derive the keys of cipher and MAC: rounds of SHA-512, then HKDF with SHA-256 and Signal's own label."""
    state = hashlib.sha512(salt + passphrase + passphrase).digest()
    for _round in range(ROUNDS - 1):
        state = hashlib.sha512(state + passphrase).digest()
    secret = hmac.digest(bytes(32), state[:32], "sha256")
    first = hmac.digest(secret, b"Backup Export\x01", "sha256")
    return first, hmac.digest(secret, first + b"Backup Export\x02", "sha256")


def _build(database: sqlite3.Connection, frames: _Frames) -> None:
    database.execute("create table backupkit_attachment (row_id integer, length integer)")
    for kind, content in frames:
        if kind == _ATTACHMENT:
            fields = dict(all_fields(content))
            database.execute(
                "insert into backupkit_attachment values (?, ?)", (_signed(fields.get(1)), _signed(fields.get(3)))
            )
        elif kind == _STATEMENT_FIELD:
            statement, values = _statement(content)
            found = _STATEMENT.match(statement)
            if found is not None and found[1].lower() in _WANTED:
                # One row that does not fit costs itself.
                with suppress(sqlite3.Error, OverflowError):
                    database.execute(statement, values)


def _statement(content: bytes) -> tuple[str, list[object]]:
    text, values = "", []
    for number, value in all_fields(content):
        if number == 1 and isinstance(value, bytes):
            text = value.decode("utf-8", "replace")
        elif number == 2 and isinstance(value, bytes):
            values.append(_parameter(value))
    return text, values


def _parameter(data: bytes) -> object:
    for number, value in all_fields(data):
        if number == 1 and isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        if number == 2 and isinstance(value, int):
            return _signed(value)
        if number == 3 and isinstance(value, int):
            return struct.unpack("<d", value.to_bytes(8, "little"))[0]
        if number == 4 and isinstance(value, bytes):
            return value
    return None


def _signed(value: object) -> int:
    number = value if isinstance(value, int) else 0
    return number - (1 << 64) if number >= 1 << 63 else number
