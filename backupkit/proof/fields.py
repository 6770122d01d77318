"""Reading a statement's fields: each reader returns a value of its kind or raises, so nothing is checked again later.

Fields that nobody asks for are left alone: a newer backupkit may have added them, and the signed bytes keep them.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NoReturn

from backupkit.clock import from_rfc3339
from backupkit.codec.malformed import MalformedObject
from backupkit.proof.base64_text import from_base64
from backupkit.proof.merkle import HASH_SIZE

MAX_TEXT = 512
MAX_ROWS = 4096
_HEX = frozenset("0123456789abcdef")


class Fields:
    """A JSON object that somebody else wrote."""

    __slots__ = ("_object", "_what")

    def __init__(self, value: Any, *, what: str) -> None:
        self._what = what
        if not isinstance(value, dict):
            self.refuse("not-an-object")
        self._object: dict[str, Any] = value

    def refuse(self, reason: str) -> NoReturn:
        """Raise the one error of a malformed object; `reason` is kebab-case."""
        raise MalformedObject(what=self._what, reason=reason)

    def text(self, name: str, *, most: int = MAX_TEXT) -> str:
        """Read a string of 1 to `most` characters."""
        value = self._object.get(name)
        if not isinstance(value, str) or not 1 <= len(value) <= most:
            self.refuse(f"bad-{_kebab(name)}")
        return value

    def optional_text(self, name: str, *, most: int = MAX_TEXT) -> str | None:
        """Read a string, or None for null and absent."""
        return None if self._object.get(name) is None else self.text(name, most=most)

    def texts(self, name: str, *, most: int = MAX_TEXT) -> tuple[str, ...]:
        """Read a list of strings of 1 to `most` characters; null and absent are an empty one."""
        values = [] if self._object.get(name) is None else self._list(name)
        if not all(isinstance(value, str) and 1 <= len(value) <= most for value in values):
            self.refuse(f"bad-{_kebab(name)}")
        return tuple(values)

    def one_of(self, name: str, known: frozenset[str]) -> str:
        """Read one of the words in `known`."""
        value = self.text(name)
        if value not in known:
            self.refuse(f"unknown-{_kebab(name)}")
        return value

    def hex(self, name: str, *, size: int) -> str:
        """Read `size` bytes written as lower-case hex digits; the digits are returned."""
        value = self.text(name)
        if not is_hex(value, size=size):
            self.refuse(f"bad-{_kebab(name)}")
        return value

    def hexes(self, name: str, *, size: int) -> tuple[str, ...]:
        """Read a list of such digits."""
        values = self._list(name)
        if not all(isinstance(value, str) and is_hex(value, size=size) for value in values):
            self.refuse(f"bad-{_kebab(name)}")
        return tuple(values)

    def base64(self, name: str, *, size: int) -> bytes:
        """Read `size` bytes written in standard base64."""
        return self._bytes(self._object.get(name), name, size)

    def hashes(self, name: str, *, most: int) -> tuple[bytes, ...]:
        """Read a list of at most `most` SHA-256 hashes in base64."""
        values = self._list(name)
        if len(values) > most:
            self.refuse(f"bad-{_kebab(name)}")
        return tuple(self._bytes(value, name, HASH_SIZE) for value in values)

    def count(self, name: str) -> int:
        """Read a whole number from zero up."""
        value = self._object.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            self.refuse(f"bad-{_kebab(name)}")
        return value

    def optional_count(self, name: str) -> int | None:
        """Read a whole number from zero up, or None for null and absent."""
        return None if self._object.get(name) is None else self.count(name)

    def claim(self, name: str) -> bool:
        """Read true or false."""
        value = self._object.get(name)
        if not isinstance(value, bool):
            self.refuse(f"bad-{_kebab(name)}")
        return value

    def optional_claim(self, name: str) -> bool:
        """Read true or false; null and absent are false."""
        return self._object.get(name) is not None and self.claim(name)

    def moment(self, name: str) -> datetime:
        """Read an RFC 3339 time in UTC to the second."""
        try:
            return from_rfc3339(self.text(name))
        except ValueError:
            self.refuse(f"bad-{_kebab(name)}")

    def optional_moment(self, name: str) -> datetime | None:
        """Read a time, or None for null and absent."""
        return None if self._object.get(name) is None else self.moment(name)

    def object(self, name: str) -> "Fields":
        """Read an object within."""
        return Fields(self._object.get(name), what=self._what)

    def optional_object(self, name: str) -> "Fields | None":
        """Read an object within, or None for null and absent."""
        return None if self._object.get(name) is None else self.object(name)

    def objects(self, name: str) -> Iterator["Fields"]:
        """Read a list of objects."""
        return (Fields(value, what=self._what) for value in self._list(name))

    def optional_objects(self, name: str) -> Iterator["Fields"]:
        """Read a list of objects; null and absent are an empty one."""
        return iter(()) if self._object.get(name) is None else self.objects(name)

    def _bytes(self, value: Any, name: str, size: int) -> bytes:
        try:
            data = from_base64(value) if isinstance(value, str) else b""
        except ValueError:
            self.refuse(f"bad-{_kebab(name)}")
        if len(data) != size:
            self.refuse(f"bad-{_kebab(name)}")
        return data

    def _list(self, name: str) -> list[Any]:
        value = self._object.get(name)
        if not isinstance(value, list) or len(value) > MAX_ROWS:
            self.refuse(f"bad-{_kebab(name)}")
        return value


def is_hex(text: str, *, size: int) -> bool:
    """Say whether a text is `size` bytes in lower-case hex digits."""
    return len(text) == 2 * size and _HEX.issuperset(text)


def _kebab(name: str) -> str:
    return "".join(f"-{mark.lower()}" if mark.isupper() else mark for mark in name)
