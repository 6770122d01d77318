"""WhatsApp's own backup, opened with the 64-digit key that the app showed to its owner.

Nothing here looks for a key. The file's checksum is compared without one, and what was opened counts only when its
authentication tag is right: peers end with success on a wrong tag and on a cut file.
"""

import hashlib
import hmac
import zlib
from collections.abc import Iterator
from typing import IO, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.model import Locator
from backupkit.chats.records.protobuf import bytes_fields, varint

_BLOCK = 1 << 20
_TAG = 16
_CHECKSUM = 16
MAX_HEADER_BYTES = 1024
MAX_SWELLING = 200
FREE_BYTES = 64 * 2**20


def is_crypt15(head: bytes) -> bool:
    """Say whether a file that begins so is such a backup."""
    try:
        header, _vector = _parsed(head, Locator(""))
    except MalformedExport:
        return False
    # The kind of key, which stands first, is the one that owners have themselves.
    return b"\x08\x01" in header[:5]


def crypt15_fits(head: bytes, key: bytes) -> bool:
    """Say whether a backup that begins so is this key's, by the first bytes of what it holds."""
    try:
        header, vector = _parsed(head, Locator(""))
    except MalformedExport:
        return False
    opener = Cipher(algorithms.AES(_derived(key)), modes.GCM(vector)).decryptor()
    try:
        begin = zlib.decompressobj().decompress(opener.update(head[len(header) :]), 64)
    except zlib.error:
        return False
    return begin.startswith((b"SQLite format 3\0", b"PK"))


def open_crypt15(stream: BinaryIO, size_bytes: int, key: bytes, out: IO[bytes], locator: Locator) -> None:
    """Write the database that a backup holds.

    Raises:
        TruncatedExport: the file ends too early.
        MalformedExport: it is damaged, or the key is not its key.
    """
    first = stream.read(MAX_HEADER_BYTES)
    header, vector = _parsed(first, locator)
    rest = _Rest(first[len(header) :], stream)
    sealed_bytes = size_bytes - len(header) - _TAG - _CHECKSUM
    if sealed_bytes <= 0:
        raise TruncatedExport(locator, "backup-cut")
    opener = Cipher(algorithms.AES(_derived(key)), modes.GCM(vector)).decryptor()
    digest = hashlib.md5(header, usedforsecurity=False)
    inflating = _Inflating(out, sealed_bytes, locator)
    failure: MalformedExport | None = None
    for block in _blocks(rest, sealed_bytes, locator):
        digest.update(block)
        # A wrong key makes noise: what it inflates to is nothing yet, and the tag will say so.
        opened = opener.update(block)
        if failure is None:
            try:
                inflating.take(opened)
            except MalformedExport as error:
                failure = error
    tag, checksum = rest.read(_TAG), rest.read(_CHECKSUM)
    digest.update(tag)
    is_whole = hmac.compare_digest(digest.digest(), checksum)
    try:
        opener.finalize_with_tag(tag)
    except (InvalidTag, ValueError) as error:
        # The checksum needs no key: where it is right, the file is as the app wrote it, and the key is another one.
        raise MalformedExport(locator, "key-is-another" if is_whole else "backup-damaged") from error
    if failure is not None:
        raise failure
    inflating.finish()


def _parsed(head: bytes, locator: Locator) -> tuple[bytes, bytes]:
    length, at = varint(head, 0)
    if length is None or length > 512:
        raise MalformedExport(locator, "backup-header-broken")
    if head[at : at + 2] == b"\x01\x08":
        at += 1
    body = head[at : at + length]
    fields = dict(bytes_fields(body))
    vector = dict(bytes_fields(fields.get(3, b""))).get(1, b"")
    if len(body) < length or len(vector) != 16:
        raise MalformedExport(locator, "backup-header-broken")
    return head[: at + length], vector


class _Rest:
    """What lies behind the header, of which some was read with it."""

    def __init__(self, begun: bytes, stream: BinaryIO) -> None:
        self._begun, self._stream = begun, stream

    def read(self, size_bytes: int) -> bytes:
        given, self._begun = self._begun[:size_bytes], self._begun[size_bytes:]
        return given if len(given) == size_bytes else given + self._stream.read(size_bytes - len(given))


def _derived(key: bytes) -> bytes:
    """Derive the key of the cipher: HKDF with SHA-256, no salt, and WhatsApp's own label."""
    secret = hmac.digest(bytes(32), key, "sha256")
    return hmac.digest(secret, b"backup encryption\x01", "sha256")


def _blocks(stream: "_Rest", size_bytes: int, locator: Locator) -> Iterator[bytes]:
    while size_bytes:
        block = stream.read(min(_BLOCK, size_bytes))
        if not block:
            raise TruncatedExport(locator, "backup-cut")
        size_bytes -= len(block)
        yield block


class _Inflating:
    """Writes what a zlib stream holds, within bounds."""

    def __init__(self, out: IO[bytes], sealed_bytes: int, locator: Locator) -> None:
        self._out, self._locator = out, locator
        self._left = FREE_BYTES + MAX_SWELLING * sealed_bytes
        self._zlib = zlib.decompressobj()

    def take(self, data: bytes) -> None:
        while data:
            try:
                plain = self._zlib.decompress(data, _BLOCK)
            except zlib.error as error:
                raise MalformedExport(self._locator, "backup-content-unknown") from error
            self._left -= len(plain)
            if self._left < 0:
                raise MalformedExport(self._locator, "backup-swells")
            self._out.write(plain)
            data = self._zlib.unconsumed_tail

    def finish(self) -> None:
        if not self._zlib.eof:
            raise TruncatedExport(self._locator, "backup-cut")
