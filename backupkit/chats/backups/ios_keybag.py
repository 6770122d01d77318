"""The keys of an encrypted iPhone backup, unwrapped with its owner's password, and its files read through them.

A file's key is wrapped by the key of its protection class; those lie in the key bag, wrapped by what two rounds of PBKDF2 make of the
password. Format: a row of (tag, length, value), big endian; the first UUID is the bag's, each further one begins a class. A key
that unwraps is the right one, for wrapping carries its own check; the contents have none, only the padding at their end.
"""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from backupkit.chats.malformed import MalformedExport, TruncatedExport
from backupkit.chats.model import Locator

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_ROUNDS_FIRST = 20_000_000
MAX_ROUNDS_SECOND = 1_000_000
MAX_BAG_BYTES = 1 << 20
_WITH_PASSWORD = 2
_WRAPPED = 40
_BLOCK = 16
_PIECE = 1 << 16


class Stored(Protocol):
    """A file of a backup, wherever it lies."""

    @property
    def size_bytes(self) -> int:
        """Its length."""
        ...

    def open(self) -> BinaryIO:
        """Open it for reading from the start."""
        ...


class Keybag:
    """The keys of the protection classes. Made by `open_keybag`."""

    def __init__(self, classes: dict[int, bytes]) -> None:
        self._classes = classes

    def unwrap(self, wrapped: bytes, protection_class: int) -> bytes | None:
        """Return the key of a file; None where it belongs to a class that no password opens, or is damaged."""
        key = self._classes.get(protection_class)
        if key is None or len(wrapped) != _WRAPPED:
            return None
        try:
            return aes_key_unwrap(key, wrapped)
        except (InvalidUnwrap, ValueError):
            return None


def open_keybag(data: object, passwords: tuple[bytes, ...], locator: Locator) -> Keybag:
    """Unwrap the keys of a bag with the first password that does.

    Raises:
        MalformedExport: none does, or the bag is damaged or asks for more work than a phone ever does.
    """
    if not isinstance(data, bytes) or len(data) > MAX_BAG_BYTES:
        raise MalformedExport(locator, "backup-header-broken")
    about, classes = _parsed(data)
    salts = about.get(b"DPSL", b""), about.get(b"SALT", b"")
    rounds = tuple(int.from_bytes(about.get(tag, b"")[:8], "big") for tag in (b"DPIC", b"ITER"))
    if not all(salts) or not 1 <= rounds[0] <= MAX_ROUNDS_FIRST or not 1 <= rounds[1] <= MAX_ROUNDS_SECOND:
        raise MalformedExport(locator, "backup-header-broken")
    wanted = {
        int.from_bytes(one[b"CLAS"][:8], "big"): one[b"WPKY"]
        for one in classes
        if b"CLAS" in one and len(one.get(b"WPKY", b"")) == _WRAPPED
        and int.from_bytes(one.get(b"WRAP", b"")[:8], "big") & _WITH_PASSWORD
    }  # fmt: skip
    if not wanted:
        raise MalformedExport(locator, "backup-header-broken")
    for password in passwords:
        first = hashlib.pbkdf2_hmac("sha256", password, salts[0], rounds[0], 32)
        key = hashlib.pbkdf2_hmac("sha1", first, salts[1], rounds[1], 32)
        opened = dict(_unwrapped(wanted, key))
        if opened:
            return Keybag(opened)
    raise MalformedExport(locator, "key-is-another")


def _unwrapped(wanted: dict[int, bytes], key: bytes) -> Iterator[tuple[int, bytes]]:
    """Tell the classes that a key opens. One that is damaged costs its own files, not the others."""
    for number, wrapped in wanted.items():
        try:
            yield number, aes_key_unwrap(key, wrapped)
        except (InvalidUnwrap, ValueError):
            continue


