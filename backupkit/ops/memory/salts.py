"""The salts of sealed databases, remembered from one snapshot to the next.

A sealed database begins with a random salt that stays for its whole life. Another one in the same place means that the app made the
database anew, as after a reinstall or a wipe: nothing else tells that without a key. Losing this memory costs one such telling.
"""

import hmac
import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from backupkit.codec.canonical import decode_json
from backupkit.codec.malformed import MalformedObject
from backupkit.ops.places import write_private

_WHAT = "salts"
_VERSION = 1
_MAX_BYTES = 4 << 20
_MOST = 20_000


class KnownSalts:
    """What this machine remembers: keyed digests of places and of salts, no names."""

    def __init__(self, path: Path, key: bytes) -> None:
        self._path = path
        self._key = key

    def changed(self, place: str, salts: Iterable[tuple[str, bytes]]) -> list[str]:
        """Remember the salts of a source's databases, and return the names of those that had another one before."""
        rows = self._rows()
        before = dict(rows)
        found = []
        for name, salt in salts:
            key, value = self._digest(f"{place}\0{name}".encode("utf-8", "surrogatepass")), self._digest(salt)
            if rows.get(key, value) != value:
                found.append(name)
            rows.pop(key, None)
            rows[key] = value
        if rows != before:
            newest = dict(list(rows.items())[-_MOST:])
            # A cache on a full disk must keep nobody from a backup on another one.
            with suppress(OSError):
                write_private(self._path, json.dumps({"v": _VERSION, "rows": newest}).encode())
        return found

    def _rows(self) -> dict[str, str]:
        try:
            kept = decode_json(self._path.read_bytes(), what=_WHAT, max_bytes=_MAX_BYTES)
            return {str(key): str(value) for key, value in kept["rows"].items()} if kept["v"] == _VERSION else {}
        except (OSError, MalformedObject, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _digest(self, data: bytes) -> str:
        return hmac.digest(self._key, b"salt\0" + data, "sha256").hex()[:32]
