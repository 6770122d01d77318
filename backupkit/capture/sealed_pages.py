"""Is every page of a sealed database what its app wrote? Asked with a key that can check and cannot read.

SQLCipher ends each page with an authentication code. Its key is made from the encryption key by a one-way function, so
who holds it can tell a damaged page from a whole one and learns nothing of what is in it. Layout of a page:

    sealed bytes | nonce 16 | code (20 SHA-1, 32 SHA-256, 64 SHA-512) | padding         the last three: the reserve

The code covers the sealed bytes (on page 1 without the 16 bytes of salt in front), the nonce, and the page's number as
a little-endian u32. Old WeChat for Android (SQLCipher 1) has no codes. Source: SQLCipher's published design.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from backupkit.capture.databases import NTQQ_PREFIX
from backupkit.capture.finding import Finding
from backupkit.codec.canonical import decode_json, encode_canonical
from backupkit.codec.malformed import MalformedObject
from backupkit.codec.sqlite_wal import committed_pages

SALT_SIZE: Final = 16
KEY_SIZE: Final = 32
_NONCE_SIZE: Final = 16
_SALT_MASK: Final = 0x3A
_ROUNDS: Final = 2
_CODE_SIZES: Final = {"sha1": 20, "sha256": 32, "sha512": 64}
_READ_PAGES: Final = 256


@dataclass(frozen=True, slots=True)
class SealProfile:
    """How an app's pages are sealed. `reserve` is the number of bytes at a page's end for nonce, code and padding."""

    page_size: int
    reserve: int
    code_hash: str
    key_hash: str
    prefix: int = 0


PROFILES: Final = {
    "wechat-pc-3": SealProfile(4096, 48, "sha1", "sha1"),
    "wechat-mac-3": SealProfile(1024, 48, "sha1", "sha1"),
    "wechat-4": SealProfile(4096, 80, "sha512", "sha512"),
    "ntqq": SealProfile(4096, 48, "sha1", "sha512", NTQQ_PREFIX),
    "ntqq-sha512": SealProfile(4096, 80, "sha512", "sha512", NTQQ_PREFIX),
    "sqlcipher-3": SealProfile(1024, 48, "sha1", "sha1"),
    "sqlcipher-4": SealProfile(4096, 80, "sha512", "sha512"),
}
"""Sources: sjzar/chatlog for WeChat, Mythologyli/qq-nt-db for NTQQ, SQLCipher's documentation for its own defaults."""


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """A key that checks the pages of one database, told by its salt, and opens none."""

    key: bytes
    salt: bytes
    page_size: int
    reserve: int
    code_hash: str
    prefix: int

    def encode(self) -> bytes:
        """Write the key as canonical JSON, for the owner to keep."""
        return encode_canonical(
            {
                "type": "verify-key",
                "v": 1,
                "key": self.key.hex(),
                "salt": self.salt.hex(),
                "page_size": self.page_size,
                "reserve": self.reserve,
                "code_hash": self.code_hash,
                "prefix": self.prefix,
            }
        )


@dataclass(frozen=True, slots=True)
class PageCheck:
    """What was found. `damaged` are page numbers from 1; `blank` pages hold nothing but zeros, which SQLCipher allows.

    `is_other_database` is true where the salt is not the one that the key was made for: then nothing was checked.
    """

    checked: int
    damaged: tuple[int, ...]
    blank: int
    is_other_database: bool = False

    def findings(self) -> tuple[Finding, ...]:
        """What to tell the owner."""
        if not self.damaged:
            return ()
        facts = {"pages": len(self.damaged), "checked": self.checked, "first": self.damaged[0]}
        return (Finding("pages-not-authentic", lost=True, facts=facts),)