def _parsed(data: bytes) -> tuple[dict[bytes, bytes], list[dict[bytes, bytes]]]:
    about: dict[bytes, bytes] = {}
    classes: list[dict[bytes, bytes]] = []
    at = 0
    while at + 8 <= len(data):
        tag, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "big")
        value = data[at + 8 : at + 8 + length]
        at += 8 + length
        if tag == b"UUID" and b"UUID" in about:
            classes.append({})
        (classes[-1] if classes else about).setdefault(tag, value)
    return about, classes


@dataclass(frozen=True, slots=True)
class DecryptedMember:
    """A file of an encrypted backup, decrypted while it is read and never written down in the clear."""

    stored: Stored
    bag: Keybag
    wrapped: bytes
    protection_class: int
    size_bytes: int
    name: str
    sealed: str

    def open(self) -> BinaryIO:
        """Open it for reading from the start.

        Raises:
            MalformedExport: its key is damaged.
        """
        key = self.bag.unwrap(self.wrapped, self.protection_class)
        if key is None:
            raise MalformedExport(Locator(self.name), "backup-damaged")
        return cast("BinaryIO", io.BufferedReader(_Decrypted(self, key), _PIECE))


def plain_size(stored: Stored, key: bytes) -> int | None:
    """Return how long a file is without its padding; None where its end is not an end."""
    size_bytes = stored.size_bytes
    if size_bytes == 0 or size_bytes % _BLOCK:
        return None
    with stored.open() as stream:
        last = _last_bytes(stream, size_bytes, 2 * _BLOCK)
    vector, block = (last[:_BLOCK], last[_BLOCK:]) if len(last) == 2 * _BLOCK else (bytes(_BLOCK), last)
    plain = _cipher(key, vector).update(block)
    padding = plain[-1] if plain else 0
    is_end = 1 <= padding <= _BLOCK and plain.endswith(bytes([padding]) * padding)
    return size_bytes - padding if is_end else None


def _last_bytes(stream: BinaryIO, size_bytes: int, wanted: int) -> bytes:
    begin = max(size_bytes - wanted, 0)
    if stream.seekable():
        stream.seek(begin)
        return stream.read(wanted)
    while begin > 0 and (passed := stream.read(min(begin, _PIECE))):
        begin -= len(passed)
    return stream.read(wanted)


def _cipher(key: bytes, vector: bytes) -> CipherContext:
    return Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor()


class _Decrypted(io.RawIOBase):
    """The plain bytes, up to the length that the file has without its padding."""

    def __init__(self, member: DecryptedMember, key: bytes) -> None:
        super().__init__()
        self._member = member
        self._key = key
        self._stream = member.stored.open()
        self._cipher = _cipher(key, bytes(_BLOCK))
        self._rest = memoryview(b"")
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._stream.seekable()

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        base = (0, self._at, self._member.size_bytes)[whence]
        self._at = max(base + offset, 0)
        # A block is decrypted with the sealed one before it, so reading can begin anywhere.
        first = self._at // _BLOCK * _BLOCK
        self._stream.seek(max(first - _BLOCK, 0))
        vector = self._stream.read(_BLOCK) if first else bytes(_BLOCK)
        self._rest = memoryview(b"")
        if len(vector) == _BLOCK:
            self._cipher = _cipher(self._key, vector)
            passed = self._at - first
            if passed:
                self._rest = memoryview(self._cipher.update(self._stream.read(_BLOCK)))[passed:]
        return self._at

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer).cast("B")
        left = self._member.size_bytes - self._at
        if left <= 0:
            return 0
        if not self._rest:
            piece = self._stream.read(_PIECE)
            if not piece:
                raise TruncatedExport(Locator(self._member.name), "backup-cut")
            self._rest = memoryview(self._cipher.update(piece))
            if not self._rest:
                raise TruncatedExport(Locator(self._member.name), "backup-cut")
        size = min(len(view), len(self._rest), left)
        view[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        self._at += size
        return size

    def close(self) -> None:
        self._stream.close()
        super().close()
