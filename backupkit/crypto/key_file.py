"""The shape that every key file shares: a frame, canonical JSON, and a checksum over it.

The checksum is for bit rot, so that a damaged copy is told from a wrong passphrase and the next copy can be taken
without any key. It stops nobody who means harm; that is what the seals are for. What a newer backupkit has added is
kept, and written again.
"""

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from backupkit.clock import from_rfc3339, to_rfc3339
from backupkit.codec.canonical import MAX_INTEGER, Json, decode_json, encode_canonical
from backupkit.codec.framing import Mark, frame, unframe
from backupkit.codec.malformed import MalformedObject, NewerFormat

VERSION = 1
MAX_BYTES = 64 * 1024


def write_key_file(mark: Mark, fields: Mapping[str, Json]) -> bytes:
    """Frame `fields` with the version and the checksum added."""
    body = {**fields, "v": VERSION}
    return frame(mark, encode_canonical({**body, "sum": _checksum(body)}))


def read_key_file(mark: Mark, data: bytes | memoryview, *, max_bytes: int = MAX_BYTES) -> "Fields":
    """Read what `write_key_file` wrote.

    Raises:
        MalformedObject: anything else, damage included: there is one spelling of every key file.
        NewerFormat: a newer version.
    """
    what = what_of(mark)
    payload = unframe(mark, data)
    value = decode_json(payload, what=what, max_bytes=max_bytes)
    if not isinstance(value, dict) or encode_canonical(value) != payload:
        raise MalformedObject(what=what, reason="not-canonical")
    checksum = value.pop("sum", None)
    if checksum != _checksum(value):
        raise MalformedObject(what=what, reason="checksum")
    fields = Fields(value, what=what)
    version = fields.integer("v", least=1)
    if version > VERSION:
        raise NewerFormat(what=what, version=version, known=VERSION)
    return fields


def what_of(mark: Mark) -> str:
    """Name the kind of object in errors."""
    return mark.name.lower().replace("_", "-")


def to_text(data: bytes) -> str:
    """Write bytes as base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def _checksum(body: Mapping[str, Json]) -> str:
    return hashlib.sha256(encode_canonical(dict(body))).hexdigest()


class Fields:
    """A JSON object that is read field by field. Every reader raises `MalformedObject` for a missing or wrong value."""

    __slots__ = ("_left", "_value", "_what")

    def __init__(self, value: Any, *, what: str) -> None:
        self._what = what
        if not isinstance(value, dict):
            raise self._wrong("object")
        self._value: dict[str, Any] = value
        self._left = dict(value)

    @property
    def unknown(self) -> dict[str, Json]:
        """What nobody asked for: fields of a newer backupkit, to be written again as they were."""
        return dict(self._left)

    def text(self, name: str, *, most: int = 200) -> str:
        """Read a string of at most `most` characters."""
        value = self._take(name)
        if not isinstance(value, str) or len(value) > most:
            raise self._wrong(name)
        return value

    def integer(self, name: str, *, least: int = 0, most: int = MAX_INTEGER) -> int:
        """Read a whole number from `least` to `most`."""
        value = self._take(name)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self._wrong(name)
        return value

    def data(self, name: str, *, least: int, most: int | None = None) -> bytes:
        """Read base64 of `least` to `most` bytes; exactly `least` where no `most` is given."""
        value = self._take(name)
        try:
            data = base64.b64decode(value, validate=True)
        except (ValueError, TypeError) as error:
            raise self._wrong(name) from error
        if to_text(data) != value or not least <= len(data) <= (least if most is None else most):
            raise self._wrong(name)
        return data

    def digits(self, name: str, *, size: int) -> str:
        """Read `size` lower-case hex digits."""
        value = self.text(name, most=size)
        if len(value) != size or set(value) - set("0123456789abcdef"):
            raise self._wrong(name)
        return value

    def moment(self, name: str) -> datetime:
        """Read a time in RFC 3339 UTC."""
        value = self.text(name)
        try:
            moment = from_rfc3339(value)
        except ValueError as error:
            raise self._wrong(name) from error
        if to_rfc3339(moment) != value:
            raise self._wrong(name)
        return moment

    def fields(self, name: str) -> "Fields":
        """Read a nested object field by field."""
        value = self._take(name)
        if not isinstance(value, dict):
            raise self._wrong(name)
        return Fields(value, what=self._what)

    def object(self, name: str) -> dict[str, Json]:
        """Read a nested object as it is."""
        value = self._take(name)
        if not isinstance(value, dict):
            raise self._wrong(name)
        return value

    def _take(self, name: str) -> Any:
        self._left.pop(name, None)
        return self._value.get(name)

    def _wrong(self, name: str) -> MalformedObject:
        return MalformedObject(what=self._what, reason=f"field-{name}".replace("_", "-"))