def make_verify_key(encryption_key: bytes, salt: bytes, profile: SealProfile) -> VerifyKey:
    """Make the key that checks from the raw 32-byte key that opens, which is not kept.

    `salt` are the first 16 bytes of page 1.
    """
    if len(encryption_key) != KEY_SIZE or len(salt) != SALT_SIZE:
        raise ValueError("an encryption key has 32 bytes and a salt 16")
    masked = bytes(byte ^ _SALT_MASK for byte in salt)
    key = hashlib.pbkdf2_hmac(profile.key_hash, encryption_key, masked, _ROUNDS, KEY_SIZE)
    return VerifyKey(key, salt, profile.page_size, profile.reserve, profile.code_hash, profile.prefix)


def read_salt(image: Path, prefix: int = 0) -> bytes:
    """Read the salt of a sealed database.

    Raises:
        OSError: the file cannot be read.
    """
    with image.open("rb") as file:
        file.seek(prefix)
        return file.read(SALT_SIZE)


def decode_verify_key(data: bytes) -> VerifyKey:
    """Read what `encode` wrote.

    Raises:
        MalformedObject: the bytes are anything else.
    """
    value = decode_json(data, what="verify-key", max_bytes=4096)
    if not isinstance(value, dict) or value.get("type") != "verify-key" or value.get("v") != 1:
        raise MalformedObject(what="verify-key", reason="wrong-mark")
    try:
        key = VerifyKey(
            _hex(value["key"], KEY_SIZE),
            _hex(value["salt"], SALT_SIZE),
            _number(value["page_size"], 512, 65536),
            _number(value["reserve"], 0, 255),
            str(value["code_hash"]),
            _number(value["prefix"], 0, 65536),
        )
        least_reserve = _NONCE_SIZE + _CODE_SIZES[key.code_hash]
    except (KeyError, ValueError, TypeError) as error:
        raise MalformedObject(what="verify-key", reason="wrong-field") from error
    if key.page_size & (key.page_size - 1) or key.reserve < least_reserve:
        raise MalformedObject(what="verify-key", reason="wrong-field")
    return key


def check_sealed_pages(image: Path, key: VerifyKey, *, wal: Path | None = None) -> PageCheck:
    """Check every page of a copied sealed database, and the committed pages of its log: 240 MB/s with SHA-512, 350 with SHA-1.

    Raises:
        OSError: a file cannot be read.
    """
    if read_salt(image, key.prefix) != key.salt:
        return PageCheck(0, (), 0, is_other_database=True)
    checked = blank = 0
    damaged: set[int] = set()
    for number, page in _all_pages(image, wal, key):
        checked += 1
        if is_page_whole(page, number, key):
            continue
        if not any(page):
            blank += 1
        else:
            damaged.add(number)
    return PageCheck(checked, tuple(sorted(damaged)), blank)


def is_page_whole(page: bytes, number: int, key: VerifyKey) -> bool:
    """Say whether a page, numbered from 1, carries the code that its app gave it."""
    if len(page) != key.page_size:
        return False
    start = SALT_SIZE if number == 1 else 0
    end = key.page_size - key.reserve + _NONCE_SIZE
    code = hmac.digest(key.key, page[start:end] + number.to_bytes(4, "little"), key.code_hash)
    return hmac.compare_digest(code, page[end : end + len(code)])


def _all_pages(image: Path, wal: Path | None, key: VerifyKey) -> Iterator[tuple[int, bytes]]:
    with image.open("rb", buffering=0) as file:
        yield from _pages(file, key)
    if wal is not None:
        with wal.open("rb", buffering=0) as log:
            summary, newest = committed_pages(log)
            if summary.header is None or summary.header.page_size != key.page_size:
                return
            for number, offset in newest.items():
                log.seek(offset)
                yield number, log.read(key.page_size)


def _pages(file: BinaryIO, key: VerifyKey) -> Iterator[tuple[int, bytes]]:
    file.seek(key.prefix)
    number = 0
    while block := file.read(key.page_size * _READ_PAGES):
        for start in range(0, len(block), key.page_size):
            number += 1
            yield number, block[start : start + key.page_size]


def _hex(text: object, size: int) -> bytes:
    if not isinstance(text, str) or not re.fullmatch(f"[0-9a-f]{{{size * 2}}}", text):
        raise ValueError(text)
    return bytes.fromhex(text)


def _number(value: object, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(value)
    return value
